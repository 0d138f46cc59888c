use std::ffi::{c_char, c_void};
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ffi::client::evrim_client;
use crate::ffi::error::evrim_error;
use crate::ffi::guard;
use crate::ffi::status::evrim_status;
use crate::options::Options;

/// What a caller can choose for a client. For one thread at a time.
pub struct evrim_options(Options);

/// Versions of TLS.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum evrim_tls_version {
    /// TLS 1.2.
    EVRIM_TLS_1_2 = 12,
    /// TLS 1.3.
    EVRIM_TLS_1_3 = 13,
}

/// Makes options that hold the defaults. They are read when a client is made with them, and can be
/// changed and used again afterwards. Free them with evrim_options_free(). Returns NULL only if memory
/// is out.
#[unsafe(no_mangle)]
pub extern "C" fn evrim_options_new() -> *mut evrim_options {
    guard::value(std::ptr::null_mut(), || {
        Some(Box::into_raw(Box::new(evrim_options(Options::default()))))
    })
}

/// Copies the options that a handle has, callbacks included, to `*options`: for a clone that differs in
/// one of them only. They are freed with evrim_options_free().
///
///     evrim_options *options;
///     if (evrim_copy_options(client, &options, &error) == EVRIM_OK &&
///         evrim_options_set_timeout_ms(options, 500) == EVRIM_OK &&
///         evrim_clone(client, options, &hurried, &error) == EVRIM_OK) {
///         ...
///     }
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_copy_options(
    client: *const evrim_client,
    options: *mut *mut evrim_options,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::call(error, || {
        let options = guard::out(options, std::ptr::null_mut(), "options")?;
        let copied = guard::shared(client, "client")?.0.options().clone();
        *options = Box::into_raw(Box::new(evrim_options(copied)));
        Ok(())
    })
}

/// Frees options. Clients that were made with them are not affected. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_options_free(options: *mut evrim_options) {
    guard::value((), || {
        if !options.is_null() {
            // SAFETY: the caller passes options of this library, once.
            drop(unsafe { Box::from_raw(options) });
        }
        Some(())
    });
}

/// How long one attempt may take, from sending to the last byte of the answer, in milliseconds.
/// Default: 60000. Signing in, refreshing and validating take at most 30000 of them. 0 is refused.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_timeout_ms(
    options: *mut evrim_options,
    milliseconds: u32,
) -> evrim_status {
    set(options, |options| options.set_timeout(ms(milliseconds)))
}

/// How long setting up a connection may take, its name and its TLS included, in milliseconds. Default:
/// 5000. 0 is refused.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_connect_timeout_ms(
    options: *mut evrim_options,
    milliseconds: u32,
) -> evrim_status {
    set(options, |options| {
        options.set_connect_timeout(ms(milliseconds))
    })
}

/// How long one call may take in all, retries and waiting included, in milliseconds. Default: 120000.
/// 0 is refused.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_total_timeout_ms(
    options: *mut evrim_options,
    milliseconds: u32,
) -> evrim_status {
    set(options, |options| {
        options.set_total_timeout(ms(milliseconds))
    })
}

/// Trusts the certificate authorities of a PEM file besides the system's own. The file is read now:
/// `EVRIM_ERROR_IO` if that fails, `EVRIM_ERROR_TLS` if it holds no usable certificate. A second file
/// replaces the first.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_ca_file(
    options: *mut evrim_options,
    path: *const c_char,
) -> evrim_status {
    set(options, |options| {
        let path = not_empty(guard::text(path, "path")?, "path")?;
        options.set_ca_file(Path::new(path))
    })
}

/// The same with PEM text in memory: `len` bytes of it. It replaces the certificates of a file. NULL is
/// refused.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_ca_pem(
    options: *mut evrim_options,
    pem: *const c_void,
    len: usize,
) -> evrim_status {
    set(options, |options| {
        let pem =
            guard::bytes(pem, len, "pem")?.ok_or_else(|| Error::invalid_argument("pem is NULL"))?;
        options.set_ca_pem(pem)
    })
}

/// Whether the system's certificate authorities are trusted. Default: true. Without them only those of
/// evrim_options_set_ca_file() are.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_system_ca(
    options: *mut evrim_options,
    trust: bool,
) -> evrim_status {
    set(options, |options| {
        options.set_system_ca(trust);
        Ok(())
    })
}

/// Refuses certificates that were revoked: a PEM file with the revocation lists (CRL) of the server's
/// authority, and of each one in between. By default no certificate counts as revoked; OCSP is never
/// asked. With lists, a certificate is refused as well where its authority's list is missing, or past
/// its nextUpdate. The file is read now: `EVRIM_ERROR_IO` if that fails, `EVRIM_ERROR_TLS` if it holds
/// no usable list. A second file replaces the first; evrim_clone() gives a session that goes on newer
/// lists.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_crl_file(
    options: *mut evrim_options,
    path: *const c_char,
) -> evrim_status {
    set(options, |options| {
        let path = not_empty(guard::text(path, "path")?, "path")?;
        options.set_crl_file(Path::new(path))
    })
}

