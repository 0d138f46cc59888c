//! What the targets share: what holds for every call of the C interface, and a server on this machine
//! that answers as the input says.

pub mod response;
pub mod server;
pub mod tls;

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evrim::fuzzing::c;
use serde_json::Value;

/// Whether the defects that the targets hold on purpose are there: the check that fuzzing finds them.
pub fn is_planted() -> bool {
    static PLANTED: OnceLock<bool> = OnceLock::new();
    *PLANTED.get_or_init(|| std::env::var_os("EVRIM_FUZZ_PLANT").is_some())
}

/// Where a target holds such a defect: behind what only a mutation brings.
pub fn planted(here: bool) {
    assert!(!(is_planted() && here), "a defect on purpose");
}

/// What serde_json reads. An object with its private name in it, which it takes for something else, is
/// read as the library does.
pub fn json(text: &[u8]) -> Option<Value> {
    let ours = evrim::fuzzing::value(text).ok();
    if !ours.as_ref().is_some_and(has_private_name) {
        assert_eq!(ours, serde_json::from_slice(text).ok());
    }
    ours
}

fn has_private_name(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_private_name),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.starts_with("$serde_json::") || has_private_name(value)),
        _ => false,
    }
}

/// A token with this payload; its signature is as good as any to a client.
pub fn token(payload: &[u8]) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

/// A borrowed string, which must be UTF-8.
///
/// # Safety
/// NULL or a string that lives long enough.
pub unsafe fn text<'a>(string: *const c_char) -> Option<&'a str> {
    if string.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(string) };
    Some(text.to_str().expect("strings are UTF-8"))
}

const STATUSES: [i32; 23] = [
    0, 1, 2, 3, 4, 5, 6, 20, 21, 22, 23, 24, 25, 26, 40, 41, 42, 43, 44, 45, 46, 7, -1,
];

/// What every call promises: a status that is known, an error if and only if it failed, a result only
/// if it succeeded. `error` is what the call wrote; it is not freed.
///
/// # Safety
/// NULL or an error that is not freed yet.
pub unsafe fn check(status: i32, has_result: bool, error: *const c::evrim_error) {
    assert!(!has_result || status == 0, "a result in spite of {status}");
    // SAFETY: the caller's promise; what is borrowed is not kept.
    unsafe {
        check_status(status);
        assert_eq!(status != 0, !error.is_null(), "status {status}");
        assert_eq!(c::evrim_error_status(error) as i32, status);
        let message = text(c::evrim_error_message(error)).expect("there always is one");
        assert!(
            !message.is_empty() && !message.contains(['\n', '\r']),
            "{message:?}"
        );
        let http = c::evrim_error_http_status(error);
        assert!(http == 0 || (100..=999).contains(&http), "{http}");
        assert!(c::evrim_error_retry_after_ms(error) >= -1);
        text(c::evrim_error_server_code(error));
        text(c::evrim_error_request_id(error));
        let mut len = usize::MAX;
        let body = c::evrim_error_body(error, &mut len);
        assert_eq!(body.is_null(), len == 0);
        if !body.is_null() {
            touch(std::slice::from_raw_parts(body, len));
        }
        if c::evrim_error_is_retryable(error) {
            assert!(status >= 20, "{status} is retryable");
        }
        if http > 0 {
            assert!(c::evrim_error_may_have_been_sent(error), "{message}");
        }
    }
}

/// The status of a call that can't be told apart otherwise.
pub fn check_status(status: i32) {
    assert!(
        STATUSES.contains(&status) && status >= 0,
        "unknown status {status}"
    );
    assert_ne!(status, 7, "a fault inside the library");
    // SAFETY: a static string.
    let name = unsafe { text(c::evrim_status_name(status)) }.expect("every status has a name");
    assert!(name.starts_with("EVRIM_") && name != "EVRIM_ERROR_UNKNOWN");
}

/// Reads every byte, so that the sanitizer sees where they are.
pub fn touch(bytes: &[u8]) -> u8 {
    std::hint::black_box(
        bytes
            .iter()
            .fold(0, |sum: u8, &byte| sum.wrapping_add(byte)),
    )
}

/// The C library's list of what a thread does at its end: while a thread begins or ends, LeakSanitizer does
/// not see that it is still reached.
#[unsafe(no_mangle)]
extern "C" fn __lsan_default_suppressions() -> *const c_char {
    c"leak:__cxa_thread_atexit_impl\n".as_ptr()
}
