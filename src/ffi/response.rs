use std::ffi::{CStr, c_char};

use crate::ffi::guard;
use crate::json::{Node, Text};
use crate::response::Response;

/// An answer of the server. Immutable: any number of threads may read it. What is borrowed from it lives
/// until evrim_response_free().
///
/// The body is read by RFC 6901 pointers, such as "/report/sections/0/title"; "" is the whole document. In
/// a name, "~1" stands for "/" and "~0" for "~". A body that is not JSON has nothing at any pointer.
pub struct evrim_response(Response);

impl evrim_response {
    pub fn hand_over(response: Response) -> *mut evrim_response {
        Box::into_raw(Box::new(evrim_response(response)))
    }
}

/// The HTTP status, such as 200 or 201; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_status(response: *const evrim_response) -> i32 {
    guard::value(0, || Some(i32::from(view(response)?.status())))
}

/// The body, with its length in bytes in `*len`; NULL and 0 if it is empty. `len` may be NULL. The bytes
/// are borrowed from the response and are not NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_body(
    response: *const evrim_response,
    len: *mut usize,
) -> *const u8 {
    guard::value(std::ptr::null(), || {
        guard::bytes_out(view(response).map(Response::body), len)
    })
}

/// The value of a header, its name in upper or lower case; NULL if it is absent. Several of one name are
/// joined by ", ". Borrowed from the response.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_header(
    response: *const evrim_response,
    name: *const c_char,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let name = guard::text(name, "name").ok()?;
        view(response)?.header(name).map(CStr::as_ptr)
    })
}

/// The string at a pointer, in UTF-8; NULL if there is none. Borrowed from the response. A string that
/// holds a NUL character can't be a C string: for it, too, NULL is returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_string(
    response: *const evrim_response,
    pointer: *const c_char,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let text = at(response, pointer)?.as_text().and_then(Text::as_c_str)?;
        Some(text.as_ptr())
    })
}

/// Writes the whole number at a pointer to `*value`. False, and `*value` is 0, if there is none, or one
/// with a fraction, or one that does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_int(
    response: *const evrim_response,
    pointer: *const c_char,
    value: *mut i64,
) -> bool {
    read(value, 0, || at(response, pointer)?.as_int())
}

/// Writes the number at a pointer to `*value`. False, and `*value` is 0, if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_double(
    response: *const evrim_response,
    pointer: *const c_char,
    value: *mut f64,
) -> bool {
    read(value, 0.0, || at(response, pointer)?.as_double())
}

/// Writes the boolean at a pointer to `*value`. False, and `*value` is false, if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_bool(
    response: *const evrim_response,
    pointer: *const c_char,
    value: *mut bool,
) -> bool {
    read(value, false, || at(response, pointer)?.as_bool())
}

/// The number of items of the array, or of members of the object, at a pointer; 0 if there is neither.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_count(
    response: *const evrim_response,
    pointer: *const c_char,
) -> usize {
    guard::value(0, || Some(at(response, pointer)?.count()))
}

/// Frees a response and all that was borrowed from it. NULL is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_free(response: *mut evrim_response) {
    guard::value((), || {
        if !response.is_null() {
            // SAFETY: the caller passes a response of this library, once.
            drop(unsafe { Box::from_raw(response) });
        }
        Some(())
    });
}

fn view<'a>(response: *const evrim_response) -> Option<&'a Response> {
    Some(&guard::handle(response, "response").ok()?.0)
}

fn at<'a>(response: *const evrim_response, pointer: *const c_char) -> Option<&'a Node> {
    let pointer = guard::text(pointer, "pointer").ok()?;
    view(response)?.pointer(pointer)
}

fn read<T>(place: *mut T, empty: T, find: impl FnOnce() -> Option<T>) -> bool {
    guard::value(false, || {
        let place = guard::out(place, empty, "value").ok()?;
        *place = find()?;
        Some(true)
    })
}
