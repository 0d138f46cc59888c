use std::ffi::c_char;
use std::sync::Arc;

use crate::client::Client;
use crate::environment;
use crate::ffi::error::evrim_error;
use crate::ffi::guard;
use crate::ffi::library::{copy, evrim_string_free};
use crate::ffi::options::{evrim_options, or_default};
use crate::ffi::status::evrim_status;
use crate::ffi::thread_end;

/// A session with the server: its tokens, its credentials and its connections. Any number of threads
/// may use one client at once.
pub struct evrim_client(pub(super) Client);

/// Signs in with a user name and a password, and makes a client that keeps both tokens.
///
/// `url` is the base URL of the service, such as "https://api.evrim.ai/prod"; its paths are appended to
/// it. The strings are copied. `options` may be NULL for the defaults. On success `*client` is the new
/// client, to be freed with evrim_free(); on failure it is NULL.
///
/// Errors: `EVRIM_ERROR_AUTHENTICATION` for a wrong user name or password, `EVRIM_ERROR_INVALID_URL`,
/// `EVRIM_ERROR_INSECURE_URL`, `EVRIM_ERROR_NO_CREDENTIALS` for an empty user name or password, and those
/// of any request: `EVRIM_ERROR_NETWORK`, `EVRIM_ERROR_TLS`, `EVRIM_ERROR_TIMEOUT`,
/// `EVRIM_ERROR_PROTOCOL`, `EVRIM_ERROR_RATE_LIMITED`, `EVRIM_ERROR_SERVER` and others.
///
///     evrim_client *client;
///     evrim_error *error;
///     if (evrim_new(url, "ada", password, NULL, &client, &error) != EVRIM_OK) {
///         fprintf(stderr, "%s\n", evrim_error_message(error));
///         evrim_error_free(error);
///     }
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_new(
    url: *const c_char,
    username: *const c_char,
    password: *const c_char,
    options: *const evrim_options,
    client: *mut *mut evrim_client,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(std::ptr::null(), error, || {
        let client = guard::out(client, std::ptr::null_mut(), "client")?;
        let url = guard::text(url, "url")?;
        let username = guard::text(username, "username")?;
        let password = guard::text(password, "password")?;
        *client = hand_over(Client::sign_in(
            url,
            username,
            password,
            or_default(options),
        )?);
        Ok(())
    })
}

/// Makes a client from an existing token, without a password.
///
/// The server is asked whether it accepts `access_token`, unless evrim_options_set_validate_on_start()
/// turned that off; a token that it refuses gives `EVRIM_ERROR_AUTHENTICATION` and no client.
/// `refresh_token` may be NULL: then the access token can't be renewed. To resume a saved session whose
/// access token may have expired, turn validation off and pass both: the first request renews it.
///
/// Otherwise like evrim_new().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_from_token(
    url: *const c_char,
    access_token: *const c_char,
    refresh_token: *const c_char,
    options: *const evrim_options,
    client: *mut *mut evrim_client,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(std::ptr::null(), error, || {
        let client = guard::out(client, std::ptr::null_mut(), "client")?;
        let url = guard::text(url, "url")?;
        let access = guard::text(access_token, "access_token")?;
        let refresh = guard::optional_text(refresh_token, "refresh_token")?;
        *client = hand_over(Client::from_token(
            url,
            access,
            refresh,
            or_default(options),
        )?);
        Ok(())
    })
}

/// Makes a client from the environment: `EVRIM_URL`, and the first of these that is set:
///
/// - `EVRIM_USERNAME` and `EVRIM_PASSWORD`, as with evrim_new();
/// - `EVRIM_TOKEN`, and `EVRIM_REFRESH_TOKEN` if there is one, as with evrim_from_token();
/// - `EVRIM_API_TOKEN`, an opaque token, which is not validated.
///
/// An empty variable counts as not set. The error names the variable that is missing:
/// `EVRIM_ERROR_INVALID_URL` for the URL, `EVRIM_ERROR_NO_CREDENTIALS` for the others.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_from_env(
    options: *const evrim_options,
    client: *mut *mut evrim_client,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(std::ptr::null(), error, || {
        let client = guard::out(client, std::ptr::null_mut(), "client")?;
        *client = hand_over(environment::client(or_default(options))?);
        Ok(())
    })
}

/// Signs in again with the user name and password of evrim_new() and replaces both tokens. If it fails,
/// the old tokens stay.
///
/// `EVRIM_ERROR_NO_CREDENTIALS` if the client was made from a token. While one thread signs in, the
/// others that ask for the same wait and share its result.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_set_token(
    client: *mut evrim_client,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(client, error, || {
        guard::shared(client, "client")?.0.set_token()
    })
}

/// Buys a new access token with the refresh token. A server that rotates refresh tokens sends a new one
/// of those as well, which then replaces the old one. If it fails, the old tokens stay.
///
/// Requests do this by themselves when it is time; see evrim_options_set_auto_renew().
/// `EVRIM_ERROR_NO_REFRESH_TOKEN` if there is none; `EVRIM_ERROR_AUTHENTICATION` if the server refuses it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_refresh_token(
    client: *mut evrim_client,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(client, error, || {
        guard::shared(client, "client")?.0.refresh_token()
    })
}

/// Asks the server whether it accepts the access token, and writes its answer to `*valid`. A token that
/// is refused is not an error: the call returns `EVRIM_OK` and `*valid` is false. If the server can't be
/// asked, or gives no clear answer, that is an error, and `*valid` is false too. Nothing is changed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_validate_token(
    client: *mut evrim_client,
    valid: *mut bool,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(client, error, || {
        let valid = guard::out(valid, false, "valid")?;
        *valid = guard::shared(client, "client")?.0.validate_token()?;
        Ok(())
    })
}

