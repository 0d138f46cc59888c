//! 64 threads on one client: each end of its token is one renewal, and no call fails of it.

mod support;

use std::time::Duration;

use support::c;
use support::sandbox::{Config, Sandbox};

/// How often the token ends: EVRIM_TEST_EXPIRIES=200 for the whole of it, which takes its time.
fn count(usual: &str) -> String {
    std::env::var("EVRIM_TEST_EXPIRIES").unwrap_or_else(|_| usual.to_owned())
}

fn run(config: Config, arguments: &[&str]) {
    let program = c::compile("tests/c/many_threads.c");
    let sandbox = Sandbox::start(config);
    let printed = c::run(c::command_at(&program, &sandbox).args(arguments));
    print!("{printed}");
}

#[test]
fn each_revoked_token_is_renewed_once() {
    run(Config::default(), &["rounds", &count("20")]);
}

#[test]
fn each_revoked_token_is_renewed_once_where_refresh_tokens_rotate() {
    let config = Config {
        rotate: true,
        rotation_gap: Duration::from_millis(5),
        ..Config::default()
    };
    run(config, &["rounds", &count("20")]);
}

#[test]
fn each_token_that_runs_out_is_renewed_once() {
    for rotate in [false, true] {
        let config = Config {
            access_lifetime: Duration::from_secs(1),
            rotate,
            ..Config::default()
        };
        run(config, &["expiries", &count("8"), "1"]);
    }
}
