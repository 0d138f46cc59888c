//! What a process may do to a library that lives in it: it runs out of descriptors and of disk, its threads
//! are interrupted all the time, and it makes calls while a thread or the whole of it ends.

mod support;

use support::c;
use support::sandbox::{Config, Sandbox};

/// Over http and https. What the program printed.
fn run(case: &str) -> Vec<String> {
    let program = c::compile("tests/c/process.c");
    let printed = [false, true].map(|tls| {
        let sandbox = Sandbox::start(Config {
            tls,
            ..Config::default()
        });
        let folder = c::scratch(&format!("{case}-{tls}"));
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let _ = std::fs::remove_file(entry.expect("an entry").path());
        }
        let mut command = c::command_at(&program, &sandbox);
        let printed = c::run(command.arg(case).arg(&folder));
        print!("{case}, tls: {tls}: {printed}");
        printed
    });
    printed.to_vec()
}

#[test]
fn without_descriptors_a_call_fails_with_an_error_and_nothing_is_lost() {
    run("descriptors");
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_leaves_nothing() {
    run("file-size");
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    run("disk");
}

#[test]
fn a_thousand_signals_a_second_change_nothing() {
    run("interrupts");
}

#[test]
fn calls_are_made_while_their_thread_ends() {
    run("thread");
}

#[test]
fn calls_are_made_while_the_process_ends() {
    for printed in run("exit") {
        assert_eq!(printed, "at exit: ok\nat the very end: ok\n");
    }
}

#[test]
fn a_process_may_end_while_threads_are_in_the_middle_of_calls() {
    for _ in 0..5 {
        for printed in run("exit-during-calls") {
            assert_eq!(printed, "at exit: ok\n");
        }
    }
}
