//! Unpacks a body where it is packed: gathered in memory, no larger than allowed, or piece by piece.

use std::fmt;
use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};

pub enum Gathered {
    Plain(Bounded),
    /// Whether anything has come: an answer to HEAD says how it would be packed, and is empty.
    Gzip(Box<MultiGzDecoder<Bounded>>, bool),
}

#[derive(Debug)]
pub struct Damaged(pub io::Error);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its gzip data is damaged: {}", self.0)
    }
}

impl std::error::Error for Damaged {}

pub enum Fault {
    TooLarge,
    NoRoom,
    /// Not what it says it is.
    Damaged(io::Error),
}

impl Gathered {
    /// Takes what is said of the packing out of the headers: the caller sees neither.
    pub fn new(headers: &mut HeaderMap, limit: u64) -> Gathered {
        let bounded = Bounded {
            bytes: Vec::new(),
            limit,
            fault: None,
        };
        if !is_packed(headers) {
            return Gathered::Plain(bounded);
        }
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
        Gathered::Gzip(Box::new(MultiGzDecoder::new(bounded)), false)
    }

    /// Makes room for what the server announces.
    pub fn expect(&mut self, length: u64) -> Result<(), Fault> {
        match self {
            Gathered::Plain(bounded) => bounded.reserve(usize::try_from(length).unwrap_or(0)),
            Gathered::Gzip(..) => Ok(()),
        }
    }

    pub fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        match self {
            Gathered::Plain(bounded) => bounded.push(piece),
            Gathered::Gzip(decoder, has_begun) => {
                *has_begun = true;
                let result = decoder.write_all(piece);
                result.map_err(|why| fault(decoder.get_mut(), why))
            }
        }
    }

    pub fn finish(self) -> Result<Vec<u8>, Fault> {
        match self {
            Gathered::Plain(bounded) => Ok(bounded.bytes),
            Gathered::Gzip(_, false) => Ok(Vec::new()),
            Gathered::Gzip(mut decoder, true) => match decoder.try_finish() {
                Ok(()) => Ok(std::mem::take(&mut decoder.get_mut().bytes)),
                Err(why) => Err(fault(decoder.get_mut(), why)),
            },
        }
    }
}

/// For a body that nobody gathers.
pub struct Unpacker(MultiGzDecoder<Vec<u8>>);

impl Unpacker {
    /// So little at a time that what it unpacks to is no great matter.
    pub const PIECE: usize = 4096;

    pub fn new(headers: &mut HeaderMap) -> Unpacker {
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
        Unpacker(MultiGzDecoder::new(Vec::new()))
    }

    pub fn push(&mut self, piece: &[u8]) -> Result<Bytes, Damaged> {
        self.0.write_all(piece).map_err(Damaged)?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }

    pub fn finish(mut self) -> Result<Bytes, Damaged> {
        self.0.try_finish().map_err(Damaged)?;
        Ok(std::mem::take(self.0.get_mut()).into())
    }
}

/// Whether the server has packed an answer, asked or not.
pub fn is_packed(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|name| {
            ["gzip", "x-gzip"]
                .iter()
                .any(|gzip| name.eq_ignore_ascii_case(gzip))
        })
}

fn fault(bounded: &mut Bounded, why: io::Error) -> Fault {
    bounded.fault.take().unwrap_or(Fault::Damaged(why))
}

pub struct Bounded {
    bytes: Vec<u8>,
    limit: u64,
    fault: Option<Fault>,
}

impl Bounded {
    fn reserve(&mut self, more: usize) -> Result<(), Fault> {
        self.bytes.try_reserve(more).map_err(|_| Fault::NoRoom)
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if (self.bytes.len() + piece.len()) as u64 > self.limit {
            return Err(Fault::TooLarge);
        }
        self.reserve(piece.len())?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.push(piece) {
            Ok(()) => Ok(piece.len()),
            Err(fault) => {
                self.fault = Some(fault);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
