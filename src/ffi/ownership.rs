//! What crosses the border is freed once, by the one who has it, and what is borrowed lives as long as its
//! owner: written for Miri, which sees every access that is not allowed. `make check-miri` runs this.

use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Answer, Error, Status};
use crate::ffi::error::*;
use crate::ffi::library::*;
use crate::ffi::options::*;
use crate::ffi::request::*;
use crate::ffi::response::*;
use crate::ffi::status::*;
use crate::response::Response;

const BODY: &str = r#"{"a": [1, -2.5, "x", true, null, "n\u0000"], "b/~": {"c": "ü"}}"#;

fn response() -> *mut evrim_response {
    let mut headers = HeaderMap::new();
    for value in ["one", "two"] {
        headers.append(
            HeaderName::from_static("x"),
            HeaderValue::from_static(value),
        );
    }
    let body = Bytes::from_static(BODY.as_bytes());
    evrim_response::hand_over(Response::new(200, headers, body))
}

/// # Safety
/// NULL or a string that lives long enough.
unsafe fn text<'a>(string: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller's promise.
    let text = (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) });
    text.map(|text| text.to_str().expect("UTF-8"))
}

#[test]
fn what_is_borrowed_of_a_response_lives_as_long_as_it() {
    let response = response();
    // SAFETY: what is borrowed is read before its owner is freed, once.
    unsafe {
        let title = evrim_response_string(response, c"/b~1~0/c".as_ptr());
        let header = evrim_response_header(response, c"X".as_ptr());
        let key = evrim_response_key(response, c"".as_ptr(), 1);
        let mut len = 0;
        let body = evrim_response_body(response, &mut len);
        let (mut int, mut double, mut flag) = (0, 0.0, false);
        assert!(evrim_response_int(response, c"/a/0".as_ptr(), &mut int));
        assert!(evrim_response_double(
            response,
            c"/a/1".as_ptr(),
            &mut double
        ));
        assert!(evrim_response_bool(response, c"/a/3".as_ptr(), &mut flag));
        assert_eq!((int, double, flag), (1, -2.5, true));
        assert_eq!(evrim_response_count(response, c"/a".as_ptr()), 6);
        assert!(evrim_response_string(response, c"/a/5".as_ptr()).is_null());
        assert_eq!(text(title), Some("ü"));
        assert_eq!(text(header), Some("one, two"));
        assert_eq!(text(key), Some("b/~"));
        assert_eq!(std::slice::from_raw_parts(body, len), BODY.as_bytes());
        evrim_response_free(response);
    }
}

#[test]
fn a_string_that_is_handed_over_outlives_what_it_came_from() {
    let response = response();
    let mut json = null_mut();
    let mut error = null_mut();
    // SAFETY: each is freed once.
    unsafe {
        let status = evrim_response_copy_json(response, c"/a/1".as_ptr(), &mut json, &mut error);
        assert_eq!(status, evrim_status::EVRIM_OK);
        assert!(error.is_null());
        evrim_response_free(response);
        assert_eq!(text(json), Some("-2.5"));
        // What C has written into it is within its bounds.
        *json = 0;
        evrim_string_free(json);
    }
}

#[test]
fn an_error_outlives_the_call_and_what_it_borrowed() {
    let error = Error::new(Status::Conflict, "no\0thing").with_answer(Answer {
        http_status: 409,
        server_code: Some("code".to_owned()),
        request_id: None,
        retry_after: None,
        body: Some(Bytes::from_static(b"body")),
    });
    let (status, error) = make(error);
    // SAFETY: as above.
    unsafe {
        let mut len = 0;
        let body = evrim_error_body(error, &mut len);
        assert_eq!(status, evrim_error_status(error));
        assert_eq!(text(evrim_error_message(error)), Some("no thing"));
        assert_eq!(text(evrim_error_server_code(error)), Some("code"));
        assert_eq!(std::slice::from_raw_parts(body, len), b"body");
        evrim_error_free(error);
        // The static ones are not freed, however often they are.
        evrim_error_free(panicked());
        evrim_error_free(panicked());
        evrim_error_free(null_mut());
        assert_eq!(evrim_error_status(null()), evrim_status::EVRIM_OK);
    }
}

#[test]
fn options_copy_what_they_are_given() {
    // SAFETY: as above; each object is in this thread alone.
    unsafe {
        let options = evrim_options_new();
        let name = CString::new("program/1.0").expect("no NUL");
        let status = evrim_options_set_user_agent(options, name.as_ptr());
        drop(name);
        assert_eq!(status, evrim_status::EVRIM_OK);
        let refused = evrim_options_set_timeout_ms(options, 0);
        assert_eq!(refused, evrim_status::EVRIM_ERROR_INVALID_ARGUMENT);
        evrim_options_free(options);

        let request = evrim_request_options_new();
        for pointer in [c"/tags/-", c"/tags/-", c"/deep/er"] {
            let value = CString::new("value").expect("no NUL");
            let status =
                evrim_request_options_set_string(request, pointer.as_ptr(), value.as_ptr());
            assert_eq!(status, evrim_status::EVRIM_OK);
        }
        let json = b"[1]".to_vec();
        let status = evrim_request_options_set_json(
            request,
            c"/json".as_ptr(),
            json.as_ptr().cast(),
            json.len(),
        );
        drop(json);
        assert_eq!(status, evrim_status::EVRIM_OK);
        evrim_request_options_free(request);
        evrim_request_options_free(null_mut());
    }
}

/// A defect on purpose: Miri has to find it.
#[cfg(miri)]
#[test]
#[ignore = "reads what is freed"]
fn planted() {
    let response = response();
    // SAFETY: it is not.
    unsafe {
        let title = evrim_response_string(response, c"/a/2".as_ptr());
        evrim_response_free(response);
        assert_eq!(text(title), Some("x"));
    }
}
