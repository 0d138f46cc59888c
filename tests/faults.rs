//! Whatever the way to the server does: the documented outcome, no call that hangs, no POST delivered
//! twice, and the same client goes on when all is well again.

#[path = "support/fault_proxy.rs"]
mod fault_proxy;
mod support;

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use evrim::{Client, Error, Options, Status};
use fault_proxy::{FaultProxy, Mode};
use serde_json::json;
use support::sandbox::{Config, Fault, FaultKind, PASSWORD, Sandbox, USERNAME};

const GET: &str = "GET /echo/";
const RESEARCH: &str = "POST /research/";
/// Nothing here takes longer, however slow the machine.
const LONG: Duration = Duration::from_secs(15);
/// For what is meant to run into a limit.
const SHORT: Duration = Duration::from_millis(500);

/// A server, a proxy in front of it, and a client that has signed in through it.
struct Scene {
    sandbox: Sandbox,
    proxy: FaultProxy,
    client: Client,
    posted: AtomicU64,
}

impl Scene {
    fn new(options: Options) -> Scene {
        Scene::with(Config::default(), options)
    }

    fn with(config: Config, options: Options) -> Scene {
        let sandbox = Sandbox::start(config);
        let proxy = FaultProxy::start(sandbox.port());
        let client = sign_in(&proxy.url(), options).expect("signed in");
        sandbox.reset_counters();
        Scene {
            sandbox,
            proxy,
            client,
            posted: AtomicU64::new(0),
        }
    }

    fn get(&self) -> Result<u16, Error> {
        get(&self.client)
    }

    /// A research that no other has the name of.
    fn post(&self) -> Result<u16, Error> {
        let number = self.posted.fetch_add(1, Ordering::SeqCst);
        let body = json!({
            "url": "https://example.org/", "title": format!("{number}"), "description": "d",
        });
        let body = body.to_string();
        let response = self
            .client
            .request("POST", "research/", Some(body.as_bytes()))?;
        Ok(response.status())
    }

    fn seen(&self, request: &str) -> u64 {
        self.sandbox.counters().of(request)
    }

    /// All is well from here on, and the client has not been hurt.
    fn recovers(&self) {
        self.proxy.set(Mode::Fair);
        self.sandbox.clear_faults();
        assert_eq!(self.get().expect("recovered"), 200);
        assert_eq!(self.post().expect("recovered"), 201);
        self.no_post_came_twice();
    }

    fn no_post_came_twice(&self) {
        let counters = self.sandbox.counters();
        let delivered = &counters.research;
        let different: HashSet<&String> = delivered.iter().collect();
        assert_eq!(different.len(), delivered.len(), "{delivered:?}");
        assert!(counters.of(RESEARCH) <= self.posted.load(Ordering::SeqCst));
    }
}

fn sign_in(url: &str, options: Options) -> Result<Client, Error> {
    Client::sign_in(url, USERNAME, PASSWORD, options)
}

fn get(client: &Client) -> Result<u16, Error> {
    Ok(client.request("GET", "echo/", None)?.status())
}

/// The same for each case, at the same time: most of it is waiting.
fn side_by_side<T: Send, const N: usize>(cases: [T; N], test: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}

/// Gives up an attempt after a short time.
fn hurried() -> Options {
    let mut options = Options::default();
    options.set_timeout(SHORT).expect("a good value");
    options
}

fn with_retries(retries: u32) -> Options {
    let mut options = Options::default();
    options.set_retries(retries).expect("a good value");
    options
}

/// An answer of this status that asks for another try soon, so that no test waits for long.
fn soon(status: u16) -> FaultKind {
    with_headers(status, &[("retry-after-ms", "20")])
}

fn with_headers(status: u16, headers: &[(&str, &str)]) -> FaultKind {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    FaultKind::Status {
        status,
        headers: headers.iter().map(pair).collect(),
        body: b"{}".to_vec(),
    }
}

// ---- what comes back is late, half or nonsense

