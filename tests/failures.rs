//! Whatever goes wrong has a status of its own and a message that helps, ends in time, and leaves the
//! tokens as they were.

mod support;

#[path = "support/dialogue.rs"]
mod dialogue;

use std::net::TcpListener;
use std::time::Duration;

use dialogue::{Answer, Dialogue};
use serde_json::json;
use support::sandbox::{
    API_TOKEN, Certificate, Config, Fault, FaultKind, INACTIVE_USERNAME, PASSWORD, Sandbox,
    USERNAME, UserState,
};

/// Far more than any call here takes, and far less than a hang.
const SOON: Duration = Duration::from_secs(10);
/// The timeout of an attempt where a server that says nothing is tried.
const TIMEOUT_MS: &str = "500";

/// Something that goes wrong with an answer, and what a call makes of it.
struct Case {
    name: &'static str,
    kind: FaultKind,
    status: &'static str,
    http: i64,
    is_retryable: bool,
    /// Part of the message: what to do, or what the server said.
    says: &'static str,
}

fn case(name: &'static str, kind: FaultKind, status: &'static str, http: i64) -> Case {
    Case {
        name,
        kind,
        status,
        http,
        is_retryable: matches!(
            status,
            "ERROR_NETWORK" | "ERROR_TIMEOUT" | "ERROR_RATE_LIMITED"
        ) || (status == "ERROR_SERVER" && http != 501),
        says: "",
    }
}

impl Case {
    fn says(self, says: &'static str) -> Case {
        Case { says, ..self }
    }

    fn check(&self, answer: &Answer, url: &str) {
        let name = self.name;
        assert_eq!(answer.status(), self.status, "{name}: {answer:?}");
        assert_eq!(answer.number("http"), self.http, "{name}: {answer:?}");
        let retryable = if self.is_retryable { "yes" } else { "no" };
        assert_eq!(answer.get("retryable"), retryable, "{name}: {answer:?}");
        assert!(answer.message().contains(url), "{name}: {answer:?}");
        assert!(answer.message().contains(self.says), "{name}: {answer:?}");
        assert!(answer.took < SOON, "{name}: {answer:?}");
    }
}

/// What may go wrong with any answer, token calls and others alike.
fn faults() -> Vec<Case> {
    let status = |code| FaultKind::status(code);
    let redirect = |status, location: &str| FaultKind::Redirect {
        status,
        location: location.to_owned(),
    };
    let huge = |chunked| FaultKind::Huge {
        bytes: 1 << 30,
        chunked,
    };
    let drip = FaultKind::Drip {
        chunk: 1,
        pause: Duration::from_millis(700),
    };
    let fields = FaultKind::json(400, &json!({"password": ["This field may not be blank."]}));
    vec![
        case("500", status(500), "ERROR_SERVER", 500).says("try again later"),
        case("501", status(501), "ERROR_SERVER", 501),
        case("503", status(503), "ERROR_SERVER", 503).says("try again later"),
        case("400 with fields", fields, "ERROR_REQUEST", 400)
            .says("password: This field may not be blank."),
        case("403", status(403), "ERROR_PERMISSION", 403).says("this user may not"),
        case("404", status(404), "ERROR_NOT_FOUND", 404).says("check the id and the base URL"),
        case("405", status(405), "ERROR_REQUEST", 405),
        case("409", status(409), "ERROR_CONFLICT", 409),
        case(
            "429",
            FaultKind::Throttle { seconds: 61 },
            "ERROR_RATE_LIMITED",
            429,
        )
        .says("try again after 61 s"),
        case("cut", FaultKind::Cut, "ERROR_NETWORK", 0).says("the connection ended"),
        case("lost", FaultKind::Lost, "ERROR_NETWORK", 0).says("the connection ended"),
        case("reset", FaultKind::Reset, "ERROR_NETWORK", 0).says("the connection ended"),
        case("truncated", FaultKind::Truncate(1), "ERROR_NETWORK", 0).says("before the whole"),
        case(
            "a wrong length",
            FaultKind::WrongLength(100_000),
            "ERROR_NETWORK",
            0,
        )
        .says("before the whole"),
        case("silence", FaultKind::Silent, "ERROR_TIMEOUT", 0).says("raise the timeout"),
        case("a drip", drip, "ERROR_TIMEOUT", 0).says("raise the timeout"),
        case(
            "no HTTP",
            FaultKind::Raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
            "ERROR_PROTOCOL",
            0,
        )
        .says("not proper HTTP"),
        case("1 GB announced", huge(false), "ERROR_TOO_LARGE", 200).says("limit"),
        case("1 GB in chunks", huge(true), "ERROR_TOO_LARGE", 200).says("limit"),
        case(
            "a redirect to another server",
            redirect(307, "https://elsewhere.invalid/prod/"),
            "ERROR_REDIRECT",
            307,
        ),
        case(
            "a redirect to nowhere",
            redirect(302, ""),
            "ERROR_REDIRECT",
            302,
        ),
    ]
}

