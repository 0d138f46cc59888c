//! A client from environment variables.

use std::env::{self, VarError};

use crate::client::Client;
use crate::error::{Error, Result, Status};
use crate::options::Options;
use crate::secret::Secret;

const URL: &str = "EVRIM_URL";
const USERNAME: &str = "EVRIM_USERNAME";
const PASSWORD: &str = "EVRIM_PASSWORD";
const TOKEN: &str = "EVRIM_TOKEN";
const REFRESH_TOKEN: &str = "EVRIM_REFRESH_TOKEN";
const API_TOKEN: &str = "EVRIM_API_TOKEN";

pub fn client(mut options: Options) -> Result<Client> {
    let missing = |status, what: String| Err(Error::new(status, what));
    let Some(url) = read(URL)? else {
        return missing(
            Status::InvalidUrl,
            format!("{URL} is not set: it must be the base URL of the service"),
        );
    };
    match (read(USERNAME)?, read(PASSWORD)?) {
        (Some(username), Some(password)) => {
            return Client::sign_in(url.expose(), username.expose(), password.expose(), options);
        }
        (Some(_), None) => {
            return missing(
                Status::NoCredentials,
                format!("{PASSWORD} is not set, but {USERNAME} is"),
            );
        }
        (None, Some(_)) => {
            return missing(
                Status::NoCredentials,
                format!("{USERNAME} is not set, but {PASSWORD} is"),
            );
        }
        (None, None) => {}
    }
    if let Some(access) = read(TOKEN)? {
        let refresh = read(REFRESH_TOKEN)?;
        let refresh = refresh.as_ref().map(Secret::expose);
        return Client::from_token(url.expose(), access.expose(), refresh, options);
    }
    if let Some(token) = read(API_TOKEN)? {
        // The service that hands these out has no call to validate them.
        options.set_validate_on_start(false);
        return Client::from_token(url.expose(), token.expose(), None, options);
    }
    missing(
        Status::NoCredentials,
        format!("none of {USERNAME} (with {PASSWORD}), {TOKEN} and {API_TOKEN} is set"),
    )
}

/// An empty variable counts as not set.
fn read(name: &str) -> Result<Option<Secret>> {
    match env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(Secret::from(text))),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error::invalid_argument(format!(
            "the environment variable {name} is not valid UTF-8"
        ))),
    }
}
