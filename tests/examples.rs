//! The C examples do what their comments say, over http and https. Each one in the folder is here.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use support::c;
use support::sandbox::{Config, Fault, Sandbox};

/// Runs a program against a server where all is well, and looks at what comes of it.
type Check = fn(&Path, &Sandbox);

/// Every program has to be in this list.
const EXPECTATIONS: [(&str, Check); 4] = [
    ("errors.c", errors),
    ("existing_token.c", existing_token),
    ("quickstart.c", quickstart),
    ("threads.c", threads),
];

fn on_each_server(program: &str, check: Check) {
    let program = c::compile(&format!("examples/c/{program}"));
    for tls in [false, true] {
        let sandbox = Sandbox::start(Config {
            tls,
            ..Config::default()
        });
        check(&program, &sandbox);
    }
}

#[test]
fn every_example_does_what_it_should() {
    let listed: BTreeSet<String> = fs::read_dir(c::root().join("examples/c"))
        .expect("the examples")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    let expected: BTreeSet<String> = EXPECTATIONS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(
        listed, expected,
        "examples/c and EXPECTATIONS in tests/examples.rs name different programs"
    );
    for (program, check) in EXPECTATIONS {
        on_each_server(program, check);
    }
}

#[test]
fn every_example_is_short() {
    for (program, _) in EXPECTATIONS {
        let text = fs::read_to_string(c::root().join("examples/c").join(program)).expect(program);
        assert!(text.lines().count() < 80, "{program} is too long");
    }
}

fn quickstart(program: &Path, sandbox: &Sandbox) {
    let printed = c::run(&mut c::command_at(program, sandbox));
    assert_eq!(
        printed,
        format!(
            "signed in to {}\n\
             the token is valid\n\
             the access token was refreshed\n\
             both tokens were replaced\n\
             report 1 is \"Glaciers and the sea — Gletscher, ледники, 氷河\", in 8 sections\n",
            sandbox.url()
        )
    );
    let refused = output(c::command_at(program, sandbox).env("EVRIM_PASSWORD", "wrong"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).starts_with("sign in: "), "{refused:?}");
    let unset = output(c::command_at(program, sandbox).env_remove("EVRIM_PASSWORD"));
    assert_eq!(unset.status.code(), Some(1));
}

fn errors(program: &Path, sandbox: &Sandbox) {
    let printed = c::run(&mut c::command_at(program, sandbox));
    let lines: Vec<&str> = printed.lines().collect();
    let expected = [
        ("a wrong password", "AUTHENTICATION", "ask for the password"),
        ("a port where nobody listens", "NETWORK", "try again later"),
        (
            "plain http to another host",
            "INSECURE_URL",
            "correct the URL in the settings",
        ),
        ("no URL", "INVALID_URL", "correct the URL in the settings"),
        ("an unknown report", "NOT_FOUND", "forget this report"),
    ];
    assert_eq!(lines.len(), 3 * expected.len(), "{printed}");
    for (lines, (what, status, advice)) in lines.chunks(3).zip(expected) {
        assert_eq!(lines[0], format!("{what}: EVRIM_ERROR_{status}"));
        assert!(lines[1].starts_with("    ") && lines[1].len() > 40);
        assert_eq!(lines[2], format!("    -> {advice}"));
    }
}

/// What the example would do about the faults of a server.
#[test]
fn errors_knows_what_to_do() {
    let program = c::compile("examples/c/errors.c");
    let sandbox = Sandbox::start(Config::default());
    let path = "GET /reports/999999/";
    for (kind, status, advice) in [
        ("status:401", "AUTHENTICATION", "ask for the password"),
        ("status:403", "PERMISSION", "ask for the right to do that"),
        ("status:409", "CONFLICT", "tell the user, and log it"),
        ("status:422", "REQUEST", "tell the user, and log it"),
        (
            "throttle:90",
            "RATE_LIMITED",
            "try again later; after a POST, first look whether it was done, in 90 s",
        ),
        (
            "status:503,header=Retry-After: 90",
            "RATE_LIMITED",
            "try again later; after a POST, first look whether it was done, in 90 s",
        ),
        (
            "redirect:http://evrim.example/",
            "REDIRECT",
            "correct the URL in the settings",
        ),
    ] {
        sandbox.clear_faults();
        sandbox.fault(Fault::parse(&format!("{path}={kind}")).expect(kind));
        let printed = c::run(&mut c::command_at(&program, &sandbox));
        let lines: Vec<&str> = printed.lines().skip(12).collect();
        assert_eq!(
            (lines[0], lines[2]),
            (
                format!("an unknown report: EVRIM_ERROR_{status}").as_str(),
                format!("    -> {advice}").as_str()
            ),
            "{kind}: {printed}"
        );
    }
}

