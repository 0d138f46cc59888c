use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};

use crate::callback::Progress;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::ffi::client::evrim_client;
use crate::ffi::error::evrim_error;
use crate::ffi::guard;
use crate::ffi::library::copy;
use crate::ffi::status::evrim_status;

/// Told how far a call is: `done` of `total`, or -1 where that is not known. Returning false ends the call
/// with `EVRIM_ERROR_CANCELLED`. It runs on the thread that makes the call, under the rules of the callbacks
/// above.
pub type evrim_progress_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, done: u64, total: i64) -> bool>;

/// Gets the next `len` bytes of a body; they live until it returns. Returning false ends the call with
/// `EVRIM_ERROR_CANCELLED`. It runs like evrim_progress_fn.
pub type evrim_write_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, bytes: *const u8, len: usize) -> bool>;

/// Saves what is at `path`, as in evrim_request(), in a file. Of a large file only a small part is ever in
/// memory.
///
/// `destination` is a file; or a folder, in which the file gets the name that the server proposes, without
/// folders and made safe, or else the last part of `path`. Until it is whole it is kept under another name
/// beside it; then it is synced and renamed, and only then an existing file is replaced. After a failure
/// there is nothing new. Links are replaced, not followed.
///
/// A cut connection is taken up again where it ended, if the server can do that and the file is still the
/// same, or else from the start; the number of attempts is evrim_options_set_retries(), counted anew
/// whenever more came. The timeout of the options is for every wait for more; the total timeout ends a
/// download in which less than 64 KiB came meanwhile. The largest body does not apply.
///
/// `progress`, unless NULL, is called with `user_data`, the bytes so far and their total, at most ten times
/// a second, also while nothing comes, and at the end. `*saved_as`, unless NULL, is where the file is, to be
/// freed with evrim_string_free().
///
/// Errors: those of evrim_request(), and `EVRIM_ERROR_IO` if the file can't be written.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_download(
    client: *mut evrim_client,
    path: *const c_char,
    destination: *const c_char,
    progress: evrim_progress_fn,
    user_data: *mut c_void,
    saved_as: *mut *mut c_char,
    error: *mut *mut evrim_error,
) -> evrim_status {
    save(
        client,
        destination,
        saved_as,
        error,
        |client, destination| {
            let path = guard::text(path, "path")?;
            let tell = teller(progress, user_data);
            client.download(path, destination, told(progress, &tell))
        },
    )
}

/// Saves a report as a document: `format` is "pdf" or "docx". Otherwise like evrim_download().
///
///     char *saved_as;
///     if (evrim_download_report(client, 1, "pdf", ".", NULL, NULL, &saved_as, &error) == EVRIM_OK) {
///         printf("saved as %s\n", saved_as);
///         evrim_string_free(saved_as);
///     }
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_download_report(
    client: *mut evrim_client,
    report_id: i64,
    format: *const c_char,
    destination: *const c_char,
    progress: evrim_progress_fn,
    user_data: *mut c_void,
    saved_as: *mut *mut c_char,
    error: *mut *mut evrim_error,
) -> evrim_status {
    save(
        client,
        destination,
        saved_as,
        error,
        |client, destination| {
            let format = guard::text(format, "format")?;
            let tell = teller(progress, user_data);
            client.download_report(report_id, format, destination, told(progress, &tell))
        },
    )
}

/// Passes what is at `path` to a callback instead of a file, in order and each byte once: a cut connection
/// is taken up again only where the server can do that. `write` may not be NULL; `progress` may. Both get
/// `user_data`. After a failure the callback may have had a part of the body. Otherwise like
/// evrim_download().
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn evrim_download_to(
    client: *mut evrim_client,
    path: *const c_char,
    write: evrim_write_fn,
    progress: evrim_progress_fn,
    user_data: *mut c_void,
    error: *mut *mut evrim_error,
) -> evrim_status {
    guard::io(client, error, || {
        let client = guard::shared(client, "client")?;
        let path = guard::text(path, "path")?;
        let write = write.ok_or_else(|| Error::invalid_argument("write is NULL"))?;
        let pass_on = |bytes: &[u8]| {
            // SAFETY: the program's own function, with its own data, as it asked for.
            unsafe { write(user_data, bytes.as_ptr(), bytes.len()) }
        };
        let tell = teller(progress, user_data);
        client.0.download_to(path, &pass_on, told(progress, &tell))
    })
}

/// A progress callback as the core calls it.
pub fn teller(
    progress: evrim_progress_fn,
    user_data: *mut c_void,
) -> impl Fn(u64, Option<u64>) -> bool {
    move |done, total| {
        let total = total.and_then(|total| i64::try_from(total).ok());
        match progress {
            // SAFETY: the program's own function, with its own data, as it asked for.
            Some(tell) => unsafe { tell(user_data, done, total.unwrap_or(-1)) },
            None => true,
        }
    }
}

/// Nothing is told where there is no callback.
pub fn told<'a>(
    progress: evrim_progress_fn,
    tell: &'a dyn Fn(u64, Option<u64>) -> bool,
) -> Option<Progress<'a>> {
    progress.is_some().then_some(tell)
}

fn save(
    client: *mut evrim_client,
    destination: *const c_char,
    saved_as: *mut *mut c_char,
    error: *mut *mut evrim_error,
    download: impl FnOnce(&Client, &Path) -> Result<PathBuf>,
) -> evrim_status {
    guard::io(client, error, || {
        let saved_as = guard::out(saved_as, std::ptr::null_mut(), "saved_as").ok();
        let client = guard::shared(client, "client")?;
        let destination = guard::text(destination, "destination")?;
        if destination.is_empty() {
            return Err(Error::invalid_argument("destination is empty"));
        }
        let place = download(&client.0, Path::new(destination))?;
        if let Some(saved_as) = saved_as {
            *saved_as = copy(&place.to_string_lossy())?;
        }
        Ok(())
    })
}
