//! Callbacks that do what the header allows them to, and each one's data, which is destroyed once.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI64, Ordering};

use evrim::fuzzing::c;
use harness::{check, text};

/// Made and not destroyed.
static LIVING: AtomicI64 = AtomicI64::new(0);

thread_local! {
    /// The client that this thread makes a call on, for callbacks that use it.
    static CURRENT: Cell<*mut c::evrim_client> = const { Cell::new(null_mut()) };
    static CONDUCT: Cell<u8> = const { Cell::new(0) };
}

/// Runs a call; its callbacks conduct themselves as told. Whether one has freed the client.
pub fn during<T>(client: *mut c::evrim_client, conduct: u8, call: impl FnOnce() -> T) -> (T, bool) {
    CURRENT.set(client);
    CONDUCT.set(conduct);
    let result = call();
    let is_freed = !client.is_null() && CURRENT.get().is_null();
    CURRENT.set(null_mut());
    (result, is_freed)
}

/// Data for a callback, which `destroy` ends.
pub fn data(max_level: i32) -> *mut c_void {
    LIVING.fetch_add(1, Ordering::SeqCst);
    Box::into_raw(Box::new(max_level)).cast()
}

pub unsafe extern "C" fn destroy(data: *mut c_void) {
    // SAFETY: made by `data`; freed twice, the sanitizer would say so.
    drop(unsafe { Box::from_raw(data.cast::<i32>()) });
    LIVING.fetch_sub(1, Ordering::SeqCst);
}

/// When no options and no clients are left.
pub fn assert_all_destroyed() {
    assert_eq!(
        LIVING.load(Ordering::SeqCst),
        0,
        "data of callbacks that was not destroyed"
    );
}

pub unsafe extern "C" fn log(
    data: *mut c_void,
    level: i32,
    subject: *const c_char,
    message: *const c_char,
) {
    // SAFETY: the library's strings, and `data` as it was given.
    unsafe {
        let max_level = *data.cast::<i32>();
        assert!((1..=max_level).contains(&level), "{level} of {max_level}");
        assert!(!text(subject).expect("a subject").is_empty());
        let message = text(message).expect("a message");
        assert!(
            !message.contains('\n') && !message.contains(super::world::PASSWORD),
            "{message}"
        );
        act();
    }
}

pub unsafe extern "C" fn tokens(
    data: *mut c_void,
    access: *const c_char,
    refresh: *const c_char,
    expires_at: i64,
) {
    // SAFETY: as above.
    unsafe {
        assert_eq!(*data.cast::<i32>(), 0);
        assert!(!text(access).expect("an access token").is_empty());
        text(refresh);
        assert!(expires_at >= -1);
        act();
    }
}

/// `data` is the number of calls after which it wants no more.
pub unsafe extern "C" fn progress(data: *mut c_void, done: u64, total: i64) -> bool {
    assert!(total >= -1);
    assert!(
        total < 0 || done <= total.unsigned_abs(),
        "{done} of {total}"
    );
    // SAFETY: a number of the caller's.
    unsafe { count_down(data) }
}

pub unsafe extern "C" fn write(data: *mut c_void, bytes: *const u8, len: usize) -> bool {
    // SAFETY: the library's bytes, a number of the caller's.
    unsafe {
        harness::touch(std::slice::from_raw_parts(bytes, len));
        count_down(data)
    }
}

unsafe fn count_down(data: *mut c_void) -> bool {
    // SAFETY: as above.
    let left = unsafe { &mut *data.cast::<u32>() };
    *left = left.saturating_sub(1);
    // SAFETY: as above.
    unsafe { act() };
    *left > 0
}

/// Uses the client whose call this is.
unsafe fn act() {
    let client = CURRENT.get();
    if client.is_null() {
        return;
    }
    // SAFETY: the client is the running call's, and freed at most once.
    unsafe {
        match CONDUCT.get() % 8 {
            1 => {
                let mut response = null_mut();
                let mut error = null_mut();
                let status = c::evrim_request(
                    client,
                    c"GET".as_ptr(),
                    c"x/".as_ptr(),
                    null(),
                    0,
                    &mut response,
                    &mut error,
                );
                check(status as i32, !response.is_null(), error);
                assert!(
                    [1, 6].contains(&(status as i32)),
                    "a call inside a callback: {status:?}"
                );
                c::evrim_error_free(error);
            }
            2 => c::evrim_cancel(client),
            3 => c::evrim_close(client),
            4 => {
                CURRENT.set(null_mut());
                c::evrim_free(client);
            }
            5 => {
                let mut token = null_mut();
                let status = c::evrim_copy_access_token(client, &mut token, null_mut());
                assert_eq!(status as i32, 0);
                c::evrim_string_free(token);
                assert!(c::evrim_token_expires_at(client) >= -1);
            }
            _ => {}
        }
    }
}
