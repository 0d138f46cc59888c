//! What every function does at the border: no panic gets out, no bad pointer or text gets in.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::ffi::client::evrim_client;
use crate::ffi::error::{self, evrim_error};
use crate::ffi::sigpipe::HoldSigpipe;
use crate::ffi::status::evrim_status;
use crate::ffi::thread_end;

/// Runs a function that can fail; its error goes to `error` unless that is NULL.
pub fn call(error: *mut *mut evrim_error, work: impl FnOnce() -> Result<()>) -> evrim_status {
    // SAFETY: the caller passes NULL or a place for an error.
    let mut place = unsafe { error.as_mut() };
    if let Some(place) = &mut place {
        **place = std::ptr::null_mut();
    }
    let result = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return evrim_status::EVRIM_OK,
        Ok(Err(error)) => catch_unwind(AssertUnwindSafe(|| error::make(error))),
        Err(panic) => Err(panic),
    };
    let (status, made) = match result {
        Ok(made) => made,
        Err(panic) => {
            // What a panic carries may panic again when dropped.
            std::mem::forget(panic);
            (evrim_status::EVRIM_ERROR_INTERNAL, error::panicked())
        }
    };
    match place {
        Some(place) => *place = made,
        // SAFETY: just made, and given to nobody.
        None => unsafe { error::free(made) },
    }
    status
}

/// The same for a function that writes to the network. A client may be NULL, or not be there yet.
pub fn io(
    client: *const evrim_client,
    error: *mut *mut evrim_error,
    work: impl FnOnce() -> Result<()>,
) -> evrim_status {
    // SAFETY: the caller passes NULL or a client.
    let client = unsafe { client.as_ref() };
    // Connections of our own raise no signal.
    let may_signal = client.is_none_or(|client| client.0.is_proxied());
    let _held = may_signal.then(HoldSigpipe::new);
    call(error, || thread_end::run(work)?)
}

/// Changes a handle that one thread has for itself; a value that is refused changes nothing.
pub fn set<T>(
    handle: *mut T,
    name: &str,
    change: impl FnOnce(&mut T) -> Result<()>,
) -> evrim_status {
    call(std::ptr::null_mut::<*mut evrim_error>(), || {
        change(handle_mut(handle, name)?)
    })
}

/// Runs a function that can't fail: NULL or a panic give its neutral value.
pub fn value<T>(neutral: T, work: impl FnOnce() -> Option<T>) -> T {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Some(value)) => value,
        Ok(None) => neutral,
        Err(panic) => {
            std::mem::forget(panic);
            neutral
        }
    }
}

/// A place for a result: cleared at once, written on success only.
pub fn out<'a, T>(place: *mut T, empty: T, name: &str) -> Result<&'a mut T> {
    // SAFETY: the caller passes NULL or a place for this result.
    match unsafe { place.as_mut() } {
        Some(place) => {
            *place = empty;
            Ok(place)
        }
        None => Err(null(name)),
    }
}

/// A handle that the caller lends.
pub fn handle<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: the caller passes NULL or a handle of this library that is not freed yet.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// A handle that one thread has for itself.
pub fn handle_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: as above, and no other thread uses it meanwhile.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// A handle that stays alive until the call ends, even if another thread frees it.
pub fn shared<T>(pointer: *const T, name: &str) -> Result<Arc<T>> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the handle came from Arc::into_raw and holds one count until it is freed.
    unsafe {
        Arc::increment_strong_count(pointer);
        Ok(Arc::from_raw(pointer))
    }
}

/// A C string that must be there.
pub fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    optional_text(pointer, name)?.ok_or_else(|| null(name))
}

/// A C string, or `None` for NULL.
pub fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller passes a NUL-terminated string that lives until the call ends.
    let text = unsafe { CStr::from_ptr(pointer) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Error::invalid_argument(format!(
            "{name} is not valid UTF-8"
        ))),
    }
}

