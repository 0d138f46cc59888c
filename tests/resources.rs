//! Evrim's own things are one call each.

mod support;

#[path = "support/dialogue.rs"]
mod dialogue;

use std::time::Duration;

use dialogue::Dialogue;
use support::c;
use support::sandbox::{API_TOKEN, Config, Fault, FaultKind, Sandbox};

fn sandbox(pending: Duration) -> Sandbox {
    Sandbox::start(Config {
        pending,
        ..Config::default()
    })
}

#[test]
fn lists_and_items_come_by_name() {
    let sandbox = sandbox(Duration::ZERO);
    let mut program = Dialogue::signed_in(&sandbox);
    for (list, item) in [
        ("reports", "report"),
        ("runs", "run"),
        ("sections", "section"),
        ("paragraphs", "paragraph"),
    ] {
        program.ask(&[&format!("get_{list}")]).expect("OK");
        assert_eq!(sandbox.counters().of(&format!("GET /{list}/")), 1);
        let id = if item == "paragraph" { "101" } else { "1" };
        let answer = program.ask(&[&format!("get_{item}"), id]);
        assert_eq!(answer.expect("OK").number("http"), 200);
        assert_eq!(sandbox.counters().of(&format!("GET /{list}/{id}/")), 1);
        let missing = program.ask(&[&format!("get_{item}"), "987654"]);
        missing.expect("ERROR_NOT_FOUND");
        let before = sandbox.counters().total;
        let negative = program.ask(&[&format!("get_{item}"), "-1"]);
        assert_eq!(negative.expect("ERROR_INVALID_ARGUMENT").get("sent"), "no");
        assert_eq!(sandbox.counters().total, before);
    }
    program.ask(&["get_tasks"]).expect("OK");
}

#[test]
fn a_page_of_html_is_no_empty_list() {
    let sandbox = sandbox(Duration::ZERO);
    let mut program = Dialogue::signed_in(&sandbox);
    for kind in [
        "html",
        "empty",
        "status:200,body=\"text\"",
        "status:204",
        // Looks like a list at its first byte.
        "garbage",
        "status:200,body=[{\"id\": 1},",
    ] {
        sandbox.fault(Fault::parse(&format!("*={kind}")).expect("a fault"));
        for call in [
            &["get_reports"][..],
            &["get_report", "1"],
            &["get_task", "x"],
        ] {
            let answer = program.ask(call);
            assert_eq!(answer.expect("ERROR_PROTOCOL").get("response"), "no");
            assert!(answer.message().contains("no JSON"), "{answer:?}");
        }
        sandbox.clear_faults();
    }
}

#[test]
fn a_task_id_is_one_segment_of_the_path() {
    let sandbox = sandbox(Duration::ZERO);
    let mut program = Dialogue::signed_in(&sandbox);
    for id in ["../reports", "a/b", "a?b#c", "%2e%2e", "ü"] {
        program.ask(&["get_task", id]).expect("ERROR_NOT_FOUND");
    }
    let asked: Vec<String> = sandbox
        .counters()
        .requests
        .keys()
        .filter(|name| name.starts_with("GET "))
        .cloned()
        .collect();
    assert_eq!(
        asked,
        [
            "GET /tasks/%252e%252e/",
            "GET /tasks/%C3%BC/",
            "GET /tasks/..%2Freports/",
            "GET /tasks/a%2Fb/",
            "GET /tasks/a%3Fb%23c/",
        ]
    );
    for id in ["", ".", ".."] {
        program
            .ask(&["get_task", id])
            .expect("ERROR_INVALID_ARGUMENT");
    }
}

#[test]
fn research_is_submitted_once_with_its_defaults() {
    let sandbox = sandbox(Duration::from_millis(700));
    let mut program = Dialogue::signed_in(&sandbox);
    let answer = program.ask(&[
        "submit_research",
        "https://example.com/",
        "Ice \"n\" sea ü",
        "d",
    ]);
    assert_eq!(answer.expect("OK").number("http"), 201);
    let task = answer.body();
    assert_eq!(task["status"], "P");
    let input: serde_json::Value =
        serde_json::from_str(task["event"]["input"].as_str().expect("text")).expect("JSON");
    assert_eq!(input["title"], "Ice \"n\" sea ü");
    assert_eq!(input["style"], "NARRATIVE");
    assert_eq!(input["tone"], "ANALYTICAL");
    assert_eq!(input["point_of_view"], "THIRD_PERSON");
    let answer = program.ask(&[
        "submit_research",
        "https://example.com/",
        "t",
        "d",
        "S",
        "T",
        "FIRST",
    ]);
    let input = answer.expect("OK").body()["event"]["input"].to_string();
    for value in ["\\\"S\\\"", "\\\"T\\\"", "\\\"FIRST\\\""] {
        assert!(input.contains(value), "{input}");
    }
    // The message names what the server does not like.
    let answer = program.ask(&["submit_research", "no url", "t", "d"]);
    assert!(
        answer.expect("ERROR_REQUEST").message().contains("url: "),
        "{answer:?}"
    );
    // An answer that is lost: the work may have begun, so it is not asked for again.
    let before = sandbox.counters().of("POST /research/");
    sandbox.fault(Fault::new("POST /research/", FaultKind::Lost).times(1));
    let answer = program.ask(&["submit_research", "https://example.com/", "t", "d"]);
    assert_eq!(answer.expect("ERROR_NETWORK").get("sent"), "yes");
    assert_eq!(sandbox.counters().of("POST /research/"), before + 1);
}

