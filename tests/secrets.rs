//! Once a client is freed, the program's memory holds neither its password nor any of its tokens; and nothing
//! that is printed for debugging shows one.

mod support;

use evrim::{Client, Options};
use serde_json::json;
use support::c;
use support::sandbox::{Config, Fault, FaultKind, PASSWORD, Sandbox, USERNAME};

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

/// Both ways of printing it.
fn debugged(thing: &impl std::fmt::Debug) -> String {
    format!("{thing:?} {thing:#?}")
}

#[test]
fn what_is_printed_for_debugging_shows_no_secret() {
    let sandbox = Sandbox::start(Config::default());
    let mut options = Options::default();
    options
        .set_header("X-Api-Key", Some("a-secret-header"))
        .expect("a good header");
    let proxied = {
        let mut options = options.clone();
        let url = "http://someone:a-secret-proxy@127.0.0.1:9/";
        options.set_proxy(Some(url)).expect("a good proxy");
        options
    };
    let client = Client::sign_in(&sandbox.url(), USERNAME, PASSWORD, options).expect("signed in");
    let clone = client.clone_with(Some(proxied.clone())).expect("a clone");
    let (access, refresh) = (client.copy_access_token(), client.copy_refresh_token());
    let refresh = refresh.expect("a refresh token");

    // A server that quotes all that it knows.
    let quotes = json!({
        "detail": format!("{PASSWORD} {} {}", access.expose(), refresh.expose()),
        "code": access.expose(),
    });
    let quotes = FaultKind::json(400, &quotes);
    sandbox.fault(Fault::new("*", quotes));
    let sign_in = client.set_token().expect_err("refused");
    let refused = client.refresh_token().expect_err("refused");
    let unanswered = client.request("GET", "echo/", None).map(drop);
    let unanswered = unanswered.expect_err("refused");
    let no_client = Client::sign_in(&sandbox.url(), USERNAME, PASSWORD, Options::default());
    let no_client = no_client.expect_err("refused");

    let signature = |token: &str| token.rsplit('.').next().expect("a part").to_owned();
    let own = [access.expose(), refresh.expose()].map(signature);
    let printed = [
        debugged(&client),
        debugged(&clone),
        debugged(&proxied),
        debugged(&access),
        debugged(&refresh),
    ];
    for printed in printed {
        for secret in [PASSWORD, "a-secret", &own[0], &own[1]] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
    // Of what a call sent nothing comes back; what else the server says is the server's.
    for (error, secret) in [
        (&sign_in, PASSWORD),
        (&no_client, PASSWORD),
        (&refused, own[1].as_str()),
        (&unanswered, own[0].as_str()),
    ] {
        assert!(!debugged(error).contains(secret), "{error:?}");
        assert!(!error.to_string().contains(secret), "{error}");
    }
}