#[test]
fn a_late_answer_is_waited_for() {
    let scene = Scene::new(Options::default());
    scene.proxy.set(Mode::Late(Duration::from_millis(600)));
    assert_eq!(scene.get().expect("late"), 200);
    assert_eq!(scene.post().expect("late"), 201);
    assert_eq!((scene.seen(GET), scene.seen(RESEARCH)), (1, 1));
    scene.recovers();
}

#[test]
fn an_answer_that_comes_too_late_is_a_timeout_and_is_not_asked_for_again() {
    // Not at all, or not to the end, or each byte in time but not all of them.
    let modes = [
        Mode::Late(4 * SHORT),
        Mode::Never,
        Mode::Stall(0),
        Mode::Stall(40),
        Mode::Stall(350),
        Mode::Drip(8, SHORT / 4),
    ];
    side_by_side(modes, |mode| {
        let scene = Scene::new(hurried());
        scene.proxy.set(mode);
        for result in [scene.get(), scene.post()] {
            let error = result.expect_err("too late");
            assert_eq!(error.status(), Status::Timeout, "{mode:?}: {error}");
            assert!(
                error.is_retryable() && error.may_have_been_sent(),
                "{mode:?}"
            );
        }
        assert_eq!((scene.seen(GET), scene.seen(RESEARCH)), (1, 1), "{mode:?}");
        scene.recovers();
    });
}

#[test]
fn an_answer_in_small_pieces_is_put_together() {
    let scene = Scene::new(Options::default());
    scene.proxy.set(Mode::Drip(16, Duration::from_millis(5)));
    assert_eq!(scene.get().expect("in pieces"), 200);
    assert_eq!(scene.post().expect("in pieces"), 201);
    assert_eq!((scene.seen(GET), scene.seen(RESEARCH)), (1, 1));
    scene.recovers();
}

#[test]
fn half_an_answer_is_a_network_error_and_asked_for_again_unless_it_is_a_post() {
    let modes = [Mode::Half(0), Mode::Half(40), Mode::Half(200)];
    side_by_side(modes, |mode| {
        let scene = Scene::new(Options::default());
        scene.proxy.set(mode);
        for (result, request, sent) in [(scene.get(), GET, 3), (scene.post(), RESEARCH, 1)] {
            let error = result.expect_err("half of it");
            assert_eq!(error.status(), Status::Network, "{mode:?}: {error}");
            assert!(
                error.is_retryable() && error.may_have_been_sent(),
                "{mode:?}"
            );
            assert_eq!(scene.seen(request), sent, "{mode:?} {request}");
        }
        scene.recovers();
    });
}

#[test]
fn garbage_is_a_protocol_error() {
    let scene = Scene::new(Options::default());
    scene.proxy.set(Mode::Garbage);
    for result in [scene.get(), scene.post()] {
        let error = result.expect_err("garbage");
        assert_eq!(error.status(), Status::Protocol, "{error}");
        assert!(!error.is_retryable() && error.may_have_been_sent());
    }
    scene.recovers();
}

#[test]
fn a_connection_that_is_reset_is_a_network_error() {
    let scene = Scene::new(Options::default());
    scene.proxy.set(Mode::Reset);
    let before = scene.proxy.connections();
    let error = scene.get().expect_err("reset");
    assert_eq!(error.status(), Status::Network, "{error}");
    // The kept connection and two new ones.
    assert_eq!(scene.proxy.connections(), before + 2);
    let error = scene.post().expect_err("reset");
    assert_eq!(error.status(), Status::Network, "{error}");
    assert!(error.may_have_been_sent());
    assert_eq!(scene.proxy.connections(), before + 3);
    scene.recovers();
}

#[test]
fn no_fault_of_the_way_makes_a_session_of_a_failed_sign_in() {
    let sandbox = Sandbox::start(Config::default());
    let cases = [
        (Mode::Never, Status::Timeout),
        (Mode::Stall(150), Status::Timeout),
        (Mode::Half(150), Status::Network),
        (Mode::Garbage, Status::Protocol),
        (Mode::Reset, Status::Network),
    ];
    side_by_side(cases, |(mode, status)| {
        let proxy = FaultProxy::start(sandbox.port());
        proxy.set(mode);
        let error = sign_in(&proxy.url(), hurried()).expect_err("no pair of tokens");
        assert_eq!(error.status(), status, "{mode:?}: {error}");
        proxy.set(Mode::Fair);
        sign_in(&proxy.url(), hurried()).expect("all is well");
    });
}