/// What may go wrong with the answer to a sign-in or a refresh besides.
fn faults_of_tokens() -> Vec<Case> {
    let mut cases = faults();
    let no_token = FaultKind::json(200, &json!({"refresh": "eyJ"}));
    let broken_token = FaultKind::json(200, &json!({"access": "a\r\nb", "refresh": "c"}));
    let says = "not a web page";
    cases.extend([
        case("HTML", FaultKind::Html, "ERROR_PROTOCOL", 200).says(says),
        case("nothing", FaultKind::Empty, "ERROR_PROTOCOL", 200).says(says),
        case("garbage", FaultKind::Garbage, "ERROR_PROTOCOL", 200).says(says),
        case("no access token", no_token, "ERROR_PROTOCOL", 200).says(says),
        case("a line break", broken_token, "ERROR_PROTOCOL", 200).says(says),
        case(
            "a redirect of a POST",
            FaultKind::Redirect {
                status: 301,
                location: "/prod/echo/".to_owned(),
            },
            "ERROR_REDIRECT",
            301,
        ),
        case(
            "401",
            FaultKind::json(401, &json!({"detail": "No.", "code": "odd"})),
            "ERROR_AUTHENTICATION",
            401,
        )
        .says("No."),
    ]);
    cases
}

/// What may go wrong with the answer to a validation.
fn faults_of_validation() -> Vec<Case> {
    let mut cases = faults_of_tokens();
    cases.retain(|case| !matches!(case.name, "no access token" | "a line break"));
    let list = FaultKind::json(200, &json!(["an array"]));
    cases.push(case("a list", list, "ERROR_PROTOCOL", 200).says("not a web page"));
    cases
}

/// Each call fails once in each way, which changes nothing, and then succeeds.
fn fails_and_recovers(call: &str, path: &str, cases: Vec<Case>) {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.option("timeout_ms", TIMEOUT_MS);
    program.sign_in(&sandbox).expect("OK");
    for case in cases {
        sandbox.fault(Fault::new(path, case.kind.clone()));
        let answer = program.ask(&[call]);
        case.check(&answer, &format!("127.0.0.1:{}", sandbox.port()));
        answer.expect_same_tokens();
        assert_ne!(answer.get("valid"), "yes", "{}: {answer:?}", case.name);
        sandbox.clear_faults();
        let answer = program.ask(&[call]);
        assert_eq!(answer.status(), "OK", "after {}: {answer:?}", case.name);
    }
}

#[test]
fn a_refresh_that_fails_leaves_the_tokens_as_they_were() {
    fails_and_recovers("refresh_token", "POST /token/refresh/", faults_of_tokens());
}

#[test]
fn a_second_sign_in_that_fails_leaves_the_tokens_as_they_were() {
    fails_and_recovers("set_token", "POST /token/", faults_of_tokens());
}

#[test]
fn a_validation_without_a_clear_answer_is_an_error_and_not_false() {
    fails_and_recovers(
        "validate_token",
        "POST /token/verify/",
        faults_of_validation(),
    );
}

#[test]
fn a_sign_in_that_fails_gives_no_client() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.option("timeout_ms", TIMEOUT_MS);
    for case in faults_of_tokens() {
        sandbox.fault(Fault::new("POST /token/", case.kind.clone()));
        let answer = program.sign_in(&sandbox);
        case.check(&answer, &format!("{}/token/", sandbox.url()));
        assert_eq!(answer.get("client"), "no", "{}", case.name);
        sandbox.clear_faults();
    }
    program.sign_in(&sandbox).expect("OK");
}

#[test]
fn a_start_from_a_token_that_can_not_be_checked_gives_no_client() {
    let sandbox = Sandbox::start(Config::default());
    let (access, refresh) = sandbox.token_pair();
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.option("timeout_ms", TIMEOUT_MS);
    for case in faults_of_validation() {
        sandbox.fault(Fault::new("POST /token/verify/", case.kind.clone()));
        let answer = program.ask(&["from_token", &sandbox.url(), &access, &refresh]);
        case.check(&answer, &format!("{}/token/verify/", sandbox.url()));
        assert_eq!(answer.get("client"), "no", "{}", case.name);
        sandbox.clear_faults();
    }
    let answer = program.ask(&["from_token", &sandbox.url(), &access, &refresh]);
    answer.expect("OK");
}

