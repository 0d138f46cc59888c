use std::ffi::{CStr, c_char};

use crate::ffi::error::evrim_error;
use crate::ffi::guard;
use crate::ffi::library::copy;
use crate::ffi::status::evrim_status;
use crate::json::{Node, Text};
use crate::response::Response;

/// An answer of the server. Immutable: any number of threads may read it. What is borrowed from it lives
/// until evrim_response_free().
///
/// The body is read by RFC 6901 pointers, such as "/report/sections/0/title"; "" is the whole document. In
/// a name, "~1" stands for "/" and "~0" for "~". A body that is not JSON has nothing at any pointer.
pub struct evrim_response(pub(super) Response);

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

/// The kinds of JSON values.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum evrim_json_type {
    /// There is nothing at this pointer.
    EVRIM_JSON_NONE = 0,
    /// `null`.
    EVRIM_JSON_NULL = 1,
    /// `true` or `false`.
    EVRIM_JSON_BOOL = 2,
    /// A whole number that fits into an `int64_t`.
    EVRIM_JSON_INT = 3,
    /// Any other number.
    EVRIM_JSON_DOUBLE = 4,
    /// A string.
    EVRIM_JSON_STRING = 5,
    /// An array.
    EVRIM_JSON_ARRAY = 6,
    /// An object.
    EVRIM_JSON_OBJECT = 7,
}

/// What kind of value is at a pointer; `EVRIM_JSON_NONE` if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_type(
    response: *const evrim_response,
    pointer: *const c_char,
) -> evrim_json_type {
    use evrim_json_type::*;
    guard::value(EVRIM_JSON_NONE, || {
        Some(match at(response, pointer)? {
            Node::Null => EVRIM_JSON_NULL,
            Node::Bool(_) => EVRIM_JSON_BOOL,
            Node::Int(_) => EVRIM_JSON_INT,
            Node::Double(_) => EVRIM_JSON_DOUBLE,
            Node::Text(_) => EVRIM_JSON_STRING,
            Node::Array(_) => EVRIM_JSON_ARRAY,
            Node::Object(_) => EVRIM_JSON_OBJECT,
        })
    })
}

/// The name of the member with this index, from 0 and in the server's order, of the object at a pointer;
/// NULL if there is none. Borrowed from the response. To look the member up by it, "~" in it is written
/// "~0", and "/" is "~1".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_response_key(
    response: *const evrim_response,
    pointer: *const c_char,
    index: usize,
) -> *const c_char {
    guard::value(std::ptr::null(), || {
        let key = at(response, pointer)?.key(index)?;
        Some(key.as_c_str()?.as_ptr())
    })
}

/// Copies the value at a pointer, with all that is in it, as JSON text, exactly as the server wrote it:
/// to keep it, or to give it to a JSON library. `*json` is freed with evrim_string_free().
/// `EVRIM_ERROR_PROTOCOL` if there is nothing at the pointer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_response_copy_json(
    response: *const evrim_response,
    pointer: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::call(error, || {
        let json = guard::out(json, std::ptr::null_mut(), "json")?;
        let response = &guard::handle(response, "response")?.0;
        let pointer = guard::text(pointer, "pointer")?;
        let text = match response.json_text(pointer) {
            Some(text) => text,
            // Says what is there instead.
            None => response.require(pointer, "value", |_| None)?,
        };
        *json = copy(text)?;
        Ok(())
    })
}

/// Writes the string at a pointer to `*value`, like evrim_response_string(), but it is an error if there
/// is none: `EVRIM_ERROR_PROTOCOL`, with a message that names the pointer and says what is there instead.
/// The string is borrowed from the response.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_response_require_string(
    response: *const evrim_response,
    pointer: *const c_char,
    value: *mut *const c_char,
    error: *mut *mut evrim_error,
) -> evrim_status {
    require(
        response,
        pointer,
        value,
        std::ptr::null(),
        error,
        "string",
        |node| Some(node.as_text()?.as_c_str()?.as_ptr()),
    )
}

/// The same with a whole number, like evrim_response_int().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_response_require_int(
    response: *const evrim_response,
    pointer: *const c_char,
    value: *mut i64,
    error: *mut *mut evrim_error,
) -> evrim_status {
    require(
        response,
        pointer,
        value,
        0,
        error,
        "whole number",
        Node::as_int,
    )
}

/// The same with a number, like evrim_response_double().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_response_require_double(
    response: *const evrim_response,
    pointer: *const c_char,
    value: *mut f64,
    error: *mut *mut evrim_error,
) -> evrim_status {
    require(
        response,
        pointer,
        value,
        0.0,
        error,
        "number",
        Node::as_double,
    )
}

/// The same with a boolean, like evrim_response_bool().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_response_require_bool(
    response: *const evrim_response,
    pointer: *const c_char,
    value: *mut bool,
    error: *mut *mut evrim_error,
) -> evrim_status {
    require(
        response,
        pointer,
        value,
        false,
        error,
        "boolean",
        Node::as_bool,
    )
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

fn require<T>(
    response: *const evrim_response,
    pointer: *const c_char,
    value: *mut T,
    empty: T,
    error: *mut *mut evrim_error,
    wanted: &str,
    find: impl FnOnce(&Node) -> Option<T>,
) -> evrim_status {
    guard::call(error, || {
        let value = guard::out(value, empty, "value")?;
        let response = &guard::handle(response, "response")?.0;
        *value = response.require(guard::text(pointer, "pointer")?, wanted, find)?;
        Ok(())
    })
}

fn read<T>(place: *mut T, empty: T, find: impl FnOnce() -> Option<T>) -> bool {
    guard::value(false, || {
        let place = guard::out(place, empty, "value").ok()?;
        *place = find()?;
        Some(true)
    })
}
