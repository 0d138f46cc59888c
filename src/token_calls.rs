//! The three calls of the token API: sign in, refresh, verify.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use reqwest::{Method, Url};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::call::{Call, Plan, Purpose, Reply};
use crate::error::{Error, Result, Status};
use crate::json::Node;
use crate::retry::Policy;
use crate::secret::{self, Secret};
use crate::transport::Incoming;

#[derive(Debug)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

/// What the server hands out: an access token, and mostly a refresh token with it.
#[derive(Debug)]
pub struct Pair {
    pub access: Secret,
    pub refresh: Option<Secret>,
}

pub enum Refreshed {
    Pair(Pair),
    /// The refresh token is used up, and what it bought is lost.
    Lost(Error),
}

/// What to do about an answer that did not come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// As often as anything else.
    IsAskedForAgain,
    /// Once, but in any case: it may have held the only token that is good from now on.
    IsRecovered,
}

impl Call<'_> {
    pub async fn sign_in(&self, credentials: &Credentials) -> Result<Pair> {
        let url = &self.endpoint.token;
        let body = body(&[
            ("username", &credentials.username),
            ("password", credentials.password.expose()),
        ]);
        let incoming = self.post(url, body, Lost::IsAskedForAgain).await?.incoming;
        if incoming.is_success() {
            return self.pair(&incoming, url, &credentials.password);
        }
        let advice = "check the user name and the password";
        Err(self.refusal(&incoming, url, advice, &credentials.password))
    }

    /// Where the server rotates refresh tokens, an answer that gets lost takes the new one with it. It
    /// is asked for once more; a refusal then says that it is gone.
    pub async fn refresh(&self, refresh: &Secret) -> Result<Refreshed> {
        let url = &self.endpoint.refresh;
        let body = body(&[("refresh", refresh.expose())]);
        let reply = self.post(url, body, Lost::IsRecovered).await?;
        let incoming = reply.incoming;
        if incoming.is_success() {
            return Ok(Refreshed::Pair(self.pair(&incoming, url, refresh)?));
        }
        let is_lost = reply.lost_one && incoming.status == 401;
        let advice = if is_lost {
            "the connection ended before the server's answer with the new refresh token came, and \
             the old one is used up: sign in again"
        } else {
            "the refresh token has expired or was used before: sign in again"
        };
        let error = self.refusal(&incoming, url, advice, refresh);
        if is_lost {
            return Ok(Refreshed::Lost(error));
        }
        Err(error)
    }

    /// Whether the server accepts a token. Anything but its clear yes or no is an error.
    pub async fn verify(&self, token: &Secret) -> Result<bool> {
        let url = &self.endpoint.verify;
        let body = body(&[("token", token.expose())]);
        let incoming = self.post(url, body, Lost::IsAskedForAgain).await?.incoming;
        match incoming.status {
            200 if self.json(&incoming).is_some_and(|json| json.is_object()) => Ok(true),
            200 => Err(self.nonsense(&incoming, url, "no JSON object where one was due", token)),
            401 if incoming.code().as_deref() == Some("token_not_valid") => Ok(false),
            // So the server says "blacklisted"; a missing token would be named otherwise.
            400 if self
                .json(&incoming)
                .is_some_and(|json| json.pointer("/non_field_errors").is_some()) =>
            {
                Ok(false)
            }
            _ => Err(self.refusal(&incoming, url, "this is no word on the token", token)),
        }
    }

    async fn post(&self, url: &Url, body: Bytes, lost: Lost) -> Result<Reply> {
        self.send(&Plan {
            method: Method::POST,
            url,
            body: Some(body),
            headers: &self.options.headers,
            bearer: None,
            policy: Policy {
                retries: self.options.retries,
                idempotent: true,
                resends: match lost {
                    Lost::IsAskedForAgain => self.options.retries,
                    Lost::IsRecovered => 1,
                },
                recovers: lost == Lost::IsRecovered,
            },
            purpose: Purpose::Token,
            sink: None,
        })
        .await
    }

    fn json(&self, incoming: &Incoming) -> Option<Node> {
        Node::parse(&incoming.body)
    }

    fn pair(&self, incoming: &Incoming, url: &Url, sent: &Secret) -> Result<Pair> {
        let pair: Option<RawPair> = serde_json::from_slice(&incoming.body).ok();
        let Some(RawPair {
            access: Some(access),
            refresh,
        }) = pair
        else {
            return Err(self.nonsense(incoming, url, "no access token where one was due", sent));
        };
        let is_token = |token: &Secret| secret::is_token(token.expose());
        if !is_token(&access) || !refresh.as_ref().is_none_or(is_token) {
            return Err(self.nonsense(incoming, url, "a token that would break a header", sent));
        }
        Ok(Pair { access, refresh })
    }

    /// A 401 gets the advice; any other answer speaks for itself. What was `sent` is not quoted.
    fn refusal(&self, incoming: &Incoming, url: &Url, advice: &str, sent: &Secret) -> Error {
        let hint = match incoming.status {
            200..=299 => {
                return self.nonsense(incoming, url, "an unexpected kind of success", sent);
            }
            401 => Some(advice),
            _ => None,
        };
        let wall = self.options.clock.wall();
        incoming.error_with(&Method::POST, url, wall, hint, sent.expose())
    }

    fn nonsense(&self, incoming: &Incoming, url: &Url, why: &str, sent: &Secret) -> Error {
        let error = incoming
            .protocol_error(&Method::POST, url, self.options.clock.wall(), why)
            .without(sent.expose());
        // A web page is worth showing; anything else may hold new tokens.
        if incoming.body.trim_ascii_start().starts_with(b"<") {
            error
        } else {
            error.without_body()
        }
    }
}

