//! What the tests share.

#![allow(dead_code)]

pub mod c;
pub mod sandbox;

/// Whether the long tests are asked for in full, as `make check-long` does.
pub fn is_long() -> bool {
    std::env::var_os("EVRIM_TEST_LONG").is_some()
}
