//! Forked children can use, free and make clients; loading and unloading the library is safe.

mod support;

use std::process::Command;

use support::c;
use support::sandbox::{Config, Sandbox};

fn run(case: &str, tls: bool) {
    let program = c::compile("tests/c/fork.c");
    let sandbox = Sandbox::start(Config {
        tls,
        ..Config::default()
    });
    let mut command = c::command_at(&program, &sandbox);
    let forks = if tls { "30" } else { "100" };
    print!("{}", c::run(command.arg(case).env("FORKS", forks)));
}

#[test]
fn a_child_can_use_and_free_what_it_inherits() {
    run("inherits", false);
}

#[test]
fn a_child_can_use_and_free_what_it_inherits_over_https() {
    run("inherits", true);
}

#[test]
fn a_childs_calls_leave_the_parents_connections_alone() {
    run("connections", false);
}

#[test]
fn a_childs_calls_leave_the_parents_connections_alone_over_https() {
    run("connections", true);
}

#[test]
fn the_child_of_a_child_can_do_the_same() {
    run("grandchild", false);
}

#[test]
fn a_child_with_its_parents_number_is_another_process() {
    run("same_number", false);
}

#[test]
fn a_child_inherits_options_responses_and_errors() {
    run("options", false);
}

#[test]
fn a_hundred_forks_during_the_calls_of_eight_threads() {
    run("calls", false);
}

#[test]
fn forks_during_calls_over_https() {
    run("calls", true);
}

#[test]
fn a_fork_in_a_callback_ends_the_call_in_the_child() {
    run("callback", false);
}

#[test]
fn forks_in_the_callbacks_of_many_threads_hang_no_child() {
    run("callbacks", false);
}

#[test]
fn the_library_can_be_loaded_and_unloaded_over_and_over() {
    let program = c::scratch("bin").join("reload");
    // Without -levrim: only then is there something to load.
    let output = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
        .args(c::FLAGS)
        .arg("-I")
        .arg(c::root().join("include"))
        .arg(c::root().join("tests/c/reload.c"))
        .args(["-ldl", "-o"])
        .arg(&program)
        .output()
        .expect("a C compiler");
    c::assert_success(&output);
    for tls in [false, true] {
        let sandbox = Sandbox::start(Config {
            tls,
            ..Config::default()
        });
        let mut command = c::command_at(&program, &sandbox);
        // More often than there may be keys of threads' own data.
        let times = if support::is_long() { "1100" } else { "100" };
        print!("{}", c::run(command.arg(c::library()).arg(times)));
    }
}