/// A JSON object of strings, wiped after use.
fn body(members: &[(&str, &str)]) -> Bytes {
    // Room enough from the start, for a buffer that grows leaves copies behind.
    let room = members
        .iter()
        .map(|(name, value)| 6 * (name.len() + value.len()) + 8)
        .sum::<usize>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let members: BTreeMap<&str, &str> = members.iter().copied().collect();
    // Writing strings to memory can't fail; an empty body would be the server's to refuse.
    let _ = serde_json::to_writer(&mut *bytes, &members);
    secret::wiped(bytes)
}

/// Read straight into secrets, so that no copy of a token is left in a document.
#[derive(Default)]
struct RawPair {
    access: Option<Secret>,
    refresh: Option<Secret>,
}

impl<'de> Deserialize<'de> for RawPair {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<RawPair, D::Error> {
        struct PairVisitor;
        impl<'de> Visitor<'de> for PairVisitor {
            type Value = RawPair;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pair of tokens")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<RawPair, A::Error> {
                let mut pair = RawPair::default();
                while let Some(name) = from.next_key::<String>()? {
                    match name.as_str() {
                        "access" => pair.access = from.next_value()?,
                        "refresh" => pair.refresh = from.next_value()?,
                        _ => drop(from.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(pair)
            }
        }
        from.deserialize_map(PairVisitor)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        struct SecretVisitor;
        impl Visitor<'_> for SecretVisitor {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a token")
            }
            fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }
        }
        from.deserialize_str(SecretVisitor)
    }
}

/// What a refused access token in `evrim_from_token` amounts to.
pub fn refused_token() -> Error {
    Error::new(
        Status::Authentication,
        "the server refuses the access token: it has expired or was revoked; sign in again, or set \
         validate_on_start to false to have it renewed with the refresh token",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_pairs_are_masked_when_printed() {
        let credentials = Credentials {
            username: "alice".to_owned(),
            password: Secret::new("hunter2"),
        };
        let pair = Pair {
            access: Secret::new("aaa.bbb.ccc"),
            refresh: Some(Secret::new("ddd.eee.fff")),
        };
        for printed in [
            format!("{credentials:?} {pair:?}"),
            format!("{credentials:#?} {pair:#?}"),
        ] {
            assert!(printed.contains("alice"), "{printed}");
            for secret in ["hunter2", "aaa", "bbb", "ddd", "eee"] {
                assert!(!printed.contains(secret), "{printed}");
            }
        }
    }
}
