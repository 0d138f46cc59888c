//! Faults carried out: what goes over the wire in place of the right answer.

use super::fault::FaultKind;
use super::payload::Payload;
use super::reply::{Call, Reply};
use super::shared::Shared;
use super::wire::Orders;
use super::{api, auth, gzip};
use bytes::Bytes;
use hyper::{Method, Response};
use std::io::Error;

/// An error tells hyper to drop the connection.
pub async fn answer(
    shared: &Shared,
    call: &Call,
    kind: FaultKind,
    orders: &Orders,
) -> Result<Response<Payload>, Error> {
    let right = async || api::answer(shared, call).await.encode(call);
    let cut = || Err(Error::other("cut on purpose"));
    let response = match kind {
        FaultKind::Delay(pause) => {
            tokio::time::sleep(pause).await;
            right().await.into_response()
        }
        FaultKind::Status {
            status,
            headers,
            body,
        } => {
            let mut reply = Reply::new(status, "", body);
            reply.headers = headers;
            reply.into_response()
        }
        FaultKind::Throttle { seconds } => auth::throttled(seconds).into_response(),
        FaultKind::Silent => std::future::pending().await,
        FaultKind::Cut => return cut(),
        FaultKind::Lost => {
            right().await;
            return cut();
        }
        FaultKind::Reset => {
            orders.reset();
            return cut();
        }
        FaultKind::Truncate(count) => {
            let reply = right().await;
            let payload = reply.truncated(count);
            reply.with_payload(payload)
        }
        FaultKind::Html => {
            Reply::html(200, "Welcome", "This is a page, not an API.").into_response()
        }
        FaultKind::Empty => Reply::new(200, "application/json", "").into_response(),
        FaultKind::Garbage => {
            Reply::new(200, "application/json", "{\"access\": \"eyJ, ]").into_response()
        }
        FaultKind::Huge { bytes, chunked } => {
            let length = (!chunked).then_some(bytes);
            Reply::new(200, "application/json", "")
                .with_payload(Payload::pieces(long_string(bytes), length))
        }
        FaultKind::GzipBomb(bytes) => Reply::new(200, "application/json", "")
            .header("content-encoding", "gzip")
            .with_payload(Payload::pieces(gzip::bomb(bytes), None)),
        FaultKind::Redirect { status, location } => {
            Reply::new(status, "text/html; charset=utf-8", "")
                .header("location", location)
                .into_response()
        }
        FaultKind::Drip { chunk, pause } => {
            let reply = right().await;
            let payload = Payload::drip(reply.body.clone(), chunk, pause);
            reply.with_payload(payload)
        }
        FaultKind::WrongLength(length) => {
            let reply = right().await;
            let body = match call.method == Method::HEAD {
                true => Bytes::new(),
                false => reply.body.clone(),
            };
            let raw = raw(&reply.into_response(), length, &body);
            return Ok(in_place_of(raw, orders));
        }
        FaultKind::Raw(bytes) => return Ok(in_place_of(bytes, orders)),
        FaultKind::Close => right().await.header("connection", "close").into_response(),
    };
    Ok(response)
}

/// Hyper is given an empty answer to write, and the wire swaps it for these bytes.
fn in_place_of(bytes: Vec<u8>, orders: &Orders) -> Response<Payload> {
    orders.send_raw(bytes);
    Reply::new(200, "text/plain", "")
        .header("connection", "close")
        .into_response()
}

fn raw(response: &Response<Payload>, length: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A JSON string of so many bytes with its quotes, in pieces that share their memory.
fn long_string(bytes: u64) -> impl Iterator<Item = Bytes> + Send {
    const PIECE: u64 = 64 * 1024;
    let piece = Bytes::from(vec![b'x'; PIECE as usize]);
    let inner = bytes.saturating_sub(2);
    let rest = piece.slice(..(inner % PIECE) as usize);
    let quote = |needed: u64| (bytes >= needed).then_some(Bytes::from_static(b"\""));
    let (open, close) = (quote(1), quote(2));
    let full = (0..inner / PIECE).map(move |_| piece.clone());
    let rest = (!rest.is_empty()).then_some(rest);
    open.into_iter().chain(full).chain(rest).chain(close)
}
