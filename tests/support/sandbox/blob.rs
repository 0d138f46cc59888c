//! A file of any size that nobody has to keep: each byte follows from its place.

use bytes::Bytes;
use std::ops::Range;
use std::sync::OnceLock;

/// A prime, so that a piece in the wrong place does not look right.
const PERIOD: usize = 65_521;
const PIECE: u64 = 256 * 1024;

/// The byte at a place.
pub fn byte(place: u64) -> u8 {
    let at = place % PERIOD as u64;
    (at * 31 + at / 256) as u8
}

/// What stands at these places, in pieces that share their memory.
pub fn pieces(places: Range<u64>) -> impl Iterator<Item = Bytes> + Send {
    static PATTERN: OnceLock<Bytes> = OnceLock::new();
    let pattern = PATTERN.get_or_init(|| (0..PIECE + PERIOD as u64).map(byte).collect());
    let mut place = places.start;
    std::iter::from_fn(move || {
        let len = PIECE.min(places.end - place);
        let start = (place % PERIOD as u64) as usize;
        place += len;
        (len > 0).then(|| pattern.slice(start..start + len as usize))
    })
}
