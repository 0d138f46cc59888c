use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use crate::callback::{Change, Level};
use crate::error::{Error, Result};
use crate::ffi::options::{evrim_options, set};
use crate::ffi::status::evrim_status;
use crate::secret::Secret;

/// How much a log line matters.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum evrim_log_level {
    /// A fault that needs looking at.
    EVRIM_LOG_ERROR = 1,
    /// An attempt that failed.
    EVRIM_LOG_WARN = 2,
    /// Tokens that were replaced, and retries.
    EVRIM_LOG_INFO = 3,
    /// Every request.
    EVRIM_LOG_DEBUG = 4,
}

/// Gets a log line: its level, an `evrim_log_level`; its subject, such as "request" or "token"; and a
/// sentence that never holds a secret. The strings live until the callback returns.
pub type evrim_log_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        level: i32,
        subject: *const c_char,
        message: *const c_char,
    ),
>;

/// Gets the tokens after they were replaced; `refresh_token` is NULL if there is none, `expires_at` as
/// from evrim_token_expires_at(). The strings live until the callback returns, and are wiped then.
pub type evrim_token_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        access_token: *const c_char,
        refresh_token: *const c_char,
        expires_at: i64,
    ),
>;

/// Gets a callback's `user_data` when it is needed no more.
pub type evrim_destroy_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Has log lines up to `level` (an `evrim_log_level`) passed to a callback; NULL for `callback` switches
/// that off, which is the default.
///
/// Callbacks of either kind run on the thread whose call led to them, between two steps of its work and
/// with no lock held: a slow one delays that call, and those that wait for a renewal which it is making.
/// Inside one, functions that don't wait for the
/// server may be used on the same client, evrim_free() and evrim_cancel() among them; those that do
/// return `EVRIM_ERROR_INVALID_ARGUMENT`. Other clients may be used freely. With several threads on a
/// client, log callbacks may run at the same time. A clone made with options that have no callback keeps
/// that of the handle it was made from.
///
/// `destroy`, unless NULL, is called once with `user_data` when neither options nor clients hold the
/// callback any more; at once if `callback` is NULL. If the setter fails, `destroy` is not called.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_log_callback(
    options: *mut evrim_options,
    level: i32,
    callback: evrim_log_fn,
    user_data: *mut c_void,
    destroy: evrim_destroy_fn,
) -> evrim_status {
    set(options, |options| {
        let level = level_of(level)?;
        let user_data = UserData::new(user_data, destroy);
        let log = callback.map(|callback| {
            let log = move |level: Level, subject: &str, message: &str| {
                let (subject, message) = (text(subject), text(message));
                // SAFETY: the program's own function, with its own data, as it asked for.
                unsafe {
                    callback(
                        user_data.get(),
                        level as i32,
                        subject.as_ptr(),
                        message.as_ptr(),
                    );
                }
            };
            (level, Arc::new(log) as crate::callback::LogCallback)
        });
        options.set_log(log);
        Ok(())
    })
}

/// Has a callback told whenever the tokens were replaced, by a renewal, evrim_refresh_token() or
/// evrim_set_token(), so that a program can save its session; NULL for `callback` switches that off,
/// which is the default. It is told of each pair at most once, of the newest last, and by one thread at
/// a time; the first pair, which evrim_new() brings, is not told. Otherwise as with
/// evrim_options_set_log_callback().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_options_set_token_callback(
    options: *mut evrim_options,
    callback: evrim_token_fn,
    user_data: *mut c_void,
    destroy: evrim_destroy_fn,
) -> evrim_status {
    set(options, |options| {
        let user_data = UserData::new(user_data, destroy);
        let tell = callback.map(|callback| {
            let tell = move |change: &Change<'_>| {
                let access = terminated(change.access);
                let refresh = change.refresh.map(terminated);
                // SAFETY: as above; the strings are NUL-terminated and outlive the call.
                unsafe {
                    callback(
                        user_data.get(),
                        access.expose().as_ptr().cast(),
                        refresh
                            .as_ref()
                            .map_or(std::ptr::null(), |text| text.expose().as_ptr().cast()),
                        change.expires_at.unwrap_or(-1),
                    );
                }
            };
            Arc::new(tell) as crate::callback::TokenCallback
        });
        options.set_on_tokens(tell);
        Ok(())
    })
}

/// The program's pointer, given back to `destroy` in the end.
struct UserData {
    pointer: *mut c_void,
    destroy: evrim_destroy_fn,
}

// SAFETY: the header says on which threads callbacks run; the program's data is made for that.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    fn new(pointer: *mut c_void, destroy: evrim_destroy_fn) -> UserData {
        UserData { pointer, destroy }
    }

    fn get(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the program's own function, called once.
            unsafe { destroy(self.pointer) };
        }
    }
}

fn level_of(level: i32) -> Result<Level> {
    use evrim_log_level::*;
    [
        (EVRIM_LOG_ERROR, Level::Error),
        (EVRIM_LOG_WARN, Level::Warn),
        (EVRIM_LOG_INFO, Level::Info),
        (EVRIM_LOG_DEBUG, Level::Debug),
    ]
    .into_iter()
    .find(|(code, _)| *code as i32 == level)
    .map(|(_, level)| level)
    .ok_or_else(|| Error::invalid_argument(format!("{level} is no evrim_log_level")))
}

fn text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// A token as a C string, wiped after use. Tokens hold no NUL.
fn terminated(token: &str) -> Secret {
    let mut text = String::with_capacity(token.len() + 1);
    text.push_str(token);
    text.push('\0');
    Secret::from(text)
}
