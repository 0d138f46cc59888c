//! Every option does what the header says, as seen from the server, and refuses what it says.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::Value;
use support::c;
use support::sandbox::{Config, Fault, FaultKind, Sandbox};
use tokio_rustls::rustls;

/// One line that the program printed.
#[derive(Debug)]
struct Line {
    status: String,
    milliseconds: u64,
    http: u16,
    text: String,
}

impl Line {
    /// What `echo/` saw of a header.
    fn header(&self, name: &str) -> Option<String> {
        let echo: Value = serde_json::from_str(&self.text).expect("an echo");
        echo["headers"][name].as_str().map(str::to_owned)
    }
}

fn command(sandbox: &Sandbox) -> Command {
    let mut command = c::command_at(&c::compile("tests/c/options.c"), sandbox);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

fn lines(printed: &str) -> Vec<Line> {
    let line = |line: &str| {
        let mut parts = line.splitn(4, ' ');
        let mut next = || parts.next().unwrap_or_else(|| panic!("a line: {line}"));
        Line {
            status: next().to_owned(),
            milliseconds: next().parse().expect("milliseconds"),
            http: next().parse().expect("a status"),
            text: next().to_owned(),
        }
    };
    let calls = printed.lines().filter(|line| !line.starts_with("refused "));
    calls.map(line).collect()
}

fn run(sandbox: &Sandbox, options: &[&str], actions: &[&str]) -> Vec<Line> {
    run_with(command(sandbox), options, actions)
}

fn run_with(mut command: Command, options: &[&str], actions: &[&str]) -> Vec<Line> {
    lines(&c::run(command.args(options).arg("--").args(actions)))
}

/// The only line there is.
fn one(sandbox: &Sandbox, options: &[&str], action: &str) -> Line {
    let mut lines = run(sandbox, options, &[action]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// The statuses with which setters refuse values, "timeout=0" for example.
fn refusals(values: &[&str]) -> Vec<String> {
    let mut command = c::command(&c::compile("tests/c/options.c"));
    let values = values.iter().map(|value| format!("!{value}"));
    let printed = c::run(command.args(values));
    let status = |line: &str| line.strip_prefix("refused ").map(str::to_owned);
    printed.lines().filter_map(status).collect()
}

fn plain() -> Sandbox {
    Sandbox::start(Config::default())
}

fn tls(config: Config) -> Sandbox {
    Sandbox::start(Config {
        tls: true,
        ..config
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn values_that_are_out_of_range_are_refused() {
    let bad = [
        "timeout=0",
        "connect_timeout=0",
        "total_timeout=0",
        "retries=11",
        "retries=4294967295",
        "max_body_size=0",
        "min_tls_version=0",
        "min_tls_version=11",
        "min_tls_version=14",
        "min_tls_version=-12",
        "ca_file=NULL",
        "ca_file=",
        "ca_pem=NULL",
        "client_certificate=NULL,x",
        "client_certificate=x,NULL",
        "client_certificate=,",
        "user_agent=NULL",
        "user_agent=",
        "user_agent= ",
        "user_agent=a\r\nb",
        "user_agent=größe",
        "header=: x",
        "header=a b: x",
        "header=X-Key: a\nb",
    ];
    let refused = refusals(&bad);
    assert_eq!(refused.len(), bad.len());
    for (value, status) in bad.iter().zip(&refused) {
        assert_eq!(status, "EVRIM_ERROR_INVALID_ARGUMENT", "{value}");
    }
}

#[test]
fn a_refused_value_changes_nothing() {
    let sandbox = plain();
    sandbox.fault(Fault::new(
        "GET /reports/",
        FaultKind::Delay(Duration::from_secs(2)),
    ));
    let lines = run(
        &sandbox,
        &[
            "timeout=300",
            "!timeout=0",
            "user_agent=good/1",
            "!user_agent=bad\nx",
            "header=X-Key: good",
            "!header=X-Key: bad\nx",
            "retries=0",
            "!retries=11",
            "max_body_size=100000000",
            "!max_body_size=0",
            "!proxy=ftp://127.0.0.1:1",
            "!ca_file=/does/not/exist",
        ],
        &["echo/", "reports/"],
    );
    assert_eq!(lines[0].header("x-key").as_deref(), Some("good"));
    let agent = lines[0].header("user-agent").expect("a user agent");
    assert!(agent.starts_with("good/1 "), "{agent}");
    assert_eq!(lines[1].status, "EVRIM_ERROR_TIMEOUT");
    assert!((299..1800).contains(&lines[1].milliseconds), "{lines:?}");
}

#[test]
fn the_timeout_is_that_of_one_attempt() {
    let sandbox = plain();
    sandbox.fault(Fault::new("GET /reports/", FaultKind::Silent));
    let lines = run(
        &sandbox,
        &["timeout=250"],
        &["reports/", "reports/1/", "refresh"],
    );
    assert_eq!(lines[0].status, "EVRIM_ERROR_TIMEOUT");
    assert!((249..1500).contains(&lines[0].milliseconds), "{lines:?}");
    // An attempt that ran out of time is not made again.
    assert_eq!(sandbox.counters().of("GET /reports/"), 1);
    assert_eq!(lines[1].status, "EVRIM_OK");
    // A token call has no more than that, either.
    sandbox.fault(Fault::new("POST /token/", FaultKind::Silent));
    let line = one(&sandbox, &["timeout=250", "retries=0"], "new");
    assert_eq!(line.status, "EVRIM_ERROR_TIMEOUT");
    assert!((249..1500).contains(&line.milliseconds), "{line:?}");
}

#[test]
fn the_timeout_covers_the_body() {
    let sandbox = plain();
    let kind = FaultKind::Drip {
        chunk: 1,
        pause: Duration::from_millis(20),
    };
    sandbox.fault(Fault::new("GET /reports/", kind));
    let line = one(&sandbox, &["timeout=400", "retries=0"], "reports/");
    assert_eq!(line.status, "EVRIM_ERROR_TIMEOUT");
    assert!((399..2000).contains(&line.milliseconds), "{line:?}");
}

#[test]
fn the_total_timeout_covers_retries_and_waiting() {
    let sandbox = plain();
    sandbox.fault(Fault::status("GET /reports/", 503));
    let line = one(&sandbox, &["total_timeout=900", "retries=10"], "reports/");
    // A wait that would outlast the call is not begun: the answer is returned in its place.
    assert_eq!(line.status, "EVRIM_ERROR_SERVER");
    assert!(line.milliseconds < 1500, "{line:?}");
    assert!(sandbox.counters().of("GET /reports/") <= 3);
    sandbox.clear_faults();
    sandbox.fault(Fault::new("GET /reports/", FaultKind::Silent));
    let line = one(&sandbox, &["total_timeout=700"], "reports/");
    assert_eq!(line.status, "EVRIM_ERROR_TIMEOUT");
    assert!((699..2000).contains(&line.milliseconds), "{line:?}");
}

#[test]
fn the_connect_timeout_ends_a_connection_that_does_not_come_about() {
    // It accepts the connection and never says a word of TLS.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "https://{}/prod",
        listener.local_addr().expect("an address")
    );
    let mut command = command(&plain());
    command.env("EVRIM_URL", url);
    let lines = run_with(command, &["connect_timeout=300", "retries=0"], &["new"]);
    assert_eq!(lines[0].status, "EVRIM_ERROR_TIMEOUT");
    assert!((299..2000).contains(&lines[0].milliseconds), "{lines:?}");
    assert!(lines[0].text.contains("connect"), "{lines:?}");
}

#[test]
fn so_many_retries_and_no_more() {
    for (retries, sent) in [(Some("retries=0"), 1), (Some("retries=1"), 2), (None, 3)] {
        let sandbox = plain();
        let kind = FaultKind::Status {
            status: 503,
            headers: vec![("retry-after-ms".into(), "1".into())],
            body: Vec::new(),
        };
        sandbox.fault(Fault::new("GET /reports/", kind));
        let line = one(&sandbox, retries.as_slice(), "reports/");
        assert_eq!(line.status, "EVRIM_ERROR_SERVER");
        assert_eq!(sandbox.counters().of("GET /reports/"), sent, "{retries:?}");
    }
}

#[test]
fn ten_retries_are_allowed() {
    let sandbox = plain();
    let kind = FaultKind::Status {
        status: 503,
        headers: vec![("retry-after-ms".into(), "1".into())],
        body: Vec::new(),
    };
    sandbox.fault(Fault::new("GET /reports/", kind).times(10));
    let line = one(&sandbox, &["retries=10"], "reports/");
    assert_eq!(line.status, "EVRIM_OK");
    assert_eq!(sandbox.counters().of("GET /reports/"), 11);
}

#[test]
fn without_auto_renew_a_refused_token_is_an_error() {
    let renewed = |options: &[&str]| {
        let sandbox = plain();
        let mut command = command(&sandbox);
        command.env("EVRIM_TOKEN", sandbox.expired_access_token());
        let mut options = options.to_vec();
        options.push("validate_on_start=false");
        let lines = run_with(command, &options, &["token", "reports/1/"]);
        (lines[0].status.clone(), sandbox.counters().refreshes)
    };
    let status = "EVRIM_ERROR_AUTHENTICATION".to_owned();
    assert_eq!(renewed(&["auto_renew=false"]), (status, 0));
    assert_eq!(renewed(&["auto_renew=true"]), ("EVRIM_OK".to_owned(), 1));
    assert_eq!(renewed(&[]), ("EVRIM_OK".to_owned(), 1));
}

#[test]
fn validate_on_start_asks_the_server_unless_it_is_off() {
    let asked = |options: &[&str], expired: bool| {
        let sandbox = plain();
        let mut command = command(&sandbox);
        if expired {
            command.env("EVRIM_TOKEN", sandbox.expired_access_token());
        }
        let lines = run_with(command, options, &["token", "new"]);
        let counters = sandbox.counters();
        let asked = counters.verifies + counters.refused_verifies;
        (lines[0].status.clone(), asked)
    };
    let off = ["validate_on_start=false"];
    assert_eq!(asked(&[], false), ("EVRIM_OK".to_owned(), 1));
    let refused = "EVRIM_ERROR_AUTHENTICATION".to_owned();
    assert_eq!(asked(&[], true), (refused, 1));
    assert_eq!(asked(&off, false), ("EVRIM_OK".to_owned(), 0));
    assert_eq!(asked(&off, true), ("EVRIM_OK".to_owned(), 0));
}

#[test]
fn headers_go_with_every_call_and_can_be_taken_out() {
    let sandbox = plain();
    let line = one(
        &sandbox,
        &[
            "header=X-Api-Key: first",
            "header=x-api-key: second",
            "header=X-Gone: soon",
            "header=X-Gone",
            "header=X-Never",
        ],
        "echo/",
    );
    assert_eq!(line.header("x-api-key").as_deref(), Some("second"));
    assert_eq!(line.header("x-gone"), None);
    // Options that are changed after the client was made don't change the client.
    assert_eq!(line.header("x-spoilt"), None);

    // Token calls carry them too: seen by a server that answers nothing else.
    let (address, heads) = listening_server();
    let mut command = command(&sandbox);
    command.env("EVRIM_URL", format!("http://{address}/prod"));
    run_with(command, &["header=X-Api-Key: key", "retries=0"], &["new"]);
    let heads = heads.lock().expect("the heads");
    assert!(heads[0].starts_with("POST /prod/token/ "), "{heads:?}");
    assert!(heads[0].to_lowercase().contains("x-api-key: key\r\n"));
}

#[test]
fn the_librarys_own_headers_are_refused() {
    let reserved = [
        "Accept",
        "Accept-Encoding",
        "Authorization",
        "Connection",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "Expect",
        "Host",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        "User-Agent",
    ];
    let with_value: Vec<_> = reserved.map(|name| format!("header={name}: x")).into();
    let without: Vec<_> = reserved.map(|name| format!("header={name}")).into();
    let all: Vec<_> = with_value
        .iter()
        .chain(&without)
        .map(String::as_str)
        .collect();
    for (name, status) in all.iter().zip(refusals(&all)) {
        assert_eq!(status, "EVRIM_ERROR_INVALID_ARGUMENT", "{name}");
    }
}

#[test]
fn the_user_agent_is_put_before_the_librarys_own() {
    let sandbox = plain();
    let own = concat!("libevrim/", env!("CARGO_PKG_VERSION"));
    let agent = |options: &[&str]| one(&sandbox, options, "echo/").header("user-agent");
    assert_eq!(agent(&[]).as_deref(), Some(own));
    let both = format!("my-program/1.0 (test) {own}");
    assert_eq!(agent(&["user_agent=my-program/1.0 (test)"]), Some(both));
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let sandbox = plain();
    let huge = |chunked| {
        sandbox.clear_faults();
        let kind = FaultKind::Huge {
            bytes: 100_000,
            chunked,
        };
        sandbox.fault(Fault::new("GET /reports/", kind));
    };
    for chunked in [false, true] {
        huge(chunked);
        let line = one(&sandbox, &["max_body_size=99999"], "reports/");
        assert_eq!(line.status, "EVRIM_ERROR_TOO_LARGE");
        assert_eq!(line.http, 200);
        let line = one(&sandbox, &["max_body_size=100000"], "reports/");
        assert_eq!(line.status, "EVRIM_OK");
    }
    // Unpacked it counts.
    sandbox.clear_faults();
    sandbox.fault(Fault::new("GET /reports/", FaultKind::GzipBomb(1 << 24)));
    let line = one(&sandbox, &["max_body_size=1000000"], "reports/");
    assert_eq!(line.status, "EVRIM_ERROR_TOO_LARGE");
    assert_eq!(one(&sandbox, &[], "reports/").status, "EVRIM_OK");
    // The default.
    for (bytes, status) in [
        (64 << 20, "EVRIM_OK"),
        ((64 << 20) + 1, "EVRIM_ERROR_TOO_LARGE"),
    ] {
        sandbox.clear_faults();
        let kind = FaultKind::Huge {
            bytes,
            chunked: false,
        };
        sandbox.fault(Fault::new("GET /reports/", kind));
        assert_eq!(one(&sandbox, &[], "reports/").status, status);
    }
}

#[test]
fn plain_http_to_another_machine_needs_leave() {
    let sandbox = plain();
    let status = |options: &[&str]| {
        let mut command = command(&sandbox);
        // Reserved for documentation: there is nobody.
        command.env("EVRIM_URL", "http://192.0.2.1/prod");
        run_with(command, options, &["new"])[0].status.clone()
    };
    let direct = ["proxy=NULL", "connect_timeout=100", "retries=0"];
    assert_eq!(status(&direct), "EVRIM_ERROR_INSECURE_URL");
    let allowed = [&direct[..], &["allow_insecure_http=true"]].concat();
    assert_ne!(status(&allowed), "EVRIM_ERROR_INSECURE_URL");
}

/// A command without the sandbox's authority in its environment.
fn distrusting(sandbox: &Sandbox) -> Command {
    let mut command = command(sandbox);
    command.env_remove("SSL_CERT_FILE");
    command
}

#[test]
fn a_ca_file_or_pem_is_trusted_besides_the_systems() {
    let sandbox = tls(Config::default());
    let path = sandbox.ca_file().expect("a CA file");
    let status = |options: &[&str]| {
        run_with(distrusting(&sandbox), options, &["new"])[0]
            .status
            .clone()
    };
    let file = format!("ca_file={}", text(&path));
    let pem = format!("ca_pem={}", text(&path));
    assert_eq!(status(&[]), "EVRIM_ERROR_TLS");
    assert_eq!(status(&[&file]), "EVRIM_OK");
    assert_eq!(status(&[&pem]), "EVRIM_OK");
    assert_eq!(status(&[&file, "system_ca=false"]), "EVRIM_OK");
    // A refused one leaves the one before; another replaces it.
    assert_eq!(status(&[&file, "!ca_file=/does/not/exist"]), "EVRIM_OK");
    assert_eq!(status(&[&file, "!ca_pem=garbage"]), "EVRIM_OK");
    let other = tls(Config::default());
    let other = other.ca_file().expect("a CA file");
    let other = format!("ca_pem={}", text(&other));
    assert_eq!(status(&[&file, &other]), "EVRIM_ERROR_TLS");
}

#[test]
fn the_systems_authorities_can_be_left_out() {
    let sandbox = tls(Config::default());
    // The environment says what the system's are.
    assert_eq!(one(&sandbox, &[], "new").status, "EVRIM_OK");
    assert_eq!(one(&sandbox, &["system_ca=true"], "new").status, "EVRIM_OK");
    let line = one(&sandbox, &["system_ca=false"], "new");
    assert_eq!(line.status, "EVRIM_ERROR_TLS");
}

#[test]
fn files_that_cannot_be_read_or_used_say_so() {
    let folder = c::scratch("files");
    let write = |name: &str, content: &str| {
        let path = folder.join(name);
        fs::write(&path, content).expect("a file");
        text(&path).to_owned()
    };
    let garbage = write("garbage.pem", "no PEM at all");
    let broken = write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let broken_crl = write(
        "broken.crl",
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    );
    let (one, two) = (Authority::new(), Authority::new());
    let (certificate, key) = one.issue(&folder, "one");
    let (_, other_key) = two.issue(&folder, "two");
    let (certificate, key, other_key) = (text(&certificate), text(&key), text(&other_key));
    let cases = [
        ("ca_file=/does/not/exist".to_owned(), "IO"),
        (format!("ca_file={}", text(&folder)), "IO"),
        (format!("ca_file={garbage}"), "TLS"),
        (format!("ca_file={broken}"), "TLS"),
        ("ca_pem=garbage".to_owned(), "TLS"),
        ("crl_file=/does/not/exist".to_owned(), "IO"),
        (format!("crl_file={garbage}"), "TLS"),
        (format!("crl_file={certificate}"), "TLS"),
        (format!("crl_file={broken_crl}"), "TLS"),
        (format!("client_certificate=/no,{key}"), "IO"),
        (format!("client_certificate={certificate},/no"), "IO"),
        (format!("client_certificate={garbage},{key}"), "TLS"),
        (format!("client_certificate={certificate},{garbage}"), "TLS"),
        (
            format!("client_certificate={certificate},{other_key}"),
            "TLS",
        ),
    ];
    let values: Vec<_> = cases.iter().map(|(value, _)| value.as_str()).collect();
    for ((value, wanted), status) in cases.iter().zip(refusals(&values)) {
        assert_eq!(status, format!("EVRIM_ERROR_{wanted}"), "{value}");
    }
}

#[test]
fn tls_older_than_the_minimum_is_refused() {
    let old = tls(Config {
        tls12_only: true,
        ..Config::default()
    });
    assert_eq!(one(&old, &[], "new").status, "EVRIM_OK");
    assert_eq!(one(&old, &["min_tls_version=12"], "new").status, "EVRIM_OK");
    let line = one(&old, &["min_tls_version=13", "retries=0"], "new");
    assert_eq!(line.status, "EVRIM_ERROR_TLS");
    let new = tls(Config::default());
    assert_eq!(one(&new, &["min_tls_version=13"], "new").status, "EVRIM_OK");
    let both = ["min_tls_version=13", "min_tls_version=12"];
    assert_eq!(one(&old, &both, "new").status, "EVRIM_OK");
}

/// A certificate authority for clients and servers.
struct Authority {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Authority { certificate, key }
    }

    /// Writes a certificate for this machine and its key.
    fn issue(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let names = vec!["127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let certificate = params
            .signed_by(&key, &self.certificate, &self.key)
            .expect("a certificate");
        let at = |end: &str| folder.join(format!("{name}.{end}"));
        fs::write(at("pem"), certificate.pem()).expect("a file");
        fs::write(at("key"), key.serialize_pem()).expect("a file");
        (at("pem"), at("key"))
    }
}

/// Answers every request over TLS with an empty object, if the client shows a certificate of `authority`.
fn demanding_server(folder: &Path, authority: &Authority) -> std::net::SocketAddr {
    let (certificate, key) = authority.issue(folder, "server");
    let read = |path| fs::read(path).expect("a file");
    let chain = rustls_pemfile::certs(&mut read(certificate).as_slice())
        .collect::<Result<Vec<_>, _>>()
        .expect("PEM");
    let key = rustls_pemfile::private_key(&mut read(key).as_slice())
        .expect("PEM")
        .expect("a key");
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(authority.certificate.der().clone())
        .expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        provider.clone(),
    )
    .build()
    .expect("a verifier");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .expect("a server");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let Ok(session) = rustls::ServerConnection::new(config.clone()) else {
                continue;
            };
            let mut tls = rustls::StreamOwned::new(session, tcp);
            if read_head(&mut tls).is_some() {
                let _ = tls.write_all(EMPTY_OBJECT);
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    address
}

const EMPTY_OBJECT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
    Content-Length: 2\r\nConnection: close\r\n\r\n{}";

/// The head of a request, once it is there.
fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 || head.len() > 1 << 16 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Notes the heads of requests and answers 418.
fn listening_server() -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = heads.clone();
    thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            if let Some(head) = read_head(&mut tcp) {
                noted.lock().expect("the heads").push(head);
                let answer = b"HTTP/1.1 418 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = tcp.write_all(answer);
                // What is unread of the body would reset the connection.
                let _ = tcp.shutdown(Shutdown::Write);
                let _ = std::io::copy(&mut tcp, &mut std::io::sink());
            }
        }
    });
    (address, heads)
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_asks() {
    let folder = c::scratch("mutual");
    let authority = Authority::new();
    let address = demanding_server(&folder, &authority);
    let ca = folder.join("ca.pem");
    fs::write(&ca, authority.certificate.pem()).expect("a file");
    let ca = format!("ca_file={}", text(&ca));
    let (certificate, key) = authority.issue(&folder, "client");
    let (strange, strange_key) = Authority::new().issue(&folder, "strange");
    let pair = |certificate: &Path, key: &Path| {
        format!("client_certificate={},{}", text(certificate), text(key))
    };
    let sandbox = plain();
    let get = |options: &[&str]| {
        let mut command = command(&sandbox);
        command.env("EVRIM_URL", format!("https://{address}/prod"));
        let options = [
            &[ca.as_str(), "validate_on_start=false", "retries=0"],
            options,
        ]
        .concat();
        run_with(command, &options, &["token", "reports/"]).remove(0)
    };
    let good = pair(&certificate, &key);
    assert_eq!(get(&[&good]).status, "EVRIM_OK");
    for options in [&[][..], &[&*pair(&strange, &strange_key)]] {
        let line = get(options);
        assert_eq!(line.status, "EVRIM_ERROR_TLS", "{line:?}");
    }
}

/// A proxy that notes what it is asked, with or without credentials, and leads everything to one place.
struct Proxy {
    address: std::net::SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// `credentials` are those of "Proxy-Authorization", in base64.
    fn start(target: u16, credentials: Option<&'static str>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = heads.clone();
        thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let noted = noted.clone();
                thread::spawn(move || lead(tcp, target, credentials, &noted));
            }
        });
        Proxy { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("the heads").clone()
    }
}

