//! evrim_cancel and evrim_free end every kind of wait within 100 ms, and only what they are meant to end.

mod support;

use std::process::Command;

use support::c;
use support::sandbox::{Config, Sandbox};

fn run(case: &str) {
    for tls in [false, true] {
        run_with(case, tls, |_| {});
    }
}

fn run_with(case: &str, tls: bool, change: impl FnOnce(&mut Command)) {
    let program = c::compile("tests/c/cancel.c");
    let sandbox = Sandbox::start(Config {
        tls,
        ..Config::default()
    });
    let mut command = c::command_at(&program, &sandbox);
    change(command.arg(case));
    print!("tls: {tls}\n{}", c::run(&mut command));
}

#[test]
fn cancel_ends_a_call_that_waits_for_the_server() {
    run("server");
}

#[test]
fn cancel_ends_a_call_in_the_middle_of_a_body() {
    run("body");
}

#[test]
fn cancel_ends_the_wait_between_two_tries() {
    run("back-off");
}

#[test]
fn cancel_ends_a_call_that_connects() {
    run_with("connect", false, |_| {});
    run_with("handshake", false, |_| {});
}

#[test]
fn cancel_ends_a_call_that_resolves_a_name() {
    let library = c::preload("tests/c/slow_names.c");
    run_with("name", false, |command| {
        command.env("LD_PRELOAD", library);
    });
}

#[test]
fn cancel_ends_the_wait_for_anothers_renewal_and_leaves_that_alone() {
    run("renewal");
}

#[test]
fn a_cancelled_renewal_is_handed_to_a_waiter_and_none_fails() {
    run("hand-over");
}

#[test]
fn free_ends_the_calls_of_sixteen_threads() {
    run("free");
}

#[test]
fn cancelling_or_freeing_a_clone_leaves_the_others_alone() {
    run("clones");
}

#[test]
fn a_clone_has_a_timeout_of_its_own() {
    run("timeout");
}

#[test]
fn a_clone_keeps_the_session_when_the_first_handle_is_freed() {
    run("outlives");
}

#[test]
fn cancel_without_a_call_does_nothing_to_the_next() {
    run("idle");
}

#[test]
fn a_clone_with_copied_options_differs_in_what_was_changed_alone() {
    run("options");
}

#[test]
fn close_ends_the_running_call_and_every_later_one_of_that_handle_alone() {
    run("closed");
}

#[test]
fn cancel_at_any_moment_of_a_call_is_clean() {
    run("any-moment");
}
