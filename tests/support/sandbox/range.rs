//! A part of a file: `Range`, `If-Range` and the answers 206 and 416.

use super::reply::{Call, Reply};
use hyper::{StatusCode, header};

pub fn apply(reply: Reply, etag: &str, call: &Call) -> Reply {
    let mut reply = reply.header("accept-ranges", "bytes").header("etag", etag);
    let condition = call.header(header::IF_RANGE);
    if !condition.is_empty() && condition != etag {
        return reply;
    }
    let length = reply.length();
    match parse(call.header(header::RANGE), length) {
        Asked::Whole => reply,
        Asked::Part(start, end) => {
            reply.cut_out(start..end);
            reply.status = StatusCode::PARTIAL_CONTENT;
            reply.header(
                "content-range",
                format!("bytes {start}-{}/{length}", end - 1),
            )
        }
        Asked::Nothing => Reply::detail(416, "Requested range not satisfiable.")
            .header("content-range", format!("bytes */{length}")),
    }
}

enum Asked {
    Whole,
    Part(u64, u64),
    Nothing,
}

/// One range; a header that is wrong or asks for several is ignored, as the standard allows.
fn parse(range: &str, length: u64) -> Asked {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(start), Ok(end)) if start <= end && start < length => {
            Asked::Part(start, end.saturating_add(1).min(length))
        }
        (Ok(start), Err(_)) if last.trim().is_empty() && start < length => {
            Asked::Part(start, length)
        }
        (Ok(start), _) if start >= length => Asked::Nothing,
        (Err(_), Ok(0)) if first.trim().is_empty() => Asked::Nothing,
        (Err(_), Ok(count)) if first.trim().is_empty() => {
            Asked::Part(length.saturating_sub(count), length)
        }
        _ => Asked::Whole,
    }
}
