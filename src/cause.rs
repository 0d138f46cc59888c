//! Why there is no answer, in words that don't depend on what carried the request.

use std::error::Error as StdError;

use crate::names::NoSuchName;

pub type BoxError = Box<dyn StdError + Send + Sync>;

/// How far a request came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It could not be made.
    Making,
    /// There was no connection: the server has nothing of it.
    Connecting,
    /// There was none in time.
    ConnectingLate,
    /// There was one, but it ended before the request went out.
    Unsent,
    Exchanging,
}

pub struct Cause {
    pub stage: Stage,
    pub why: BoxError,
}

impl Cause {
    pub fn new(stage: Stage, why: impl Into<BoxError>) -> Cause {
        Cause {
            stage,
            why: why.into(),
        }
    }

    pub fn is_name(&self) -> bool {
        self.find::<NoSuchName>().is_some()
    }

    /// Whether the connection ended, rather than brought something that is no HTTP.
    pub fn is_broken_connection(&self) -> bool {
        use std::io::ErrorKind::*;
        let is_io = self.find::<std::io::Error>().is_some_and(|io| {
            matches!(
                io.kind(),
                ConnectionReset
                    | ConnectionAborted
                    | BrokenPipe
                    | UnexpectedEof
                    | NotConnected
                    | TimedOut
            )
        });
        let is_http = self.find::<hyper::Error>().is_some_and(|http| {
            http.is_incomplete_message() || http.is_canceled() || http.is_closed()
        });
        is_io || is_http
    }

    pub fn root(&self) -> String {
        self.causes()
            .last()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    pub fn find<E: StdError + 'static>(&self) -> Option<&E> {
        self.causes().find_map(|cause| cause.downcast_ref::<E>())
    }

    fn causes(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let first: &(dyn StdError + 'static) = &*self.why;
        std::iter::successors(Some(first), |&error| {
            // An io::Error shows its inner error's source, not the inner error itself.
            match error
                .downcast_ref::<std::io::Error>()
                .and_then(|io| io.get_ref())
            {
                Some(inner) => Some(inner as &(dyn StdError + 'static)),
                None => error.source(),
            }
        })
    }
}
