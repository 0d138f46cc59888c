//! Passwords and tokens: wiped when dropped, masked when printed.

use std::fmt;

use bytes::Bytes;
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Bytes that are wiped when the last holder lets go of them.
pub fn wiped(bytes: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(bytes)
}

/// `Authorization: Bearer <token>`; `None` where the token would break the header.
pub fn bearer(token: &str) -> Option<HeaderValue> {
    if !is_token(token) {
        return None;
    }
    let mut text = Zeroizing::new(Vec::with_capacity("Bearer ".len() + token.len()));
    text.extend_from_slice(b"Bearer ");
    text.extend_from_slice(token.as_bytes());
    let mut value = HeaderValue::from_maybe_shared(wiped(text)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The token in a header that `bearer` made.
pub fn token_of(header: &HeaderValue) -> &str {
    let text = header.to_str().unwrap_or_default();
    text.strip_prefix("Bearer ").unwrap_or_default()
}

/// Whether a token is made of visible ASCII only: anything else could break the header.
pub fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
        let header = bearer("abc.def").expect("a good token");
        assert!(header.is_sensitive());
        assert_eq!(header.as_bytes(), b"Bearer abc.def");
    }

    #[test]
    fn a_token_that_breaks_the_header_is_refused() {
        for token in ["", "a b", "a\r\nX: y", "a\tb", "naïve", "a\u{7f}"] {
            assert!(bearer(token).is_none(), "{token:?}");
        }
    }
}
