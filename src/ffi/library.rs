use std::ffi::{CStr, c_char};

use zeroize::Zeroize;

use crate::error::{Error, Result, Status};
use crate::ffi::guard;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The version of the library that is loaded, such as "0.1.0". `EVRIM_VERSION` is that of the header the
/// program was compiled with; a newer library with the same SONAME serves an older program. The string
/// is static.
#[unsafe(no_mangle)]
pub extern "C" fn evrim_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// Wipes and frees a string that this library made for the caller, such as a copied token. NULL is
/// ignored. Borrowed strings, those of an error or a response, are not for this function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn evrim_string_free(string: *mut c_char) {
    guard::value((), || {
        if string.is_null() {
            return None;
        }
        // SAFETY: the caller passes a string that this library made and nobody has freed yet. Its
        // length is taken anew: what C has written into it stays within its bounds.
        unsafe {
            let len = CStr::from_ptr(string).count_bytes();
            std::slice::from_raw_parts_mut(string.cast::<u8>(), len).zeroize();
            libc::free(string.cast());
        }
        Some(())
    });
}

/// A copy of `text` for the caller to free.
pub fn copy(text: &str) -> Result<*mut c_char> {
    // SAFETY: the block is one byte longer than the text, and NULL is not written to.
    unsafe {
        let copy = libc::malloc(text.len() + 1).cast::<u8>();
        if copy.is_null() {
            return Err(Error::new(Status::Io, "there is not enough memory left"));
        }
        std::ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
        copy.add(text.len()).write(0);
        Ok(copy.cast())
    }
}
