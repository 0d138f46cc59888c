//! Every fault at every step, and what each call of the C interface that talks to the server makes of it:
//! its status, when it ends, and that the tokens stay. FAULTS.md is this table, as it was found.

#[path = "support/dialogue.rs"]
mod dialogue;
#[path = "support/fault_proxy.rs"]
mod fault_proxy;
mod support;

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use dialogue::{Answer, Dialogue};
use fault_proxy::{FaultProxy, Mode, Place, Spoiling};
use socket2::{Domain, Socket, Type};
use support::c;
use support::sandbox::{Config, Fault, PASSWORD, Sandbox, USERNAME};

/// How long things may take where a fault is silence, in milliseconds, and where the limit is not to matter.
const SHORT: u64 = 500;
const AMPLE: u64 = 5000;
/// For a call in all, and for a task to be waited for.
const TOTAL: u64 = 1200;
/// What a busy machine adds; a call that hangs takes longer.
const SLACK: Duration = Duration::from_secs(20);

/// The calls, in groups that are to answer alike.
const GROUPS: [(&str, &[&str]); 6] = [
    (
        "sign-in, token calls",
        &[
            "set_token",
            "refresh_token",
            "validate_token",
            "new",
            "from_env",
            "from_token",
        ],
    ),
    ("request", &["request", "post", "upload", "request_with"]),
    (
        "resources",
        &[
            "get_reports",
            "get_report",
            "get_runs",
            "get_run",
            "get_sections",
            "get_section",
            "get_paragraphs",
            "get_paragraph",
            "get_tasks",
            "get_task",
            "submit_research",
            "next_page",
        ],
    ),
    ("wait_for_task", &["wait_for_task"]),
    (
        "download, download_report",
        &["download", "download_report"],
    ),
    ("download_to", &["download_to"]),
];

/// When a call ends.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    AtOnce,
    /// With the timeout for a connection, or for an attempt.
    Timeout,
}
use Ends::{AtOnce, Timeout};

