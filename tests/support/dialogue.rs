//! Drives `tests/c/dialogue.c`: a C program that does one call after the other as a test tells it to,
//! while the test changes what the server does in between.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::c;
use crate::support::sandbox::{PASSWORD, Sandbox, USERNAME};

pub struct Dialogue {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What came of one call.
#[derive(Debug)]
pub struct Answer {
    fields: BTreeMap<String, String>,
    pub took: Duration,
}

impl Answer {
    /// A field of the answer; empty if the program did not say.
    pub fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// The status without its prefix, such as "OK" or "ERROR_TIMEOUT".
    pub fn status(&self) -> &str {
        self.get("status").trim_start_matches("EVRIM_")
    }

    pub fn message(&self) -> &str {
        self.get("message")
    }

    pub fn number(&self, name: &str) -> i64 {
        let text = self.get(name);
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}: {self:?}"))
    }

    pub fn body(&self) -> serde_json::Value {
        serde_json::from_str(self.get("body")).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    pub fn expect(&self, status: &str) -> &Answer {
        assert_eq!(self.status(), status, "{self:?}");
        self
    }

    pub fn expect_same_tokens(&self) -> &Answer {
        let pair = (self.get("access"), self.get("refresh"));
        assert_eq!(pair, ("same", "same"), "{self:?}");
        self
    }
}

impl Dialogue {
    pub fn start() -> Dialogue {
        Dialogue::with(|_| {})
    }

    /// Starts it with the environment as `change` leaves it.
    pub fn with(change: impl FnOnce(&mut Command)) -> Dialogue {
        let program = c::compile("tests/c/dialogue.c");
        let mut command = c::command(&program);
        change(&mut command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Dialogue {
            commands: child.stdin.take(),
            child,
            answers,
        }
    }

    /// Starts it and signs in; the certificate authority is given, if there is one.
    pub fn signed_in(sandbox: &Sandbox) -> Dialogue {
        let mut dialogue = Dialogue::start();
        dialogue.trust(sandbox);
        dialogue.sign_in(sandbox).expect("OK");
        dialogue
    }

    pub fn trust(&mut self, sandbox: &Sandbox) {
        if let Some(ca) = sandbox.ca_file() {
            self.option("ca_file", &ca.display().to_string());
        }
    }

    pub fn sign_in(&mut self, sandbox: &Sandbox) -> Answer {
        self.ask(&["new", &sandbox.url(), USERNAME, PASSWORD])
    }

    /// Does not ask the server: the token is taken as it is.
    pub fn resume(&mut self, url: &str, access: &str, refresh: Option<&str>) {
        self.option("validate_on_start", "no");
        let mut command = vec!["from_token", url, access];
        command.extend(refresh);
        self.ask(&command).expect("OK");
    }

    pub fn option(&mut self, name: &str, value: &str) {
        self.ask(&["option", name, value]).expect("OK");
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask(&["request", "GET", path])
    }

    pub fn post(&mut self, path: &str, body: &str) -> Answer {
        self.ask(&["request", "POST", path, body])
    }

    /// The most memory that the program ever had, in bytes.
    pub fn peak_memory(&mut self) -> i64 {
        self.ask(&["memory"]).number("peak_kb") * 1024
    }

    pub fn ask(&mut self, fields: &[&str]) -> Answer {
        let begun = Instant::now();
        let commands = self.commands.as_mut().expect("a pipe");
        writeln!(commands, "{}", fields.join("\t")).expect("the program reads");
        let mut answer = BTreeMap::new();
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).expect("UTF-8");
            if read == 0 {
                panic!("the program ended at {fields:?}: {:?}", self.child.wait());
            }
            match line.trim_end_matches('\n').split_once('=') {
                Some((name, value)) => answer.insert(name.to_owned(), value.to_owned()),
                None => break,
            };
        }
        Answer {
            fields: answer,
            took: begun.elapsed(),
        }
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        drop(self.commands.take());
        let status = self.child.wait();
        if !std::thread::panicking() {
            assert!(
                status.as_ref().is_ok_and(|status| status.success()),
                "{status:?}"
            );
        }
    }
}
