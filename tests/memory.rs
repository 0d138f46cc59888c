//! Where memory runs out, a body that is as large as a caller or a server likes is an error, and so is a copy.
//! Any other allocation that fails ends the process, as in every program of Rust: to read the values of an
//! answer, and to build a body of them, takes such ones.

mod support;

use support::c;
use support::sandbox::{Config, Sandbox};

fn run(case: &str) {
    let program = c::compile("tests/c/memory.c");
    let sandbox = Sandbox::start(Config::default());
    let mut command = c::command_at(&program, &sandbox);
    print!("{case}: {}", c::run(command.arg(case)));
}

#[test]
fn an_answer_that_there_is_no_memory_for_is_an_error() {
    run("answer");
    run("chunks");
    run("list");
}

#[test]
fn a_body_that_there_is_no_memory_for_is_an_error() {
    run("body");
}

#[test]
fn a_copy_that_there_is_no_memory_for_is_an_error() {
    run("copy");
}

#[test]
fn a_file_is_never_in_memory_as_a_whole() {
    run("stream");
}
