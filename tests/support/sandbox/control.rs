//! `/sandbox/`: the owner's methods over HTTP, for tests in another process.

use super::fault::Fault;
use super::reply::{Call, Reply};
use super::shared::{Shared, UserState};
use serde_json::{Value, json};

/// The answer to a request under `/sandbox/`; none for any other path.
pub fn answer(shared: &Shared, call: &Call) -> Option<Reply> {
    let path = call.path.strip_prefix("/sandbox/")?;
    let body = || serde_json::from_slice::<Value>(&call.body).unwrap_or(Value::Null);
    let done = || Reply::json(200, &json!({}));
    Some(match (call.method.as_str(), path.trim_end_matches('/')) {
        ("GET", "counters") => Reply::json(200, &shared.state().counters.to_json()),
        ("DELETE", "counters") => {
            let mut state = shared.state();
            let before = state.counters.to_json();
            state.counters.reset();
            Reply::json(200, &before)
        }
        ("POST", "faults") => match Fault::from_json(&body()) {
            Ok(fault) => {
                let mut state = shared.state();
                state.faults.add(fault);
                Reply::json(201, &json!({"faults": state.faults.len()}))
            }
            Err(error) => Reply::detail(400, &error),
        },
        ("DELETE", "faults") => {
            shared.state().faults.clear();
            done()
        }
        ("POST", "revoke") => {
            shared.revoke_access_tokens();
            done()
        }
        ("POST", "user") => match user_state(body()["state"].as_str().unwrap_or_default()) {
            Some(user) => {
                shared.set_user_state(user);
                done()
            }
            None => Reply::detail(400, "state: active, inactive, deleted or password_changed"),
        },
        ("POST", "drop") => {
            shared.drop_connections();
            done()
        }
        ("POST", "rotate") => {
            shared.state().rotate = body()["on"].as_bool().unwrap_or(true);
            done()
        }
        ("POST", "documents") => {
            shared.renew_documents();
            done()
        }
        (_, "counters" | "faults" | "revoke" | "user" | "drop" | "rotate" | "documents") => {
            Reply::detail(405, "not with this method")
        }
        _ => Reply::detail(404, "no such control"),
    })
}

fn user_state(name: &str) -> Option<UserState> {
    Some(match name.to_ascii_lowercase().as_str() {
        "active" => UserState::Active,
        "inactive" => UserState::Inactive,
        "deleted" => UserState::Deleted,
        "password_changed" | "passwordchanged" => UserState::PasswordChanged,
        _ => return None,
    })
}