#[test]
fn a_request_that_fails_says_how_and_the_next_one_succeeds() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.option("timeout_ms", TIMEOUT_MS);
    // Reached well before the timeout.
    program.option("max_body_size", "262144");
    program.sign_in(&sandbox).expect("OK");
    for method in ["GET", "POST"] {
        for case in faults() {
            sandbox.fault(Fault::new("/echo/", case.kind.clone()));
            let answer = program.ask(&["request", method, "echo/", "{}"]);
            case.check(&answer, &format!("{}/echo/", sandbox.url()));
            answer.expect_same_tokens();
            assert_eq!(answer.get("sent"), "yes", "{}: {answer:?}", case.name);
            assert_eq!(answer.get("response"), "no", "{}", case.name);
            sandbox.clear_faults();
            let answer = program.ask(&["request", method, "echo/", "{}"]);
            assert_eq!(answer.status(), "OK", "after {}: {answer:?}", case.name);
        }
    }
}

#[test]
fn an_error_holds_what_the_server_answered() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    let answer = program.get("reports/4711/");
    answer.expect("ERROR_NOT_FOUND");
    assert!(answer.message().contains("No ReportV2 matches"));
    assert!(answer.number("body_len") > 0);
    assert_ne!(answer.get("id"), "");
    assert_eq!(answer.number("retry_after_ms"), -1);
}

/// An answer has the API's own id, or else at least that of the gateway before it.
#[test]
fn an_error_has_the_request_id_of_the_api_or_else_of_the_gateway() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    let (api, gateway) = ("X-Moesif-Transaction-Id: api-1", "Apigw-Requestid: gw-2");
    for (headers, id) in [
        (vec![api, gateway], "api-1"),
        (vec![gateway, api], "api-1"),
        (vec![api], "api-1"),
        (vec![gateway], "gw-2"),
        (vec![], ""),
    ] {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let answer = format!("HTTP/1.1 404 Not Found\r\n{headers}Content-Length: 2\r\n\r\n{{}}");
        sandbox.clear_faults();
        sandbox.fault(Fault::new("/echo/", FaultKind::Raw(answer.into_bytes())));
        let answer = program.get("echo/");
        assert_eq!(answer.expect("ERROR_NOT_FOUND").get("id"), id);
    }
}

#[test]
fn wrong_credentials_are_refused_and_never_tried_again() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    let wrong = [
        (USERNAME, "a-wrong-password"),
        ("nobody-at-all", PASSWORD),
        (INACTIVE_USERNAME, PASSWORD),
    ];
    for (user, password) in wrong {
        let answer = program.ask(&["new", &sandbox.url(), user, password]);
        answer.expect("ERROR_AUTHENTICATION");
        assert_eq!(answer.number("http"), 401);
        assert_eq!(answer.get("code"), "");
        assert_eq!(answer.get("retryable"), "no");
        assert_eq!(answer.get("client"), "no");
        for part in [&sandbox.url(), "No active account", "check the user name"] {
            assert!(answer.message().contains(part), "{answer:?}");
        }
    }
    assert_eq!(sandbox.counters().of("POST /token/"), 3);
}

#[test]
fn an_account_that_was_switched_off_fails_to_sign_in_and_to_refresh() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    sandbox.set_user_state(UserState::Inactive);
    for call in ["set_token", "refresh_token"] {
        let answer = program.ask(&[call]);
        answer.expect("ERROR_AUTHENTICATION").expect_same_tokens();
    }
    let answer = program.get("reports/1/");
    answer.expect("ERROR_AUTHENTICATION");
    assert_eq!(answer.get("code"), "user_inactive");
    sandbox.set_user_state(UserState::Active);
    program.ask(&["set_token"]).expect("OK");
    program.get("reports/1/").expect("OK");
}

#[test]
fn a_refresh_token_that_is_over_is_refused_by_its_code() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    let access = sandbox.access_token(Duration::from_secs(300));
    let blacklisted = sandbox.refresh_token(Duration::from_secs(300));
    sandbox.blacklist(&blacklisted);
    for refresh in [&sandbox.expired_refresh_token(), &blacklisted, "garbage"] {
        program.resume(&sandbox.url(), &access, Some(refresh));
        let answer = program.ask(&["refresh_token"]);
        answer.expect("ERROR_AUTHENTICATION").expect_same_tokens();
        assert_eq!(answer.get("code"), "token_not_valid");
        assert!(answer.message().contains("sign in again"), "{answer:?}");
    }
    program.resume(&sandbox.url(), &access, None);
    let answer = program.ask(&["refresh_token"]);
    answer.expect("ERROR_NO_REFRESH_TOKEN");
    assert_eq!(answer.get("sent"), "no");
    let answer = program.ask(&["set_token"]);
    answer.expect("ERROR_NO_CREDENTIALS");
}

