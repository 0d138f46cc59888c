//! What can be made to go wrong, where and how often.

use serde_json::Value;
use std::time::Duration;

/// One thing that goes wrong with the requests it matches.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// `METHOD /token/refresh/`, or the path alone; `*` is all, and one at the end is any rest.
    pub path: String,
    pub kind: FaultKind,
    /// So many matching requests pass first.
    pub skip: u32,
    /// How often it happens; `u32::MAX` is always.
    pub times: u32,
    /// Every nth matching request, after those skipped.
    pub every: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    Status {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// 429 as SimpleJWT's throttle gives it.
    Throttle {
        seconds: u64,
    },
    /// Waits, and then goes on to the next fault or the answer.
    Delay(Duration),
    /// Takes the request and never answers.
    Silent,
    /// Closes the connection before an answer; the request is not acted on.
    Cut,
    /// Acts on the request, then closes the connection: the lost answer.
    Lost,
    /// Like `Cut`, by RST.
    Reset,
    /// All headers, so many bytes of the body, then the end.
    Truncate(usize),
    /// 200 with a page of HTML.
    Html,
    /// 200 with no body.
    Empty,
    /// 200 with something that is no JSON, though it says so.
    Garbage,
    /// 200 with a JSON string this long.
    Huge {
        bytes: u64,
        chunked: bool,
    },
    /// 200 with a small gzip body that unpacks to this much white space.
    GzipBomb(u64),
    Redirect {
        status: u16,
        location: String,
    },
    /// The right answer, in small pieces with a pause before each next one.
    Drip {
        chunk: usize,
        pause: Duration,
    },
    /// The right answer with this Content-Length, then the end.
    WrongLength(u64),
    /// These bytes in place of an HTTP answer, then the end.
    Raw(Vec<u8>),
    /// The right answer, with `Connection: close`.
    Close,
}

impl Fault {
    /// A fault that always happens; the other methods narrow it.
    pub fn new(path: &str, kind: FaultKind) -> Fault {
        Fault {
            path: path.to_owned(),
            kind,
            skip: 0,
            times: u32::MAX,
            every: 1,
        }
    }

    /// A bare status with a Django-like body.
    pub fn status(path: &str, status: u16) -> Fault {
        Fault::new(path, FaultKind::status(status))
    }

    pub fn times(self, times: u32) -> Fault {
        Fault { times, ..self }
    }

    pub fn skip(self, skip: u32) -> Fault {
        Fault { skip, ..self }
    }

    pub fn every(self, every: u32) -> Fault {
        Fault { every, ..self }
    }

    /// `PATH=KIND[:ARG][,times=N][,skip=N][,every=N][,header=NAME: VALUE][,body=REST]`
    pub fn parse(text: &str) -> Result<Fault, String> {
        let (path, rest) = text
            .split_once('=')
            .ok_or_else(|| format!("a fault is PATH=KIND, not {text:?}"))?;
        let (rest, body) = match rest.split_once(",body=") {
            Some((rest, body)) => (rest, Some(body)),
            None => (rest, None),
        };
        let mut parts = rest.split(',');
        let kind = FaultKind::parse(parts.next().unwrap_or_default())?;
        let mut fault = Fault::new(path, kind);
        if let Some(body) = body {
            fault.set_body(body)?;
        }
        for part in parts {
            match part.split_once('=') {
                Some(("times", value)) => fault.times = number(value)?,
                Some(("skip", value)) => fault.skip = number(value)?,
                Some(("every", value)) => fault.every = number(value)?,
                Some(("header", value)) => {
                    let (name, value) = value
                        .split_once(':')
                        .ok_or_else(|| format!("a header is NAME: VALUE, not {value:?}"))?;
                    fault.add_header(name.trim(), value.trim())?;
                }
                _ => return Err(format!("unknown part of a fault: {part:?}")),
            }
        }
        Ok(fault)
    }

    /// `{"path", "kind": "status:503", "times", "skip", "every", "headers": {}, "body": ""}`
    pub fn from_json(value: &Value) -> Result<Fault, String> {
        let text = |name: &str| value[name].as_str();
        let kind = FaultKind::parse(text("kind").ok_or("a fault needs a kind")?)?;
        let mut fault = Fault::new(text("path").unwrap_or("*"), kind);
        let count = |name: &str, default: u32| match value[name].as_u64() {
            Some(count) => u32::try_from(count).unwrap_or(u32::MAX),
            None => default,
        };
        fault.times = count("times", fault.times);
        fault.skip = count("skip", fault.skip);
        fault.every = count("every", fault.every);
        for (name, value) in value["headers"].as_object().into_iter().flatten() {
            let plain = value.to_string();
            fault.add_header(name, value.as_str().unwrap_or(&plain))?;
        }
        if let Some(body) = text("body") {
            fault.set_body(body)?;
        }
        Ok(fault)
    }