// ---- a rotated refresh token that does not arrive

fn rotating() -> Scene {
    let config = Config {
        rotate: true,
        ..Config::default()
    };
    Scene::with(config, hurried())
}

#[test]
fn a_rotation_whose_answer_comes_too_late_leads_to_the_credentials() {
    let scene = rotating();
    scene.proxy.set(Mode::Never);
    let error = scene.client.refresh_token().expect_err("too late");
    assert_eq!(error.status(), Status::Timeout);
    assert!(error.may_have_been_sent());
    scene.proxy.set(Mode::Fair);
    scene.sandbox.revoke_access_tokens();
    scene.recovers();
    let counters = scene.sandbox.counters();
    assert_eq!((counters.refused_refreshes, counters.sign_ins), (1, 1));
}

#[test]
fn a_rotation_that_is_cancelled_leads_those_who_wait_to_the_credentials() {
    let scene = rotating();
    let leading = scene.client.clone_with(Some(Options::default()));
    let leading = leading.expect("a clone");
    // The server does its part, and its answer never ends.
    let endless = FaultKind::Drip {
        chunk: 1,
        pause: 10 * LONG,
    };
    let endless = Fault::new("POST /token/refresh/", endless).times(1);
    scene.sandbox.fault(endless);
    thread::scope(|scope| {
        let renewing = scope.spawn(|| leading.refresh_token());
        until("refreshed", || scene.sandbox.counters().refreshes == 1);
        scene.sandbox.revoke_access_tokens();
        let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| scene.get())).collect();
        // Each has its 401, and waits.
        until("refused", || scene.sandbox.counters().answered(401) == 4);
        leading.cancel();
        let ended = renewing.join().expect("no panic").expect_err("cancelled");
        assert_eq!(ended.status(), Status::Cancelled);
        assert!(ended.may_have_been_sent());
        for thread in waiting {
            assert_eq!(thread.join().expect("no panic").expect("signed in"), 200);
        }
    });
    let counters = scene.sandbox.counters();
    assert_eq!((counters.refused_refreshes, counters.sign_ins), (1, 1));
    scene.recovers();
}

/// Whoever is long on the way, as a large download is, may outlive more than one token.
#[test]
fn a_token_that_runs_out_on_the_way_is_renewed_each_time() {
    let config = Config {
        access_lifetime: Duration::from_secs(1),
        ..Config::default()
    };
    let scene = Scene::with(config, Options::default());
    // The server looks at the token after it.
    let slow = FaultKind::Delay(Duration::from_millis(2500));
    scene.sandbox.fault(Fault::new(GET, slow).times(2));
    assert_eq!(scene.get().expect("with the third token"), 200);
    assert_eq!(scene.sandbox.counters().answered(401), 2);
    assert_eq!(scene.sandbox.counters().sign_ins, 0);
}

// ---- connections that go

#[test]
fn every_third_connection_may_be_dropped() {
    for mode in [Mode::DropRequest(3), Mode::DropAnswer(3)] {
        let scene = Scene::new(Options::default());
        scene.sandbox.fault(Fault::new("*", FaultKind::Close));
        scene.proxy.cut();
        scene.proxy.set(mode);
        for _ in 0..20 {
            assert_eq!(scene.get().expect("another connection"), 200);
        }
        let mut accepted = 0;
        let mut lost = 0;
        for _ in 0..20 {
            match scene.post() {
                Ok(status) => {
                    assert_eq!(status, 201);
                    accepted += 1;
                }
                Err(error) => {
                    assert_eq!(error.status(), Status::Network);
                    assert!(error.may_have_been_sent());
                    lost += 1;
                }
            }
        }
        assert!((5..=8).contains(&lost), "{mode:?}: {lost}");
        let delivered = match mode {
            Mode::DropAnswer(_) => accepted + lost,
            _ => accepted,
        };
        assert_eq!(
            scene.sandbox.counters().research.len(),
            delivered,
            "{mode:?}"
        );
        scene.recovers();
    }
}

