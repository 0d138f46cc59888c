//! How requests travel: connections are kept, shared and replaced without anyone noticing, and no call
//! leaves anything behind.

mod support;

#[path = "support/dialogue.rs"]
mod dialogue;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dialogue::Dialogue;
use support::c;
use support::sandbox::{Config, Sandbox};

fn sandbox(tls: bool) -> Sandbox {
    Sandbox::start(Config {
        tls,
        ..Config::default()
    })
}

/// Waits until the server has closed every connection from its side.
fn wait_for_closed_connections(sandbox: &Sandbox) {
    let begun = Instant::now();
    while sandbox.counters().open_connections > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_not_noticed() {
    for tls in [false, true] {
        let sandbox = sandbox(tls);
        let mut program = Dialogue::start();
        program.trust(&sandbox);
        // A retry would hide it.
        program.option("retries", "0");
        program.sign_in(&sandbox).expect("OK");
        for round in 0..50 {
            for method in ["GET", "POST"] {
                sandbox.drop_connections();
                wait_for_closed_connections(&sandbox);
                let answer = program.ask(&["request", method, "echo/", "{}"]);
                assert_eq!(answer.status(), "OK", "round {round}: {answer:?}");
            }
        }
        let counters = sandbox.counters();
        assert_eq!(counters.of("GET /echo/"), 50);
        assert_eq!(counters.of("POST /echo/"), 50);
        assert_eq!(counters.connections, 101);
    }
}

#[test]
fn a_server_that_keeps_connections_for_a_moment_only_is_no_trouble() {
    let sandbox = Sandbox::start(Config {
        keep_alive: Some(Duration::from_millis(20)),
        ..Config::default()
    });
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.sign_in(&sandbox).expect("OK");
    for round in 0..50 {
        let body = format!("{{\"round\":{round}}}");
        program.post("echo/", &body).expect("OK");
        wait_for_closed_connections(&sandbox);
    }
    assert_eq!(sandbox.counters().of("POST /echo/"), 50);
}

#[test]
fn a_connection_is_used_again_and_again() {
    for tls in [false, true] {
        let sandbox = sandbox(tls);
        let mut program = Dialogue::signed_in(&sandbox);
        for _ in 0..100 {
            program.get("echo/").expect("OK");
        }
        assert_eq!(sandbox.counters().of("GET /echo/"), 100);
        assert_eq!(sandbox.counters().connections, 1);
        // An answer that is an error keeps the connection as well.
        for _ in 0..10 {
            program.get("reports/4711/").expect("ERROR_NOT_FOUND");
            program.get("echo/").expect("OK");
        }
        assert_eq!(sandbox.counters().connections, 1);
        // Whoever frees a client expects its sockets to go.
        program.ask(&["free"]);
        wait_for_closed_connections(&sandbox);
    }
}

/// The numbers that `tests/c/transport.c` printed under a name.
fn numbers(printed: &str, name: &str) -> Vec<i64> {
    let values = printed.lines().filter_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix('=')?;
        Some(value.parse().expect("a number"))
    });
    values.collect()
}

fn number(printed: &str, name: &str) -> i64 {
    let values = numbers(printed, name);
    assert_eq!(values.len(), 1, "{name}: {printed}");
    values[0]
}

#[test]
fn no_call_leaves_a_thread_behind() {
    let program = c::compile("tests/c/transport.c");
    for tls in [false, true] {
        let sandbox = sandbox(tls);
        // By name, so that names are looked up too.
        let url = sandbox.url().replace("127.0.0.1", "localhost");
        let mut command = c::command_at(&program, &sandbox);
        let printed = c::run(command.arg("threads").env("EVRIM_URL", url));
        assert_eq!(numbers(&printed, "left"), [0; 16], "{printed}");
    }
}

fn cycles_cost_nothing(tls: bool) {
    let program = c::compile("tests/c/transport.c");
    let cycles = match (support::is_long(), tls) {
        (true, _) => "10000",
        (false, false) => "2000",
        (false, true) => "500",
    };
    let sandbox = sandbox(tls);
    let printed = c::run(c::command_at(&program, &sandbox).args(["cycles", cycles]));
    println!("{printed}");
    assert_eq!(number(&printed, "cycles").to_string(), cycles);
    assert_eq!(number(&printed, "threads"), 0, "{printed}");
    assert_eq!(number(&printed, "files"), 0, "{printed}");
    // A leak of a hundred bytes a cycle would be 1 MB in 10,000; a page here or there is none.
    assert!(number(&printed, "kilobytes") < 512, "{printed}");
}