    fn add_header(&mut self, name: &str, value: &str) -> Result<(), String> {
        let FaultKind::Status { headers, .. } = &mut self.kind else {
            return Err("only a status fault has headers".into());
        };
        headers.retain(|(old, _)| !old.eq_ignore_ascii_case(name));
        headers.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn set_body(&mut self, text: &str) -> Result<(), String> {
        let FaultKind::Status { body, .. } = &mut self.kind else {
            return Err("only a status fault has a body".into());
        };
        *body = text.as_bytes().to_vec();
        if text.starts_with(['{', '[']) {
            self.add_header("content-type", "application/json")?;
        }
        Ok(())
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        let wanted = match self.path.split_once(' ') {
            Some((wanted, _)) if !wanted.eq_ignore_ascii_case(method) => return false,
            Some((_, path)) => path,
            None => &self.path,
        };
        let wanted = wanted.strip_prefix(super::shared::PREFIX).unwrap_or(wanted);
        match wanted.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == wanted,
        }
    }
}

impl FaultKind {
    /// A page of HTML, as a gateway or Django itself sends with its errors.
    pub fn status(status: u16) -> FaultKind {
        FaultKind::Status {
            status,
            headers: vec![("content-type".into(), "text/html".into())],
            body: format!(
                "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
            )
            .into_bytes(),
        }
    }

    /// An error as the API itself words it.
    pub fn json(status: u16, body: &Value) -> FaultKind {
        FaultKind::Status {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.to_string().into_bytes(),
        }
    }

    pub fn parse(text: &str) -> Result<FaultKind, String> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, argument),
            None => (text, ""),
        };
        Ok(match name {
            "status" => FaultKind::status(status(argument)?),
            "throttle" if argument.is_empty() => FaultKind::Throttle { seconds: 60 },
            "throttle" => FaultKind::Throttle {
                seconds: number(argument)?,
            },
            "delay" => FaultKind::Delay(duration(argument)?),
            "silent" => FaultKind::Silent,
            "cut" => FaultKind::Cut,
            "lost" => FaultKind::Lost,
            "reset" => FaultKind::Reset,
            "truncate" => FaultKind::Truncate(size(argument)? as usize),
            "html" => FaultKind::Html,
            "empty" => FaultKind::Empty,
            "garbage" => FaultKind::Garbage,
            "huge" => match argument.strip_suffix(":chunked") {
                Some(bytes) => FaultKind::Huge {
                    bytes: size(bytes)?,
                    chunked: true,
                },
                None => FaultKind::Huge {
                    bytes: size(argument)?,
                    chunked: false,
                },
            },
            "gzip-bomb" => FaultKind::GzipBomb(size(argument)?),
            "redirect" => {
                let (status, location) = match argument.split_once(':') {
                    Some((code, location)) if code.len() == 3 => (status(code)?, location),
                    _ => (302, argument),
                };
                FaultKind::Redirect {
                    status,
                    location: location.to_owned(),
                }
            }
            "drip" => {
                let (chunk, pause) = argument.split_once(':').ok_or("drip is drip:BYTES:PAUSE")?;
                FaultKind::Drip {
                    chunk: size(chunk)? as usize,
                    pause: duration(pause)?,
                }
            }
            "length" => FaultKind::WrongLength(size(argument)?),
            "raw" => FaultKind::Raw(argument.replace("\\r", "\r").replace("\\n", "\n").into()),
            "close" => FaultKind::Close,
            _ => return Err(format!("unknown kind of fault: {text:?}")),
        })
    }
}

/// `250ms`, `1.5s`, or seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * unit).ok())
        .ok_or_else(|| format!("not a duration: {text:?}"))
}

fn size(text: &str) -> Result<u64, String> {
    let shift = match text.to_ascii_lowercase().chars().last() {
        Some('k') => 10,
        Some('m') => 20,
        Some('g') => 30,
        _ => 0,
    };
    let digits = if shift == 0 {
        text
    } else {
        &text[..text.len() - 1]
    };
    Ok(number::<u64>(digits)? << shift)
}

fn status(text: &str) -> Result<u16, String> {
    match number(text)? {
        status @ 200..=599 => Ok(status),
        other => Err(format!("not a status: {other}")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}

/// The faults in force, each with its count of the requests that it matched.
#[derive(Default)]
pub struct Faults {
    list: Vec<(Fault, u32)>,
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.list.push((fault, 0));
    }

    pub fn clear(&mut self) {
        self.list.clear();
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// How long to wait, and then what goes wrong with this request. Delays add up; any other fault is the last.
    pub fn take(&mut self, method: &str, path: &str) -> (Duration, Option<FaultKind>) {
        let mut delay = Duration::ZERO;
        for (fault, seen) in &mut self.list {
            if fault.times == 0 || !fault.matches(method, path) {
                continue;
            }
            *seen = seen.saturating_add(1);
            let Some(due) = seen.checked_sub(fault.skip).filter(|due| *due > 0) else {
                continue;
            };
            if due % fault.every.max(1) != 0 {
                continue;
            }
            if fault.times != u32::MAX {
                fault.times -= 1;
            }
            match &fault.kind {
                FaultKind::Delay(more) => delay += *more,
                other => return (delay, Some(other.clone())),
            }
        }
        (delay, None)
    }
}