#[test]
fn a_server_that_closed_its_kept_connections_is_none_the_worse() {
    let sandbox = Sandbox::start(Config::default());
    let client = sign_in(&sandbox.url(), Options::default()).expect("signed in");
    for round in 1..=10 {
        for method in ["POST", "GET"] {
            sandbox.drop_connections();
            until("closed", || sandbox.counters().open_connections == 0);
            let answer = client.request(method, "echo/", None);
            assert_eq!(answer.expect("a new connection").status(), 200);
            let seen = sandbox.counters().of(&format!("{method} /echo/"));
            assert_eq!(seen, round);
        }
    }
}

#[test]
fn a_server_may_restart() {
    let sandbox = Sandbox::start(Config::default());
    let port = sandbox.port();
    let again = || Config {
        port,
        ..Config::default()
    };
    let client = sign_in(&sandbox.url(), with_retries(0)).expect("signed in");
    get(&client).expect("an answer");
    sandbox.stop();
    for method in ["GET", "POST"] {
        let error = client
            .request(method, "echo/", None)
            .err()
            .expect("no server");
        assert_eq!(error.status(), Status::Network);
        assert!(error.is_retryable() && !error.may_have_been_sent());
    }
    let mut sandbox = Sandbox::start(again());
    for _ in 0..5 {
        // Between two calls nobody tells the client.
        let posted = client.request("POST", "echo/", Some(b"{}"));
        assert_eq!(posted.expect("another server").status(), 200);
        assert_eq!(sandbox.counters().of("POST /echo/"), 1);
        sandbox.stop();
        sandbox = Sandbox::start(again());
        get(&client).expect("another server");
        assert_eq!(sandbox.counters().of(GET), 1);
        sandbox.stop();
        sandbox = Sandbox::start(again());
    }
    // Not one sign-in.
    assert_eq!(sandbox.counters().of("POST /token/"), 0);
}

#[test]
fn a_refused_connection_is_tried_again_for_a_post_too() {
    let sandbox = Sandbox::start(Config::default());
    let port = sandbox.port();
    let client = sign_in(&sandbox.url(), with_retries(5)).expect("signed in");
    sandbox.stop();
    thread::scope(|scope| {
        let posting = scope.spawn(|| client.request("POST", "echo/", Some(b"{}")));
        // Longer than the first attempt, shorter than all of them.
        thread::sleep(Duration::from_millis(300));
        assert!(!posting.is_finished());
        let sandbox = Sandbox::start(Config {
            port,
            ..Config::default()
        });
        let posted = posting.join().expect("no panic");
        assert_eq!(posted.expect("at last").status(), 200);
        assert_eq!(sandbox.counters().of("POST /echo/"), 1);
    });
}

#[test]
fn whatever_the_way_does_no_call_hangs_and_no_post_comes_twice() {
    let mut options = hurried();
    options.set_total_timeout(2 * SHORT).expect("a good value");
    let scene = Scene::new(options);
    let modes = [
        Mode::Fair,
        Mode::Late(SHORT / 4),
        Mode::Never,
        Mode::Half(30),
        Mode::Half(180),
        Mode::Stall(100),
        Mode::Drip(100, Duration::from_millis(1)),
        Mode::Garbage,
        Mode::Reset,
        Mode::DropRequest(3),
        Mode::DropAnswer(3),
    ];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (scene, stop) = (&scene, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let start = Instant::now();
                    // Failures are expected.
                    let _ = if thread % 2 == 0 {
                        scene.get()
                    } else {
                        scene.post()
                    };
                    assert!(start.elapsed() < LONG);
                }
            });
        }
        for round in 0..60 {
            scene.proxy.set(modes[round * 7 % modes.len()]);
            if round % 5 == 0 {
                scene.proxy.cut();
            }
            thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::SeqCst);
    });
    scene.proxy.set(Mode::Fair);
    scene.recovers();
}

