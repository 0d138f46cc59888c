//! The answers, made once: headers and body in one piece.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub struct Answers {
    access: String,
    pages: HashMap<&'static str, Vec<u8>>,
    pair: Vec<u8>,
    valid: Vec<u8>,
    unauthorized: Vec<u8>,
    not_found: Vec<u8>,
}

impl Answers {
    pub fn make() -> Answers {
        let access = token("access");
        let pair = json!({"refresh": token("refresh"), "access": access});
        let body = |megabytes: usize| {
            let pattern: Vec<u8> = (0..=255).collect();
            let bytes = pattern
                .iter()
                .copied()
                .cycle()
                .take(megabytes * 1_000_000)
                .collect::<Vec<u8>>();
            answer("200 OK", "application/octet-stream", &bytes)
        };
        Answers {
            access,
            pages: HashMap::from([
                ("/prod/paragraphs/1/", page(&paragraph())),
                ("/prod/reports/1/", page(&report())),
                ("/prod/body/10/", body(10)),
                ("/prod/body/50/", body(50)),
            ]),
            pair: page(&pair),
            valid: page(&json!({})),
            unauthorized: answer(
                "401 Unauthorized",
                "application/json",
                br#"{"detail":"Authentication credentials were not provided."}"#,
            ),
            not_found: answer(
                "404 Not Found",
                "application/json",
                br#"{"detail":"Not found."}"#,
            ),
        }
    }

    /// The answer to the first request in `bytes`, and the request's length; `None` if it is not all there.
    pub fn to(&self, bytes: &[u8]) -> Option<(&[u8], usize)> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(head) = request.parse(bytes).expect("a proper request")
        else {
            return None;
        };
        let header = |name: &str| {
            let header = request
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let length: usize =
            header("content-length").map_or(0, |length| length.parse().expect("a length"));
        let body = bytes.get(head..head + length)?;
        let member = |name: &str| {
            let body: Value = serde_json::from_slice(body).ok()?;
            Some(body.get(name)?.as_str()?.to_owned())
        };
        let answer = match (request.method?, request.path?) {
            ("POST", "/prod/token/") if member("password").is_some() => &self.pair,
            ("POST", "/prod/token/verify/") if member("token").as_ref() == Some(&self.access) => {
                &self.valid
            }
            ("POST", _) => &self.unauthorized,
            (_, path) => {
                let bearer =
                    header("authorization").and_then(|value| value.strip_prefix("Bearer "));
                match self.pages.get(path) {
                    _ if bearer != Some(&self.access) => &self.unauthorized,
                    Some(page) => page,
                    None => &self.not_found,
                }
            }
        };
        Some((answer, head + length))
    }
}

fn page(value: &Value) -> Vec<u8> {
    answer("200 OK", "application/json", value.to_string().as_bytes())
}

/// With the headers that such a service sends.
fn answer(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n\
         Date: Wed, 05 Mar 2025 08:30:00 GMT\r\n\
         Content-Type: {kind}\r\n\
         Content-Length: {length}\r\n\
         Connection: keep-alive\r\n\
         Server: gunicorn\r\n\
         Vary: Accept, origin\r\n\
         Allow: GET, HEAD, OPTIONS\r\n\
         X-Frame-Options: DENY\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: same-origin\r\n\
         X-Moesif-Transaction-Id: 5ea1ce00-0000-4000-8000-000000000001\r\n\
         \r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A token that is good for a day, so that no client renews it; its signature is nobody's to check.
fn token(kind: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let claims = json!({
        "token_type": kind,
        "exp": now + 86_400,
        "iat": now,
        "jti": "c0ffee000000400080000000000000a1",
        "user_id": 1,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(&header),
        part(&claims),
        URL_SAFE_NO_PAD.encode([7; 32])
    )
}

const SENTENCES: [&str; 5] = [
    "Between 2003 and 2019 the glaciers of the Alps lost about a third of their ice.",
    "Das Schmelzwasser füllt im Frühjahr die Stauseen; im Spätsommer fehlt es.",
    "Ледники Шпицбергена отступают быстрее, чем считалось прежде.",
    "氷河は百年にわたる気候の記憶を、その層の中に残している。",
    "At the gauge of Brest the sea has risen by 30 cm since 1807 — “more than expected”.",
];

fn sentences(start: usize, count: usize) -> Vec<&'static str> {
    SENTENCES
        .iter()
        .copied()
        .cycle()
        .skip(start % SENTENCES.len())
        .take(count)
        .collect()
}

/// 1 KB.
fn paragraph() -> Value {
    json!({
        "id": 1,
        "title": "Ice and water — Eis und Wasser",
        "sentences": sentences(0, 9),
        "images": [{"url": "https://images.example/1/1.jpg", "caption": "The Aletsch glacier, 2019"}],
    })
}

/// 100 KB.
fn report() -> Value {
    let sections: Vec<Value> = (1..=8)
        .map(|section| {
            let paragraphs: Vec<Value> = (1..=8)
                .map(|number| {
                    json!({
                        "id": 100 * section + number,
                        "title": format!("Абзац {section}.{number}"),
                        "sentences": sentences(section + number, 16),
                        "images": if number % 2 == 0 { Value::Null } else { json!([]) },
                    })
                })
                .collect();
            json!({
                "id": section,
                "title": format!("Section {section} — 第{section}節"),
                "paragraphs": paragraphs,
                "sources": ["https://glaciers.example/data?year=2019", "https://море.example/"],
                "tone": "ANALYTICAL",
                "style": "NARRATIVE",
                "point_of_view": "THIRD_PERSON",
            })
        })
        .collect();
    json!({
        "id": 1,
        "report": {
            "id": 1,
            "task": "5ea1ce00-0000-4000-8000-000000000001",
            "title": "Glaciers and the sea — Gletscher, ледники, 氷河",
            "description": "How ice on land becomes water in the sea.",
            "sections": sections,
        },
        "crew_run": null,
        "raw": sentences(0, 2),
    })
}
