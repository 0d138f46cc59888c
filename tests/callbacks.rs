//! Callbacks are told what the header says, once and in order, and can't bring a client to a halt.

mod support;

use support::c;
use support::sandbox::{Config, Sandbox};

/// Over http and https; returns what it printed.
fn run(case: &str, config: Config) -> [String; 2] {
    [false, true].map(|tls| {
        let config = config.clone();
        run_once(case, Config { tls, ..config })
    })
}

fn run_once(case: &str, config: Config) -> String {
    let program = c::compile("tests/c/callbacks.c");
    let tls = config.tls;
    let sandbox = Sandbox::start(config);
    let printed = c::run(c::command_at(&program, &sandbox).arg(case));
    print!("tls: {tls}\n{printed}");
    printed
}

fn rotating() -> Config {
    Config {
        rotate: true,
        ..Config::default()
    }
}

#[test]
fn a_token_callback_is_told_of_every_new_pair_and_not_of_the_first() {
    run("each-pair", Config::default());
    run("each-pair", rotating());
}

#[test]
fn a_token_callback_is_told_once_in_order_and_by_one_thread_at_a_time() {
    // By far the longest: once each way.
    run_once("threads", Config::default());
    run_once(
        "threads",
        Config {
            tls: true,
            ..rotating()
        },
    );
}

#[test]
fn a_slow_token_callback_delays_its_own_call_alone() {
    run("slow", Config::default());
}

#[test]
fn a_log_callback_gets_lines_up_to_its_level() {
    let printed = run("levels", Config::default());
    for (printed, scheme) in printed.iter().zip(["http", "https"]) {
        let line = format!("GET {scheme}://127.0.0.1:");
        assert!(printed.contains(&line), "{printed}");
    }
}

#[test]
fn a_log_callback_can_be_switched_off_and_a_level_that_is_none_is_refused() {
    run("bad-levels", Config::default());
}

#[test]
fn no_log_line_and_no_error_holds_a_secret_even_if_the_server_quotes_it() {
    run("no-secrets", Config::default());
}

#[test]
fn destroy_is_called_once_after_the_last_holder_and_not_if_the_setter_fails() {
    run("destroy", Config::default());
}

#[test]
fn from_inside_a_callback_only_calls_that_wait_are_refused() {
    run("reentrant", Config::default());
}

#[test]
fn a_callback_may_cancel_and_free_its_client() {
    run("ends-inside", Config::default());
}

#[test]
fn clones_keep_the_callbacks_unless_they_have_their_own() {
    run("clones", Config::default());
}

#[test]
fn callbacks_of_clients_that_call_each_other_come_to_an_end() {
    run("deep", Config::default());
}
