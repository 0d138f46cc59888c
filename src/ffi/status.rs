use std::ffi::{CStr, c_char};

use crate::error::Status;

/// The result of a call. `EVRIM_OK` is 0 and everything else a failure. Later versions may add codes;
/// a code is never removed and never gets another meaning.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum evrim_status {
    /// The call succeeded.
    EVRIM_OK = 0,

    /// An argument is NULL, not UTF-8, empty or out of range where it may not be.
    EVRIM_ERROR_INVALID_ARGUMENT = 1,
    /// The base URL is not a URL, or not one of http or https.
    EVRIM_ERROR_INVALID_URL = 2,
    /// Plain http to another machine, which the options do not allow.
    EVRIM_ERROR_INSECURE_URL = 3,
    /// No user name, password or token to sign in with.
    EVRIM_ERROR_NO_CREDENTIALS = 4,
    /// No refresh token to renew the access token with.
    EVRIM_ERROR_NO_REFRESH_TOKEN = 5,
    /// evrim_cancel() or evrim_free() ended the call.
    EVRIM_ERROR_CANCELLED = 6,
    /// A fault in this library. Please report it.
    EVRIM_ERROR_INTERNAL = 7,

    /// No connection, or one that ended before the whole answer.
    EVRIM_ERROR_NETWORK = 20,
    /// The server's certificate is not trusted, or no secure connection came about.
    EVRIM_ERROR_TLS = 21,
    /// No answer in time.
    EVRIM_ERROR_TIMEOUT = 22,
    /// The answer is not what the API promises: HTML instead of JSON, for example.
    EVRIM_ERROR_PROTOCOL = 23,
    /// The server pointed to another place, where the request is not sent.
    EVRIM_ERROR_REDIRECT = 24,
    /// The answer is larger than the limit.
    EVRIM_ERROR_TOO_LARGE = 25,
    /// A file can't be read or written, or the system gives no more resources.
    EVRIM_ERROR_IO = 26,

    /// 401: the credentials or the token are refused.
    EVRIM_ERROR_AUTHENTICATION = 40,
    /// 403: this user may not do that.
    EVRIM_ERROR_PERMISSION = 41,
    /// 404: there is no such thing.
    EVRIM_ERROR_NOT_FOUND = 42,
    /// 409: it is at odds with the state of things.
    EVRIM_ERROR_CONFLICT = 43,
    /// 429: too many requests; or any answer that asks for a wait of more than a minute. See
    /// evrim_error_retry_after_ms().
    EVRIM_ERROR_RATE_LIMITED = 44,
    /// Any other 4xx: the server does not accept the request as it is.
    EVRIM_ERROR_REQUEST = 45,
    /// 5xx: the server failed.
    EVRIM_ERROR_SERVER = 46,
}

use evrim_status::*;

impl From<Status> for evrim_status {
    fn from(status: Status) -> evrim_status {
        match status {
            Status::InvalidArgument => EVRIM_ERROR_INVALID_ARGUMENT,
            Status::InvalidUrl => EVRIM_ERROR_INVALID_URL,
            Status::InsecureUrl => EVRIM_ERROR_INSECURE_URL,
            Status::NoCredentials => EVRIM_ERROR_NO_CREDENTIALS,
            Status::NoRefreshToken => EVRIM_ERROR_NO_REFRESH_TOKEN,
            Status::Cancelled => EVRIM_ERROR_CANCELLED,
            Status::Internal => EVRIM_ERROR_INTERNAL,
            Status::Network => EVRIM_ERROR_NETWORK,
            Status::Tls => EVRIM_ERROR_TLS,
            Status::Timeout => EVRIM_ERROR_TIMEOUT,
            Status::Protocol => EVRIM_ERROR_PROTOCOL,
            Status::Redirect => EVRIM_ERROR_REDIRECT,
            Status::TooLarge => EVRIM_ERROR_TOO_LARGE,
            Status::Io => EVRIM_ERROR_IO,
            Status::Authentication => EVRIM_ERROR_AUTHENTICATION,
            Status::Permission => EVRIM_ERROR_PERMISSION,
            Status::NotFound => EVRIM_ERROR_NOT_FOUND,
            Status::Conflict => EVRIM_ERROR_CONFLICT,
            Status::RateLimited => EVRIM_ERROR_RATE_LIMITED,
            Status::Request => EVRIM_ERROR_REQUEST,
            Status::Server => EVRIM_ERROR_SERVER,
        }
    }
}

/// The codes by number: C may pass any.
const NAMES: [(evrim_status, &CStr); 22] = [
    (EVRIM_OK, c"EVRIM_OK"),
    (
        EVRIM_ERROR_INVALID_ARGUMENT,
        c"EVRIM_ERROR_INVALID_ARGUMENT",
    ),
    (EVRIM_ERROR_INVALID_URL, c"EVRIM_ERROR_INVALID_URL"),
    (EVRIM_ERROR_INSECURE_URL, c"EVRIM_ERROR_INSECURE_URL"),
    (EVRIM_ERROR_NO_CREDENTIALS, c"EVRIM_ERROR_NO_CREDENTIALS"),
    (
        EVRIM_ERROR_NO_REFRESH_TOKEN,
        c"EVRIM_ERROR_NO_REFRESH_TOKEN",
    ),
    (EVRIM_ERROR_CANCELLED, c"EVRIM_ERROR_CANCELLED"),
    (EVRIM_ERROR_INTERNAL, c"EVRIM_ERROR_INTERNAL"),
    (EVRIM_ERROR_NETWORK, c"EVRIM_ERROR_NETWORK"),
    (EVRIM_ERROR_TLS, c"EVRIM_ERROR_TLS"),
    (EVRIM_ERROR_TIMEOUT, c"EVRIM_ERROR_TIMEOUT"),
    (EVRIM_ERROR_PROTOCOL, c"EVRIM_ERROR_PROTOCOL"),
    (EVRIM_ERROR_REDIRECT, c"EVRIM_ERROR_REDIRECT"),
    (EVRIM_ERROR_TOO_LARGE, c"EVRIM_ERROR_TOO_LARGE"),
    (EVRIM_ERROR_IO, c"EVRIM_ERROR_IO"),
    (EVRIM_ERROR_AUTHENTICATION, c"EVRIM_ERROR_AUTHENTICATION"),
    (EVRIM_ERROR_PERMISSION, c"EVRIM_ERROR_PERMISSION"),
    (EVRIM_ERROR_NOT_FOUND, c"EVRIM_ERROR_NOT_FOUND"),
    (EVRIM_ERROR_CONFLICT, c"EVRIM_ERROR_CONFLICT"),
    (EVRIM_ERROR_RATE_LIMITED, c"EVRIM_ERROR_RATE_LIMITED"),
    (EVRIM_ERROR_REQUEST, c"EVRIM_ERROR_REQUEST"),
    (EVRIM_ERROR_SERVER, c"EVRIM_ERROR_SERVER"),
];

/// The name of a status code, such as "EVRIM_ERROR_TIMEOUT"; "EVRIM_ERROR_UNKNOWN" for a number that
/// is no code of this version. The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn evrim_status_name(status: i32) -> *const c_char {
    NAMES
        .iter()
        .find(|(code, _)| *code as i32 == status)
        .map_or(c"EVRIM_ERROR_UNKNOWN", |(_, name)| *name)
        .as_ptr()
}
