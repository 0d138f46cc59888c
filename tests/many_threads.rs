//! 64 threads on one client: each end of its token is one renewal, and no call fails of it.

mod support;

use std::time::Duration;

use support::c;
use support::sandbox::{Config, Sandbox};

fn run(tls: bool, config: Config, arguments: &[&str]) {
    let program = c::compile("tests/c/many_threads.c");
    let sandbox = Sandbox::start(Config { tls, ..config });
    let printed = c::run(c::command_at(&program, &sandbox).args(arguments));
    print!("tls: {tls}, {printed}");
}

/// The server takes the token back.
fn revoked(tls: bool, rotate: bool) {
    let config = Config {
        rotate,
        rotation_gap: Duration::from_millis(if rotate { 5 } else { 0 }),
        ..Config::default()
    };
    run(tls, config, &["rounds", "10"]);
}

/// The token runs out by itself.
fn runs_out(tls: bool, rotate: bool) {
    let config = Config {
        access_lifetime: Duration::from_secs(2),
        rotate,
        ..Config::default()
    };
    // In full where the most happens, so that the machine has time for it.
    let count = if support::is_long() && rotate {
        "200"
    } else {
        "4"
    };
    run(tls, config, &["expiries", count, "2"]);
}

#[test]
fn each_revoked_token_is_renewed_once() {
    revoked(false, false);
}

#[test]
fn each_revoked_token_is_renewed_once_over_https() {
    revoked(true, false);
}

#[test]
fn each_revoked_token_is_renewed_once_where_refresh_tokens_rotate() {
    revoked(false, true);
}

#[test]
fn each_revoked_token_is_renewed_once_where_refresh_tokens_rotate_over_https() {
    revoked(true, true);
}

#[test]
fn each_token_that_runs_out_is_renewed_once() {
    runs_out(false, false);
}

#[test]
fn each_token_that_runs_out_is_renewed_once_over_https() {
    runs_out(true, false);
}

#[test]
fn each_token_that_runs_out_is_renewed_once_where_refresh_tokens_rotate() {
    runs_out(false, true);
}

#[test]
fn each_token_that_runs_out_is_renewed_once_where_refresh_tokens_rotate_over_https() {
    runs_out(true, true);
}
