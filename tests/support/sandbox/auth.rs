//! Who is calling: the three token calls, and the check in front of everything else.

use super::reply::{Call, Reply};
use super::route::Route;
use super::shared::{DEMO_ID, Shared, UserState};
use super::token::{self, Claims, Kind};
use super::{API_TOKEN, CHANGED_PASSWORD, PASSWORD, USERNAME};
use hyper::header;
use serde_json::{Map, Value, json};

/// One of the token calls, once it is known to be a POST.
pub async fn token_call(shared: &Shared, route: &Route, call: &Call) -> Reply {
    if let Some(wait) = shared.state().throttled(shared.config.throttle) {
        return throttled(wait.as_secs_f64().ceil() as u64);
    }
    let answer = match route {
        Route::Token => obtain(shared, call),
        Route::Refresh => refresh(shared, call).await,
        _ => verify(shared, call),
    };
    let (reply, good) = match answer {
        Ok(reply) => (reply, 1),
        Err(reply) => (reply, 0),
    };
    let mut state = shared.state();
    let counters = &mut state.counters;
    let (accepted, refused) = match route {
        Route::Token => (&mut counters.sign_ins, &mut counters.refused_sign_ins),
        Route::Refresh => (&mut counters.refreshes, &mut counters.refused_refreshes),
        _ => (&mut counters.verifies, &mut counters.refused_verifies),
    };
    *accepted += good;
    *refused += 1 - good;
    reply
}

pub fn throttled(seconds: u64) -> Reply {
    let detail = format!("Request was throttled. Expected available in {seconds} seconds.");
    Reply::detail(429, &detail).header("retry-after", seconds.to_string())
}

fn obtain(shared: &Shared, call: &Call) -> Result<Reply, Reply> {
    let [username, password] = fields(call, ["username", "password"])?;
    let expected = match shared.state().user {
        UserState::Active => Some(PASSWORD),
        UserState::PasswordChanged => Some(CHANGED_PASSWORD),
        UserState::Inactive | UserState::Deleted => None,
    };
    if username != USERNAME || expected != Some(password.as_str()) {
        let detail = "No active account found with the given credentials";
        return Err(Reply::unauthorized(&json!({"detail": detail})));
    }
    let config = &shared.config;
    Ok(Reply::json(
        200,
        &json!({
            "refresh": shared.mint(Kind::Refresh, config.refresh_lifetime),
            "access": shared.mint(Kind::Access, config.access_lifetime),
        }),
    ))
}

async fn refresh(shared: &Shared, call: &Call) -> Result<Reply, Reply> {
    let [token] = fields(call, ["refresh"])?;
    let claims = token::check(&shared.key, &token).map_err(not_valid)?;
    if is_blacklisted(shared, &claims) {
        return Err(not_valid("Token is blacklisted"));
    }
    claims.require(Kind::Refresh).map_err(not_valid)?;
    if let Some(user) = &claims.user {
        let state = shared.state().user;
        // The real server forgets that a user can be gone.
        if *user != DEMO_ID.to_string() || state == UserState::Deleted {
            return Err(Reply::html(500, "Server Error (500)", ""));
        }
        if state == UserState::Inactive {
            let detail = "No active account found for the given token.";
            return Err(Reply::unauthorized(&json!({"detail": detail})));
        }
    }

    let config = &shared.config;
    if !config.rotation_gap.is_zero() {
        tokio::time::sleep(config.rotation_gap).await;
    }
    let access = shared.mint_derived(Kind::Access, config.access_lifetime, claims.password);
    let mut answer = json!({"access": access});
    let rotates = shared.state().rotate;
    if rotates {
        shared.state().blacklist.extend(claims.id);
        let next = shared.mint_derived(Kind::Refresh, config.refresh_lifetime, claims.password);
        answer["refresh"] = next.into();
    }
    Ok(Reply::json(200, &answer))
}

fn verify(shared: &Shared, call: &Call) -> Result<Reply, Reply> {
    let [token] = fields(call, ["token"])?;
    let claims = token::check(&shared.key, &token).map_err(not_valid)?;
    claims.require_id().map_err(not_valid)?;
    if is_revoked(shared, &claims) {
        return Err(not_valid("Token is invalid"));
    }
    if is_blacklisted(shared, &claims) {
        let errors = json!({"non_field_errors": ["Token is blacklisted"]});
        return Err(Reply::json(400, &errors));
    }
    Ok(Reply::json(200, &json!({})))
}