fn submitted(program: &mut Dialogue) -> String {
    let answer = program.ask(&["submit_research", "https://example.com/", "t", "d"]);
    let task = answer.expect("OK").body();
    task["task_id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_task_is_waited_for_until_it_is_no_longer_pending() {
    let sandbox = sandbox(Duration::from_millis(1200));
    let mut program = Dialogue::signed_in(&sandbox);
    let id = submitted(&mut program);
    let answer = program.ask(&["wait_for_task", &id, "30000"]);
    assert_eq!(answer.expect("OK").body()["status"], "C");
    assert!(answer.number("times") >= 3, "{answer:?}");
    assert_eq!(answer.number("total"), -1);
    assert_eq!(answer.get("backwards"), "no");
    // Less and less often: at 0, 0.5, 1.25 s or thereabouts.
    let asked = sandbox.counters().of(&format!("GET /tasks/{id}/"));
    assert!((2..=5).contains(&asked), "{asked}");
    // One that has ended is not waited for; any other letter than P is an end.
    let answer = program.ask(&["wait_for_task", &id, "30000"]);
    answer.expect("OK");
    sandbox.fault(Fault::parse("/tasks/*=status:200,body={\"status\": \"F\"}").expect("a fault"));
    let answer = program.ask(&["wait_for_task", &id, "30000"]);
    assert_eq!(answer.expect("OK").body()["status"], "F");
    sandbox.clear_faults();
    sandbox.fault(Fault::parse("/tasks/*=status:200,body={}").expect("a fault"));
    let answer = program.ask(&["wait_for_task", &id, "30000"]);
    assert!(
        answer
            .expect("ERROR_PROTOCOL")
            .message()
            .contains("/status"),
        "{answer:?}"
    );
}

#[test]
fn a_wait_ends_in_time_and_when_it_is_told_to() {
    let sandbox = sandbox(Duration::from_secs(600));
    let mut program = Dialogue::start();
    // Shorter than the wait: each look is a call of its own.
    program.option("total_timeout_ms", "300");
    program.sign_in(&sandbox).expect("OK");
    let id = submitted(&mut program);
    let answer = program.ask(&["wait_for_task", &id, "1500"]);
    answer.expect("ERROR_TIMEOUT");
    assert!(answer.message().contains("1500 ms"), "{answer:?}");
    assert!(answer.took >= Duration::from_millis(1500));
    assert_eq!(answer.get("retryable"), "yes");
    let answer = program.ask(&["wait_for_task", &id, "600000", "400"]);
    answer.expect("ERROR_CANCELLED");
    assert!(answer.message().contains("progress"), "{answer:?}");
    // A server that does not answer at all does not hold it up either.
    sandbox.fault(Fault::parse("/tasks/*=silent").expect("a fault"));
    program
        .ask(&["wait_for_task", &id, "500"])
        .expect("ERROR_TIMEOUT");
    program
        .ask(&["wait_for_task", &id, "0"])
        .expect("ERROR_INVALID_ARGUMENT");
}

#[test]
fn a_failure_that_may_pass_does_not_end_a_wait() {
    let sandbox = sandbox(Duration::from_millis(300));
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.sign_in(&sandbox).expect("OK");
    let id = submitted(&mut program);
    for fault in ["status:503,times=2", "cut,times=1", "reset,times=1"] {
        sandbox.fault(Fault::parse(&format!("/tasks/*={fault}")).expect("a fault"));
    }
    let answer = program.ask(&["wait_for_task", &id, "60000"]);
    assert_eq!(answer.expect("OK").body()["status"], "C");
    assert_eq!(sandbox.counters().of(&format!("GET /tasks/{id}/")), 5);
    // One that will not pass does.
    let unknown = "00000000-0000-4000-8000-000000000000";
    program
        .ask(&["wait_for_task", unknown, "60000"])
        .expect("ERROR_NOT_FOUND");
    // And one that has not passed by the end is what is reported.
    sandbox.fault(Fault::parse("/tasks/*=status:503").expect("a fault"));
    let answer = program.ask(&["wait_for_task", &id, "1000"]);
    assert_eq!(answer.expect("ERROR_SERVER").number("http"), 503);
}

#[test]
fn pages_follow_each_other_to_the_end() {
    let sandbox = sandbox(Duration::ZERO);
    let mut program = Dialogue::signed_in(&sandbox);
    let first = program.get("v0/reports/");
    let count = first.expect("OK").body()["count"]
        .as_u64()
        .expect("a count");
    let mut items = first.body()["results"].as_array().expect("items").len() as u64;
    let mut pages = 1;
    loop {
        let answer = program.ask(&["next_page"]);
        if answer.expect("OK").get("response") == "no" {
            break;
        }
        items += answer.body()["results"].as_array().expect("items").len() as u64;
        pages += 1;
    }
    assert_eq!(items, count);
    assert!(pages > 1);
    // An answer that is no page has none after it.
    program.get("reports/1/").expect("OK");
    assert_eq!(
        program.ask(&["next_page"]).expect("OK").get("response"),
        "no"
    );
}

/// Half a page, or none, is no end of the list.
#[test]
fn a_page_that_is_no_json_is_not_the_last() {
    let sandbox = sandbox(Duration::ZERO);
    let mut program = Dialogue::signed_in(&sandbox);
    for kind in ["garbage", "status:200,body={\"next\": ", "html", "empty"] {
        program.get("v0/reports/").expect("OK");
        sandbox.fault(Fault::parse(&format!("/v0/*={kind}")).expect("a fault"));
        let answer = program.ask(&["next_page"]);
        assert_eq!(answer.expect("ERROR_PROTOCOL").get("response"), "no");
        sandbox.clear_faults();
    }
}

#[test]
fn a_page_on_another_server_is_not_asked_for() {
    let sandbox = sandbox(Duration::ZERO);
    let elsewhere = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    let port = sandbox.port();
    for (next, status) in [
        (
            format!("{}/v0/reports/?page=2", elsewhere.url()),
            "ERROR_REDIRECT",
        ),
        (
            format!("https://127.0.0.1:{port}/prod/v0/reports/"),
            "ERROR_REDIRECT",
        ),
        (
            format!("http://user:pass@127.0.0.1:{port}/prod/v0/reports/"),
            "ERROR_REDIRECT",
        ),
        ("file:///etc/passwd".to_owned(), "ERROR_REDIRECT"),
        ("?page=2".to_owned(), "ERROR_PROTOCOL"),
    ] {
        let page = format!("{{\"next\": \"{next}\"}}");
        sandbox.clear_faults();
        sandbox.fault(Fault::parse(&format!("/v0/*=status:200,body={page}")).expect("a fault"));
        program.get("v0/reports/").expect("OK");
        let answer = program.ask(&["next_page"]);
        assert_eq!(answer.expect(status).get("sent"), "no");
        assert!(!answer.message().contains("user"), "{answer:?}");
    }
    let odd = "{\"next\": 7}";
    sandbox.clear_faults();
    sandbox.fault(Fault::parse(&format!("/v0/*=status:200,body={odd}")).expect("a fault"));
    program.get("v0/reports/").expect("OK");
    program.ask(&["next_page"]).expect("ERROR_PROTOCOL");
    assert_eq!(elsewhere.counters().total, 0);
}

#[test]
fn an_api_token_serves_as_well() {
    let sandbox = Sandbox::start(Config {
        opaque_only: true,
        ..Config::default()
    });
    let mut program = Dialogue::start();
    program.resume(&sandbox.url(), API_TOKEN, None);
    program.ask(&["get_reports"]).expect("OK");
    program.get("v0/reports/").expect("OK");
    program.ask(&["next_page"]).expect("OK");
}

/// What a C program reads, types, names and text, is byte for byte what the server sent.
#[test]
fn a_report_is_read_field_by_field_as_the_server_sent_it() {
    let program = c::compile("tests/c/fields.c");
    let sandbox = sandbox(Duration::ZERO);
    let odd = concat!(
        "{\"id\":0,\"report\":null,\"a/b\":{\"~\":\"x\"},\"crew_run\":[],\"new\":{\"deep\":[[{}],1.5,-7,true]},",
        "\"text\":\"Gr\u{fc}\u{df}e \u{6c37}\u{1f9ca} \\\"q\\\" \\u0007 \"}"
    );
    for id in ["1", "2", "3", "4"] {
        if id == "4" {
            let fault = format!("/reports/4/=status:200,body={odd}");
            sandbox.fault(Fault::parse(&fault).expect("a fault"));
        }
        let printed = c::run(c::command_at(&program, &sandbox).arg(id));
        let (read, sent) = printed.split_once('\n').expect("two lines");
        let sent = sent.trim_end();
        assert_eq!(read, sent);
        match id {
            "1" => assert!(sent.len() > 95_000 && !sent.is_ascii(), "{}", sent.len()),
            "4" => assert_eq!(sent, odd),
            _ => {}
        }
    }
}

/// A document is read as a whole or not at all: not by one function and not by the other.
#[test]
fn an_answer_that_is_no_json_has_nothing_at_any_pointer() {
    let program = c::compile("tests/c/fields.c");
    let sandbox = sandbox(Duration::ZERO);
    for body in [
        "<html>",
        "[1, 1e400]",
        "[1",
        &format!("[1,{}]", "[".repeat(500) + &"]".repeat(500)),
    ] {
        sandbox.clear_faults();
        let kind = FaultKind::Status {
            status: 200,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        sandbox.fault(Fault::new("/echo/", kind));
        c::run(c::command_at(&program, &sandbox).args(["none", "echo/"]));
    }
}
