use std::ffi::c_char;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ffi::error::evrim_error;
use crate::ffi::guard;
use crate::ffi::status::evrim_status;
use crate::options::Options;

/// What a caller can choose for a client. For one thread at a time.
pub struct evrim_options(Options);

/// Makes options that hold the defaults. They are read when a client is made with them, and can be
/// changed and used again afterwards. Free them with evrim_options_free(). Returns NULL only if memory
/// is out.
#[unsafe(no_mangle)]
pub extern "C" fn evrim_options_new() -> *mut evrim_options {
    guard::value(std::ptr::null_mut(), || {
        Some(Box::into_raw(Box::new(evrim_options(Options::default()))))
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

fn set(
    options: *mut evrim_options,
    change: impl FnOnce(&mut Options) -> Result<()>,
) -> evrim_status {
    guard::call(std::ptr::null_mut::<*mut evrim_error>(), || {
        change(&mut guard::handle_mut(options, "options")?.0)
    })
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
