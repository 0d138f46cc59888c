//! Compression: of what is really sent, and of a bomb.

use bytes::Bytes;
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};
use std::io::Write;

pub fn pack(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory can't fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

const BLOCK: u64 = 1 << 20;

/// The pieces of one gzip member that unpacks to so many spaces.
pub fn bomb(size: u64) -> impl Iterator<Item = Bytes> + Send {
    let blocks = size / BLOCK;
    let spaces = vec![b' '; BLOCK as usize];
    let rest = &spaces[..(size % BLOCK) as usize];

    let mut block_crc = Crc::new();
    block_crc.update(&spaces);
    let mut crc = Crc::new();
    for _ in 0..blocks {
        crc.combine(&block_crc);
    }
    crc.update(rest);

    // Flushed in full, a block ends on a byte and needs nothing before it, so it can be sent over and over.
    let block = deflate(&spaces, FlushCompress::Full);
    let mut end = deflate(rest, FlushCompress::Finish);
    end.extend_from_slice(&crc.sum().to_le_bytes());
    end.extend_from_slice(&(size as u32).to_le_bytes());

    let header = Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let block = Bytes::from(block);
    std::iter::once(header)
        .chain((0..blocks).map(move |_| block.clone()))
        .chain(std::iter::once(Bytes::from(end)))
}

fn deflate(bytes: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() + 1024);
    let mut compress = Compress::new(Compression::best(), false);
    // There is room for the whole in one go.
    let _ = compress.compress_vec(bytes, &mut packed, flush);
    packed
}
