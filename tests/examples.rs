//! The C examples do what their comments say, over http and https. Each one in the folder is here.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use support::c;
use support::sandbox::{Config, Fault, Sandbox};

/// Runs a program against a server where all is well, and looks at what comes of it.
type Check = fn(&Path, &Sandbox);

/// Every program has to be in this list.
const EXPECTATIONS: [(&str, Check); 6] = [
    ("errors.c", errors),
    ("existing_token.c", existing_token),
    ("quickstart.c", quickstart),
    ("report.c", report),
    ("research.c", research),
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
    let listed: BTreeSet<String> = names_in(&c::root().join("examples/c"))
        .into_iter()
        .filter(|name| !name.ends_with(".h"))
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
    let folder = c::root().join("examples/c");
    for name in names_in(&folder) {
        let text = fs::read_to_string(folder.join(&name)).expect(&name);
        assert!(text.lines().count() < 80, "{name} is too long");
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

fn report(program: &Path, sandbox: &Sandbox) {
    // The last has next to nothing in it.
    for id in ["1", "2", "3"] {
        let served = served(sandbox, &format!("reports/{id}/"));
        let served = serde_json::from_slice(&served).expect("JSON");
        let printed = c::run(c::command_at(program, sandbox).arg(id));
        assert_eq!(printed, as_text(&served), "report {id}");
    }
    let missing = output(c::command_at(program, sandbox).arg("999999"));
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stdout.is_empty());
    assert!(stderr(&missing).contains("answered 404"), "{missing:?}");
    for argument in ["", "0", "-1", "one"] {
        let refused = output(c::command_at(program, sandbox).arg(argument));
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(stderr(&refused), "usage: report ID\n");
    }
    let full = fs::File::options().write(true).open("/dev/full");
    let unwritten = c::command_at(program, sandbox)
        .arg("1")
        .stdout(full.expect("/dev/full"))
        .status();
    assert_eq!(unwritten.expect("it runs").code(), Some(1));
}

/// A report as the example has it, read with another JSON library.
fn as_text(report: &Value) -> String {
    let lines = |before: &str, text: &Value, after: &str| match text.as_str() {
        None | Some("") => String::new(),
        Some(text) => format!("{before}{text}{after}"),
    };
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let report = &report["report"];
    let mut text = lines("# ", &report["title"], "\n\n");
    text += &lines("", &report["description"], "\n\n");
    for section in items(&report["sections"]) {
        text += &lines("## ", &section["title"], "\n\n");
        for paragraph in items(&section["paragraphs"]) {
            text += &lines("### ", &paragraph["title"], "\n\n");
            let sentences = items(&paragraph["sentences"]);
            let sentences: Vec<_> = sentences.iter().filter_map(Value::as_str).collect();
            text += &lines("", &sentences.join(" ").into(), "\n\n");
        }
        let sources = items(&section["sources"]);
        text.extend(sources.iter().map(|source| lines("- ", source, "\n")));
        text += if sources.is_empty() { "" } else { "\n" };
    }
    text
}

/// Nulls, other types, unknown members and what is not there.
#[test]
fn report_passes_over_what_is_not_there() {
    let program = c::compile("examples/c/report.c");
    let sandbox = Sandbox::start(Config::default());
    for (body, printed) in [
        ("{}", ""),
        ("[]", ""),
        (r#"{"report": []}"#, ""),
        (r#"{"report": {"sections": {"0": 1, "b": 2}}}"#, ""),
        (
            r#"{"new": [1], "report": {"title": null, "description": 5, "new": {}, "sections": [
                null,
                {"title": "", "paragraphs": null, "sources": null},
                {"title": "Ä", "new": {}, "sources": ["море", null, 1], "paragraphs": [
                    {"sentences": [null, "x\ty", 7, "氷"]},
                    {"title": "❄", "sentences": {}},
                    {"sentences": []},
                    "no paragraph"]}]}}"#,
            "## Ä\n\nx\ty 氷\n\n### ❄\n\n- море\n\n",
        ),
    ] {
        sandbox.clear_faults();
        let fault = format!(
            "/reports/1/=status:200,header=content-type: application/json,body={}",
            body.replace('\n', " ")
        );
        sandbox.fault(Fault::parse(&fault).expect(body));
        let found = c::run(c::command_at(&program, &sandbox).arg("1"));
        assert_eq!(found, printed, "{body}");
    }
}

const ABOUT: [&str; 3] = [
    "https://ice.example/?a=1&b=ü",
    "Eis & «See»",
    "\"Warum?\" 氷",
];

