//! Keeps a write to a closed connection from raising SIGPIPE, which would end a C program.

use std::mem::MaybeUninit;

/// Holds SIGPIPE back in this thread until it is dropped; other threads and the program's own
/// handler are left alone.
pub struct HoldSigpipe {
    /// `None`: the program holds it back already, and deals with it.
    before: Option<libc::sigset_t>,
}

impl HoldSigpipe {
    pub fn new() -> HoldSigpipe {
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: both sets are written before they are read; the calls take valid pointers.
        unsafe {
            let pipe = only_sigpipe();
            if libc::pthread_sigmask(libc::SIG_BLOCK, &pipe, before.as_mut_ptr()) != 0 {
                return HoldSigpipe { before: None };
            }
            let before = before.assume_init();
            let held = libc::sigismember(&before, libc::SIGPIPE) == 1;
            HoldSigpipe {
                before: (!held).then_some(before),
            }
        }
    }
}

impl Drop for HoldSigpipe {
    fn drop(&mut self) {
        let Some(before) = &self.before else {
            return;
        };
        // SAFETY: valid sets. SIGPIPE goes to the thread that wrote, so what is pending is ours.
        unsafe {
            let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
            if libc::sigpending(pending.as_mut_ptr()) == 0
                && libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
            {
                let mut signal = 0;
                libc::sigwait(&only_sigpipe(), &mut signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut());
        }
    }
}

fn only_sigpipe() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset makes the set whole; sigaddset then gets a valid set and signal.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}
