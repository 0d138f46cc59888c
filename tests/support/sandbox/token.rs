//! JSON web tokens: made, and looked at as SimpleJWT looks at them.

use super::clock::now_us;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Access,
    Refresh,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Access => "access",
            Kind::Refresh => "refresh",
        }
    }
}

/// The claims of a token whose signature and times are good. All may be missing from a token made by hand.
pub struct Claims {
    pub kind: Option<String>,
    pub id: Option<String>,
    pub user: Option<String>,
    /// When it was issued, to the microsecond.
    pub issued: i64,
    /// How often the password had been changed by then.
    pub password: u64,
}

pub fn key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// A token of the user with this id, issued at `issued`, in microseconds.
pub fn mint(
    key: &hmac::Key,
    kind: Kind,
    user: u64,
    issued: i64,
    lifetime: Duration,
    password: u64,
    fractional: bool,
) -> String {
    let lifetime = i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX);
    let end = issued.saturating_add(lifetime);
    let (iat, exp) = match fractional {
        true => (json!(issued as f64 / 1e6), json!(end as f64 / 1e6)),
        false => {
            let iat = issued.div_euclid(1_000_000);
            let whole = lifetime / 1_000_000 + i64::from(lifetime % 1_000_000 != 0);
            (json!(iat), json!(iat.saturating_add(whole)))
        }
    };
    let payload = json!({
        "token_type": kind.name(),
        "exp": exp,
        "iat": iat,
        "jti": format!("{:032x}", fastrand::u128(..)),
        "user_id": user.to_string(),
        // Ours, and unknown to a client: the exact times, and what SimpleJWT does with a password hash.
        "sandbox_issued_us": issued,
        "sandbox_end_us": end,
        "sandbox_password": password,
    });
    sign(key, &payload)
}

pub fn sign(key: &hmac::Key, payload: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let signed = format!("{header}.{payload}");
    let tag = hmac::sign(key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

const INVALID: &str = "Token is invalid";
const EXPIRED: &str = "Token is expired";

/// The claims, or SimpleJWT's words for what is wrong.
pub fn check(key: &hmac::Key, token: &str) -> Result<Claims, &'static str> {
    let (signed, tag) = token.rsplit_once('.').ok_or(INVALID)?;
    let (header, payload) = signed.split_once('.').ok_or(INVALID)?;
    let header = decode(header).ok_or(INVALID)?;
    if header["alg"] != "HS256" {
        return Err(INVALID);
    }
    let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| INVALID)?;
    hmac::verify(key, signed.as_bytes(), &tag).map_err(|_| INVALID)?;
    let payload = decode(payload).ok_or(INVALID)?;

    let now = now_us();
    if microseconds(&payload["iat"]).is_some_and(|iat| iat > now) {
        return Err(INVALID);
    }
    let end = payload["sandbox_end_us"]
        .as_i64()
        .or_else(|| microseconds(&payload["exp"]));
    match end {
        Some(end) if end <= now => return Err(EXPIRED),
        Some(_) => {}
        None => return Err("Token has no 'exp' claim"),
    }
    let text = |name: &str| match &payload[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Ok(Claims {
        kind: text("token_type"),
        id: text("jti"),
        user: text("user_id"),
        issued: payload["sandbox_issued_us"]
            .as_i64()
            .or_else(|| microseconds(&payload["iat"]))
            .unwrap_or(0),
        password: payload["sandbox_password"].as_u64().unwrap_or(0),
    })
}

impl Claims {
    /// SimpleJWT's checks of a token that is for one purpose.
    pub fn require(&self, kind: Kind) -> Result<(), &'static str> {
        self.require_id()?;
        match self.kind.as_deref() {
            Some(name) if name == kind.name() => Ok(()),
            Some(_) => Err("Token has wrong type"),
            None => Err("Token has no type"),
        }
    }

    pub fn require_id(&self) -> Result<(), &'static str> {
        self.id.as_ref().map(|_| ()).ok_or("Token has no id")
    }
}

/// The id of a token, good or not.
pub fn id(token: &str) -> Option<String> {
    let payload = decode(token.split('.').nth(1)?)?;
    payload["jti"].as_str().map(str::to_owned)
}

fn decode(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice::<Value>(&bytes)
        .ok()
        .filter(Value::is_object)
}

fn microseconds(seconds: &Value) -> Option<i64> {
    match seconds.as_i64() {
        Some(whole) => Some(whole.saturating_mul(1_000_000)),
        None => seconds.as_f64().map(|seconds| (seconds * 1e6) as i64),
    }
}
