//! The claims of a token, unverified: good for knowing when it ends, never for trusting it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::json::{Node, Text};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Claims {
    /// Seconds since 1970.
    pub expires_at: Option<i64>,
    pub issued_at: Option<i64>,
    pub is_refresh: bool,
}

/// `None` for an opaque token.
pub fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
    let payload = Node::parse(&payload).filter(Node::is_object)?;
    let kind = payload.pointer("/token_type").and_then(Node::as_text);
    Some(Claims {
        expires_at: seconds(&payload, "/exp"),
        issued_at: seconds(&payload, "/iat"),
        is_refresh: kind.map(Text::as_str) == Some("refresh"),
    })
}

/// A NumericDate may have a fraction; what is no date at all is taken as absent.
fn seconds(payload: &Node, pointer: &str) -> Option<i64> {
    let number = payload.pointer(pointer)?;
    match number.as_int() {
        Some(whole) => Some(whole).filter(|seconds| *seconds >= 0),
        None => number
            .as_double()
            .filter(|seconds| (0.0..9e15).contains(seconds))
            .map(|seconds| seconds as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn the_claims_of_a_token() {
        let claims = claims(&token(
            r#"{"token_type":"access","exp":1700000300,"iat":1700000000.9,"jti":"x"}"#,
        ));
        assert_eq!(
            claims,
            Some(Claims {
                expires_at: Some(1_700_000_300),
                issued_at: Some(1_700_000_000),
                is_refresh: false
            })
        );
    }

    #[test]
    fn an_opaque_token_has_no_claims() {
        for opaque in [
            "",
            "abc",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            "..",
            &token("[]"),
            &token("nope"),
        ] {
            assert_eq!(claims(opaque), None, "{opaque}");
        }
    }

    #[test]
    fn a_strange_date_is_no_date() {
        for exp in ["\"soon\"", "-5", "1e300", "null", "true", "[1]"] {
            let claims = claims(&token(&format!("{{\"exp\":{exp}}}"))).expect("an object");
            assert_eq!(claims.expires_at, None, "{exp}");
        }
    }
}
