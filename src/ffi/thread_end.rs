//! Calls at the end of a thread. The last of a program's own code, destructors of pthread_key_create() and
//! handlers of atexit(), runs when the thread has lost its thread-local values, which the runtime beneath
//! needs. So such a call is made on a thread of its own, for which the caller waits.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use once_cell::race::OnceBox;

use crate::error::{Error, Result, Status};

/// Something with a destructor: once that has run, others have too.
struct Here;

impl Drop for Here {
    fn drop(&mut self) {}
}

thread_local! {
    static HERE: Here = const { Here };
    /// Has no destructor, and so is always there.
    static HAS_ENDED: Cell<bool> = const { Cell::new(false) };
}

/// What a thread first used in a destructor of pthread_key_create() is taken from it by one of these, and
/// not with the rest. Ours is made before std makes its own, and so runs before it.
static KEY: OnceBox<Option<libc::pthread_key_t>> = OnceBox::new();

fn make_key() -> Box<Option<libc::pthread_key_t>> {
    let mut key = 0;
    // SAFETY: a place for the key, and a function that lives as long as the library.
    let made = unsafe { libc::pthread_key_create(&raw mut key, Some(note_end)) };
    Box::new((made == 0).then_some(key))
}

unsafe extern "C" fn note_end(_: *mut c_void) {
    HAS_ENDED.set(true);
}

fn is_alive() -> bool {
    if let Some(key) = KEY.get_or_init(make_key) {
        // SAFETY: the key is never deleted. Any value but NULL has the function called.
        unsafe { libc::pthread_setspecific(*key, ptr::without_provenance(1)) };
    }
    !HAS_ENDED.get() && HERE.try_with(|_| ()).is_ok()
}

/// Runs `work`, on this thread if it can.
pub fn run<T>(work: impl FnOnce() -> T) -> Result<T> {
    match is_alive() {
        true => Ok(work()),
        false => elsewhere(work),
    }
}

/// Callbacks run there, too, and some systems give a thread little.
const STACK: usize = 2 << 20;

struct Lent<F, T> {
    work: Option<F>,
    result: Option<std::thread::Result<T>>,
}

extern "C" fn work_lent<F: FnOnce() -> T, T>(lent: *mut c_void) -> *mut c_void {
    // SAFETY: what is lent lives until this thread has ended, and nobody else looks at it.
    let lent = unsafe { &mut *lent.cast::<Lent<F, T>>() };
    let work = lent.work.take();
    lent.result = work.map(|work| catch_unwind(AssertUnwindSafe(work)));
    ptr::null_mut()
}

/// Not by a thread of std's, which leaves a value on the thread that makes it.
fn elsewhere<F: FnOnce() -> T, T>(work: F) -> Result<T> {
    let mut lent = Lent {
        work: Some(work),
        result: None,
    };
    let mut thread = MaybeUninit::uninit();
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: the attributes are used between their beginning and their end; the thread is joined before
    // anything that it borrows goes.
    let made = unsafe {
        let attributes = attributes.as_mut_ptr();
        libc::pthread_attr_init(attributes);
        libc::pthread_attr_setstacksize(attributes, STACK);
        let made = libc::pthread_create(
            thread.as_mut_ptr(),
            attributes,
            work_lent::<F, T>,
            (&raw mut lent).cast(),
        );
        libc::pthread_attr_destroy(attributes);
        made
    };
    if made == 0 {
        // SAFETY: it was made, and is joined once.
        unsafe { libc::pthread_join(thread.assume_init(), ptr::null_mut()) };
    }
    match lent.result {
        Some(Ok(result)) => Ok(result),
        Some(Err(panic)) => resume_unwind(panic),
        None => Err(Error::new(
            Status::Io,
            "the system gives no thread for the call",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_elsewhere_may_borrow_and_panic() {
        let mut count = 1;
        let doubled = elsewhere(|| {
            count += 1;
            count * 2
        });
        assert_eq!(doubled.expect("a thread"), 4);
        assert_eq!(count, 2);
        let panicked = std::panic::catch_unwind(|| elsewhere(|| panic!("a fault")).is_ok());
        assert!(panicked.is_err());
    }
}
