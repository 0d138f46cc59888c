//! What the server answers: mostly HTTP, and often not what was asked for.

use arbitrary::Unstructured;
use harness::server::{Answer, Then, reply};

const STATUSES: [u16; 24] = [
    200, 200, 200, 201, 202, 204, 206, 301, 304, 400, 401, 401, 403, 404, 408, 409, 416, 418, 429,
    500, 501, 502, 503, 599,
];

/// Waits are short: what a server asks for beyond the total timeout is not waited for.
const HEADERS: [&str; 20] = [
    "",
    "content-type: application/json\r\n",
    "content-type: text/html\r\n",
    "retry-after: 0\r\n",
    "retry-after-ms: 1\r\n",
    "retry-after: 61\r\n",
    "retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n",
    "x-should-retry: true\r\nretry-after-ms: 0\r\n",
    "x-should-retry: false\r\n",
    "etag: \"a\"\r\naccept-ranges: bytes\r\n",
    "content-range: bytes 3-8/9\r\netag: \"a\"\r\n",
    "content-range: bytes */9\r\n",
    "content-encoding: gzip\r\n",
    "content-disposition: attachment; filename=\"report.pdf\"\r\n",
    "content-disposition: attachment; filename*=UTF-8''..%2Fa%E9.pdf\r\n",
    "location: http://127.0.0.1:9/other/\r\n",
    "date: Wed, 25 Nov 2026 00:00:00 GMT\r\n",
    "connection: close\r\n",
    "x-moesif-transaction-id: id\r\n",
    "www-authenticate: Bearer realm=\"api\"\r\n",
];

const BODIES: [&str; 12] = [
    "",
    "{}",
    "[]",
    r#"{"code": "token_not_valid", "detail": "no"}"#,
    r#"{"non_field_errors": ["Token is blacklisted"]}"#,
    r#"{"task_id": "t", "status": "P"}"#,
    r#"{"task_id": "t", "status": "C"}"#,
    r#"{"count": 3, "next": "@/v0/x/?page=2", "results": [{}]}"#,
    r#"{"next": "http://127.0.0.1:9/elsewhere/", "results": []}"#,
    r#"{"access": null}"#,
    "<html>",
    "abcdefghi",
];

/// `url` is the server's.
pub fn read(input: &mut Unstructured<'_>, url: &str) -> Vec<Answer> {
    let count = byte(input) % 9;
    (0..count)
        .map_while(|_| (!input.is_empty()).then(|| answer(input, url)))
        .collect()
}

fn answer(input: &mut Unstructured<'_>, url: &str) -> Answer {
    let kind = byte(input);
    match kind % 16 {
        0 => Answer {
            bytes: Vec::new(),
            then: Then::Close,
            is_raw: false,
        },
        1 => Answer {
            bytes: Vec::new(),
            then: Then::Reset,
            is_raw: false,
        },
        // Anything at all. It ends, so that nothing is waited for.
        2 => Answer {
            bytes: bytes(input),
            then: if kind & 32 == 0 {
                Then::Close
            } else {
                Then::Cut
            },
            is_raw: kind & 16 != 0,
        },
        3 => {
            let whole = http(input, url);
            let cut = usize::from(byte(input)) * whole.bytes.len() / 256;
            Answer {
                bytes: whole.bytes[..cut].to_vec(),
                then: match kind & (16 | 32) {
                    0 => Then::Close,
                    32 => Then::Cut,
                    _ => Then::Reset,
                },
                is_raw: false,
            }
        }
        4 => chunked(input, url),
        5..=7 => tokens(input),
        _ => http(input, url),
    }
}

fn http(input: &mut Unstructured<'_>, url: &str) -> Answer {
    let status = STATUSES[usize::from(byte(input)) % STATUSES.len()];
    let headers = headers(input);
    reply(status, &headers, &body(input, url))
}

fn headers(input: &mut Unstructured<'_>) -> String {
    (0..byte(input) % 4)
        .map(|_| HEADERS[usize::from(byte(input)) % HEADERS.len()])
        .collect()
}

fn body(input: &mut Unstructured<'_>, url: &str) -> Vec<u8> {
    let kind = usize::from(byte(input));
    match BODIES.get(kind % 16) {
        Some(body) => body.replace('@', url).into_bytes(),
        // Larger than a piece, for downloads.
        None if kind % 16 == 15 => vec![b'x'; kind * 512],
        None => bytes(input),
    }
}

fn chunked(input: &mut Unstructured<'_>, url: &str) -> Answer {
    let mut bytes = format!(
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n{}\r\n",
        headers(input)
    )
    .into_bytes();
    let body = body(input, url);
    for chunk in body.chunks(usize::from(byte(input)) + 1) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    let ends = byte(input) % 4 > 0;
    bytes.extend_from_slice(if ends { b"0\r\n\r\n" } else { b"0\r\n" });
    Answer {
        bytes,
        then: if ends { Then::Keep } else { Then::Close },
        is_raw: false,
    }
}

/// Tokens with a life of the input's choice: about to end, ended, opaque.
fn tokens(input: &mut Unstructured<'_>) -> Answer {
    let life = [0, 1, 20, 300, 100_000, -5_i64][usize::from(byte(input)) % 6];
    let begun = 1_795_000_000_i64;
    let token = match byte(input) % 8 {
        0 => "opaque".to_owned(),
        1 => "not a token".to_owned(),
        _ => harness::token(format!(r#"{{"exp": {}, "iat": {begun}}}"#, begun + life).as_bytes()),
    };
    let body = match byte(input) % 3 {
        0 => format!(r#"{{"access": "{token}"}}"#),
        1 => format!(r#"{{"refresh": "{token}", "access": "{token}"}}"#),
        _ => format!(r#"{{"access": "{token}", "refresh": null}}"#),
    };
    reply(200, "content-type: application/json\r\n", body.as_bytes())
}

/// 0 when the input is at its end.
pub fn byte(input: &mut Unstructured<'_>) -> u8 {
    input.arbitrary().unwrap_or(0)
}

pub fn bytes(input: &mut Unstructured<'_>) -> Vec<u8> {
    let count = usize::from(byte(input)).min(input.len());
    input.bytes(count).unwrap_or_default().to_vec()
}
