//! One answer while it is being made, and how it is dressed to be sent.

use super::blob;
use super::gzip;
use super::payload::Payload;
use super::shared::uuid;
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode, header};
use serde_json::{Value, json};
use std::ops::Range;

/// A request with its body, as far as any answer depends on it.
pub struct Call {
    pub method: Method,
    /// Without the prefix of the base URL, when it has that.
    pub path: String,
    /// As sent, with the prefix and the query.
    pub target: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    /// A header's value, or nothing when it is missing or no text.
    pub fn header(&self, name: HeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// A parameter of the query, undecoded.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    fn takes_gzip(&self) -> bool {
        let accepted = self.header(header::ACCEPT_ENCODING);
        accepted.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
                && !parts.any(|part| part == "q=0")
        })
    }
}

/// JSON that was written and compressed before anyone asked for it.
#[derive(Clone)]
pub struct Prebuilt {
    pub plain: Bytes,
    gzip: Bytes,
}

impl Prebuilt {
    pub fn new(value: &Value) -> Prebuilt {
        let plain = value.to_string();
        Prebuilt {
            gzip: gzip::pack(plain.as_bytes()),
            plain: plain.into(),
        }
    }
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// In place of the body: these places of a blob.
    pub blob: Option<Range<u64>>,
    gzip: Option<Bytes>,
}

/// Shorter JSON is not worth compressing.
const GZIP_FROM: usize = 1024;

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: vec![("content-type".into(), content_type.into())],
            body: body.into(),
            blob: None,
            gzip: None,
        }
    }

    pub fn json(status: u16, value: &Value) -> Reply {
        Reply::new(status, "application/json", value.to_string())
    }

    pub fn prebuilt(page: &Prebuilt) -> Reply {
        Reply {
            gzip: Some(page.gzip.clone()),
            ..Reply::new(200, "application/json", page.plain.clone())
        }
    }

    pub fn detail(status: u16, detail: &str) -> Reply {
        Reply::json(status, &json!({"detail": detail}))
    }

    pub fn unauthorized(value: &Value) -> Reply {
        Reply::json(401, value).header("www-authenticate", "Bearer realm=\"api\"")
    }

    pub fn html(status: u16, title: &str, text: &str) -> Reply {
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><title>{title}</title></head>\n<body><h1>{title}</h1><p>{text}</p></body>\n</html>\n"
        );
        Reply::new(status, "text/html; charset=utf-8", page)
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same for a browser: what was JSON becomes a page that shows it.
    pub fn into_html(mut self) -> Reply {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let page = Reply::html(
            self.status.as_u16(),
            "Evrim sandbox",
            &format!("<pre>{text}</pre>"),
        );
        self.headers.retain(|(name, _)| name != "content-type");
        self.headers.extend(page.headers);
        Reply {
            body: page.body,
            gzip: None,
            ..self
        }
    }

    /// Compresses the body if the caller takes that and it is worth it.
    pub fn encode(mut self, call: &Call) -> Reply {
        let is_json = self
            .headers
            .iter()
            .any(|(name, value)| name == "content-type" && value == "application/json");
        if is_json && self.body.len() > GZIP_FROM && call.takes_gzip() {
            self.body = match self.gzip.take() {
                Some(packed) => packed,
                None => gzip::pack(&self.body),
            };
            return self
                .header("content-encoding", "gzip")
                .header("vary", "Accept-Encoding");
        }
        self
    }

    /// How long the body is.
    pub fn length(&self) -> u64 {
        match &self.blob {
            Some(places) => places.end - places.start,
            None => self.body.len() as u64,
        }
    }

    /// A part of the body in its place.
    pub fn cut_out(&mut self, part: Range<u64>) {
        match &mut self.blob {
            Some(places) => *places = places.start + part.start..places.start + part.end,
            None => self.body = self.body.slice(part.start as usize..part.end as usize),
        }
    }

    /// The first `count` bytes, announced as all of them, and then the end.
    pub fn truncated(&self, count: usize) -> Payload {
        match &self.blob {
            Some(places) => {
                let end = places.end.min(places.start + count as u64);
                Payload::cut_off(blob::pieces(places.start..end), self.length())
            }
            None => Payload::truncated(&self.body, count),
        }
    }

    pub fn into_response(self) -> Response<Payload> {
        let payload = match &self.blob {
            Some(places) => {
                let announced = !self.headers.iter().any(|(name, _)| name == "x-chunked");
                let length = announced.then(|| self.length());
                Payload::pieces(blob::pieces(places.clone()), length)
            }
            None => Payload::whole(self.body),
        };
        respond(self.status, &self.headers, payload)
    }

    /// The status and headers with another body.
    pub fn with_payload(self, payload: Payload) -> Response<Payload> {
        respond(self.status, &self.headers, payload)
    }
}

fn respond(
    status: StatusCode,
    headers: &[(String, String)],
    payload: Payload,
) -> Response<Payload> {
    let mut response = Response::new(payload);
    *response.status_mut() = status;
    let map = response.headers_mut();
    let ids = [
        ("x-moesif-transaction-id", uuid()),
        (
            "apigw-requestid",
            format!("{:011x}=", fastrand::u64(..1 << 44)),
        ),
    ];
    for (name, value) in ids {
        if let Ok(value) = HeaderValue::from_str(&value) {
            map.insert(HeaderName::from_static(name), value);
        }
    }
    let mut own: Vec<&str> = Vec::new();
    for (name, value) in headers {
        let (Ok(key), Ok(text)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value.as_bytes()),
        ) else {
            continue;
        };
        // A header given twice is sent twice, but it takes the place of one of ours.
        match own.contains(&name.as_str()) {
            true => map.append(key, text),
            false => map.insert(key, text).is_some(),
        };
        own.push(name);
    }
    response
}
