//! Every C program of the examples and the tests runs under valgrind, which finds no leak and no access to
//! what is not the program's. Without valgrind they run as they are, and so they do with a sanitizer, which
//! tests/sanitizers/check gives them.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use serde_json::json;
use support::c;
use support::sandbox::{Config, Fault, FaultKind, PASSWORD, Sandbox, USERNAME};

/// A program, and the arguments of each of its runs: of those with many cases the ones that free most. Each
/// takes some seconds, the first of them longest.
const PROGRAMS: [(&str, &[&str]); 14] = [
    ("examples/c/threads.c", &[""]),
    ("tests/c/many_threads.c", &["rounds 1"]),
    ("tests/c/cancel.c", &["free", "closed"]),
    ("tests/c/session.c", &["", "expired"]),
    ("tests/c/dialogue.c", &[""]),
    ("examples/c/quickstart.c", &["--tls", ""]),
    (
        "tests/c/callbacks.c",
        &["destroy", "reentrant", "ends-inside", "clones"],
    ),
    ("examples/c/errors.c", &[""]),
    ("examples/c/existing_token.c", &["FILE", "FILE"]),
    ("examples/c/report.c", &["1"]),
    (
        "examples/c/research.c",
        &["https://example.org/ Snow Much? FOLDER"],
    ),
    ("tests/c/arguments.c", &["FOLDER"]),
    ("tests/c/fields.c", &["1"]),
    (
        "tests/c/options.c",
        &["user_agent=a/1 !retries=11 timeout=60000 -- reports/ refresh"],
    ),
];

/// Those that valgrind would tell nothing of, or whose measuring it would spoil, and the tests that run them.
const ELSEWHERE: [(&str, &str); 8] = [
    // A child leaves alone what is its parent's, which looks like a leak.
    ("tests/c/fork.c", "tests/fork.rs"),
    // Loads and unloads the library itself, and counts its memory.
    ("tests/c/reload.c", "tests/fork.rs"),
    // Looks through its own memory.
    ("tests/c/secrets.c", "tests/secrets.rs"),
    // Has an allocator of its own.
    ("tests/c/memory.c", "tests/memory.rs"),
    // Takes its own descriptors away, and ends in the middle of calls.
    ("tests/c/process.c", "tests/process.rs"),
    // Goes on for a minute at least, and counts its own memory.
    ("tests/c/soak.c", "Makefile"),
    // A library.
    ("tests/c/slow_names.c", "tests/cancel.rs"),
    // Counts its own threads and memory.
    ("tests/c/transport.c", "tests/transport.rs"),
];

#[test]
fn every_program_is_run() {
    let found: BTreeSet<String> = ["examples/c", "tests/c"]
        .iter()
        .flat_map(|folder| {
            let entries = fs::read_dir(c::root().join(folder)).expect("the folder is there");
            entries.map(move |entry| {
                let name = entry.expect("an entry").file_name();
                format!("{folder}/{}", name.to_str().expect("UTF-8"))
            })
        })
        .filter(|path| path.ends_with(".c"))
        .collect();
    let named = PROGRAMS.iter().map(|(program, _)| *program);
    let named = named.chain(ELSEWHERE.iter().map(|(program, _)| *program));
    assert_eq!(
        found,
        named.map(str::to_owned).collect(),
        "the folders and tests/programs.rs name different programs"
    );
    for (program, test) in ELSEWHERE {
        let test = fs::read_to_string(c::root().join(test)).expect("the test");
        let mut code = test.lines().filter(|line| !line.trim().starts_with("//"));
        assert!(code.any(|line| line.contains(program)), "{program}");
    }
}