/// Where it goes wrong, and how it is made to.
enum Way {
    /// The host's name.
    Name(&'static str),
    Refused,
    /// No answer to the first packet.
    Unheard,
    Http(Mode),
    Https(Mode),
    Answer(&'static str),
}
use Way::{Http, Https, Name, Refused, Unheard};

struct Row {
    step: &'static str,
    fault: &'static str,
    way: Way,
    /// One for each group.
    expected: [&'static str; 6],
    ends: Ends,
    /// Whether the server may have acted on it.
    sent: &'static str,
}

const fn row(
    step: &'static str,
    fault: &'static str,
    way: Way,
    expected: [&'static str; 6],
    ends: Ends,
    sent: &'static str,
) -> Row {
    Row {
        step,
        fault,
        way,
        expected,
        ends,
        sent,
    }
}

const fn all(status: &'static str) -> [&'static str; 6] {
    [status; 6]
}

const fn spoilt(place: Place, spoiling: Spoiling) -> Mode {
    Mode::Spoilt(place, spoiling)
}

const NETWORK: [&str; 6] = all("NETWORK");
const TIMEOUT: [&str; 6] = all("TIMEOUT");
const PROTOCOL: [&str; 6] = all("PROTOCOL");
const TLS: [&str; 6] = all("TLS");

/// The columns of the statuses are those of GROUPS.
#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Place::{Body, Byte, Headers, StatusLine};
    use Spoiling::{Cut, Drip, Garbage, Reset, Stall};
    vec![
        row("resolve", "no such name", Name("nowhere.test"),             NETWORK,  AtOnce,  "no"),
        row("resolve", "no answer",    Name("never.test"),               TIMEOUT,  Timeout, "no"),
        row("connect", "refused",      Refused,                          NETWORK,  AtOnce,  "no"),
        row("connect", "no answer",    Unheard,                          TIMEOUT,  Timeout, "no"),
        row("TLS", "cut at once",      Https(Mode::Shut),                NETWORK,  AtOnce,  "no"),
        row("TLS", "cut",              Https(spoilt(Byte(100), Cut)),    NETWORK,  AtOnce,  "no"),
        row("TLS", "RST",              Https(spoilt(Byte(100), Reset)),  NETWORK,  AtOnce,  "no"),
        row("TLS", "stall",            Https(spoilt(Byte(100), Stall)),  TIMEOUT,  Timeout, "no"),
        row("TLS", "drip",             Https(spoilt(Byte(100), Drip)),   TIMEOUT,  Timeout, "no"),
        row("TLS", "garbage",          Https(spoilt(Byte(0), Garbage)),  TLS,      AtOnce,  "no"),
        row("send", "cut at once",     Http(Mode::Shut),                 NETWORK,  AtOnce,  "either"),
        row("send", "RST",             Http(Mode::Reset),                NETWORK,  AtOnce,  "yes"),
        row("send", "not read",        Http(Mode::Deaf),                 TIMEOUT,  Timeout, "yes"),
        row("status line", "cut",      Http(spoilt(StatusLine, Cut)),    NETWORK,  AtOnce,  "yes"),
        row("status line", "RST",      Http(spoilt(StatusLine, Reset)),  NETWORK,  AtOnce,  "yes"),
        row("status line", "stall",    Http(spoilt(StatusLine, Stall)),  TIMEOUT,  Timeout, "yes"),
        row("status line", "drip",     Http(spoilt(StatusLine, Drip)),   TIMEOUT,  Timeout, "yes"),
        row("status line", "garbage",  Http(spoilt(StatusLine, Garbage)), PROTOCOL, AtOnce, "yes"),
        row("headers", "cut",          Http(spoilt(Headers, Cut)),       NETWORK,  AtOnce,  "yes"),
        row("headers", "RST",          Http(spoilt(Headers, Reset)),     NETWORK,  AtOnce,  "yes"),
        row("headers", "stall",        Http(spoilt(Headers, Stall)),     TIMEOUT,  Timeout, "yes"),
        row("headers", "drip",         Http(spoilt(Headers, Drip)),      TIMEOUT,  Timeout, "yes"),
        row("headers", "garbage",      Http(spoilt(Headers, Garbage)),   PROTOCOL, AtOnce,  "yes"),
        row("body", "cut",             Http(spoilt(Body, Cut)),          NETWORK,  AtOnce,  "yes"),
        row("body", "RST",             Http(spoilt(Body, Reset)),        NETWORK,  AtOnce,  "yes"),
        row("body", "stall",           Http(spoilt(Body, Stall)),        TIMEOUT,  Timeout, "yes"),
        row("body", "drip",            Http(spoilt(Body, Drip)),         TIMEOUT,  Timeout, "yes"),
        row("body", "garbage",         Http(spoilt(Body, Garbage)),
            ["PROTOCOL", "PROTOCOL", "PROTOCOL", "PROTOCOL", "OK", "OK"],          AtOnce,  "yes"),
        row("body", "shorter than said", Way::Answer("length:999999"),   NETWORK,  AtOnce,  "yes"),
        row("body", "half a document",  Way::Answer("garbage"),
            ["PROTOCOL", "OK", "PROTOCOL", "PROTOCOL", "OK", "OK"],                AtOnce,  "yes"),
        row("body", "larger than the limit", Way::Answer("huge:12m"),
            ["TOO_LARGE", "TOO_LARGE", "TOO_LARGE", "TOO_LARGE", "OK", "OK"],      AtOnce,  "yes"),
        row("body", "larger, in chunks", Way::Answer("huge:12m:chunked"),
            ["TOO_LARGE", "TOO_LARGE", "TOO_LARGE", "TOO_LARGE", "OK", "OK"],      AtOnce,  "yes"),
        row("body", "gzip bomb, 12 MiB", Way::Answer("gzip-bomb:12m"),
            ["TOO_LARGE", "TOO_LARGE", "TOO_LARGE", "TOO_LARGE", "OK", "OK"],      AtOnce,  "yes"),
        row("body", "none",            Way::Answer("empty"),
            ["PROTOCOL", "OK", "PROTOCOL", "PROTOCOL", "OK", "OK"],                AtOnce,  "yes"),
        row("body", "HTML",            Way::Answer("html"),
            ["PROTOCOL", "OK", "PROTOCOL", "PROTOCOL", "OK", "OK"],                AtOnce,  "yes"),
    ]
}

/// What is in the way of a row: it lives as long as the row is tried.
struct Scene {
    sandbox: Sandbox,
    proxy: FaultProxy,
    /// Where there is no way to the server at all, its URL.
    nowhere: Option<String>,
    _deaf: Option<(Socket, Vec<Socket>)>,
}

impl Scene {
    fn new(way: &Way) -> Scene {
        let sandbox = Sandbox::start(Config {
            tls: matches!(way, Https(_)),
            pending: Duration::ZERO,
            ..Config::default()
        });
        let mut scene = Scene {
            proxy: FaultProxy::start(sandbox.port()),
            sandbox,
            nowhere: None,
            _deaf: None,
        };
        match way {
            Name(name) => {
                scene.nowhere = Some(format!("http://{name}:{}/prod", scene.proxy.port()))
            }
            Refused => {
                let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
                let port = closed.local_addr().expect("an address").port();
                scene.nowhere = Some(format!("http://127.0.0.1:{port}/prod"));
            }
            Unheard => {
                let (listener, port, filling) = deaf();
                scene.nowhere = Some(format!("http://127.0.0.1:{port}/prod"));
                scene._deaf = Some((listener, filling));
            }
            _ => {}
        }
        scene
    }

    fn url(&self, way: &Way) -> String {
        match (&self.nowhere, way) {
            (Some(url), _) => url.clone(),
            (None, Https(_)) => self.proxy.url().replace("http:", "https:"),
            (None, _) => self.proxy.url(),
        }
    }

    fn spoil(&self, way: &Way) {
        match way {
            Http(mode) | Https(mode) => self.proxy.set(*mode),
            Way::Answer(kind) => {
                let fault = Fault::parse(&format!("*={kind}")).expect("a fault");
                self.sandbox.fault(fault);
            }
            _ => {}
        }
    }

    fn heal(&self) {
        self.proxy.set(Mode::Fair);
        self.sandbox.clear_faults();
        // The next fault finds a new connection: also the steps of setting one up are to be tried.
        self.proxy.cut();
    }
}

/// A port where connections wait for ever: its queue is full.
fn deaf() -> (Socket, u16, Vec<Socket>) {
    let new = || Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let listener = new();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&any.into()).expect("a port");
    listener.listen(0).expect("a queue");
    let address = listener.local_addr().expect("an address");
    let filling = (0..4).map(|_| {
        let socket = new();
        socket.set_nonblocking(true).expect("an option");
        let _ = socket.connect(&address);
        socket
    });
    let filling = filling.collect();
    let port = address.as_socket().expect("an address").port();
    (listener, port, filling)
}

fn start(row: &Row, scene: &Scene, names: &Path) -> Dialogue {
    let url = scene.url(&row.way);
    let mut program = Dialogue::with(|command| {
        command.env("EVRIM_URL", &url);
        command.env("EVRIM_USERNAME", USERNAME);
        command.env("EVRIM_PASSWORD", PASSWORD);
        if matches!(row.way, Name(_)) {
            command.env("LD_PRELOAD", names);
        }
    });
    // Where it is the connection that does not come about, its own timeout is the shorter.
    let connects = matches!(row.step, "resolve" | "connect" | "TLS");
    let (connect, attempt) = match row.ends {
        AtOnce => (AMPLE, AMPLE),
        Timeout if connects => (SHORT, AMPLE),
        Timeout => (AMPLE, SHORT),
    };
    let total = if row.ends == Timeout { TOTAL } else { AMPLE };
    for (name, value) in [
        ("retries", "0"),
        ("allow_insecure_http", "yes"),
        ("timeout_ms", &attempt.to_string()),
        ("connect_timeout_ms", &connect.to_string()),
        ("total_timeout_ms", &total.to_string()),
        ("max_body_size", "10485760"),
    ] {
        program.option(name, value);
    }
    program.trust(&scene.sandbox);
    program
}

/// A session that is well; where there is no way to the server, one from tokens alone, with no credentials
/// of its own.
fn session(program: &mut Dialogue, scene: &Scene, row: &Row) {
    let url = scene.url(&row.way);
    if scene.nowhere.is_some() {
        let (access, refresh) = scene.sandbox.token_pair();
        program.resume(&url, &access, Some(&refresh));
        program.option("validate_on_start", "yes");
        return;
    }
    patiently(program, &["new", &url, USERNAME, PASSWORD]);
}

/// Only a fault may make a call fail; a machine that is busy makes it late.
fn patiently(program: &mut Dialogue, call: &[&str]) -> Answer {
    for _ in 0..20 {
        let answer = program.ask(call);
        if answer.status() != "ERROR_TIMEOUT" {
            answer.expect("OK");
            return answer;
        }
    }
    panic!("{call:?} is late again and again");
}

/// Makes one call while the way is bad.
fn call(name: &str, program: &mut Dialogue, scene: &Scene, row: &Row, folder: &Path) -> Answer {
    let url = scene.url(&row.way);
    let (access, refresh) = scene.sandbox.token_pair();
    let file = folder.join("file").display().to_string();
    let wait = TOTAL.to_string();
    let research = ["submit_research", "https://example.org/", "t", "d"];
    let mut id = "00000000-0000-4000-8000-000000000000".to_owned();
    if matches!(name, "get_task" | "wait_for_task") && scene.nowhere.is_none() {
        let task = patiently(program, &research).body();
        id = task["task_id"].as_str().expect("an id").to_owned();
        scene.heal();
    }
    // An answer that is worth being packed.
    let body = format!("{{\"text\": \"{}\"}}", "more of the same, ".repeat(200));
    let command: &[&str] = match name {
        "new" => &["new", &url, USERNAME, PASSWORD],
        "from_token" => &["from_token", &url, &access, &refresh],
        "request" => &["request", "GET", "reports/1/"],
        "post" => &["request", "POST", "echo/", &body],
        // More than any buffer on the way.
        "upload" => &["upload", "echo/", "8000000"],
        "request_with" => &["request_with", "GET", "reports/1/"],
        "get_report" | "get_run" | "get_section" => &[name, "1"],
        "get_paragraph" => &[name, "101"],
        "get_task" => &[name, &id],
        "submit_research" => &research,
        "wait_for_task" => &[name, &id, &wait],
        "download" => &[name, "reports/", &file],
        "download_report" => &[name, "1", "pdf", &file],
        "download_to" => &[name, "reports/"],
        _ => &[name],
    };
    if name == "next_page" && scene.nowhere.is_none() {
        patiently(program, &["request", "GET", "v0/reports/"]);
        scene.heal();
    }
    scene.spoil(&row.way);
    let answer = program.ask(command);
    scene.heal();
    answer
}

/// Everything that a row promises, of one call.
fn check(name: &str, answer: &Answer, status: &str, row: &Row, starts: bool) {
    let what = format!("{} {}: {name}: {answer:?}", row.step, row.fault);
    let is_ok = status == "OK";
    let status = if is_ok {
        status.to_owned()
    } else {
        format!("ERROR_{status}")
    };
    assert_eq!(answer.status(), status, "{what}");
    let limit = Duration::from_millis(TOTAL.max(AMPLE));
    assert!(answer.took < limit + SLACK, "{what}");
    if row.ends == Timeout {
        assert!(answer.took >= Duration::from_millis(SHORT), "{what}");
    }
    if starts {
        assert_eq!(answer.get("client"), "no", "{what}");
    } else {
        answer.expect_same_tokens();
    }
    if !is_ok {
        assert!(!answer.message().is_empty(), "{what}");
        // An attempt that is under way when a wait is over may arrive.
        if row.sent != "either" && (name != "wait_for_task" || row.ends == AtOnce) {
            assert_eq!(answer.get("sent"), row.sent, "{what}");
        }
        assert_ne!(answer.get("response"), "yes", "{what}");
        assert_ne!(answer.get("valid"), "yes", "{what}");
    }
}

/// All calls of one row; what is not as the table says, one line each.
fn try_row(row: &Row, names: &Path) -> Vec<String> {
    let scene = Scene::new(&row.way);
    let folder = c::scratch("table").join(format!("{}-{}", row.step, row.fault).replace(' ', "-"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut wrong = Vec::new();
    // One client for all that does not make one: each fault finds it as the last has left it.
    let mut kept = start(row, &scene, names);
    session(&mut kept, &scene, row);
    scene.heal();
    for (group, status) in GROUPS.iter().zip(row.expected) {
        for name in group.1 {
            if *name == "next_page" && scene.nowhere.is_some() {
                // There is no page to go on from.
                continue;
            }
            let starts = matches!(*name, "new" | "from_env" | "from_token");
            let mut fresh;
            let program = if starts {
                fresh = start(row, &scene, names);
                &mut fresh
            } else {
                &mut kept
            };
            // Without credentials there is no sign-in that could fail.
            if *name == "set_token" && scene.nowhere.is_some() {
                continue;
            }
            let answer = call(name, program, &scene, row, &folder);
            let checked = std::panic::catch_unwind(|| check(name, &answer, status, row, starts));
            if let Err(why) = checked {
                let said = why.downcast_ref::<String>().cloned().unwrap_or_default();
                wrong.push(said);
            }
            // A download that failed has left nothing.
            let files = std::fs::read_dir(&folder).expect("the folder").count();
            if files != usize::from(answer.status() == "OK" && !answer.get("saved_as").is_empty()) {
                wrong.push(format!(
                    "{} {}: {name} has left a file",
                    row.step, row.fault
                ));
            }
            let _ = std::fs::remove_file(folder.join("file"));
            // All is well again, and the same client goes on.
            if !starts && scene.nowhere.is_none() {
                patiently(program, &["request", "GET", "reports/1/"]);
                scene.heal();
            }
        }
    }
    wrong
}

fn shown(rows: &[Row]) -> String {
    let mut text = String::from(
        "# What goes wrong, and what a call makes of it\n\n\
         Made by `EVRIM_UPDATE_FAULTS=1 cargo test --test fault_table`, which makes every call with every fault;\n\
         `make check` compares. Retries are off here. After each row the tokens are what they were, a sign-in\n\
         has given no client, a download has left no file, and the same client's next call succeeds.\n\n\
         *Ends*: \"at once\" is as soon as the fault is there; \"timeout\" is with the timeout of an attempt, or for a\n\
         connection, or of the call. *Sent*: whether `evrim_error_may_have_been_sent()` says that the server\n\
         may have acted on the request. Statuses are without `EVRIM_ERROR_`.\n\n",
    );
    let _ = write!(text, "| step | fault |");
    for (group, _) in GROUPS {
        let _ = write!(text, " {group} |");
    }
    let _ = writeln!(text, " ends | sent |");
    let _ = writeln!(text, "|{}", " --- |".repeat(GROUPS.len() + 4));
    for row in rows {
        let _ = write!(text, "| {} | {} |", row.step, row.fault);
        for status in row.expected {
            let _ = write!(text, " {status} |");
        }
        let ends = match row.ends {
            AtOnce => "at once",
            Timeout => "timeout",
        };
        let _ = writeln!(text, " {ends} | {} |", row.sent);
    }
    text.push_str("\nThe groups:\n\n");
    for (group, calls) in GROUPS {
        let calls: Vec<String> = calls
            .iter()
            .map(|call| match *call {
                "post" => "`evrim_request` (POST)".to_owned(),
                "upload" => "`evrim_request` (POST, 8 MB)".to_owned(),
                call => format!("`evrim_{call}`"),
            })
            .collect();
        let _ = writeln!(text, "- {group}: {}", calls.join(", "));
    }
    text.push_str(
        "\nA 200 of another kind than JSON is the caller's to judge in `evrim_request` and in downloads: they take\n\
         any body. A download has no limit of its own.\n",
    );
    text
}

#[test]
fn every_fault_at_every_step_of_every_call() {
    let rows = table();
    let names = c::preload("tests/c/slow_names.c");
    let next = Mutex::new(rows.iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let row = next.lock().expect("no panic").next();
                    let Some(row) = row else { return };
                    let found = try_row(row, &names);
                    wrong.lock().expect("no panic").extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));

    let path = c::root().join("FAULTS.md");
    let text = shown(&rows);
    if std::env::var_os("EVRIM_UPDATE_FAULTS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "FAULTS.md is not this table: EVRIM_UPDATE_FAULTS=1 cargo test --test fault_table"
    );
}

/// A queue that is full is silence: the row says what it claims to.
#[test]
fn a_full_queue_is_silence() {
    let (_listener, port, _filling) = deaf();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let refused = TcpStream::connect_timeout(&address, Duration::from_millis(SHORT));
    let kind = refused.expect_err("no answer").kind();
    assert_eq!(kind, std::io::ErrorKind::TimedOut);
}