fn research(program: &Path, sandbox: &Sandbox) {
    let folder = empty_folder(&format!("research-{}", sandbox.port()));
    let found = output(c::command_at(program, sandbox).args(ABOUT).arg(&folder));
    let saved = folder.join("report.pdf");
    assert_eq!(
        stdout(&found),
        format!("saved as {}\n", saved.display()),
        "{found:?}"
    );
    // No bar where there is no terminal.
    assert_eq!(stderr(&found), "");
    assert!(found.status.success());
    assert_eq!(names_in(&folder), ["report.pdf"]);
    assert_eq!(
        fs::read(&saved).expect("the PDF"),
        served(sandbox, "generate/100/pdf/")
    );
    let asked = sandbox.counters().research;
    let asked: Value = serde_json::from_str(asked.first().expect("a request")).expect("JSON");
    assert_eq!(
        ABOUT,
        ["url", "title", "description"].map(|name| asked[name].as_str().unwrap_or_default())
    );

    // A file's name in place of a folder: what was there is replaced.
    let chosen = folder.join("Eis.pdf");
    fs::write(&chosen, "old").expect("written");
    let again = c::run(c::command_at(program, sandbox).args(ABOUT).arg(&chosen));
    assert_eq!(again, format!("saved as {}\n", chosen.display()));
    assert_eq!(
        fs::read(&chosen).expect("the PDF"),
        served(sandbox, "generate/101/pdf/")
    );

    let unused = output(c::command_at(program, sandbox).args(ABOUT));
    assert_eq!(unused.status.code(), Some(1));
    assert!(stderr(&unused).starts_with("usage: "), "{unused:?}");
}

/// Whatever goes wrong is said in a line, and no file is left.
#[test]
fn research_says_what_went_wrong() {
    let program = c::compile("examples/c/research.c");
    let sandbox = Sandbox::start(Config {
        pending: Duration::ZERO,
        ..Config::default()
    });
    let folder = empty_folder("wrong");
    for (fault, said) in [
        ("POST /research/=status:403", "research: POST "),
        ("POST /research/=status:201,body={}", "/task_id"),
        ("GET /tasks/*=status:404", ": GET "),
        (
            "GET /tasks/*=status:200,body={\"status\": \"F\"}",
            ": status F and no report\n",
        ),
        (
            "GET /reports/=status:200,body=[]",
            ": status C and no report\n",
        ),
        ("GET /generate/*=status:404", "answered 404"),
        ("GET /generate/*=cut", "/generate/"),
    ] {
        sandbox.clear_faults();
        sandbox.fault(Fault::parse(fault).expect(fault));
        if fault.contains("\"F\"") {
            sandbox.fault(Fault::parse("GET /reports/=status:200,body=[]").expect("a fault"));
        }
        let found = output(c::command_at(&program, &sandbox).args(ABOUT).arg(&folder));
        assert_eq!(found.status.code(), Some(1), "{fault}: {found:?}");
        assert!(found.stdout.is_empty(), "{fault}: {found:?}");
        assert!(stderr(&found).contains(said), "{fault}: {found:?}");
        assert_eq!(stderr(&found).lines().count(), 1, "{fault}: {found:?}");
        assert!(
            names_in(&folder).is_empty(),
            "{fault}: {:?}",
            names_in(&folder)
        );
    }
    sandbox.clear_faults();
    let refused = output(c::command_at(&program, &sandbox).args(["no URL", "Eis", "Warum", "."]));
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("url"), "{refused:?}");
}