#[test]
fn signing_in_and_freeing_over_and_over_costs_nothing() {
    cycles_cost_nothing(false);
}

#[test]
fn signing_in_and_freeing_over_and_over_costs_nothing_over_https() {
    cycles_cost_nothing(true);
}

#[test]
fn a_thousand_handles_share_one_connection_and_are_small() {
    let program = c::compile("tests/c/transport.c");
    for tls in [false, true] {
        let sandbox = sandbox(tls);
        let printed = c::run(c::command_at(&program, &sandbox).arg("handles"));
        println!("{printed}");
        assert!(number(&printed, "client_bytes") < 4 << 10, "{printed}");
        assert!(number(&printed, "clone_bytes") < 1 << 10, "{printed}");
        assert!(number(&printed, "use_bytes") < 1 << 10, "{printed}");
        assert_eq!(number(&printed, "files"), 0, "{printed}");
        let counters = sandbox.counters();
        assert_eq!(counters.connections, 1);
        assert_eq!(counters.of("GET /echo/"), 2001);
    }
}

#[test]
fn a_packed_answer_is_asked_for_and_unpacked() {
    let sandbox = sandbox(false);
    let mut program = Dialogue::signed_in(&sandbox);
    let answer = program.get("echo/");
    let accepted = answer.body()["headers"]["accept-encoding"].clone();
    assert!(
        accepted.as_str().is_some_and(|text| text.contains("gzip")),
        "{accepted}"
    );
    let answer = program.get("reports/1/");
    answer.expect("OK");
    assert!(answer.number("body_len") > 50_000);
    let unpacked = answer.number("body_len") as u64;

    // The limit is for what it unpacks to, to the byte.
    for (limit, status) in [(unpacked, "OK"), (unpacked - 1, "ERROR_TOO_LARGE")] {
        program.option("max_body_size", &limit.to_string());
        program.sign_in(&sandbox).expect("OK");
        program.get("reports/1/").expect(status);
    }
}

/// Passes bytes on to a server, and once the client has sent so many, ends both sides by RST.
struct Relay {
    port: u16,
    stopped: Arc<AtomicBool>,
}

impl Relay {
    fn start(server: u16, most: usize) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let stopped = Arc::new(AtomicBool::new(false));
        let until = stopped.clone();
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::spawn(move || pass_on(client, server, most));
            }
        });
        Relay { port, stopped }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn pass_on(mut client: TcpStream, server: u16, most: usize) {
    let mut server = TcpStream::connect(("127.0.0.1", server)).expect("the server");
    let mut answers = server.try_clone().expect("a second handle");
    let mut back = client.try_clone().expect("a second handle");
    let answering = std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
    });
    let mut buffer = [0; 4096];
    let mut passed = 0;
    while passed < most {
        match client.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(len) => {
                passed += len;
                if server.write_all(&buffer[..len]).is_err() {
                    break;
                }
            }
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = answering.join();
    // What is left unread makes the system close the connection by RST.
    drop(client);
}

#[test]
fn a_connection_that_breaks_under_a_large_post_does_not_end_the_program() {
    for tls in [false, true] {
        let sandbox = sandbox(tls);
        let relay = Relay::start(sandbox.port(), 100_000);
        let (access, _) = sandbox.token_pair();
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{}/prod", relay.port);
        // The program leaves SIGPIPE as it is by default: it would end it.
        let mut program = Dialogue::start();
        program.trust(&sandbox);
        program.resume(&url, &access, None);
        for _ in 0..20 {
            let answer = program.ask(&["upload", "echo/", "8000000"]);
            answer.expect("ERROR_NETWORK");
            assert_eq!(answer.get("sent"), "yes");
        }
        program.ask(&["upload", "echo/", "1000"]).expect("OK");
    }
}

#[test]
fn a_large_body_arrives_whole() {
    for tls in [false, true] {
        let sandbox = sandbox(tls);
        let mut program = Dialogue::signed_in(&sandbox);
        let answer = program.ask(&["upload", "echo/", "3000000"]);
        answer.expect("OK");
        assert!(answer.number("body_len") > 3_000_000);
    }
}

