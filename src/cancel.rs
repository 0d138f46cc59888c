//! Ending the calls that are running on a handle, from another thread.

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::process::{PerProcess, Process};

pub struct Cancel {
    running: PerProcess<Notify>,
}

impl Cancel {
    pub fn new() -> Cancel {
        Cancel {
            running: PerProcess::new(),
        }
    }

    /// Ends every wait on a watch taken before. A call that begins later is a new one.
    pub fn cancel(&self) {
        self.running
            .get(Process::current(), |_| Notify::new())
            .notify_waiters();
    }

    /// Taken when a call begins; counts from that moment, not from the first poll.
    pub fn watch(&self, process: Process) -> Notified<'_> {
        self.running.get(process, |_| Notify::new()).notified()
    }
}
