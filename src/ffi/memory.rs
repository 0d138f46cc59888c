//! The library's allocator: the system's, but what is freed is wiped first.
//!
//! Tokens and passwords pass through buffers that are not ours: those of HTTP and TLS. Wiping every
//! small block when it is freed reaches these as well.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

#[global_allocator]
static MEMORY: Wiping = Wiping;

struct Wiping;

/// Larger blocks hold bodies, which are no secrets; wiping those would be felt.
const LARGEST: usize = 256 << 10;

// SAFETY: every request is passed on to the system as it came.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() <= LARGEST {
            // SAFETY: the block is as large as its layout says, and still the caller's.
            unsafe { block.write_bytes(0, layout.size()) };
            // The compiler must not see that nobody reads it any more.
            black_box(block);
        }
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.size() > LARGEST {
            // SAFETY: as above.
            return unsafe { System.realloc(block, layout, size) };
        }
        // The system might move it and leave the old one as it is.
        // SAFETY: the caller promises a size that fits this alignment; both blocks hold what is copied.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}
