//! The sandbox as a program, by itself: what it prints is all that another program needs to use it.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use support::c;

/// The sandbox that cargo built with the tests.
fn program() -> PathBuf {
    let deps = c::library();
    let target = deps.ancestors().nth(2).expect("the target folder");
    target.join("examples").join("sandbox")
}

/// A sandbox that serves until it is dropped, and what it printed.
struct Serving {
    child: Child,
    printed: String,
}

impl Serving {
    fn start(switches: &[&str]) -> Serving {
        // With --counters it ends when its input does, so that none is left behind.
        let mut child = Command::new(program())
            .args(switches)
            .arg("--counters")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the sandbox, which cargo test builds, or cargo build --example sandbox");
        // It says so after it has printed.
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("UTF-8");
        assert!(line.starts_with("sandbox: serving "), "{line}");
        let mut printed = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let count = if switches.contains(&"--tls") { 7 } else { 5 };
        for _ in 0..count {
            lines.read_line(&mut printed).expect("UTF-8");
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Serving { child, printed }
    }

    /// What a shell makes of it.
    fn exports(&self) -> BTreeMap<String, String> {
        let lines = self.printed.lines().filter(|line| !line.starts_with('#'));
        let exports = lines.map(|line| {
            let export = line.strip_prefix("export ").expect(line);
            let (name, value) = export.split_once('=').expect(line);
            let value = value
                .strip_prefix('\'')
                .and_then(|value| value.strip_suffix('\''));
            let value = value.expect(line).replace(r"'\''", "'");
            (name.to_owned(), value)
        });
        exports.collect()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait();
        if !std::thread::panicking() {
            assert!(status.is_ok_and(|status| status.success()));
        }
    }
}

const VARIABLES: [&str; 5] = [
    "EVRIM_PASSWORD",
    "EVRIM_REFRESH_TOKEN",
    "EVRIM_TOKEN",
    "EVRIM_URL",
    "EVRIM_USERNAME",
];

/// Runs quickstart with what was exported, and nothing else in its environment.
fn run_quickstart(exports: &BTreeMap<String, String>) {
    let mut command = Command::new(c::compile("examples/c/quickstart.c"));
    command
        .env_clear()
        .env("LD_LIBRARY_PATH", c::library_folder())
        .envs(exports);
    let printed = c::run(&mut command);
    assert!(printed.contains("both tokens were replaced\n"), "{printed}");
    let first = format!("signed in to {}\n", exports["EVRIM_URL"]);
    assert!(printed.starts_with(&first), "{printed}");
}

#[test]
fn five_lines_of_exports_are_all_that_a_program_needs() {
    let sandbox = Serving::start(&[]);
    let exports = sandbox.exports();
    assert_eq!(exports.keys().collect::<Vec<_>>(), VARIABLES);
    assert!(exports["EVRIM_URL"].starts_with("http://127.0.0.1:"));
    run_quickstart(&exports);
}

#[test]
fn with_tls_a_sixth_names_its_authority() {
    let sandbox = Serving::start(&["--tls"]);
    let exports = sandbox.exports();
    let mut variables = VARIABLES.to_vec();
    variables.push("SSL_CERT_FILE");
    assert_eq!(exports.keys().collect::<Vec<_>>(), variables);
    assert!(exports["EVRIM_URL"].starts_with("https://127.0.0.1:"));
    run_quickstart(&exports);
    // The authority goes with the sandbox.
    let authority = PathBuf::from(&exports["SSL_CERT_FILE"]);
    assert!(authority.exists());
    drop(sandbox);
    assert!(!authority.exists());
}

/// The same as a person types it: the exports go through a shell.
#[test]
fn a_shell_takes_the_lines_as_they_are() {
    let sandbox = Serving::start(&["--tls"]);
    let script = format!("{}\nexec \"$0\"", sandbox.printed);
    let mut command = Command::new("sh");
    command
        .args(["-euc", &script])
        .arg(c::compile("examples/c/quickstart.c"))
        .env_clear()
        .env("LD_LIBRARY_PATH", c::library_folder());
    let printed = c::run(&mut command);
    assert!(printed.contains("the token is valid\n"), "{printed}");
}