#[test]
fn a_token_that_is_no_good_is_not_valid_which_is_no_error() {
    let sandbox = Sandbox::start(Config::default());
    let blacklisted = sandbox.access_token(Duration::from_secs(300));
    sandbox.blacklist(&blacklisted);
    let mut program = Dialogue::start();
    for token in [&sandbox.expired_access_token(), "garbage", &blacklisted] {
        program.resume(&sandbox.url(), token, None);
        let answer = program.ask(&["validate_token"]);
        answer.expect("OK").expect_same_tokens();
        assert_eq!(answer.get("valid"), "no");
    }
    let good = sandbox.access_token(Duration::from_secs(300));
    program.resume(&sandbox.url(), &good, None);
    assert_eq!(program.ask(&["validate_token"]).get("valid"), "yes");
    assert_eq!(sandbox.counters().refused_verifies, 3);
}

#[test]
fn no_client_comes_from_a_token_that_the_server_refuses() {
    let sandbox = Sandbox::start(Config::default());
    let refresh = sandbox.refresh_token(Duration::from_secs(300));
    let mut program = Dialogue::start();
    for token in [&sandbox.expired_access_token(), "garbage"] {
        let answer = program.ask(&["from_token", &sandbox.url(), token, &refresh]);
        answer.expect("ERROR_AUTHENTICATION");
        assert_eq!(answer.get("client"), "no");
    }
    sandbox.reset_counters();
    // What can be seen without asking is refused without asking.
    for (access, refresh) in [
        (refresh.as_str(), None),
        ("with a space", None),
        ("naïve", None),
        ("good", Some("not good")),
    ] {
        let mut command = vec!["from_token"];
        let url = sandbox.url();
        command.extend([url.as_str(), access]);
        command.extend(refresh);
        program.ask(&command).expect("ERROR_INVALID_ARGUMENT");
    }
    assert_eq!(sandbox.counters().connections, 0);
}

#[test]
fn a_server_that_is_down_was_not_sent_anything() {
    let mut program = Dialogue::start();
    program.option("retries", "0");
    let sandbox = Sandbox::start(Config::default());
    program.sign_in(&sandbox).expect("OK");
    let url = sandbox.url();
    sandbox.stop();
    for call in [
        vec!["validate_token"],
        vec!["refresh_token"],
        vec!["set_token"],
        vec!["request", "GET", "echo/"],
        vec!["request", "POST", "research/", "{}"],
    ] {
        let answer = program.ask(&call);
        answer.expect("ERROR_NETWORK").expect_same_tokens();
        assert_eq!(answer.number("http"), 0);
        assert_eq!(answer.get("retryable"), "yes");
        assert_eq!(answer.get("sent"), "no", "{call:?}: {answer:?}");
        for part in [url.as_str(), "check that the server is running"] {
            assert!(answer.message().contains(part), "{answer:?}");
        }
    }
    let answer = program.ask(&["new", &url, USERNAME, PASSWORD]);
    answer.expect("ERROR_NETWORK");
    assert_eq!(answer.get("sent"), "no");
}

#[test]
fn a_refused_connection_is_tried_again_even_for_a_post() {
    let sandbox = Sandbox::start(Config::default());
    let port = sandbox.port();
    let (access, _) = sandbox.token_pair();
    let mut program = Dialogue::start();
    program.resume(&sandbox.url(), &access, None);
    sandbox.stop();
    // Back in time for the retries, of which the last comes after more than a second.
    let back = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        Sandbox::start(Config {
            port,
            ..Config::default()
        })
    });
    program.post("echo/", "{}").expect("OK");
    let sandbox = back.join().expect("the sandbox is back");
    assert_eq!(sandbox.counters().of("POST /echo/"), 1);
}

#[test]
fn a_host_that_does_not_exist_is_named() {
    let mut program = Dialogue::start();
    program.option("retries", "0");
    let answer = program.ask(&["new", "https://something.invalid/prod", USERNAME, PASSWORD]);
    answer.expect("ERROR_NETWORK");
    assert_eq!(answer.get("sent"), "no");
    assert_eq!(answer.get("retryable"), "yes");
    for part in ["something.invalid", "check the name"] {
        assert!(answer.message().contains(part), "{answer:?}");
    }
}

#[test]
fn plain_http_to_another_machine_is_refused_before_anything_is_sent() {
    let mut program = Dialogue::start();
    // Names that are not looked up: a look-up would fail with another status.
    for host in [
        "something.invalid",
        "localhost.something.invalid",
        "192.0.2.1",
    ] {
        let url = format!("http://{host}/prod");
        let answer = program.ask(&["new", &url, USERNAME, PASSWORD]);
        answer.expect("ERROR_INSECURE_URL");
        assert_eq!(answer.get("retryable"), "no");
        for part in [host, "use https"] {
            assert!(answer.message().contains(part), "{answer:?}");
        }
        let answer = program.ask(&["from_token", &url, "a-token-of-old"]);
        answer.expect("ERROR_INSECURE_URL");
    }
    program.option("allow_insecure_http", "yes");
    program.option("retries", "0");
    let answer = program.ask(&["new", "http://something.invalid/prod", USERNAME, PASSWORD]);
    answer.expect("ERROR_NETWORK");
}