/// Shows a certificate to a server that asks for one: two PEM files, the certificate with what leads up
/// to its authority, and its key, unencrypted. They are read now: `EVRIM_ERROR_IO` if that fails,
/// `EVRIM_ERROR_TLS` if they can't be used or don't belong together.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_client_certificate(
    options: *mut evrim_options,
    certificate_path: *const c_char,
    key_path: *const c_char,
) -> evrim_status {
    set(options, |options| {
        let certificate = not_empty(
            guard::text(certificate_path, "certificate_path")?,
            "certificate_path",
        )?;
        let key = not_empty(guard::text(key_path, "key_path")?, "key_path")?;
        options.set_client_certificate(Path::new(certificate), Path::new(key))
    })
}

/// The oldest version of TLS that is accepted, an `evrim_tls_version`. Default: `EVRIM_TLS_1_2`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_min_tls_version(
    options: *mut evrim_options,
    version: i32,
) -> evrim_status {
    set(options, |options| {
        use evrim_tls_version::*;
        let known = |code: evrim_tls_version| version == code as i32;
        if !known(EVRIM_TLS_1_2) && !known(EVRIM_TLS_1_3) {
            return Err(Error::invalid_argument(format!(
                "{version} is no evrim_tls_version"
            )));
        }
        options.set_tls13_only(known(EVRIM_TLS_1_3));
        Ok(())
    })
}

/// Sends everything through a proxy: "http://host:port", or https, with "user:password@" before the host
/// if it asks for them. NULL for no proxy at all. By default the variables HTTPS_PROXY, HTTP_PROXY,
/// ALL_PROXY and NO_PROXY decide, in capitals or not, except for servers on this machine, which are
/// reached directly.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_proxy(
    options: *mut evrim_options,
    url: *const c_char,
) -> evrim_status {
    set(options, |options| {
        options.set_proxy(guard::optional_text(url, "url")?)
    })
}

/// How often a request is tried again, where that is safe; see evrim_request(). Default: 2, at most 10,
/// and 0 for never.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_retries(
    options: *mut evrim_options,
    retries: u32,
) -> evrim_status {
    set(options, |options| options.set_retries(retries))
}

/// The largest body of an answer, in bytes, unpacked if it came packed. Default: 67108864, which is 64
/// MiB. A larger one is `EVRIM_ERROR_TOO_LARGE`. 0 is refused. Token calls take at most 1 MiB in any case.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_max_body_size(
    options: *mut evrim_options,
    bytes: u64,
) -> evrim_status {
    set(options, |options| options.set_max_body(bytes))
}

/// Sends a header with every request, such as a gateway's key. NULL for `value` takes it out again.
/// Headers that the library sets itself, such as Authorization and Host, are refused. By default there
/// are none.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_header(
    options: *mut evrim_options,
    name: *const c_char,
    value: *const c_char,
) -> evrim_status {
    set(options, |options| {
        let name = guard::text(name, "name")?;
        options.set_header(name, guard::optional_text(value, "value")?)
    })
}

/// Allows plain http to other machines, where anyone on the way can read the password and the tokens.
/// Default: false. Plain http to localhost and to loopback addresses is always allowed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_allow_insecure_http(
    options: *mut evrim_options,
    allow: bool,
) -> evrim_status {
    set(options, |options| {
        options.set_allow_insecure_http(allow);
        Ok(())
    })
}

/// Whether evrim_from_token() asks the server about the access token. Default: true. Turn it off for a
/// saved session whose access token may have expired, and for opaque API tokens.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_validate_on_start(
    options: *mut evrim_options,
    validate: bool,
) -> evrim_status {
    set(options, |options| {
        options.set_validate_on_start(validate);
        Ok(())
    })
}

/// Whether requests renew the access token by themselves, shortly before it ends or when the server
/// refuses it. Default: true.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_auto_renew(
    options: *mut evrim_options,
    renew: bool,
) -> evrim_status {
    set(options, |options| {
        options.set_auto_renew(renew);
        Ok(())
    })
}

/// Names the program to the server: printable ASCII such as "my-program/1.0", put before the library's
/// own name and version. Default: the library's alone.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_user_agent(
    options: *mut evrim_options,
    name: *const c_char,
) -> evrim_status {
    set(options, |options| {
        options.set_user_agent(guard::text(name, "name")?)
    })
}

/// The options to use: for NULL the defaults.
pub fn or_default(options: *const evrim_options) -> Options {
    match guard::handle(options, "options") {
        Ok(options) => options.0.clone(),
        Err(_) => Options::default(),
    }
}

pub fn set(
    options: *mut evrim_options,
    change: impl FnOnce(&mut Options) -> Result<()>,
) -> evrim_status {
    guard::set(options, "options", |options| change(&mut options.0))
}

fn not_empty<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    if text.is_empty() {
        return Err(Error::invalid_argument(format!("{name} is empty")));
    }
    Ok(text)
}

fn ms(milliseconds: u32) -> Duration {
    Duration::from_millis(u64::from(milliseconds))
}