fn existing_token(program: &Path, sandbox: &Sandbox) {
    let file = c::scratch(&format!("session-{}", sandbox.port())).join("session.txt");
    let _ = fs::remove_file(&file);
    let run = |access: &str, refresh: &str| {
        output(
            c::command_at(program, sandbox)
                .env("EVRIM_TOKEN", access)
                .env("EVRIM_REFRESH_TOKEN", refresh)
                .arg(&file),
        )
    };
    let saved = || fs::read_to_string(&file).expect("the saved session");
    let (access, refresh) = sandbox.token_pair();

    let first = run(&access, &refresh);
    assert_eq!(stdout(&first), "new session, 3 reports\n", "{first:?}");
    assert!(first.status.success());
    assert_eq!(saved(), format!("{}\n{access}\n{refresh}\n", sandbox.url()));
    let mode = fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // The environment is of no account while there is a saved session.
    let second = run("", "");
    assert_eq!(stdout(&second), "saved session, 3 reports\n", "{second:?}");
    assert_eq!(saved(), format!("{}\n{access}\n{refresh}\n", sandbox.url()));

    // An expired access token is renewed by the first request, and the new one saved.
    let expired = sandbox.expired_access_token();
    fs::write(&file, format!("{}\n{expired}\n{refresh}\n", sandbox.url())).expect("written");
    let third = run("", "");
    assert_eq!(stdout(&third), "saved session, 3 reports\n", "{third:?}");
    let text = saved();
    let lines: Vec<&str> = text.lines().collect();
    assert_ne!(lines[1], expired);
    assert_eq!(lines[2], refresh);

    // What can't be renewed is forgotten.
    let over = sandbox.expired_refresh_token();
    fs::write(&file, format!("{}\n{expired}\n{over}\n", sandbox.url())).expect("written");
    let fourth = run(&access, &refresh);
    assert_eq!(fourth.status.code(), Some(1));
    assert!(!file.exists());
    assert_eq!(stdout(&run(&access, "")), "new session, 3 reports\n");
    assert_eq!(saved(), format!("{}\n{access}\n\n", sandbox.url()));
    assert_eq!(stdout(&run("", "")), "saved session, 3 reports\n");

    // A session of another server stays out of it; a broken file counts as none.
    for other in ["http://127.0.0.1:1/prod\nabc\ndef\n", "half a"] {
        fs::write(&file, other).expect("written");
        let fifth = run(&access, &refresh);
        assert_eq!(stdout(&fifth), "new session, 3 reports\n", "{fifth:?}");
    }
    assert_eq!(
        fs::read_dir(file.parent().expect("a folder"))
            .expect("a folder")
            .count(),
        1,
        "temporary files are left"
    );
}

/// With rotation every renewal brings a new refresh token; the old one is of no use any more.
#[test]
fn existing_token_follows_rotation() {
    let program = c::compile("examples/c/existing_token.c");
    let sandbox = Sandbox::start(Config {
        rotate: true,
        ..Config::default()
    });
    let file = c::scratch("rotation").join("session.txt");
    let mut refresh = sandbox.token_pair().1;
    for _ in 0..3 {
        let expired = sandbox.expired_access_token();
        fs::write(&file, format!("{}\n{expired}\n{refresh}\n", sandbox.url())).expect("written");
        let printed = c::run(c::command_at(&program, &sandbox).arg(&file));
        assert_eq!(printed, "saved session, 3 reports\n");
        let text = fs::read_to_string(&file).expect("the saved session");
        let newer = text.lines().nth(2).expect("a refresh token").to_owned();
        assert_ne!(newer, refresh);
        refresh = newer;
    }
}

fn threads(program: &Path, sandbox: &Sandbox) {
    let printed = c::run(&mut c::command_at(program, sandbox));
    assert_eq!(
        printed,
        "the impatient call: EVRIM_OK\n200 of 200 reports in 8 threads\n"
    );
    assert_eq!(sandbox.counters().of("GET /reports/1/"), 200);
    assert_eq!(sandbox.counters().sign_ins, 1);
}

/// A call without an answer: the short timeout ends one, the cancel the other, and the rest go on.
#[test]
fn threads_ends_what_hangs() {
    let program = c::compile("examples/c/threads.c");
    let sandbox = Sandbox::start(Config::default());
    for path in ["/runs/", "/token/verify/"] {
        sandbox.fault(Fault::parse(&format!("{path}=silent")).expect("a fault"));
    }
    let started = Instant::now();
    let printed = c::run(&mut c::command_at(&program, &sandbox));
    assert_eq!(
        printed,
        "the impatient call: EVRIM_ERROR_TIMEOUT\n200 of 200 reports in 8 threads\n"
    );
    // Without the cancel it would be the minute of one attempt.
    assert!(started.elapsed() < Duration::from_secs(30));
}

fn output(command: &mut std::process::Command) -> Output {
    command.output().expect("the program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
