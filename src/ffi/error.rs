use std::alloc::{Layout, alloc};
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

use bytes::Bytes;

use crate::error::Error;
use crate::ffi::guard;
use crate::ffi::status::evrim_status;

/// What went wrong. Immutable: any number of threads may read it. Free it with evrim_error_free().
pub struct evrim_error {
    status: evrim_status,
    message: Cow<'static, CStr>,
    http_status: i32,
    server_code: Option<CString>,
    request_id: Option<CString>,
    retry_after_ms: i64,
    is_retryable: bool,
    may_have_been_sent: bool,
    body: Option<Bytes>,
}

impl evrim_error {
    const fn fixed(status: evrim_status, message: &'static CStr) -> evrim_error {
        evrim_error {
            status,
            message: Cow::Borrowed(message),
            http_status: 0,
            server_code: None,
            request_id: None,
            retry_after_ms: -1,
            is_retryable: false,
            may_have_been_sent: true,
            body: None,
        }
    }
}

// Made beforehand, so that telling of these never fails.
static PANICKED: evrim_error = evrim_error::fixed(
    evrim_status::EVRIM_ERROR_INTERNAL,
    c"a fault in libevrim ended the call; the client can be used on; please report it",
);
static OUT_OF_MEMORY: evrim_error = evrim_error::fixed(
    evrim_status::EVRIM_ERROR_INTERNAL,
    c"there is not enough memory left to say what went wrong",
);

pub fn panicked() -> *mut evrim_error {
    (&raw const PANICKED).cast_mut()
}

/// An error for C, and its code.
pub fn make(error: Error) -> (evrim_status, *mut evrim_error) {
    let status = evrim_status::from(error.status());
    let text = |text: &str| CString::new(text.replace('\0', " ")).unwrap_or_default();
    let object = evrim_error {
        status,
        message: Cow::Owned(text(error.message())),
        http_status: error.http_status().map_or(0, i32::from),
        server_code: error.server_code().map(text),
        request_id: error.request_id().map(text),
        retry_after_ms: error.retry_after().map_or(-1, |wait| {
            i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
        }),
        is_retryable: error.is_retryable(),
        may_have_been_sent: error.may_have_been_sent(),
        body: error.body().cloned(),
    };
    // SAFETY: the layout is not empty; the block is written whole before it is used, and freed as
    // the Box that it then is.
    let made = unsafe {
        let block = alloc(Layout::new::<evrim_error>()).cast::<evrim_error>();
        if block.is_null() {
            (&raw const OUT_OF_MEMORY).cast_mut()
        } else {
            block.write(object);
            block
        }
    };
    (status, made)
}

/// # Safety
/// `error` is NULL, one of the static errors, or from `make` and not freed yet.
pub unsafe fn free(error: *mut evrim_error) {
    let is_static = std::ptr::eq(error, &PANICKED) || std::ptr::eq(error, &OUT_OF_MEMORY);
    if !error.is_null() && !is_static {
        // SAFETY: `make` laid it out as a Box.
        drop(unsafe { Box::from_raw(error) });
    }
}

/// The status code of an error: the same that the failed call returned. `EVRIM_OK` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_status(error: *const evrim_error) -> evrim_status {
    guard::value(evrim_status::EVRIM_OK, || Some(view(error)?.status))
}

/// What happened, with which URL, and what to do where that is known: one English sentence without a
/// line break, for people. Programs go by the status. It never holds a password or a token. Borrowed
/// from the error; for NULL it is "no error".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_message(error: *const evrim_error) -> *const c_char {
    guard::value(c"no error".as_ptr(), || Some(view(error)?.message.as_ptr()))
}

/// The HTTP status of the server's answer, such as 404; 0 if there was no answer, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_http_status(error: *const evrim_error) -> i32 {
    guard::value(0, || Some(view(error)?.http_status))
}

/// The server's own code for the error, such as "token_not_valid"; NULL if it gave none. Borrowed from
/// the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_server_code(error: *const evrim_error) -> *const c_char {
    guard::value(std::ptr::null(), || {
        Some(view(error)?.server_code.as_ref()?.as_ptr())
    })
}

/// The id under which the server logged the request, worth quoting to its operators; NULL if it gave
/// none. Borrowed from the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_request_id(error: *const evrim_error) -> *const c_char {
    guard::value(std::ptr::null(), || {
        Some(view(error)?.request_id.as_ref()?.as_ptr())
    })
}

/// How long the server asks to wait before the next try, in milliseconds; -1 if it did not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_retry_after_ms(error: *const evrim_error) -> i64 {
    guard::value(-1, || Some(view(error)?.retry_after_ms))
}

/// Whether the same call may succeed if it is made again later. False for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_is_retryable(error: *const evrim_error) -> bool {
    guard::value(false, || Some(view(error)?.is_retryable))
}

/// Whether the server may have acted on the request. Where this is false, making the call again can't
/// do anything twice. False for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_may_have_been_sent(error: *const evrim_error) -> bool {
    guard::value(false, || Some(view(error)?.may_have_been_sent))
}

/// The body of the server's answer, with its length in bytes in `*len`; NULL and 0 if there was none.
/// `len` may be NULL. The bytes are borrowed from the error and are not NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_body(error: *const evrim_error, len: *mut usize) -> *const u8 {
    guard::value(std::ptr::null(), || {
        let body = view(error).and_then(|error| error.body.as_ref());
        guard::bytes_out(body, len)
    })
}

/// Frees an error and all that was borrowed from it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_error_free(error: *mut evrim_error) {
    guard::value((), || {
        // SAFETY: the caller passes NULL or an error of this library, once.
        unsafe { free(error) };
        Some(())
    });
}

fn view<'a>(error: *const evrim_error) -> Option<&'a evrim_error> {
    guard::handle(error, "error").ok()
}
