//! The program's own functions that a call may lead to.

use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
}

pub type LogCallback = Arc<dyn Fn(Level, &str, &str) + Send + Sync>;
pub type TokenCallback = Arc<dyn Fn(&Change<'_>) + Send + Sync>;
/// So much is done, of so much in all where that is known. Says whether to go on.
pub type Progress<'a> = &'a dyn Fn(u64, Option<u64>) -> bool;
/// Takes a piece of a body. Says whether to go on.
pub type Write<'a> = &'a dyn Fn(&[u8]) -> bool;

/// The tokens of a session after they were replaced.
pub struct Change<'a> {
    pub access: &'a str,
    pub refresh: Option<&'a str>,
    pub expires_at: Option<i64>,
}