// ---- retries, as the server sees them

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_may_pass_is_tried_three_times_in_all() {
    for status in [408, 429, 500, 502, 503, 504, 599] {
        side_by_side(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"], |method| {
            let scene = Scene::new(Options::default());
            scene.sandbox.fault(Fault::new("/echo/", soon(status)));
            let error = scene.client.request(method, "echo/", None).err();
            let error = error.expect("a failure");
            assert_eq!(error.http_status(), Some(status));
            assert!(error.is_retryable());
            let seen = scene.seen(&format!("{method} /echo/"));
            assert_eq!(seen, 3, "{method} {status}");
            // Once is enough.
            scene.sandbox.clear_faults();
            scene
                .sandbox
                .fault(Fault::new("/echo/", soon(status)).times(2));
            let answer = scene.client.request(method, "echo/", None);
            assert_eq!(answer.expect("the third time").status(), 200);
        });
    }
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    for status in [400, 403, 404, 405, 409, 410, 422, 501] {
        let scene = Scene::new(Options::default());
        scene.sandbox.fault(Fault::new("/echo/", soon(status)));
        let error = scene.get().expect_err("a failure");
        assert_eq!(error.http_status(), Some(status));
        assert_eq!(scene.seen(GET), 1, "{status}");
    }
}

#[test]
fn a_post_that_was_answered_is_not_sent_again() {
    for status in [408, 429, 500, 502, 503, 504] {
        let scene = Scene::new(Options::default());
        scene.sandbox.fault(Fault::new(RESEARCH, soon(status)));
        let error = scene.post().expect_err("a failure");
        assert_eq!(error.http_status(), Some(status));
        assert!(error.may_have_been_sent());
        assert_eq!(scene.seen(RESEARCH), 1, "{status}");
        scene.recovers();
    }
}

#[test]
fn a_token_call_is_tried_again() {
    let scene = Scene::new(Options::default());
    for kind in [soon(503), soon(429), FaultKind::Cut] {
        let times = if kind == FaultKind::Cut { 1 } else { 2 };
        for path in ["/token/", "/token/refresh/", "/token/verify/"] {
            scene
                .sandbox
                .fault(Fault::new(path, kind.clone()).times(times));
        }
        scene.client.set_token().expect("in the end");
        scene.client.refresh_token().expect("in the end");
        assert!(scene.client.validate_token().expect("in the end"));
    }
}

#[test]
fn there_is_a_wait_before_each_retry_and_it_grows() {
    let scene = Scene::new(Options::default());
    scene.sandbox.fault(Fault::status("/echo/", 503));
    let start = Instant::now();
    scene.get().expect_err("a failure");
    // Half a second and a second, less a quarter at most.
    assert!(start.elapsed() >= Duration::from_millis(375 + 750));
    assert_eq!(scene.seen(GET), 3);
}

#[test]
fn retries_can_be_turned_off() {
    let scene = Scene::new(with_retries(0));
    scene.sandbox.fault(Fault::new("/echo/", soon(503)));
    scene.get().expect_err("a failure");
    assert_eq!(scene.seen(GET), 1);
}

#[test]
fn the_wait_that_the_server_asks_for_is_kept() {
    let scene = Scene::new(with_retries(8));
    let asked = Duration::from_secs(2);
    let start = Instant::now();
    let wait = with_headers(503, &[("retry-after", "2")]);
    scene.sandbox.fault(Fault::new("/echo/", wait).times(1));
    scene.get().expect("the second time");
    assert!(start.elapsed() >= asked);

    // Milliseconds come first. Left to itself the client would wait half a minute in all.
    let start = Instant::now();
    let wait = with_headers(429, &[("retry-after", "30"), ("retry-after-ms", "15")]);
    scene.sandbox.fault(Fault::new("/echo/", wait).times(8));
    scene.get().expect("the ninth time");
    assert!(start.elapsed() < LONG);
}