#[test]
fn a_path_and_its_query_arrive_as_they_were_given() {
    let sandbox = sandbox(false);
    let mut program = Dialogue::start();
    for base in [sandbox.url(), format!("{}/", sandbox.url())] {
        let (access, _) = sandbox.token_pair();
        program.resume(&base, &access, None);
        for (path, target) in [
            ("echo/", "/prod/echo/"),
            ("/echo/", "/prod/echo/"),
            ("echo/a/b/", "/prod/echo/a/b/"),
            ("echo/?page=2", "/prod/echo/?page=2"),
            ("echo/?a=1&b=%20x&c=", "/prod/echo/?a=1&b=%20x&c="),
            ("echo/a b/", "/prod/echo/a%20b/"),
            ("echo/é/?q=ü", "/prod/echo/%C3%A9/?q=%C3%BC"),
            ("echo/%2F/", "/prod/echo/%2F/"),
            ("echo/x/../y/", "/prod/echo/y/"),
            (
                "echo/?next=https://example.com/",
                "/prod/echo/?next=https://example.com/",
            ),
        ] {
            let answer = program.get(path);
            answer.expect("OK");
            assert_eq!(answer.body()["target"], target, "{path}");
        }
    }
}

#[test]
fn a_request_carries_these_headers_and_no_others() {
    let sandbox = sandbox(false);
    let (access, _) = sandbox.token_pair();
    let mut program = Dialogue::start();
    program.resume(&sandbox.url(), &access, None);
    let version = env!("CARGO_PKG_VERSION");

    let headers = program.get("echo/").body()["headers"].clone();
    assert_eq!(headers["authorization"], format!("Bearer {access}"));
    assert_eq!(headers["user-agent"], format!("libevrim/{version}"));
    assert_eq!(headers["host"], format!("127.0.0.1:{}", sandbox.port()));
    // JSON first: else errors come as pages of HTML.
    let accept = headers["accept"].as_str().unwrap_or_default();
    assert!(accept.starts_with("application/json"), "{accept}");
    let mut names: Vec<&str> = headers
        .as_object()
        .map(|headers| headers.keys().map(String::as_str).collect())
        .unwrap_or_default();
    names.sort_unstable();
    let expected = [
        "accept",
        "accept-encoding",
        "authorization",
        "host",
        "user-agent",
    ];
    assert_eq!(names, expected);

    let answer = program.post("echo/", "{\"ä\":1}");
    let seen = answer.body();
    assert_eq!(seen["headers"]["content-type"], "application/json");
    assert_eq!(seen["headers"]["content-length"], "8");
    assert_eq!(seen["body"], "{\"ä\":1}");

    program.option("user_agent", "my-program/1.2");
    program.resume(&sandbox.url(), &access, None);
    let headers = program.get("echo/").body()["headers"].clone();
    let both = format!("my-program/1.2 libevrim/{version}");
    assert_eq!(headers["user-agent"], both);
}

#[test]
fn every_method_arrives_and_an_answer_without_a_body_is_one() {
    let sandbox = sandbox(false);
    let mut program = Dialogue::signed_in(&sandbox);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = program.ask(&["request", method, "echo/"]);
        answer.expect("OK");
        assert_eq!(answer.body()["method"], method);
        assert_eq!(answer.body()["length"], 0);
    }
    let answer = program.ask(&["request", "HEAD", "echo/"]);
    answer.expect("OK");
    assert_eq!(answer.number("body_len"), 0);
    let answer = program.get("echo/?status=204");
    answer.expect("OK");
    assert_eq!((answer.number("http"), answer.number("body_len")), (204, 0));
    let answer = program.get("echo/?status=201");
    assert_eq!(answer.expect("OK").number("http"), 201);
}

#[test]
fn a_header_of_the_answer_is_found_in_any_case() {
    let sandbox = sandbox(false);
    let mut program = Dialogue::signed_in(&sandbox);
    program.get("reports/1/").expect("OK");
    for name in ["content-type", "Content-Type", "CONTENT-TYPE"] {
        let answer = program.ask(&["header", name]);
        assert_eq!(answer.get("value"), "application/json");
    }
    let answer = program.ask(&["header", "no-such-header"]);
    assert_eq!(answer.get("value"), "(none)");
}
