//! How long a server asks to wait: never forever, and never waited for longer than promised.
//! A line is a header, such as `retry-after: 7`.
#![no_main]

use std::time::{Duration, SystemTime};

use evrim::fuzzing::{Advice, LONGEST_ASKED_WAIT, Outcome, Policy};
use libfuzzer_sys::fuzz_target;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

fuzz_target!(|input: &[u8]| {
    let Some((&first, lines)) = input.split_first() else {
        return;
    };
    let mut headers = HeaderMap::new();
    for line in lines.split(|&byte| byte == b'\n') {
        let mut parts = line.splitn(2, |&byte| byte == b':');
        if let (Some(name), Some(value)) = (parts.next(), parts.next())
            && let Ok(name) = HeaderName::from_bytes(name)
            && let Ok(value) = HeaderValue::from_bytes(value.trim_ascii())
        {
            headers.append(name, value);
        }
    }
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let advice = Advice::read(&headers, wall);
    let seconds = headers
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    if let Some(seconds) = seconds
        && !headers.contains_key("retry-after-ms")
    {
        assert_eq!(advice.after, Some(Duration::from_secs(seconds.into())));
    }
    harness::planted(seconds.is_some_and(|seconds| seconds % 100 == 41));
    let is_known = ["retry-after-ms", "retry-after"]
        .iter()
        .any(|name| headers.contains_key(*name));
    assert!(is_known || advice.after.is_none());
    assert_eq!(
        advice.should_retry.is_some(),
        headers
            .get("x-should-retry")
            .is_some_and(|value| value == "true" || value == "false"),
    );

    let policy = Policy {
        retries: u32::from(first % 11),
        idempotent: first & 16 != 0,
        resends: u32::from(first % 3),
        recovers: first & 32 != 0,
    };
    for status in [200, 301, 401, 404, 408, 409, 429, 500, 501, 503, 599] {
        let outcome = Outcome::Answer { status, advice };
        for attempt in [0, 1, 10, u32::MAX] {
            for jitter in [0.0, 0.5, 1.0] {
                let wait = policy.next(attempt, outcome, jitter);
                let Some(wait) = wait else { continue };
                assert!(wait <= LONGEST_ASKED_WAIT, "{wait:?}");
                assert!(attempt < policy.retries, "more often than allowed");
                assert!(status >= 400, "a success is not asked for twice");
                if let Some(asked) = advice.after {
                    assert_eq!(wait, asked, "the server's word counts");
                }
                if status >= 500 {
                    assert!(policy.idempotent, "it may have been handled");
                }
            }
        }
    }
});