#[test]
fn a_wait_of_more_than_a_minute_is_returned_at_once() {
    let scene = Scene::new(Options::default());
    let start = Instant::now();
    scene
        .sandbox
        .fault(Fault::new("/echo/", FaultKind::Throttle { seconds: 61 }));
    let error = scene.get().expect_err("throttled");
    assert_eq!(error.status(), Status::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(61)));
    assert!(error.is_retryable());
    assert!(start.elapsed() < LONG);
    assert_eq!(scene.seen(GET), 1);

    scene.sandbox.clear_faults();
    let wait = with_headers(503, &[("retry-after", "3600")]);
    scene.sandbox.fault(Fault::new("/echo/", wait));
    let error = scene.get().expect_err("away for an hour");
    assert_eq!(error.status(), Status::RateLimited);
    assert_eq!(error.http_status(), Some(503));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert!(start.elapsed() < LONG);
    assert_eq!(scene.seen(GET), 2);
}

#[test]
fn the_servers_word_on_trying_again_counts() {
    let says = |status, word| {
        let headers = [("x-should-retry", word), ("retry-after-ms", "20")];
        with_headers(status, &headers)
    };
    for (method, status, word, times) in [
        ("GET", 503, "false", 1),
        ("GET", 409, "true", 3),
        ("POST", 409, "true", 3),
        // It may have been handled, whatever the server says.
        ("POST", 503, "true", 1),
        ("GET", 503, "perhaps", 3),
        ("POST", 503, "perhaps", 1),
        // A success needs no other.
        ("GET", 200, "true", 1),
        ("POST", 201, "true", 1),
    ] {
        let scene = Scene::new(Options::default());
        scene
            .sandbox
            .fault(Fault::new("/echo/", says(status, word)));
        let result = scene.client.request(method, "echo/", None);
        assert_eq!(result.is_ok(), status < 300);
        let seen = scene.seen(&format!("{method} /echo/"));
        assert_eq!(seen, times, "{method} {status} {word}");
    }
}

/// The calls of a Rust program wait, so they are refused in an async runtime; letting go is not.
#[test]
fn a_client_can_be_dropped_inside_an_async_runtime() {
    let Scene {
        sandbox: _sandbox,
        proxy: _proxy,
        client,
        ..
    } = Scene::new(Options::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async move {
        let refused = get(&client).expect_err("refused");
        assert_eq!(refused.status(), Status::InvalidArgument);
        drop(client);
    });
}

/// It has begun, though nothing is sent yet: a large body takes its time to be looked at.
#[test]
fn a_call_that_has_begun_can_be_cancelled_before_it_is_sent() {
    let scene = Scene::new(Options::default());
    let body = format!("[{}1]", "1,".repeat(16 << 20));
    let begun = AtomicBool::new(false);
    thread::scope(|scope| {
        let call = scope.spawn(|| {
            begun.store(true, Ordering::SeqCst);
            scene.client.request("POST", "echo/", Some(body.as_bytes()))
        });
        while !begun.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(20));
        scene.client.cancel();
        let error = call.join().expect("no panic").err().expect("cancelled");
        assert_eq!(error.status(), Status::Cancelled);
    });
    assert_eq!(scene.seen("POST /echo/"), 0);
    scene.recovers();
}

#[test]
fn a_broken_server_is_not_hammered() {
    let scene = Scene::new(Options::default());
    scene.sandbox.fault(Fault::new("/echo/", soon(503)));
    for _ in 0..100 {
        let error = scene.get().expect_err("broken");
        assert_eq!(error.http_status(), Some(503));
    }
    // 20 retries, not 200.
    assert_eq!(scene.seen(GET), 120);

    // Ten successes are worth one retry.
    scene.sandbox.clear_faults();
    for _ in 0..10 {
        scene.get().expect("well again");
    }
    scene.sandbox.reset_counters();
    scene.sandbox.fault(Fault::new("/echo/", soon(503)));
    scene.get().expect_err("broken");
    scene.get().expect_err("broken");
    assert_eq!(scene.seen(GET), 3);
}

