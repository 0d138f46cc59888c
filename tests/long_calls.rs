//! Calls that last, on a bad day: each byte comes once, the wait is the caller's, and what the server asks
//! for has a limit.

mod support;

use std::cell::RefCell;
use std::time::Duration;

use evrim::{Client, Options, Research, Status};
use support::sandbox::{Config, Fault, FaultKind, PASSWORD, Sandbox, USERNAME};

fn scene(pending: Duration, options: Options) -> (Sandbox, Client) {
    let sandbox = Sandbox::start(Config {
        pending,
        ..Config::default()
    });
    let client = Client::sign_in(&sandbox.url(), USERNAME, PASSWORD, options).expect("signed in");
    (sandbox, client)
}

fn task(client: &Client) -> String {
    let research = Research {
        url: "https://example.org/",
        title: "Snow",
        description: "How much there is",
        style: Research::STYLE,
        tone: Research::TONE,
        point_of_view: Research::POINT_OF_VIEW,
    };
    let task = client.submit_research(&research).expect("a task");
    task.string("/task_id").expect("its id").to_owned()
}

/// One answer after the other, each the end of its connection.
fn answers(sandbox: &Sandbox, path: &str, all: &[&str]) {
    for answer in all {
        sandbox.fault(Fault::new(path, FaultKind::Raw(answer.as_bytes().to_vec())).times(1));
    }
}

/// What a write callback got, and how the call ended.
fn received(client: &Client, path: &str) -> (String, Result<(), Status>) {
    let got = RefCell::new(Vec::new());
    let write = |bytes: &[u8]| {
        got.borrow_mut().extend_from_slice(bytes);
        true
    };
    let outcome = client.download_to(path, &write, None);
    let text = String::from_utf8(got.into_inner()).expect("text");
    (text, outcome.map_err(|error| error.status()))
}

const START: &str = "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: 10\r\n\r\n";

#[test]
fn a_body_that_is_cut_twice_comes_once_though_the_server_begins_anew() {
    let (sandbox, client) = scene(Duration::ZERO, Options::default());
    let [half, less, whole] = ["01234", "01", "0123456789"].map(|part| format!("{START}{part}"));
    answers(&sandbox, "/echo/", &[&half, &less, &whole]);
    assert_eq!(
        received(&client, "echo/"),
        ("0123456789".to_owned(), Ok(()))
    );
}

#[test]
fn two_versions_of_a_body_are_never_mixed() {
    let (sandbox, client) = scene(Duration::ZERO, Options::default());
    let half = format!("{START}01234");
    let other = "HTTP/1.1 200 OK\r\nETag: \"two\"\r\nContent-Length: 10\r\n\r\nabcdefghij";
    // In between an answer without a byte of its body.
    answers(&sandbox, "/echo/", &[&half, START, other]);
    assert_eq!(
        received(&client, "echo/"),
        ("01234".to_owned(), Err(Status::Network))
    );
}

#[test]
fn a_body_of_unknown_length_is_taken_up_again() {
    let (sandbox, client) = scene(Duration::ZERO, Options::default());
    let half =
        "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n";
    let rest = "HTTP/1.1 206 Partial Content\r\nETag: \"one\"\r\nContent-Range: bytes 5-9/10\r\n\
                Content-Length: 5\r\n\r\n56789";
    answers(&sandbox, "/echo/", &[half, rest]);
    assert_eq!(
        received(&client, "echo/"),
        ("0123456789".to_owned(), Ok(()))
    );
}

#[test]
fn a_wait_outlasts_the_time_for_a_call() {
    let mut options = Options::default();
    options
        .set_total_timeout(Duration::from_millis(200))
        .expect("an option");
    let (_sandbox, client) = scene(Duration::from_secs(1), options);
    let task = client
        .wait_for_task(&task(&client), Duration::from_secs(30), None)
        .expect("the task ends");
    assert_eq!(task.string("/status"), Some("C"));
}

#[test]
fn a_server_that_asks_for_an_endless_rest_does_not_end_the_wait_early() {
    let (sandbox, client) = scene(Duration::ZERO, Options::default());
    let id = task(&client);
    let fault = format!("/tasks/{id}/=status:503,header=Retry-After: 18000000000000000000");
    sandbox.fault(Fault::parse(&fault).expect("a fault"));
    let error = client
        .wait_for_task(&id, Duration::from_millis(600), None)
        .err()
        .expect("an error");
    assert_eq!(error.status(), Status::RateLimited);
    assert_eq!(error.http_status(), Some(503));
}

#[test]
fn a_call_that_a_callback_ends_may_have_been_sent() {
    let (_sandbox, client) = scene(Duration::from_secs(60), Options::default());
    let stop = |_, _| false;
    let error = client
        .wait_for_task(&task(&client), Duration::from_secs(30), Some(&stop))
        .err()
        .expect("an error");
    assert_eq!(error.status(), Status::Cancelled);
    assert!(error.may_have_been_sent());
}

#[test]
fn a_string_that_is_no_c_string_is_named_for_what_it_is() {
    let (sandbox, client) = scene(Duration::ZERO, Options::default());
    let fault = "/echo/=status:200,body={\"title\": \"a\\u0000b\"}";
    sandbox.fault(Fault::parse(fault).expect("a fault"));
    let answer = client.request("GET", "echo/", None).expect("an answer");
    let wanted = answer.require("/title", "string", |_| None::<()>);
    let said = wanted.expect_err("an error").message().to_owned();
    assert!(
        said.contains("a string with a NUL character in it"),
        "{said}"
    );
}
