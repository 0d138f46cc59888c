//! The Evrim client. The C interface in `ffi` is what most users see; from Rust, start at `Client`.
//!
//! A request travels down this list, its answer up again:
//! `ffi` → `resources`, `download` → `client` → `session`, `call`, `token_calls` → `retry`, `transport` → `lane` →
//! `route` → `connection` → `tls` → the ground (`options`, `request`, `error`, `response`, `json`, `json_value`,
//! `endpoint`, `jwt`, `clock`, `cancel`, `process`, `secret`, `outcome`, `callback`, `header`, `encode`,
//! `disposition`, `proxy`, `fork`, `timer`, `socket`, `names`, `watched`, `unpack`, `cause`, `sync`).

#![deny(unsafe_code)]
// The model has no transport and no C interface.
#![cfg_attr(
    evrim_model,
    allow(dead_code, unused_imports, clippy::new_without_default)
)]
// What a caller passes must not be able to stop the program, and a library does not print.
#![cfg_attr(
    not(any(test, evrim_model)),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

mod call;
mod callback;
mod cancel;
mod cause;
mod client;
mod clock;
mod connection;
mod disposition;
mod download;
mod encode;
mod endpoint;
mod environment;
mod error;
mod events;
#[cfg(not(evrim_model))]
#[allow(unsafe_code)]
mod ffi;
#[cfg_attr(evrim_model, path = "../tests/model/fork.rs")]
mod fork;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod json;
mod json_value;
mod jwt;
#[cfg_attr(evrim_model, path = "../tests/model/lane.rs")]
mod lane;
#[cfg(evrim_model)]
#[path = "../tests/model/model.rs"]
pub mod model;
mod names;
mod options;
mod outcome;
mod process;
mod proxy;
mod request;
mod resources;
mod response;
mod retry;
mod route;
mod secret;
mod session;
mod socket;
mod sync;
#[cfg_attr(evrim_model, path = "../tests/model/timer.rs")]
mod timer;
mod tls;
mod token_calls;
mod transport;
mod unpack;
mod watched;

pub use callback::{Change, Level};
pub use client::Client;
#[doc(hidden)]
pub use clock::{BootTime, Clock};
pub use environment::client as client_from_env;
pub use error::{Error, Result, Status};
pub use json::Node;
pub use options::Options;
pub use request::Request;
pub use resources::{List, Research};
pub use response::Response;
pub use secret::Secret;
pub use session::Tokens;