#[test]
fn clones_share_the_budget_for_retries() {
    let scene = Scene::new(Options::default());
    scene.sandbox.fault(Fault::new("/echo/", soon(503)));
    for _ in 0..50 {
        let clone = scene.client.clone_with(None).expect("a clone");
        get(&clone).expect_err("broken");
    }
    assert_eq!(scene.seen(GET), 70);
}

// ---- deadlines

#[test]
fn the_deadline_of_a_call_bounds_everything() {
    let scene = || {
        let mut options = with_retries(10);
        options.set_total_timeout(SHORT).expect("a good value");
        Scene::new(options)
    };
    let is_bounded = |scene: &Scene, expected: Status| {
        let start = Instant::now();
        let results = [
            scene.get().map(|_| ()),
            scene.client.refresh_token(),
            scene.client.set_token(),
        ];
        for result in results {
            assert_eq!(result.expect_err("no time").status(), expected);
        }
        assert!(start.elapsed() < LONG);
        scene.recovers();
    };
    let modes = [
        Mode::Never,
        Mode::Late(2 * LONG),
        Mode::Stall(100),
        Mode::Drip(1, SHORT / 4),
    ];
    side_by_side(modes, |mode| {
        let scene = scene();
        scene.proxy.set(mode);
        is_bounded(&scene, Status::Timeout);
    });
    // A wait that does not fit into the time is not begun.
    side_by_side(["1", "30", "60"], |wait| {
        let scene = scene();
        let kind = with_headers(503, &[("retry-after", wait)]);
        scene.sandbox.fault(Fault::new("*", kind));
        is_bounded(&scene, Status::Server);
    });
}

/// The real ones, without any option: all at once, and each must end before the next longer one.
#[test]
#[ignore = "takes two minutes: make check-long"]
fn silence_is_borne_for_5_seconds_30_a_minute_and_two() {
    let options = || with_retries(0);
    let scene = Scene::new(options());
    scene.sandbox.fault(Fault::new("*", FaultKind::Silent));
    let patient = {
        // With a longer attempt it is the whole call that ends.
        let mut options = options();
        let long = Duration::from_secs(3600);
        options.set_timeout(long).expect("a good value");
        scene.client.clone_with(Some(options)).expect("a clone")
    };
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = deaf.local_addr().expect("an address").port();
    let unheard = format!("https://127.0.0.1:{port}/prod");

    type Silence<'a> = (u64, Box<dyn Fn() -> Result<(), Error> + Send + 'a>);
    let calls: [Silence; 4] = [
        (5, Box::new(|| sign_in(&unheard, options()).map(drop))),
        (30, Box::new(|| scene.client.refresh_token())),
        (60, Box::new(|| scene.get().map(drop))),
        (120, Box::new(|| get(&patient).map(drop))),
    ];
    let (ended, order) = mpsc::channel();
    let start = Instant::now();
    thread::scope(|scope| {
        for (seconds, call) in calls {
            let ended = ended.clone();
            scope.spawn(move || {
                let error = call().expect_err("no answer");
                assert_eq!(error.status(), Status::Timeout, "{error}");
                assert!(start.elapsed() >= Duration::from_secs(seconds), "{error}");
                ended.send(seconds).expect("somebody listens");
            });
        }
    });
    drop(ended);
    assert_eq!(order.iter().collect::<Vec<_>>(), [5, 30, 60, 120]);
    scene.recovers();
}

// ---- a server that is down for a while

#[test]
fn a_server_that_answers_503_for_a_while_is_waited_for() {
    let down = Duration::from_secs(if support::is_long() { 60 } else { 3 });
    let scene = Scene::new(Options::default());
    scene.sandbox.fault(Fault::status("*", 503));
    let start = Instant::now();
    while start.elapsed() < down {
        for result in [scene.get(), scene.post()] {
            let error = result.expect_err("down");
            assert_eq!(error.status(), Status::Server);
            assert_eq!(error.http_status(), Some(503));
            assert!(error.is_retryable());
        }
        assert_eq!(
            scene.client.refresh_token().expect_err("down").status(),
            Status::Server
        );
    }
    scene.recovers();
    assert_eq!(scene.seen("POST /token/"), 0);
}