#[test]
fn a_bad_url_is_refused_and_does_not_give_a_password_away() {
    let mut program = Dialogue::start();
    for url in [
        "",
        "api.example.com/prod",
        "/prod",
        "ftp://example.com/",
        "https://",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "https://example.com/?page=2",
        "https://example.com/#top",
        "https://somebody:a-long-password@example.com/",
        "https://somebody:a-long-password@exa mple.com/",
    ] {
        let answer = program.ask(&["new", url, USERNAME, "a-long-password"]);
        answer.expect("ERROR_INVALID_URL");
        assert_eq!(answer.get("retryable"), "no");
        assert_eq!(answer.get("sent"), "no");
    }
}

#[test]
fn a_certificate_that_is_no_good_ends_the_call_before_the_password_is_sent() {
    for (certificate, says, advice) in [
        (
            Certificate::Untrusted,
            "invalid peer certificate",
            "evrim_options_set_ca_file",
        ),
        (Certificate::Expired, "expired", "needs a new one"),
        (
            Certificate::WrongName,
            "not valid for name",
            "check the host",
        ),
    ] {
        let sandbox = Sandbox::start(Config {
            tls: true,
            certificate,
            ..Config::default()
        });
        let mut program = Dialogue::start();
        program.trust(&sandbox);
        let answer = program.sign_in(&sandbox);
        answer.expect("ERROR_TLS");
        assert_eq!(answer.get("retryable"), "no");
        assert_eq!(answer.get("sent"), "no");
        for part in [&sandbox.url(), says, advice] {
            assert!(answer.message().contains(part), "{part}: {answer:?}");
        }
        let counters = sandbox.counters();
        assert_eq!((counters.connections, counters.total), (1, 0));
    }
}

#[test]
fn an_authority_that_was_not_named_is_not_trusted() {
    let sandbox = Sandbox::start(Config {
        tls: true,
        ..Config::default()
    });
    let mut program = Dialogue::start();
    program.sign_in(&sandbox).expect("ERROR_TLS");
    program.trust(&sandbox);
    program.sign_in(&sandbox).expect("OK");
}

#[test]
fn http_and_https_mixed_up_are_told_as_such() {
    let plain = Sandbox::start(Config::default());
    let tls = Sandbox::start(Config {
        tls: true,
        ..Config::default()
    });
    let mut program = Dialogue::start();
    program.option("retries", "0");

    let url = plain.url().replace("http:", "https:");
    let answer = program.ask(&["new", &url, USERNAME, PASSWORD]);
    answer.expect("ERROR_TLS");
    assert!(answer.message().contains("speaks https"), "{answer:?}");

    let url = tls.url().replace("https:", "http:");
    let answer = program.ask(&["new", &url, USERNAME, PASSWORD]);
    // The server hangs up, or answers with a TLS alert.
    assert!(
        matches!(answer.status(), "ERROR_PROTOCOL" | "ERROR_NETWORK"),
        "{answer:?}"
    );
    assert!(answer.message().contains(&url), "{answer:?}");
}

#[test]
fn a_token_call_is_tried_three_times_while_the_server_fails() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    // The server names the pause, so that the test need not take seconds.
    let fails = || {
        let mut kind = FaultKind::status(503);
        if let FaultKind::Status { headers, .. } = &mut kind {
            headers.push(("retry-after-ms".into(), "20".into()));
        }
        kind
    };
    for (call, path) in [
        (vec!["set_token"], "POST /token/"),
        (vec!["refresh_token"], "POST /token/refresh/"),
        (vec!["validate_token"], "POST /token/verify/"),
        (vec!["request", "GET", "echo/"], "GET /echo/"),
        (vec!["request", "PUT", "echo/"], "PUT /echo/"),
        (vec!["request", "DELETE", "echo/"], "DELETE /echo/"),
    ] {
        // With a new client: one that was failed often stops trying again.
        program.sign_in(&sandbox).expect("OK");
        sandbox.reset_counters();
        sandbox.fault(Fault::new(path, fails()));
        let answer = program.ask(&call);
        answer.expect("ERROR_SERVER").expect_same_tokens();
        assert_eq!(answer.number("http"), 503);
        assert_eq!(answer.number("retry_after_ms"), 20);
        assert_eq!(sandbox.counters().of(path), 3, "{path}");
        sandbox.clear_faults();
        sandbox.fault(Fault::new(path, fails()).times(2));
        program.ask(&call).expect("OK");
        assert_eq!(sandbox.counters().of(path), 6, "{path}");
        sandbox.clear_faults();
    }
}

