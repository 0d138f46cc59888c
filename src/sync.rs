//! What threads share, by name. The model of renewal (`tests/model`) puts its own kinds in their place,
//! and tries every order in which threads may come to them.

#[cfg(not(evrim_model))]
mod kinds {
    pub use std::sync::atomic::AtomicBool;
    pub use std::sync::{Mutex, MutexGuard};
    pub use std::thread_local;

    pub use arc_swap::ArcSwap;
    pub use once_cell::race::OnceBox;
    pub use once_cell::sync::OnceCell;
    pub use tokio::sync::Notify;
    pub use tokio::sync::futures::Notified;
}

#[cfg(evrim_model)]
pub use crate::model::sync as kinds;

pub use kinds::*;
