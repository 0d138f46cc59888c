//! A header of the caller's own: which are refused, and what may stand in one.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, Result};

/// Headers that the library sets, or that would change what a request is.
const RESERVED: [&str; 13] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Puts a header in, in place of one of the same name; `None` takes it out.
pub fn set(headers: &mut HeaderMap, name: &str, value: Option<&str>) -> Result<()> {
    let name: HeaderName = name
        .parse()
        .map_err(|_| Error::invalid_argument("that is no name for a header"))?;
    if RESERVED.contains(&name.as_str()) {
        return Err(Error::invalid_argument(format!(
            "the header {name} is the library's own"
        )));
    }
    match value {
        Some(value) => {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                Error::invalid_argument(format!(
                    "the value for the header {name} holds a character that would break it"
                ))
            })?;
            // It may be a key.
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        None => {
            headers.remove(name);
        }
    }
    Ok(())
}
