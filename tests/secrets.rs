//! Once a client is freed, the program's memory holds neither its password nor any of its tokens.

mod support;

use support::c;
use support::sandbox::{Config, Sandbox};

fn run(case: &str) {
    let program = c::compile("tests/c/secrets.c");
    for tls in [false, true] {
        let sandbox = Sandbox::start(Config {
            tls,
            rotate: true,
            ..Config::default()
        });
        let mut command = c::command_at(&program, &sandbox);
        // The environment is memory, too.
        command
            .env_remove("EVRIM_PASSWORD")
            .env_remove("EVRIM_TOKEN")
            .env_remove("EVRIM_REFRESH_TOKEN")
            .arg(case);
        print!("tls: {tls}, {}", c::run(&mut command));
    }
}

#[test]
fn nothing_is_left_of_a_sign_in() {
    run("sign-in");
}

#[test]
fn nothing_is_left_of_requests() {
    run("requests");
}

#[test]
fn nothing_is_left_of_refreshes() {
    run("refreshes");
}

#[test]
fn nothing_is_left_of_a_renewal_after_a_401() {
    run("renewal");
}

#[test]
fn nothing_is_left_of_failed_calls() {
    run("failures");
}

#[test]
fn nothing_is_left_of_cancelled_calls() {
    run("cancels");
}

#[test]
fn nothing_is_left_of_a_client_made_from_a_token() {
    run("from-token");
}

#[test]
fn nothing_is_left_of_the_calls_of_many_threads() {
    run("busy");
}

#[test]
fn nothing_is_left_although_another_client_lives_on() {
    run("beside-another");
}

#[test]
fn nothing_is_left_where_a_clone_shared_connections_with_another_client() {
    run("clone-beside-another");
}

#[test]
fn nothing_is_left_of_all_that_together() {
    run("all");
}