#[test]
fn valgrind_finds_nothing() {
    let has_valgrind = !c::is_sanitized() && c::has("valgrind");
    let runs = PROGRAMS.iter().flat_map(|(program, runs)| {
        let number = |(number, arguments): (usize, &&'static str)| (*program, number, *arguments);
        runs.iter().enumerate().map(number)
    });
    let runs = Mutex::new(runs);
    let next = || {
        let mut runs = runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        runs.next()
    };
    let work = || {
        while let Some((program, number, arguments)) = next() {
            let begun = Instant::now();
            run(program, number, arguments, has_valgrind);
            let took = begun.elapsed();
            println!("{program} {arguments}: {:.1} s", took.as_secs_f64());
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
}

fn run(program: &str, number: usize, arguments: &str, under_valgrind: bool) {
    let tls = arguments == "--tls";
    let sandbox = sandbox(Config {
        tls,
        ..Config::default()
    });
    let built = c::compile(program);
    let mut command = match under_valgrind {
        true => valgrind(&built, &sandbox, tls),
        false => c::command_at(&built, &sandbox),
    };
    command.env("EVRIM_TEST_SLOW", "1");
    if arguments == "expired" {
        command.env("EVRIM_TOKEN", sandbox.expired_access_token());
    }
    let saved = c::scratch("programs").join("session");
    if number == 0 {
        let _ = fs::remove_file(&saved);
    }
    for argument in arguments.split_whitespace() {
        match argument {
            "--tls" => continue,
            "FILE" => command.arg(&saved),
            "FOLDER" => command.arg(empty_folder(program)),
            _ => command.arg(argument),
        };
    }
    let dialogue = match program {
        "tests/c/dialogue.c" => dialogue(&sandbox),
        _ => String::new(),
    };
    let printed = run_with(&mut command, &dialogue);
    assert!(!printed.contains("status=EVRIM_ERROR"), "{printed}");
}

/// A folder of this program's own.
fn empty_folder(program: &str) -> PathBuf {
    let folder = c::scratch(&program.replace('/', "-"));
    fs::remove_dir_all(&folder).expect("it is there");
    fs::create_dir(&folder).expect("a folder");
    folder
}

fn sandbox(config: Config) -> Sandbox {
    let sandbox = Sandbox::start(config);
    // What tests/c/session.c reads besides the reports.
    let answer = json!({
        "yes": true, "no": false, "half": 0.5, "huge": u64::MAX, "least": i64::MIN,
        "a/b": {"~": -3}, "null": null, "nul": "a\0b", "empty": "",
    });
    let kind = FaultKind::json(200, &answer);
    sandbox.fault(Fault::new("GET /reports/77/", kind));
    sandbox
}

/// An exit code of its own if valgrind finds an error or a leak.
fn valgrind(program: &Path, sandbox: &Sandbox, tls: bool) -> Command {
    let mut command = c::command_at(Path::new("valgrind"), sandbox);
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
        .arg("--errors-for-leak-kinds=definite,indirect")
        .arg("--show-leak-kinds=definite,indirect");
    if tls {
        // Where assembly sets a value up, valgrind takes it for uninitialised.
        command.arg("--undef-value-errors=no");
    }
    command.arg(program);
    command
}

/// What tests/c/dialogue.c is to do: one call of each kind.
fn dialogue(sandbox: &Sandbox) -> String {
    let folder = empty_folder("tests/c/dialogue.c");
    let folder = folder.to_str().expect("UTF-8");
    let sign_in = format!("new\t{}\t{USERNAME}\t{PASSWORD}", sandbox.url());
    let download = format!("download_report\t1\tpdf\t{folder}");
    let lines = [
        "option\ttimeout_ms\t60000",
        &sign_in,
        "validate_token",
        "refresh_token",
        "set_token",
        "request\tGET\treports/1/",
        "header\tcontent-type",
        "get_reports",
        "get_section\t1",
        "request\tGET\tv0/reports/",
        "next_page",
        "submit_research\thttps://example.com/\tt\td",
        "upload\techo/\t100000",
        &download,
        "download_to\tgenerate/1/pdf/",
    ];
    lines.join("\n") + "\n"
}

/// Runs to the end with this input; the program must succeed. Returns what it printed.
fn run_with(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may have ended without reading.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    c::assert_success(&output);
    String::from_utf8(output.stdout).expect("UTF-8")
}