#[test]
fn a_post_that_the_server_may_have_handled_is_sent_once() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    for (kind, status) in [
        (FaultKind::status(500), "ERROR_SERVER"),
        (FaultKind::status(503), "ERROR_SERVER"),
        (FaultKind::Throttle { seconds: 1 }, "ERROR_RATE_LIMITED"),
        (FaultKind::Cut, "ERROR_NETWORK"),
        (FaultKind::Lost, "ERROR_NETWORK"),
        (FaultKind::Reset, "ERROR_NETWORK"),
        (FaultKind::Truncate(1), "ERROR_NETWORK"),
    ] {
        sandbox.reset_counters();
        sandbox.fault(Fault::new("/echo/", kind));
        let answer = program.post("echo/", "{}");
        answer.expect(status);
        assert_eq!(answer.get("sent"), "yes");
        assert_eq!(sandbox.counters().of("POST /echo/"), 1);
        sandbox.clear_faults();
    }
}

#[test]
fn a_wait_that_is_too_long_is_left_to_the_caller() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    let throttled = |seconds| Fault::new("/token/*", FaultKind::Throttle { seconds });
    // Over a minute is never waited for.
    sandbox.fault(throttled(61));
    sandbox.reset_counters();
    let answer = program.ask(&["refresh_token"]);
    answer.expect("ERROR_RATE_LIMITED").expect_same_tokens();
    assert_eq!(answer.number("retry_after_ms"), 61_000);
    assert_eq!(answer.get("retryable"), "yes");
    assert!(answer.took < SOON, "{answer:?}");
    assert_eq!(sandbox.counters().total, 1);
    sandbox.clear_faults();

    // A minute is, but not past the end of the call.
    program.option("total_timeout_ms", "20000");
    program.sign_in(&sandbox).expect("OK");
    sandbox.fault(throttled(60));
    sandbox.reset_counters();
    let answer = program.ask(&["refresh_token"]);
    answer.expect("ERROR_RATE_LIMITED").expect_same_tokens();
    assert_eq!(answer.number("retry_after_ms"), 60_000);
    assert!(answer.message().contains("60 s"), "{answer:?}");
    assert!(answer.took < SOON, "{answer:?}");
    assert_eq!(sandbox.counters().total, 1);
}

#[test]
fn a_server_that_says_nothing_holds_no_call_longer_than_its_timeout() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    program.option("timeout_ms", "200");
    program.sign_in(&sandbox).expect("OK");
    sandbox.fault(Fault::new("*", FaultKind::Silent));
    for call in [
        vec!["validate_token"],
        vec!["refresh_token"],
        vec!["set_token"],
        vec!["request", "GET", "echo/"],
        vec!["request", "POST", "echo/", "{}"],
    ] {
        sandbox.reset_counters();
        let answer = program.ask(&call);
        answer.expect("ERROR_TIMEOUT").expect_same_tokens();
        assert!(answer.message().contains("200 ms"), "{answer:?}");
        // The server has it and may be at it still.
        assert_eq!(answer.get("sent"), "yes", "{call:?}: {answer:?}");
        assert!(answer.took >= Duration::from_millis(200));
        assert!(answer.took < Duration::from_secs(3), "{answer:?}");
        assert_eq!(sandbox.counters().total, 1, "{call:?}");
    }
}

#[test]
fn a_post_whose_renewal_failed_was_not_sent() {
    let sandbox = Sandbox::start(Config {
        access_lifetime: Duration::from_secs(1),
        ..Config::default()
    });
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.sign_in(&sandbox).expect("OK");
    while program.ask(&["validate_token"]).get("valid") == "yes" {
        std::thread::sleep(Duration::from_millis(50));
    }
    for kind in [FaultKind::status(500), FaultKind::Cut, FaultKind::Html] {
        sandbox.fault(Fault::new("/token/*", kind));
        let answer = program.post("echo/", "{}");
        assert_ne!(answer.status(), "OK");
        answer.expect_same_tokens();
        assert_eq!(answer.get("sent"), "no", "{answer:?}");
        assert_eq!(sandbox.counters().of("POST /echo/"), 0);
        sandbox.clear_faults();
    }
    program.post("echo/", "{}").expect("OK");
}

#[test]
fn a_server_that_does_not_even_answer_a_connection_is_given_up_in_time() {
    // Accepts, by the system's hand, and never reads: TLS does not come about.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut program = Dialogue::start();
    program.option("retries", "0");
    program.option("connect_timeout_ms", "200");
    let url = format!("https://127.0.0.1:{port}/prod");
    let answer = program.ask(&["new", &url, USERNAME, PASSWORD]);
    answer.expect("ERROR_TIMEOUT");
    assert_eq!(answer.get("sent"), "no");
    assert!(answer.message().contains("connect_timeout"), "{answer:?}");
    assert!(answer.took < Duration::from_secs(3), "{answer:?}");
}

