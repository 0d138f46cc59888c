//! In place of `src/timer.rs`: time that passes when the model says so.

use std::future::pending;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::World;

/// For one wait at a time.
#[derive(Default)]
pub struct Timer;

impl Timer {
    /// Ready once the model's clock has passed the deadline.
    pub fn poll(&self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        World::now().poll_clock(context, deadline)
    }

    pub fn abandon(&mut self) {}
}

/// No model waits before a retry.
pub async fn sleep(_: Duration) {
    pending().await
}

pub async fn sleep_until(_: Instant) {
    pending().await
}

/// The early renewal's own limit, which no model reaches.
pub async fn timeout<T>(_: Duration, work: impl Future<Output = T>) -> Result<T, ()> {
    Ok(work.await)
}
