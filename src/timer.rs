//! A timer that is kept for the next use. To set one later takes neither a lock nor a system call; to make
//! a new one for each wait takes both.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};
pub use tokio::time::{sleep, sleep_until, timeout};

/// For one wait at a time.
#[derive(Default)]
pub struct Timer(RefCell<Option<Pin<Box<Sleep>>>>);

impl Timer {
    /// Ready once the deadline has passed. Another poll may name another one.
    pub fn poll(&self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let mut kept = self.0.borrow_mut();
        let sleep = kept.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(context)
    }

    /// Leaves it as it is, for ever.
    pub fn abandon(&mut self) {
        std::mem::forget(self.0.take());
    }
}
