//! Tells a forked child from its parent, by whatever call it was forked and whatever its number is.
//!
//! One page of memory holds the generation of the process; the system empties that page in every child.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());
/// The highest generation among this process and its ancestors: a child goes on from its parent's.
static LATEST: AtomicU32 = AtomicU32::new(0);

/// Another number than that of every ancestor; `None` where the system can't empty a page.
pub fn generation() -> Option<u32> {
    let mut page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        page = make_page()?;
    }
    // SAFETY: the page is as large as an AtomicU32 and more, aligned, and never unmapped.
    let mark = unsafe { &*page };
    match mark.load(Ordering::Acquire) {
        0 => {
            let next = LATEST.load(Ordering::Acquire) + 1;
            // First, so that a child of this moment does not take the same number.
            LATEST.fetch_max(next, Ordering::AcqRel);
            // Another thread may have been first.
            let marked = mark.compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire);
            Some(marked.err().unwrap_or(next))
        }
        known => Some(known),
    }
}

// Miri has no madvise().
#[cfg(all(target_os = "linux", not(miri)))]
fn make_page() -> Option<*mut AtomicU32> {
    // SAFETY: a new mapping of our own; its size is that of a page or rounded up to one.
    unsafe {
        let size = size_of::<AtomicU32>();
        let page = libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return None;
        }
        if libc::madvise(page, size, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, size);
            return None;
        }
        let none = std::ptr::null_mut();
        match PAGE.compare_exchange(none, page.cast(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(page.cast()),
            Err(first) => {
                libc::munmap(page, size);
                Some(first)
            }
        }
    }
}

#[cfg(any(not(target_os = "linux"), miri))]
fn make_page() -> Option<*mut AtomicU32> {
    None
}
