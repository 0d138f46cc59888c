//! The C interface: the only unsafe code. One file for each handle; each function checks its
//! arguments, calls the core and hands the result over.

// The names are C's, and so are the contracts: they stand in the documentation, for C callers.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod callback;
mod client;
mod download;
mod error;
mod guard;
mod library;
#[cfg(feature = "wipe")]
mod memory;
mod options;
mod request;
mod resources;
mod response;
mod sigpipe;
mod status;
mod thread_end;

/// The functions of the header, for the fuzz targets: C finds them by their names.
#[cfg(fuzzing)]
pub mod all {
    pub use super::{
        callback::*, client::*, download::*, error::*, library::*, options::*, request::*,
        resources::*, response::*, status::*,
    };
}
