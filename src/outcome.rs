//! How an attempt ended, and what the server's headers say about another one.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// A server that asks for more than this is not waited for: the caller knows better what to do.
pub const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(60);

/// How an attempt ended, as far as trying again is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No connection: the server has seen nothing.
    NotConnected,
    /// The connection ended before the answer; the request may have been handled.
    Broken,
    /// An answer.
    Answer { status: u16, advice: Advice },
    /// Anything else: TLS, a deadline, an answer that makes no sense.
    Final,
}

/// What the server's headers say about trying again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    pub after: Option<Duration>,
    pub should_retry: Option<bool>,
}

impl Advice {
    /// `wall` stands in where the answer has no date of its own.
    pub fn read(headers: &HeaderMap, wall: SystemTime) -> Advice {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let millis = text("retry-after-ms")
            .and_then(|text| text.trim().parse::<f64>().ok())
            .and_then(|millis| Duration::try_from_secs_f64(millis / 1000.0).ok());
        let after = millis.or_else(|| {
            let text = text(RETRY_AFTER.as_str())?.trim();
            match text.parse::<f64>() {
                Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
                Err(_) => {
                    let date = httpdate::parse_http_date(text).ok()?;
                    Some(
                        date.duration_since(server_time(headers).unwrap_or(wall))
                            .unwrap_or_default(),
                    )
                }
            }
        });
        let should_retry = match text("x-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        Advice {
            after,
            should_retry,
        }
    }
}

/// The server's own time, from its `Date`.
pub fn server_time(headers: &HeaderMap) -> Option<SystemTime> {
    headers
        .get(DATE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| httpdate::parse_http_date(text).ok())
}

/// Whether the same request may well succeed later.
pub fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502..=599)
}

#[cfg(test)]
pub(crate) fn advice(headers: &[(&'static str, &'static str)]) -> Advice {
    use reqwest::header::{HeaderName, HeaderValue};
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    Advice::read(&headers, SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_to_wait_for_is_measured_by_the_servers_clock() {
        let advice = advice(&[
            ("date", "Tue, 24 Nov 2026 10:00:00 GMT"),
            ("retry-after", "Tue, 24 Nov 2026 10:00:30 GMT"),
        ]);
        assert_eq!(advice.after, Some(Duration::from_secs(30)));
    }

    #[test]
    fn garbage_to_wait_for_is_no_advice() {
        for text in ["soon", "-1", "nan", "inf", "1e999", ""] {
            assert_eq!(advice(&[("retry-after", text)]).after, None, "{text}");
        }
    }
}
