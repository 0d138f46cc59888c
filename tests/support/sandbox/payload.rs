//! The body of an answer as hyper sends it: whole, or piece by piece with pauses and a bad end.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::future::Future;
use std::io::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

pub enum Payload {
    Whole(Option<Bytes>),
    Pieces(Pieces),
}

pub struct Pieces {
    pieces: Box<dyn Iterator<Item = Bytes> + Send>,
    /// Before each piece but the first.
    pause: Option<Duration>,
    waiting: Option<Pin<Box<Sleep>>>,
    begun: bool,
    /// What to announce; chunked without it.
    length: Option<u64>,
    /// Breaks off after the last piece.
    cut: bool,
}

/// So long a cut waits, for what was sent before it to get out.
const FLUSH: Duration = Duration::from_millis(20);

impl Payload {
    pub fn whole(bytes: Bytes) -> Payload {
        Payload::Whole(Some(bytes))
    }

    pub fn pieces(
        pieces: impl Iterator<Item = Bytes> + Send + 'static,
        length: Option<u64>,
    ) -> Payload {
        Payload::Pieces(Pieces::new(pieces, length))
    }

    /// The first `count` bytes, announced as all of them.
    pub fn truncated(bytes: &Bytes, count: usize) -> Payload {
        let start = bytes.slice(..count.min(bytes.len()));
        let start = (!start.is_empty()).then_some(start);
        Payload::cut_off(start.into_iter(), bytes.len() as u64)
    }

    /// All these pieces, announced as a part of more, and then the end.
    pub fn cut_off(pieces: impl Iterator<Item = Bytes> + Send + 'static, length: u64) -> Payload {
        Payload::Pieces(Pieces {
            cut: true,
            ..Pieces::new(pieces, Some(length))
        })
    }

    pub fn drip(bytes: Bytes, chunk: usize, pause: Duration) -> Payload {
        let length = bytes.len() as u64;
        let mut rest = bytes;
        let pieces = std::iter::from_fn(move || {
            let size = chunk.max(1).min(rest.len());
            (size > 0).then(|| rest.split_to(size))
        });
        Payload::Pieces(Pieces {
            pause: Some(pause),
            ..Pieces::new(pieces, Some(length))
        })
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Payload::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Payload::Pieces(pieces) => pieces.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Payload::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Payload::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Payload::Pieces(pieces) => pieces
                .length
                .map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}

impl Pieces {
    fn new(pieces: impl Iterator<Item = Bytes> + Send + 'static, length: Option<u64>) -> Pieces {
        Pieces {
            pieces: Box::new(pieces),
            pause: None,
            waiting: None,
            begun: false,
            length,
            cut: false,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.begun && self.waiting.is_none() {
            self.waiting = self.pause.map(|pause| Box::pin(sleep(pause)));
        }
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
            if self.cut {
                return Poll::Ready(Some(Err(Error::other("cut on purpose"))));
            }
        }
        self.begun = true;
        if let Some(piece) = self.pieces.next() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if self.cut {
            let mut waiting = Box::pin(sleep(FLUSH));
            // Pending, so that hyper writes out what it has.
            let _ = waiting.as_mut().poll(context);
            self.waiting = Some(waiting);
            return Poll::Pending;
        }
        Poll::Ready(None)
    }
}
