//! Reads a response with every function that there is, and compares what they say with serde_json.

use std::ffi::{CString, c_char};
use std::ptr::{null, null_mut};

use evrim::fuzzing::c;
use serde_json::Value;

use crate::{check, json, text, touch};

/// How many values are looked at.
const MOST: usize = 100;

/// # Safety
/// A response that is not freed meanwhile.
pub unsafe fn read(response: *const c::evrim_response, others: &[&str]) {
    // SAFETY: the caller's promise; strings that are borrowed are not kept.
    unsafe {
        let status = c::evrim_response_status(response);
        assert!((200..300).contains(&status), "{status}");
        let mut len = usize::MAX;
        let body = c::evrim_response_body(response, &mut len);
        assert_eq!(body.is_null(), len == 0);
        let body = match body.is_null() {
            true => &[],
            false => std::slice::from_raw_parts(body, len),
        };
        touch(body);
        for name in [c"content-type", c"Content-Length", c"x", c""] {
            let value = c::evrim_response_header(response, name.as_ptr());
            if !value.is_null() {
                touch(std::ffi::CStr::from_ptr(value).to_bytes());
            }
        }
        let document = json(body);
        let mut pointers = vec![String::new()];
        pointers.extend(others.iter().map(|pointer| (*pointer).to_owned()));
        let mut next = 0;
        while next < pointers.len().min(MOST) {
            let pointer = pointers[next].clone();
            next += 1;
            let Ok(name) = CString::new(pointer.as_str()) else {
                continue;
            };
            let found = document.as_ref().and_then(|all| all.pointer(&pointer));
            value(response, name.as_ptr(), found);
            members(response, &name, found, &pointer, &mut pointers);
        }
    }
}

unsafe fn value(response: *const c::evrim_response, at: *const c_char, found: Option<&Value>) {
    // SAFETY: as above.
    unsafe {
        let kind = c::evrim_response_type(response, at) as i32;
        let (mut int, mut double, mut flag) = (-1, -1.0, true);
        let has_int = c::evrim_response_int(response, at, &mut int);
        let has_double = c::evrim_response_double(response, at, &mut double);
        let has_bool = c::evrim_response_bool(response, at, &mut flag);
        let string = text(c::evrim_response_string(response, at));
        assert!(has_int || int == 0);
        assert!(has_double || double == 0.0);
        assert!(has_bool || !flag);
        let wanted = match found {
            None => 0,
            Some(Value::Null) => 1,
            Some(Value::Bool(value)) => {
                assert!(has_bool && flag == *value);
                2
            }
            Some(Value::Number(number)) => {
                assert!(has_double && Some(double) == number.as_f64());
                assert_eq!(has_int.then_some(int), number.as_i64());
                if has_int { 3 } else { 4 }
            }
            Some(Value::String(value)) => {
                let whole = Some(value.as_str()).filter(|value| !value.contains('\0'));
                assert_eq!(string, whole);
                5
            }
            Some(Value::Array(_)) => 6,
            Some(Value::Object(_)) => 7,
        };
        assert_eq!(kind, wanted);
        assert_eq!(has_bool, kind == 2);
        assert_eq!(has_double, kind == 3 || kind == 4);
        assert!(string.is_none() || kind == 5);

        let mut error = null_mut();
        let mut copy = null_mut();
        let status = c::evrim_response_copy_json(response, at, &mut copy, &mut error) as i32;
        check(status, !copy.is_null(), error);
        assert_eq!(status == 0, found.is_some());
        if let Some(copy) = text(copy) {
            assert!(
                found.is_some() && json(copy.as_bytes()).as_ref() == found,
                "{copy}"
            );
        }
        c::evrim_string_free(copy);
        c::evrim_error_free(error);

        let mut required: *const c_char = null();
        let status = c::evrim_response_require_string(response, at, &mut required, &mut error);
        check(status as i32, !required.is_null(), error);
        assert_eq!(text(required), string);
        c::evrim_error_free(error);
        let status = c::evrim_response_require_int(response, at, &mut int, &mut error);
        check(status as i32, has_int, error);
        c::evrim_error_free(error);
        let status = c::evrim_response_require_double(response, at, &mut double, &mut error);
        check(status as i32, has_double, error);
        c::evrim_error_free(error);
        let status = c::evrim_response_require_bool(response, at, &mut flag, &mut error);
        check(status as i32, has_bool, error);
        c::evrim_error_free(error);
    }
}

/// Notes where the members are, and compares their names.
unsafe fn members(
    response: *const c::evrim_response,
    at: &CString,
    found: Option<&Value>,
    pointer: &str,
    pointers: &mut Vec<String>,
) {
    // SAFETY: as above.
    unsafe {
        let count = c::evrim_response_count(response, at.as_ptr());
        match found {
            Some(Value::Array(items)) => {
                assert_eq!(count, items.len());
                pointers.extend((0..=count.min(8)).map(|index| format!("{pointer}/{index}")));
            }
            Some(Value::Object(members)) => {
                // One that comes twice is counted twice.
                assert!(count >= members.len());
                for index in 0..count.min(8) {
                    let key = text(c::evrim_response_key(response, at.as_ptr(), index));
                    let Some(key) = key else { continue };
                    assert!(members.contains_key(key));
                    let key = key.replace('~', "~0").replace('/', "~1");
                    pointers.push(format!("{pointer}/{key}"));
                }
            }
            _ => assert_eq!(count, 0),
        }
        assert!(c::evrim_response_key(response, at.as_ptr(), count).is_null());
    }
}