/// A run of bytes; NULL is as good as empty only where the length is zero.
pub fn bytes<'a>(pointer: *const c_void, len: usize, name: &str) -> Result<Option<&'a [u8]>> {
    if pointer.is_null() {
        return match len {
            0 => Ok(None),
            _ => Err(Error::invalid_argument(format!(
                "{name} is NULL, but its length is {len}"
            ))),
        };
    }
    if isize::try_from(len).is_err() {
        return Err(Error::invalid_argument(format!(
            "the length of {name} is more than memory can hold"
        )));
    }
    // SAFETY: the caller passes `len` readable bytes that nobody changes until the call ends.
    Ok(Some(unsafe {
        std::slice::from_raw_parts(pointer.cast(), len)
    }))
}

fn null(name: &str) -> Error {
    Error::invalid_argument(format!("{name} is NULL"))
}

/// Bytes that the caller borrows; `len` may be NULL.
pub fn bytes_out(bytes: Option<&Bytes>, len: *mut usize) -> Option<*const u8> {
    // SAFETY: the caller passes NULL or a place for the length.
    if let Some(len) = unsafe { len.as_mut() } {
        *len = bytes.map_or(0, Bytes::len);
    }
    // Of an empty body nothing is read; NULL says so most clearly.
    bytes
        .filter(|bytes| !bytes.is_empty())
        .map(|bytes| bytes.as_ptr())
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;
    use std::ptr::null_mut;

    use super::*;
    use crate::ffi::error::{evrim_error_message, evrim_error_status};

    /// What a panic may carry: something that panics again as soon as it is dropped.
    struct Again;

    impl Drop for Again {
        fn drop(&mut self) {
            panic!("a panic inside a panic");
        }
    }

    /// The status that a call returned and that of its error, and the error's message.
    fn outcome(work: impl FnOnce() -> Result<()>) -> (i32, i32, String) {
        let mut made = null_mut();
        let status = call(&raw mut made, work);
        // SAFETY: `made` is NULL or an error that `call` just made; it is freed once.
        unsafe {
            let message = CStr::from_ptr(evrim_error_message(made));
            let message = message.to_str().expect("UTF-8").to_owned();
            let said = evrim_error_status(made);
            error::free(made);
            (status as i32, said as i32, message)
        }
    }

    const INTERNAL: i32 = evrim_status::EVRIM_ERROR_INTERNAL as i32;

    #[test]
    fn a_panic_becomes_an_internal_error() {
        let (status, said, message) = outcome(|| panic!("what was inside"));
        assert_eq!((status, said), (INTERNAL, INTERNAL));
        assert!(message.contains("libevrim"), "{message}");
        // What the panic says may hold anything: it is not passed on.
        assert!(!message.contains("what was inside"), "{message}");
    }

    #[test]
    fn a_panic_whose_payload_panics_when_dropped_does_too() {
        let (status, said, _) = outcome(|| panic_any(Again));
        assert_eq!((status, said), (INTERNAL, INTERNAL));
        assert_eq!(value(7, || panic_any(Again)), 7);
    }

    #[test]
    fn a_panic_without_a_place_for_the_error_has_its_status_all_the_same() {
        let status = call(null_mut(), || panic!("a fault"));
        assert_eq!(status as i32, INTERNAL);
        let status = io(null_mut(), null_mut(), || panic!("a fault"));
        assert_eq!(status as i32, INTERNAL);
        let status = set(&raw mut *Box::new(1), "number", |_| panic!("a fault"));
        assert_eq!(status as i32, INTERNAL);
    }

    #[test]
    fn a_panic_in_a_function_that_can_not_fail_gives_its_neutral_value() {
        assert_eq!(value(-1, || panic!("a fault")), -1);
        assert_eq!(value(-1, || None), -1);
        assert_eq!(value(-1, || Some(1)), 1);
    }

    #[test]
    fn a_call_after_a_panic_is_like_any_other() {
        outcome(|| panic!("what was inside"));
        let (status, said, message) = outcome(|| Ok(()));
        assert_eq!((status, said, message.as_str()), (0, 0, "no error"));
        let (status, said, message) = outcome(|| Err(null("client")));
        let refused = evrim_status::EVRIM_ERROR_INVALID_ARGUMENT as i32;
        assert_eq!((status, said), (refused, refused));
        assert_eq!(message, "client is NULL");
    }
}
