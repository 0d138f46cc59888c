//! Ending the calls that are running on a handle, from another thread.

use std::sync::atomic::Ordering;

use crate::process::{PerProcess, Process};
use crate::sync::{AtomicBool, Notified, Notify};

/// A call that has begun.
pub struct Begun<'a> {
    pub process: Process,
    pub cancelled: Notified<'a>,
}

pub struct Cancel {
    running: PerProcess<Notify>,
    closed: AtomicBool,
}

impl Cancel {
    pub fn new() -> Cancel {
        Cancel {
            running: PerProcess::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// Ends every wait on a watch taken before. A call that begins later is a new one.
    pub fn cancel(&self) {
        self.running
            .get(Process::current(), |_| Notify::new())
            .notify_waiters();
    }

    /// The same, and for every call that begins later as well.
    pub fn close(&self) {
        // A call takes its watch first and looks at this then: it meets one of the two.
        self.closed.store(true, Ordering::SeqCst);
        self.cancel();
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Taken before anything else that a call does; a cancel counts from that moment.
    pub fn watch(&self) -> Begun<'_> {
        let process = Process::current();
        Begun {
            process,
            cancelled: self.running.get(process, |_| Notify::new()).notified(),
        }
    }
}
