//! A local Evrim server to try things against: `cargo run --example sandbox -- --help`.

#[path = "../tests/support/sandbox/mod.rs"]
mod sandbox;

use sandbox::{Config, Fault, Sandbox};
use std::io::Write;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

const HELP: &str = "\
A local Evrim server, on 127.0.0.1 only, with invented reports.

    sandbox [SWITCHES]                   serve, and print what to export
    sandbox [SWITCHES] -- COMMAND ARGS   run COMMAND against a server of its own

  --port N                     a free port unless given
  --tls                        https, with a certificate authority of its own
  --access-lifetime SECONDS    of an access token (300)
  --refresh-lifetime SECONDS   of a refresh token (86400)
  --rotate                     a refresh replaces the refresh token too
  --pending SECONDS            how long a submitted research takes (2)
  --keep-alive SECONDS         close connections that are idle for so long
  --throttle N                 N token calls a minute
  --opaque                     no token endpoints, only the static API token
  --fault 'PATH=KIND[:ARG][,times=N][,skip=N][,every=N]'
                               something to go wrong; may be given again
  --log                        one line a request on stderr
  --counters                   say at the end what was asked; the end is that of stdin
  --help

PATH is '/reports/', 'POST /token/refresh/', '/reports/*' or '*'. KIND is one of
  status:503  throttle:60  delay:250ms  silent  cut  lost  reset  truncate:100
  html  empty  garbage  huge:100m[:chunked]  gzip-bomb:1g  redirect:[307:]URL
  drip:10:50ms  length:999  raw:TEXT  close
With status also ,header=NAME: VALUE and, last, ,body=TEXT.
";

fn main() -> ExitCode {
    let settings = match Settings::parse(std::env::args().skip(1)) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            print(HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("sandbox: {error}; see --help");
            return ExitCode::from(2);
        }
    };
    let sandbox = match Sandbox::try_start(settings.config) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            eprintln!("sandbox: can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    for fault in settings.faults {
        sandbox.fault(fault);
    }
    let code = match settings.command.split_first() {
        Some((program, arguments)) => run(&sandbox, program, arguments),
        None => serve(&sandbox, settings.counters),
    };
    if settings.counters {
        eprintln!("{:#}", sandbox.counters().to_json());
    }
    sandbox.stop();
    code
}

#[derive(Default)]
struct Settings {
    config: Config,
    faults: Vec<Fault>,
    counters: bool,
    command: Vec<String>,
}

impl Settings {
    /// Nothing when help was asked for.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Settings>, String> {
        let mut settings = Settings::default();
        while let Some(argument) = arguments.next() {
            let (name, attached) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            let mut value = || {
                attached
                    .clone()
                    .or_else(|| arguments.next())
                    .ok_or_else(|| format!("{name} needs a value"))
            };
            let config = &mut settings.config;
            match name {
                "--port" => config.port = number(name, &value()?)?,
                "--access-lifetime" => config.access_lifetime = seconds(name, &value()?)?,
                "--refresh-lifetime" => config.refresh_lifetime = seconds(name, &value()?)?,
                "--pending" => config.pending = seconds(name, &value()?)?,
                "--keep-alive" => config.keep_alive = Some(seconds(name, &value()?)?),
                "--throttle" => config.throttle = Some(number(name, &value()?)?),
                "--fault" => settings.faults.push(Fault::parse(&value()?)?),
                "--tls" => config.tls = true,
                "--rotate" => config.rotate = true,
                "--opaque" => config.opaque_only = true,
                "--log" => config.log = true,
                "--counters" => settings.counters = true,
                "--help" | "-h" => return Ok(None),
                "--" => {
                    settings.command = arguments.by_ref().collect();
                    if settings.command.is_empty() {
                        return Err("no command after --".into());
                    }
                }
                _ => return Err(format!("unknown switch {argument:?}")),
            }
        }
        Ok(Some(settings))
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{name}: not a number: {text:?}"))
}

fn seconds(name: &str, text: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(number(name, text)?).map_err(|error| format!("{name}: {error}"))
}

/// Prints the environment and serves until stdin ends, if anyone wants to hear of the end, or for ever.
fn serve(sandbox: &Sandbox, until_stdin_ends: bool) -> ExitCode {
    let mut lines = String::new();
    for (name, value) in sandbox.env() {
        if name == "SSL_CERT_FILE" {
            lines.push_str("# the sandbox's own certificate authority, in place of the system's\n");
        }
        lines.push_str(&format!(
            "export {name}='{}'\n",
            value.replace('\'', r"'\''")
        ));
    }
    print(&lines);
    eprintln!("sandbox: serving {} (Ctrl-C ends it)", sandbox.url());
    if until_stdin_ends {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        return ExitCode::SUCCESS;
    }
    loop {
        std::thread::park();
    }
}

/// Runs the command with the environment of this server; its end is ours.
fn run(sandbox: &Sandbox, program: &str, arguments: &[String]) -> ExitCode {
    let status = Command::new(program)
        .args(arguments)
        .envs(sandbox.env())
        .status();
    match status {
        Ok(status) => exit_code(status),
        Err(error) => {
            eprintln!("sandbox: can't run {program}: {error}");
            ExitCode::from(127)
        }
    }
}

/// As a shell gives it: 128 and the signal for a command that was killed.
fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    let code = status.code().unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// To stdout at once; a reader that is gone is no reason to stop.
fn print(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