fn lead(
    mut client: TcpStream,
    target: u16,
    credentials: Option<&str>,
    noted: &Mutex<Vec<String>>,
) -> Option<()> {
    let head = read_head(&mut client)?;
    noted.lock().expect("the heads").push(head.clone());
    let wanted = credentials.map(|text| format!("proxy-authorization: basic {text}\r\n"));
    if wanted.is_some_and(|wanted| !head.to_lowercase().contains(&wanted.to_lowercase())) {
        let answer = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(answer).ok();
    }
    let mut server = TcpStream::connect(("127.0.0.1", target)).ok()?;
    if head.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    } else {
        // From absolute to origin form; the sandbox then sees a request like any other.
        let (line, rest) = head.split_once("\r\n")?;
        let mut parts = line.split(' ');
        let (method, url) = (parts.next()?, parts.next()?);
        let path = url.splitn(4, '/').nth(3)?;
        let head = format!("{method} /{path} HTTP/1.1\r\nConnection: close\r\n{rest}");
        server.write_all(head.as_bytes()).ok()?;
    }
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    Some(())
}

#[test]
fn plain_http_goes_through_a_proxy_in_absolute_form() {
    let sandbox = plain();
    let proxy = Proxy::start(sandbox.port(), None);
    let option = format!("proxy=http://{}", proxy.address);
    let line = one(&sandbox, &[&option], "echo/");
    assert_eq!(line.status, "EVRIM_OK");
    let heads = proxy.heads();
    let sign_in = format!("POST {}/token/ HTTP/1.1\r\n", sandbox.url());
    assert!(heads[0].starts_with(&sign_in), "{heads:?}");
    let request = format!("GET {}/echo/ HTTP/1.1\r\n", sandbox.url());
    assert!(heads.iter().any(|head| head.starts_with(&request)));
}