#[test]
fn the_whole_call_ends_in_time_however_often_it_is_tried() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    program.option("total_timeout_ms", "700");
    program.option("retries", "10");
    program.sign_in(&sandbox).expect("OK");
    sandbox.fault(Fault::status("/echo/", 503));
    let answer = program.get("echo/");
    // What can't be waited out is returned with the last answer; otherwise the deadline ends it.
    assert!(
        matches!(answer.status(), "ERROR_SERVER" | "ERROR_TIMEOUT"),
        "{answer:?}"
    );
    assert!(answer.took < Duration::from_secs(3), "{answer:?}");
}

#[test]
fn an_enormous_answer_costs_little_memory() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    program.get("echo/").expect("OK");
    let gigabyte = 1u64 << 30;
    let huge = |chunked| FaultKind::Huge {
        bytes: gigabyte,
        chunked,
    };
    let before = program.peak_memory();
    for kind in [huge(false), huge(true), FaultKind::GzipBomb(gigabyte)] {
        sandbox.fault(Fault::new("/token/*", kind.clone()));
        for call in ["refresh_token", "validate_token", "set_token"] {
            let answer = program.ask(&[call]);
            answer.expect("ERROR_TOO_LARGE").expect_same_tokens();
            assert!(answer.message().contains("1048576 bytes"), "{answer:?}");
        }
        sandbox.clear_faults();
    }
    let cost = program.peak_memory() - before;
    assert!(cost < 8 << 20, "token calls took {cost} bytes");

    // The limit holds for what a packed body unpacks to.
    program.option("max_body_size", "4194304");
    program.sign_in(&sandbox).expect("OK");
    let before = program.peak_memory();
    for kind in [huge(false), huge(true), FaultKind::GzipBomb(gigabyte)] {
        sandbox.fault(Fault::new("/echo/", kind));
        let answer = program.get("echo/");
        answer.expect("ERROR_TOO_LARGE");
        assert_eq!(answer.get("retryable"), "no");
        assert!(answer.message().contains("4194304 bytes"), "{answer:?}");
        sandbox.clear_faults();
    }
    let cost = program.peak_memory() - before;
    assert!(cost < 24 << 20, "requests took {cost} bytes");

    program.option("max_body_size", "67108864");
    program.sign_in(&sandbox).expect("OK");
    let before = program.peak_memory();
    sandbox.fault(Fault::new("/echo/", huge(true)));
    let answer = program.get("echo/");
    answer.expect("ERROR_TOO_LARGE");
    let cost = program.peak_memory() - before;
    assert!(cost < 160 << 20, "a request took {cost} bytes");
}

#[test]
fn an_answer_as_large_as_the_limit_is_no_failure() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    program.option("max_body_size", "100000");
    program.sign_in(&sandbox).expect("OK");
    for chunked in [false, true] {
        for (bytes, status) in [(100_000, "OK"), (100_001, "ERROR_TOO_LARGE")] {
            sandbox.fault(Fault::new("/echo/", FaultKind::Huge { bytes, chunked }));
            program.get("echo/").expect(status);
            sandbox.clear_faults();
        }
    }
}

#[test]
fn a_redirect_is_followed_only_where_the_request_stays_what_it_is() {
    let sandbox = Sandbox::start(Config::default());
    let other = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    let redirect = |status, location: &str| {
        Fault::new(
            "/reports/1/",
            FaultKind::Redirect {
                status,
                location: location.to_owned(),
            },
        )
    };

    for status in [301, 302, 303, 307, 308] {
        sandbox.fault(redirect(status, "/prod/echo/there/"));
        let answer = program.get("reports/1/");
        answer.expect("OK");
        assert_eq!(answer.body()["path"], "/echo/there/");
        let sent = &answer.body()["headers"]["authorization"];
        assert!(
            sent.as_str()
                .is_some_and(|sent| sent.starts_with("Bearer "))
        );
        sandbox.clear_faults();
    }
    for status in [301, 302, 303] {
        sandbox.fault(redirect(status, "/prod/echo/there/"));
        let answer = program.post("reports/1/", "{}");
        answer.expect("ERROR_REDIRECT");
        assert_eq!(answer.number("http"), i64::from(status));
        assert!(answer.message().contains("/prod/echo/there/"), "{answer:?}");
        sandbox.clear_faults();
    }
    for status in [307, 308] {
        sandbox.fault(redirect(status, "/prod/echo/there/"));
        let answer = program.post("reports/1/", "{\"a\":1}");
        answer.expect("OK");
        assert_eq!(answer.body()["method"], "POST");
        assert_eq!(answer.body()["body"], "{\"a\":1}");
        sandbox.clear_faults();
    }
    for location in [
        other.url(),
        "https://elsewhere.invalid/".to_owned(),
        format!("https://127.0.0.1:{}/prod/", sandbox.port()),
    ] {
        for status in [301, 307] {
            sandbox.fault(redirect(status, &location));
            let answer = program.get("reports/1/");
            answer.expect("ERROR_REDIRECT");
            assert!(answer.message().contains(&location), "{answer:?}");
            sandbox.clear_faults();
        }
    }
    // The token went nowhere else.
    assert_eq!(other.counters().connections, 0);

    sandbox.fault(redirect(302, "/prod/reports/1/"));
    sandbox.reset_counters();
    let answer = program.get("reports/1/");
    answer.expect("ERROR_REDIRECT");
    assert!(sandbox.counters().of("GET /reports/1/") <= 10);
}

