//! A server on this machine. What it answers is scripted; past the script it is a server without faults.

use std::collections::{BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::tls::{self, Line};

/// How long a connection is kept that nothing comes on.
const IDLE: Duration = Duration::from_millis(500);

pub struct Answer {
    pub bytes: Vec<u8>,
    pub then: Then,
    /// Whether they go past TLS, where there is TLS.
    pub is_raw: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The connection is kept.
    Keep,
    Close,
    /// Ends it without the end that TLS has of its own.
    Cut,
    /// Ends it with RST.
    Reset,
}

/// What one input has the server do.
#[derive(Default)]
pub struct Script {
    answers: Mutex<VecDeque<Answer>>,
    /// The numbers in the paths of the requests that came, as in `/t/7/`.
    begun: Mutex<BTreeSet<u32>>,
    changed: Condvar,
}

impl Script {
    pub fn new(answers: Vec<Answer>) -> Script {
        Script {
            answers: Mutex::new(answers.into()),
            ..Script::default()
        }
    }

    /// Waits until a request with this number has come, or until `is_over`.
    pub fn wait(&self, number: u32, is_over: impl Fn() -> bool) {
        let mut begun = lock(&self.begun);
        while !begun.contains(&number) && !is_over() {
            let wait = self.changed.wait_timeout(begun, Duration::from_millis(1));
            begun = wait.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }
}

pub struct Server {
    pub port: u16,
    current: Arc<Mutex<Arc<Script>>>,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Server {
    pub fn start() -> Server {
        Server::start_with(|_| {})
    }

    /// `prepare` gets the port, before there is a thread.
    pub fn start_with(prepare: impl FnOnce(u16)) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        prepare(port);
        let tls = tls::prepare();
        let current = Arc::new(Mutex::new(Arc::new(Script::default())));
        let scripts = current.clone();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let threads = connections.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = lock(&scripts).clone();
                let tls = tls.clone();
                let thread = thread::spawn(move || {
                    let _ = stream.set_nodelay(true);
                    // A client that lives on keeps its connections; the server need not.
                    let _ = stream.set_read_timeout(Some(IDLE));
                    if let Some(line) = Line::accept(stream, &tls) {
                        serve(line, &script);
                    }
                });
                lock(&threads).push(thread);
            }
        });
        Server {
            port,
            current,
            connections,
        }
    }

    /// Waits for the connections that there were, when their clients have closed them: what a thread that is
    /// just ending still holds looks like a leak.
    pub fn settle(&self) {
        let threads = std::mem::take(&mut *lock(&self.connections));
        for thread in threads {
            thread.join().expect("the server does not panic");
        }
    }

    /// What connections from now on get.
    pub fn play(&self, script: Script) -> Arc<Script> {
        let script = Arc::new(script);
        *lock(&self.current) = script.clone();
        script
    }
}

fn serve(mut line: Line, script: &Script) {
    let mut bytes = Vec::new();
    while let Some(target) = request(&mut line, &mut bytes) {
        let mut parts = target.split('/').skip_while(|part| *part != "t");
        if let Some(number) = parts.nth(1).and_then(|number| number.parse().ok()) {
            lock(&script.begun).insert(number);
            script.changed.notify_all();
        }
        let next = lock(&script.answers).pop_front();
        let answer = next.unwrap_or_else(|| usual(&target));
        let written = match answer.is_raw {
            true => line.socket().write_all(&answer.bytes),
            false => line.write_all(&answer.bytes).and_then(|()| line.flush()),
        };
        match answer.then {
            Then::Keep if written.is_ok() => {}
            Then::Keep | Then::Close => break,
            Then::Cut => return line.cut(),
            Then::Reset => return line.reset(),
        }
    }
    line.close();
}

/// Reads one request to its end; its path.
fn request(line: &mut Line, bytes: &mut Vec<u8>) -> Option<String> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(head) = request.parse(bytes).ok()? {
            let target = request.path?.to_owned();
            let length = request
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case("content-length"));
            let length =
                length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
            let end = head + length.unwrap_or(0_usize);
            if bytes.len() >= end {
                bytes.drain(..end);
                return Some(target);
            }
        }
        let mut more = [0; 4096];
        match line.read(&mut more) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&more[..count]),
            _ => return None,
        }
    }
}

fn usual(target: &str) -> Answer {
    let (kind, body) = match target {
        _ if target.ends_with("/token/") => ("application/json", pair("access", "refresh")),
        _ if target.ends_with("/token/refresh/") => ("application/json", pair("access", "refresh")),
        _ if target.ends_with("/token/verify/") => ("application/json", "{}".to_owned()),
        _ if target.contains("/generate/") => ("application/pdf", "%PDF-1.7 ".repeat(500)),
        _ => (
            "application/json",
            r#"{"task_id": "t", "status": "C", "results": [1, "x"], "next": null, "a/b": {"~": -3.5}}"#.to_owned(),
        ),
    };
    reply(200, &format!("content-type: {kind}\r\n"), body.as_bytes())
}

fn pair(access: &str, refresh: &str) -> String {
    let token = |kind| {
        crate::token(
            format!(r#"{{"token_type": "{kind}", "exp": 4000000300, "iat": 4000000000}}"#)
                .as_bytes(),
        )
    };
    format!(
        r#"{{"access": "{}", "refresh": "{}"}}"#,
        token(access),
        token(refresh)
    )
}

/// An answer of the right length.
pub fn reply(status: u16, headers: &str, body: &[u8]) -> Answer {
    let mut bytes = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    Answer {
        bytes,
        then: Then::Keep,
        is_raw: false,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