fn not_valid(detail: &str) -> Reply {
    Reply::unauthorized(&json!({"detail": detail, "code": "token_not_valid"}))
}

fn is_blacklisted(shared: &Shared, claims: &Claims) -> bool {
    let state = shared.state();
    claims
        .id
        .as_ref()
        .is_some_and(|id| state.blacklist.contains(id))
}

fn is_revoked(shared: &Shared, claims: &Claims) -> bool {
    claims.kind.as_deref() == Some("access") && claims.issued <= shared.state().revoked_until
}

/// Lets the holder of a good token pass.
pub fn authenticate(shared: &Shared, call: &Call) -> Result<(), Reply> {
    let refuse = |body: Value| Err(Reply::unauthorized(&body));
    let mut parts = call.header(header::AUTHORIZATION).split_whitespace();
    if parts.next() != Some("Bearer") {
        return refuse(json!({"detail": "Authentication credentials were not provided."}));
    }
    let (Some(token), None) = (parts.next(), parts.next()) else {
        return refuse(json!({
            "detail": "Authorization header must contain two space-delimited values",
            "code": "bad_authorization_header",
        }));
    };
    if token == API_TOKEN {
        return Ok(());
    }
    if shared.config.opaque_only {
        return refuse(json!({"detail": "Invalid token."}));
    }

    let checked = token::check(&shared.key, token).and_then(|claims| {
        claims.require(Kind::Access)?;
        match is_revoked(shared, &claims) {
            true => Err("Token is invalid"),
            false => Ok(claims),
        }
    });
    let claims = match checked {
        Ok(claims) => claims,
        Err(message) => {
            return refuse(json!({
                "detail": "Given token not valid for any token type",
                "code": "token_not_valid",
                "messages": [{"token_class": "AccessToken", "token_type": "access", "message": message}],
            }));
        }
    };
    let Some(user) = claims.user else {
        return refuse(json!({
            "detail": "Token contained no recognizable user identification",
            "code": "token_not_valid",
        }));
    };
    let state = shared.state();
    let known = user == DEMO_ID.to_string() && state.user != UserState::Deleted;
    if !known {
        return refuse(json!({"detail": "User not found", "code": "user_not_found"}));
    }
    if state.user == UserState::Inactive {
        return refuse(json!({"detail": "User is inactive", "code": "user_inactive"}));
    }
    if claims.password != state.password_changes {
        return refuse(json!({
            "detail": "The user's password has been changed.",
            "code": "password_changed",
        }));
    }
    Ok(())
}

/// These members of the body as text, or all that is wrong with them.
fn fields<const N: usize>(call: &Call, names: [&str; N]) -> Result<[String; N], Reply> {
    let body = object(call)?;
    let mut errors = Map::new();
    let texts = names.map(|name| {
        text(body.get(name)).unwrap_or_else(|wrong| {
            errors.insert(name.to_owned(), json!([wrong]));
            String::new()
        })
    });
    match errors.is_empty() {
        true => Ok(texts),
        false => Err(Reply::json(400, &Value::Object(errors))),
    }
}

/// One member of a body as Django's text field takes it.
pub fn text(value: Option<&Value>) -> Result<String, &'static str> {
    let text = match value {
        None => return Err("This field is required."),
        Some(Value::Null) => return Err("This field may not be null."),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err("Not a valid string."),
    };
    match text.is_empty() {
        true => Err("This field may not be blank."),
        false => Ok(text),
    }
}

/// The body as an object, from JSON or a form.
pub fn object(call: &Call) -> Result<Map<String, Value>, Reply> {
    if call.body.is_empty() {
        return Ok(Map::new());
    }
    let sent = call.header(header::CONTENT_TYPE);
    let media = sent.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(form(&call.body));
    }
    if !media.eq_ignore_ascii_case("application/json") {
        let detail = format!("Unsupported media type \"{sent}\" in request.");
        return Err(Reply::detail(415, &detail));
    }
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "list",
                Value::String(_) => "str",
                Value::Bool(_) => "bool",
                Value::Number(number) if number.is_f64() => "float",
                Value::Number(_) => "int",
                _ => "NoneType",
            };
            let error = format!("Invalid data. Expected a dictionary, but got {kind}.");
            Err(Reply::json(400, &json!({"non_field_errors": [error]})))
        }
        Err(error) => Err(Reply::detail(400, &format!("JSON parse error - {error}"))),
    }
}

fn form(body: &[u8]) -> Map<String, Value> {
    let text = String::from_utf8_lossy(body);
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (unescape(name), unescape(value).into()))
        .collect()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = after;
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
