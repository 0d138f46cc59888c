use std::ffi::{c_char, c_void};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::ffi::client::evrim_client;
use crate::ffi::error::evrim_error;
use crate::ffi::guard;
use crate::ffi::response::evrim_response;
use crate::ffi::status::evrim_status;
use crate::request::Request;

/// Sends a request with a valid token and waits for the answer.
///
/// `method` is an HTTP method in capitals. `path` is appended to the base URL and may have a query:
/// "reports/", "runs/?page=2". Paths of the API end with a slash. `body` is `body_len` bytes of JSON, sent
/// as `application/json` and not kept; NULL and 0 for none. What is not JSON is not sent:
/// `EVRIM_ERROR_INVALID_ARGUMENT`. evrim_request_with() builds query and body.
///
/// A 2xx answer gives `EVRIM_OK` and `*response`, to be freed with evrim_response_free(). Any other is an
/// error with the answer's status and body in it, and `*response` is NULL. The token is renewed first if
/// it is about to end, and once more if the server refuses it. A request that may safely be repeated is
/// retried twice after a failed connection, 408, 429 or 5xx; a POST is sent once, and again only if the
/// server can't have seen it or refused its token.
///
///     evrim_response *response;
///     if (evrim_request(client, "GET", "reports/1/", NULL, 0, &response, &error) == EVRIM_OK) {
///         printf("%s\n", evrim_response_string(response, "/report/title"));
///         evrim_response_free(response);
///     }
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request(
    client: *mut evrim_client,
    method: *const c_char,
    path: *const c_char,
    body: *const c_void,
    body_len: usize,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(client, error, || {
        let response = guard::out(response, std::ptr::null_mut(), "response")?;
        let client = guard::shared(client, "client")?;
        let method = guard::text(method, "method")?;
        let path = guard::text(path, "path")?;
        let body = guard::bytes(body, body_len, "body")?;
        *response = evrim_response::hand_over(client.0.request(method, path, body)?);
        Ok(())
    })
}

/// What a request has besides its method and path: parameters, headers, and a JSON body that is built
/// value by value. For one thread at a time.
pub struct evrim_request_options(Request);

/// Makes request options without parameters, headers or body. They can be used for any number of
/// requests. Free them with evrim_request_options_free(). Returns NULL only if memory is out.
#[unsafe(no_mangle)]
pub extern "C" fn evrim_request_options_new() -> *mut evrim_request_options {
    guard::value(std::ptr::null_mut(), || {
        let options = evrim_request_options(Request::default());
        Some(Box::into_raw(Box::new(options)))
    })
}

/// Frees request options. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_request_options_free(options: *mut evrim_request_options) {
    guard::value((), || {
        if !options.is_null() {
            // SAFETY: the caller passes request options of this library, once.
            drop(unsafe { Box::from_raw(options) });
        }
        Some(())
    });
}

/// Adds a parameter to the query, behind what the path has. Name and value are percent-encoded. One of
/// the same name is kept beside it. An empty name is refused.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request_options_add_query(
    options: *mut evrim_request_options,
    name: *const c_char,
    value: *const c_char,
) -> evrim_status {
    set(options, |request| {
        request.add_query(guard::text(name, "name")?, guard::text(value, "value")?)
    })
}

/// Sets a header of this request, in place of one of the same name that the client has. NULL for `value`
/// takes it out of these options again, so that the client's, if there is one, is sent. Headers that the
/// library sets itself, such as Authorization, are refused.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request_options_set_header(
    options: *mut evrim_request_options,
    name: *const c_char,
    value: *const c_char,
) -> evrim_status {
    set(options, |request| {
        let name = guard::text(name, "name")?;
        request.set_header(name, guard::optional_text(value, "value")?)
    })
}

/// Puts a string into the body at an RFC 6901 pointer such as "/title" or "/style/tone"; what it needs
/// escaped is escaped. The objects that lead there are made if they are missing or null. "-" is the place
/// behind an array's last item: "/tags/-" appends to the array "/tags", and makes it if need be. "" is the
/// whole body.
///
/// `EVRIM_ERROR_INVALID_ARGUMENT` if the pointer does not begin with '/', leads through a value that is
/// neither object nor array, past the end of an array, or more than 100 levels deep; the body is then as
/// before.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request_options_set_string(
    options: *mut evrim_request_options,
    pointer: *const c_char,
    value: *const c_char,
) -> evrim_status {
    put(options, pointer, || {
        Ok(guard::text(value, "value")?.to_owned().into())
    })
}

/// The same with a whole number.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request_options_set_int(
    options: *mut evrim_request_options,
    pointer: *const c_char,
    value: i64,
) -> evrim_status {
    put(options, pointer, || Ok(value.into()))
}

/// The same with a number. JSON has no infinity and no NaN: these are refused.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request_options_set_double(
    options: *mut evrim_request_options,
    pointer: *const c_char,
    value: f64,
) -> evrim_status {
    put(options, pointer, || {
        let number = serde_json::Number::from_f64(value);
        let number = number.ok_or_else(|| Error::invalid_argument("value is no JSON number"))?;
        Ok(Value::Number(number))
    })
}

/// The same with a boolean.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request_options_set_bool(
    options: *mut evrim_request_options,
    pointer: *const c_char,
    value: bool,
) -> evrim_status {
    put(options, pointer, || Ok(value.into()))
}

/// The same with JSON text, `len` bytes of it, such as "null", "[]", or a whole document. What is not
/// JSON is refused, and so is NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request_options_set_json(
    options: *mut evrim_request_options,
    pointer: *const c_char,
    json: *const c_void,
    len: usize,
) -> evrim_status {
    set(options, |request| {
        let json = guard::bytes(json, len, "json")?;
        let json = json.ok_or_else(|| Error::invalid_argument("json is NULL"))?;
        request.set_json(guard::text(pointer, "pointer")?, json)
    })
}

/// Sends a request with the query, headers and body of `options`; NULL for none. Otherwise like
/// evrim_request().
///
///     evrim_request_options *options = evrim_request_options_new();
///     if (evrim_request_options_add_query(options, "search", "ice & sea") == EVRIM_OK &&
///         evrim_request_with(client, "GET", "reports/", options, &response, &error) == EVRIM_OK) {
///         ...
///     }
///     evrim_request_options_free(options);
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_request_with(
    client: *mut evrim_client,
    method: *const c_char,
    path: *const c_char,
    options: *const evrim_request_options,
    response: *mut *mut evrim_response,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(client, error, || {
        let response = guard::out(response, std::ptr::null_mut(), "response")?;
        let client = guard::shared(client, "client")?;
        let method = guard::text(method, "method")?;
        let path = guard::text(path, "path")?;
        let empty = Request::default();
        let request = match guard::handle(options, "options") {
            Ok(options) => &options.0,
            Err(_) => &empty,
        };
        let answer = client.0.request_with(method, path, request)?;
        *response = evrim_response::hand_over(answer);
        Ok(())
    })
}

fn set(
    options: *mut evrim_request_options,
    change: impl FnOnce(&mut Request) -> Result<()>,
) -> evrim_status {
    guard::set(options, "options", |options| change(&mut options.0))
}

fn put(
    options: *mut evrim_request_options,
    pointer: *const c_char,
    value: impl FnOnce() -> Result<Value>,
) -> evrim_status {
    set(options, |request| {
        request.set(guard::text(pointer, "pointer")?, value()?)
    })
}