#[test]
fn https_goes_through_a_proxy_with_connect_and_its_credentials() {
    let sandbox = tls(Config::default());
    // "ada:s3cret"
    let proxy = Proxy::start(sandbox.port(), Some("YWRhOnMzY3JldA=="));
    let option = format!("proxy=http://ada:s3cret@{}", proxy.address);
    let line = one(&sandbox, &[&option], "echo/");
    assert_eq!(line.status, "EVRIM_OK", "{line:?}");
    let heads = proxy.heads();
    let connect = format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", sandbox.port());
    assert!(heads[0].starts_with(&connect), "{heads:?}");
    // What is in the tunnel is not the proxy's to see, nor the proxy's credentials the server's.
    assert!(!heads[0].to_lowercase().contains("\r\nauthorization:"));
    assert_eq!(line.header("proxy-authorization"), None);

    let wrong = format!("proxy=http://ada:wr0ng-pw@{}", proxy.address);
    let line = one(&sandbox, &[&wrong, "retries=0"], "new");
    assert_eq!(line.status, "EVRIM_ERROR_NETWORK", "{line:?}");
    assert!(!line.text.contains("wr0ng-pw"), "{line:?}");
}

#[test]
fn the_environments_proxy_is_for_other_machines() {
    let sandbox = tls(Config::default());
    let proxy = Proxy::start(sandbox.port(), None);
    let address = format!("http://{}", proxy.address);
    let get = |host: &str, variable: &str, options: &[&str]| {
        let mut command = command(&sandbox);
        command.env(variable, &address).env(
            "EVRIM_URL",
            format!("https://{host}:{}/prod", sandbox.port()),
        );
        let before = proxy.heads().len();
        let options = [options, &["retries=0", "connect_timeout=2000"]].concat();
        let line = run_with(command, &options, &["new"]).remove(0);
        (line.status, proxy.heads().len() - before)
    };
    // This machine is reached directly, whatever the environment says.
    for host in ["127.0.0.1", "localhost"] {
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
            let direct = ("EVRIM_OK".to_owned(), 0);
            assert_eq!(get(host, variable, &[]), direct, "{host} {variable}");
        }
    }
    // Another goes through it; the sandbox's certificate is not for that name.
    let refused = "EVRIM_ERROR_TLS".to_owned();
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        assert_eq!(get("evrim.test", variable, &[]), (refused.clone(), 1));
    }
    // Unless the program wants none.
    assert_eq!(get("evrim.test", "HTTPS_PROXY", &["proxy=NULL"]).1, 0);
    // A proxy that the program names is used for this machine as well.
    let named = format!("proxy={address}");
    let through = ("EVRIM_OK".to_owned(), 1);
    assert_eq!(get("127.0.0.1", "NO_PROXY_AT_ALL", &[&named]), through);
}

#[test]
fn a_proxy_url_that_is_none_is_refused() {
    let bad = [
        "proxy=",
        "proxy=proxy.test:8080",
        "proxy=ftp://proxy.test",
        "proxy=socks5://proxy.test",
        "proxy=http://",
    ];
    for (value, status) in bad.iter().zip(refusals(&bad)) {
        assert_eq!(status, "EVRIM_ERROR_INVALID_URL", "{value}");
    }
}