#[test]
fn a_redirect_of_a_token_call_names_the_place() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::start();
    for location in [
        format!("https://127.0.0.1:{}/prod/token/", sandbox.port()),
        "/prod/other/".to_owned(),
    ] {
        sandbox.fault(Fault::new(
            "/token/",
            FaultKind::Redirect {
                status: 301,
                location: location.clone(),
            },
        ));
        let answer = program.sign_in(&sandbox);
        answer.expect("ERROR_REDIRECT");
        assert!(answer.message().contains(&location), "{answer:?}");
        sandbox.clear_faults();
    }
}

#[test]
fn a_path_without_its_final_slash_is_explained() {
    let sandbox = Sandbox::start(Config::default());
    let mut program = Dialogue::signed_in(&sandbox);
    let answer = program.post("research", "{}");
    answer.expect("ERROR_REDIRECT");
    for part in ["/prod/research/", "ends with '/'"] {
        assert!(answer.message().contains(part), "{answer:?}");
    }
    assert_eq!(sandbox.counters().of("POST /research/"), 0);
    assert_eq!(sandbox.counters().of("GET /research/"), 0);
}

/// Starts from the environment: `None` takes a variable out.
fn from_env(sandbox: &Sandbox, change: &[(&str, Option<&str>)]) -> Answer {
    let mut program = Dialogue::with(|command| {
        command.envs(sandbox.env());
        for (name, value) in change {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    });
    program.ask(&["from_env"])
}

#[test]
fn a_variable_that_is_missing_is_named() {
    let sandbox = Sandbox::start(Config::default());
    let user = ("EVRIM_USERNAME", None);
    let password = ("EVRIM_PASSWORD", None);
    for absent in [None, Some("")] {
        let answer = from_env(&sandbox, &[("EVRIM_URL", absent)]);
        answer.expect("ERROR_INVALID_URL");
        assert!(answer.message().contains("EVRIM_URL"), "{answer:?}");

        let answer = from_env(&sandbox, &[("EVRIM_PASSWORD", absent)]);
        answer.expect("ERROR_NO_CREDENTIALS");
        assert!(answer.message().contains("EVRIM_PASSWORD is not set"));

        let answer = from_env(&sandbox, &[("EVRIM_USERNAME", absent)]);
        answer.expect("ERROR_NO_CREDENTIALS");
        assert!(answer.message().contains("EVRIM_USERNAME is not set"));

        let answer = from_env(&sandbox, &[user, password, ("EVRIM_TOKEN", absent)]);
        answer.expect("ERROR_NO_CREDENTIALS");
        for name in ["EVRIM_USERNAME", "EVRIM_TOKEN", "EVRIM_API_TOKEN"] {
            assert!(answer.message().contains(name), "{answer:?}");
        }
    }
    assert_eq!(sandbox.counters().connections, 0);
}

#[test]
fn credentials_come_before_a_token_and_a_token_before_an_api_token() {
    let sandbox = Sandbox::start(Config::default());
    let api_token = ("EVRIM_API_TOKEN", Some(API_TOKEN));
    let user = ("EVRIM_USERNAME", None);
    let password = ("EVRIM_PASSWORD", None);

    from_env(&sandbox, &[api_token]).expect("OK");
    let counters = sandbox.counters();
    assert_eq!((counters.sign_ins, counters.verifies), (1, 0));

    sandbox.reset_counters();
    from_env(&sandbox, &[api_token, user, password]).expect("OK");
    let counters = sandbox.counters();
    assert_eq!((counters.sign_ins, counters.verifies), (0, 1));

    sandbox.reset_counters();
    let token = ("EVRIM_TOKEN", None);
    from_env(&sandbox, &[api_token, user, password, token]).expect("OK");
    assert_eq!(sandbox.counters().total, 0);
}

#[test]
fn an_opaque_token_is_used_without_being_verified() {
    let sandbox = Sandbox::start(Config {
        opaque_only: true,
        ..Config::default()
    });
    let mut program = Dialogue::with(|command| {
        command
            .env("EVRIM_URL", sandbox.url())
            .env("EVRIM_API_TOKEN", API_TOKEN);
    });
    program.ask(&["from_env"]).expect("OK");
    assert_eq!(sandbox.counters().connections, 0);
    program.get("v0/reports/").expect("OK");
    assert_eq!(sandbox.counters().total, 1);
}