/// Ctrl-C ends it wherever it is, and leaves no file.
#[test]
fn research_ends_at_a_signal() {
    let program = c::compile("examples/c/research.c");
    for (fault, reached) in [
        ("POST /research/=silent", "POST /research/"),
        ("GET /tasks/*=silent", "GET /tasks/"),
        // The task stays pending.
        (
            "GET /tasks/*=status:200,body={\"status\": \"P\"}",
            "GET /tasks/",
        ),
        ("GET /reports/=silent", "GET /reports/"),
        ("GET /generate/*=silent", "GET /generate/"),
        ("GET /generate/*=drip:10:20ms", "GET /generate/"),
    ] {
        let sandbox = Sandbox::start(Config {
            pending: Duration::ZERO,
            ..Config::default()
        });
        sandbox.fault(Fault::parse(fault).expect(fault));
        let folder = empty_folder("signal");
        let child = c::command_at(&program, &sandbox)
            .args(ABOUT)
            .arg(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        wait_for(fault, || {
            let counters = sandbox.counters();
            let mut requests = counters.requests.keys();
            requests.any(|request| request.starts_with(reached))
        });
        if fault.contains("drip") {
            let some =
                |name: &String| fs::metadata(folder.join(name)).is_ok_and(|file| file.len() > 0);
            wait_for(fault, || names_in(&folder).iter().any(some));
        }
        let kill = format!("kill -INT {}", child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status();
        assert!(killed.expect("a shell").success());
        let found = child.wait_with_output().expect("it ends");
        assert_eq!(found.status.code(), Some(1), "{fault}: {found:?}");
        assert!(found.stdout.is_empty(), "{fault}: {found:?}");
        assert!(stderr(&found).contains("cancelled"), "{fault}: {found:?}");
        assert!(
            names_in(&folder).is_empty(),
            "{fault}: {:?}",
            names_in(&folder)
        );
    }
}

#[test]
fn research_draws_a_bar_on_a_terminal() {
    if !c::has("script") {
        return;
    }
    let program = c::compile("examples/c/research.c");
    let sandbox = Sandbox::start(Config::default());
    sandbox.fault(Fault::parse("GET /generate/*=drip:300:110ms").expect("a fault"));
    let folder = empty_folder("terminal");
    let mut child = on_a_terminal(&program, &sandbox, &folder)
        .spawn()
        .expect("script runs");
    let mut shown = String::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_to_string(&mut shown).expect("UTF-8");
    assert!(child.wait().expect("it ends").success(), "{shown}");

    let (drawn, said) = shown.rsplit_once("saved as ").expect(&shown);
    assert_eq!(said.trim_end(), folder.join("report.pdf").to_string_lossy());
    let drawn: Vec<&str> = drawn.trim_end().split('\r').skip(1).collect();
    let waited = drawn.iter().filter(|line| line.starts_with("research "));
    assert!(waited.clone().count() > 4, "{shown}");
    assert!(waited.clone().any(|line| line.ends_with(" 2 s")), "{shown}");
    let bars = drawn.iter().filter_map(|line| line.strip_prefix("PDF ["));
    let lengths: Vec<usize> = bars.map(|bar| bar.matches('#').count()).collect();
    assert!(lengths.is_sorted() && lengths.len() > 2, "{shown}");
    assert_eq!(lengths.last(), Some(&40), "{shown}");
    assert!(
        drawn.last().is_some_and(|line| line.ends_with("] 100 %")),
        "{shown}"
    );
}

#[test]
fn research_ends_at_the_ctrl_c_of_a_terminal() {
    if !c::has("script") {
        return;
    }
    let program = c::compile("examples/c/research.c");
    let sandbox = Sandbox::start(Config {
        pending: Duration::from_secs(600),
        ..Config::default()
    });
    let folder = empty_folder("ctrl-c");
    let mut child = on_a_terminal(&program, &sandbox, &folder)
        .stdin(Stdio::piped())
        .spawn()
        .expect("script runs");
    wait_for("a task", || {
        let counters = sandbox.counters();
        let mut requests = counters.requests.keys();
        requests.any(|request| request.starts_with("GET /tasks/"))
    });
    let mut keyboard = child.stdin.take().expect("a pipe");
    keyboard.write_all(b"\x03").expect("typed");
    let found = child.wait_with_output().expect("it ends");
    drop(keyboard);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(stdout(&found).contains("cancelled"), "{found:?}");
    assert!(names_in(&folder).is_empty());
}

/// Research with a terminal of its own; what it shows comes from stdout.
fn on_a_terminal(program: &Path, sandbox: &Sandbox, folder: &Path) -> Command {
    let mut command = c::command_at(Path::new("script"), sandbox);
    command
        .args(["--quiet", "--return", "--flush", "--command"])
        .arg(r#"exec "$PROGRAM" https://ice.example/ Eis Warum "$FOLDER""#)
        .arg("/dev/null")
        .env("PROGRAM", program)
        .env("FOLDER", folder)
        .env("SHELL", "/bin/sh")
        .stdout(Stdio::piped());
    command
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

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let ends = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < ends, "{what}: it did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the server answers to a GET.
fn served(sandbox: &Sandbox, path: &str) -> Vec<u8> {
    let mut options = evrim::Options::default();
    if let Some(ca) = sandbox.ca_file() {
        options.set_ca_file(&ca).expect("the CA file");
    }
    let (access, _) = sandbox.token_pair();
    let client = evrim::Client::from_token(&sandbox.url(), &access, None, options);
    let answer = client.and_then(|client| client.request("GET", path, None));
    answer.expect(path).body().to_vec()
}

fn empty_folder(name: &str) -> PathBuf {
    let folder = c::scratch(name);
    fs::remove_dir_all(&folder).expect("emptied");
    c::scratch(name)
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
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
