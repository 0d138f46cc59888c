use std::ffi::{c_char, c_void};

use crate::ffi::client::evrim_client;
use crate::ffi::error::evrim_error;
use crate::ffi::guard;
use crate::ffi::response::evrim_response;
use crate::ffi::status::evrim_status;

/// Sends a request with a valid token and waits for the answer.
///
/// `method` is an HTTP method in capitals. `path` is appended to the base URL and may have a query:
/// "reports/", "runs/?page=2". Paths of the API end with a slash. `body` is sent as
/// `application/json`, `body_len` bytes of it, and is not kept; NULL and 0 for none.
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
    guard::io(error, || {
        let response = guard::out(response, std::ptr::null_mut(), "response")?;
        let client = guard::shared(client, "client")?;
        let method = guard::text(method, "method")?;
        let path = guard::text(path, "path")?;
        let body = guard::bytes(body, body_len, "body")?;
        *response = evrim_response::hand_over(client.0.request(method, path, body)?);
        Ok(())
    })
}
