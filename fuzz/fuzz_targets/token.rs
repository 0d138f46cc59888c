//! The claims of a token: what is read is what its JSON says, and a date is one.
#![no_main]

use std::ffi::{CString, c_char};
use std::ptr::null_mut;

use evrim::fuzzing::{c, claims};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &str| {
    let found = claims(token);
    if let Some(claims) = found {
        assert_eq!(token.matches('.').count(), 2, "a token has three parts");
        for date in [claims.expires_at, claims.issued_at].into_iter().flatten() {
            assert!(date >= 0, "{date}");
            harness::planted((1..100_000_000).contains(&date));
        }
    }
    client(token, found.and_then(|claims| claims.expires_at));
    // A payload without the trouble of its base64.
    if let Some(payload) = harness::json(token.as_bytes()) {
        let made = harness::token(token.as_bytes());
        let read = claims(&made);
        assert_eq!(read.is_some(), payload.is_object(), "{token}");
        let Some(read) = read else { return };
        let exp = payload.get("exp");
        if let Some(exp) = exp.and_then(serde_json::Value::as_u64) {
            assert_eq!(read.expires_at, i64::try_from(exp).ok().or(read.expires_at));
        }
        if exp.is_none_or(|exp| !exp.is_number()) {
            assert_eq!(read.expires_at, None);
        }
        client(&made, read.expires_at);
    }
});

/// A client that starts with the token, without asking anybody, and says when it ends.
fn client(token: &str, ends: Option<i64>) {
    let Ok(text) = CString::new(token) else {
        return;
    };
    let mut client = null_mut();
    let mut error = null_mut();
    // SAFETY: the strings live until the calls end; what is made is freed once.
    unsafe {
        let options = c::evrim_options_new();
        let status = c::evrim_options_set_validate_on_start(options, false);
        assert_eq!(status as i32, 0);
        let status = c::evrim_from_token(
            c"http://127.0.0.1:9".as_ptr(),
            text.as_ptr(),
            text.as_ptr(),
            options,
            &mut client,
            &mut error,
        );
        harness::check(status as i32, !client.is_null(), error);
        if !client.is_null() {
            let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(is_plain, "{token:?} would break a header");
            assert_eq!(c::evrim_token_expires_at(client), ends.unwrap_or(-1));
            let mut copy: *mut c_char = null_mut();
            let status = c::evrim_copy_access_token(client, &mut copy, null_mut());
            assert_eq!(status as i32, 0);
            assert_eq!(harness::text(copy), Some(token));
            c::evrim_string_free(copy);
        }
        c::evrim_free(client);
        c::evrim_error_free(error);
        c::evrim_options_free(options);
    }
}
