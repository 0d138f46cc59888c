//! The life of a session through the C interface (`tests/c/session.c`).

mod support;

use std::time::Duration;

use serde_json::json;
use support::c;
use support::sandbox::{Config, Fault, FaultKind, Sandbox};

fn sandbox(config: Config) -> Sandbox {
    let sandbox = Sandbox::start(config);
    // Kinds of JSON that no report has.
    let answer = json!({
        "yes": true,
        "no": false,
        "half": 0.5,
        "huge": u64::MAX,
        "least": i64::MIN,
        "a/b": {"~": -3},
        "null": null,
        "nul": "a\0b",
        "empty": "",
    });
    sandbox.fault(Fault::new(
        "GET /reports/77/",
        FaultKind::json(200, &answer),
    ));
    sandbox
}

const FLOW: &str = "signed in, validated, refreshed, replaced\n\
                    cloned\n\
                    read a report\n\
                    submitted a research\n\
                    started from a token, with and without a refresh token\n";

#[test]
fn a_session_from_beginning_to_end() {
    let program = c::compile("tests/c/session.c");
    for tls in [false, true] {
        let sandbox = sandbox(Config {
            tls,
            ..Config::default()
        });
        assert_eq!(c::run(&mut c::command_at(&program, &sandbox)), FLOW);
    }
}

#[test]
fn a_session_with_rotation() {
    let program = c::compile("tests/c/session.c");
    let sandbox = sandbox(Config {
        rotate: true,
        ..Config::default()
    });
    let printed = c::run(c::command_at(&program, &sandbox).arg("rotates"));
    assert_eq!(printed, FLOW);
}

#[test]
fn a_session_whose_token_has_expired() {
    let program = c::compile("tests/c/session.c");
    let sandbox = sandbox(Config::default());
    let printed = c::run(
        c::command_at(&program, &sandbox)
            .arg("expired")
            .env("EVRIM_TOKEN", sandbox.expired_access_token()),
    );
    assert_eq!(printed, "renewed an expired token\n");
    let waited = c::run(
        c::command_at(&program, &sandbox)
            .arg("expired")
            .env("EVRIM_TOKEN", sandbox.access_token(Duration::from_secs(1))),
    );
    assert_eq!(waited, "renewed an expired token\n");
}

/// The dates of some tokens are no whole seconds.
#[test]
fn a_session_with_fractional_dates() {
    let program = c::compile("tests/c/session.c");
    let sandbox = sandbox(Config {
        fractional_claims: true,
        ..Config::default()
    });
    assert_eq!(c::run(&mut c::command_at(&program, &sandbox)), FLOW);
}