/// Copies the access token to `*token`, to be freed with evrim_string_free(), which wipes it. No I/O.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_copy_access_token(
    client: *const evrim_client,
    token: *mut *mut c_char,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::call(error, || {
        let token = guard::out(token, std::ptr::null_mut(), "token")?;
        let text = guard::shared(client, "client")?.0.copy_access_token();
        *token = copy(text.expose())?;
        Ok(())
    })
}

/// Copies the refresh token to `*token`, to be freed with evrim_string_free(), which wipes it. Without a
/// refresh token `*token` is NULL, and the call returns `EVRIM_OK`. No I/O.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_copy_refresh_token(
    client: *const evrim_client,
    token: *mut *mut c_char,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::call(error, || {
        let token = guard::out(token, std::ptr::null_mut(), "token")?;
        if let Some(text) = guard::shared(client, "client")?.0.copy_refresh_token() {
            *token = copy(text.expose())?;
        }
        Ok(())
    })
}

/// Copies both tokens as they belong together, and when the access token ends, as
/// evrim_token_expires_at() says it. Two calls might get halves of different pairs, where another thread
/// renews between them; a saved session needs a whole one. `*refresh_token` is NULL if there is none.
/// `expires_at` may be NULL. Both strings are freed with evrim_string_free(). No I/O.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_copy_tokens(
    client: *const evrim_client,
    access_token: *mut *mut c_char,
    refresh_token: *mut *mut c_char,
    expires_at: *mut i64,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::call(error, || {
        let access = guard::out(access_token, std::ptr::null_mut(), "access_token");
        let refresh = guard::out(refresh_token, std::ptr::null_mut(), "refresh_token");
        let end = guard::out(expires_at, -1, "expires_at").ok();
        let (access, refresh) = (access?, refresh?);
        let tokens = guard::shared(client, "client")?.0.tokens();
        let first = copy(tokens.access.expose())?;
        if let Some(text) = &tokens.refresh {
            *refresh = copy(text.expose()).inspect_err(|_| {
                // SAFETY: just made, and given to nobody.
                unsafe { evrim_string_free(first) };
            })?;
        }
        *access = first;
        if let Some(end) = end {
            *end = tokens.claims.expires_at.unwrap_or(-1);
        }
        Ok(())
    })
}

/// When the access token ends, in seconds since 1970 by the server's clock: what the token says of
/// itself, unverified. -1 if it does not say, as an opaque token, or for NULL. No I/O.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_token_expires_at(client: *const evrim_client) -> i64 {
    guard::value(-1, || {
        guard::shared(client, "client").ok()?.0.token_expires_at()
    })
}

/// Makes a second handle on the same session. Tokens, credentials and connections are shared; options
/// and cancelling are each handle's own, so that one call can have its own timeout or be cancelled
/// alone. It costs little memory and no I/O. The session lives as long as its last handle; each is freed
/// with evrim_free().
///
/// With NULL for `options` the clone has those of `client`. Otherwise they are the clone's in full, its
/// CA file and its proxy too: to change one and keep the rest, start from evrim_copy_options().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_clone(
    client: *const evrim_client,
    options: *const evrim_options,
    clone: *mut *mut evrim_client,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::call(error, || {
        let clone = guard::out(clone, std::ptr::null_mut(), "clone")?;
        let client = guard::shared(client, "client")?;
        let options = (!options.is_null()).then(|| or_default(options));
        *clone = hand_over(client.0.clone_with(options)?);
        Ok(())
    })
}

/// Ends the calls that are running on this handle, in any thread: they return
/// `EVRIM_ERROR_CANCELLED` soon. Calls that begin later are not affected, nor are those on clones. Does
/// not wait; may be called from any thread. NULL is ignored. See evrim_close() for a call that is about
/// to begin. Where the server takes each refresh token only once, a renewal that is cancelled may have
/// used it up; the next one signs in, if the client can.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_cancel(client: *mut evrim_client) {
    guard::value((), || {
        guard::shared(client, "client").ok()?.0.cancel();
        Some(())
    });
}

/// Ends the calls that are running on this handle, and every call that begins on it later: they return
/// `EVRIM_ERROR_CANCELLED`. What needs no server, such as copying a token, still works, and clones are
/// not affected. Does not wait; may be called from any thread. NULL is ignored.
///
/// A thread that is about to make a call may miss evrim_cancel(), but not this. So it is what ends the one
/// call of a clone that was made for it, and what goes before evrim_free() where other threads may still
/// begin calls: close, wait until they have returned, free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_close(client: *mut evrim_client) {
    guard::value((), || {
        guard::shared(client, "client").ok()?.0.close();
        Some(())
    });
}

/// Frees a handle, and with its last handle the session, whose secrets are wiped. Calls that are still
/// running on it in other threads end with `EVRIM_ERROR_CANCELLED`; none may begin any more. The tokens
/// stay valid on the server. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_free(client: *mut evrim_client) {
    guard::value((), || {
        if client.is_null() {
            return None;
        }
        // SAFETY: the caller passes a client of this library, once; the count that it holds goes.
        let client = unsafe { Arc::from_raw(client) };
        client.0.close();
        // With the last handle the connections go, and their runtime with them.
        thread_end::run(|| drop(client)).ok()
    });
}

fn hand_over(client: Client) -> *mut evrim_client {
    Arc::into_raw(Arc::new(evrim_client(client))).cast_mut()
}
