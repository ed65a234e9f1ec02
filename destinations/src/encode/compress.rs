//! Compression of chunks that are made apart and read as one.

use std::io::{self, Write};

use bytes::Bytes;
use gzp::{
    FormatSpec,
    check::{Check, Crc32},
    deflate::Gzip,
};

use crate::files::Compression;

/// Deflate's default, 6, takes more than twice the time on profiles, for 4 % smaller files.
const GZIP_LEVEL: u32 = 3;
/// Bzip2's own default; lower levels are hardly faster.
const BZIP2_LEVEL: u32 = 9;
/// On profiles level 3 takes twice the time for no smaller files.
const ZSTD_LEVEL: i32 = 1;

/// What a deflate block that was flushed ends with (RFC 1951 §3.2.4: a stored block of no bytes).
const FLUSHED: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// A chunk, compressed apart from its neighbours.
#[derive(Debug)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    /// Checksum and length of the plain bytes, where the format wants them at its end.
    check: Option<Check32>,
}

/// As `pigz` does, `gzp` lets each chunk end on a byte and refer to nothing before it, so that chunks can follow each
/// other in one member. Threads and their number are [`PartEncoder`](super::PartEncoder)'s.
fn gzip() -> (Gzip, flate2::Compression) {
    (Gzip::new(), flate2::Compression::new(GZIP_LEVEL))
}

pub(super) fn pack(compression: Compression, plain: Vec<u8>) -> io::Result<Packed> {
    let bytes = match compression {
        Compression::Gzip => {
            let mut check = Crc32::new();
            check.update(&plain);
            return Ok(Packed { bytes: deflate(&plain, false)?, check: Some(Check32(check)) });
        }
        Compression::Bzip2 => {
            let mut writer = bzip2::write::BzEncoder::new(
                Vec::with_capacity(plain.len() / 4 + 64),
                bzip2::Compression::new(BZIP2_LEVEL),
            );
            writer.write_all(&plain)?;
            writer.finish()?
        }
        Compression::Zstd => zstd::bulk::compress(&plain, ZSTD_LEVEL)?,
        Compression::None | Compression::Snappy => plain,
    };
    Ok(Packed { bytes, check: None })
}

fn deflate(plain: &[u8], last: bool) -> io::Result<Vec<u8>> {
    let (gzip, level) = gzip();
    let mut compressor = gzip.create_compressor(level).map_err(io::Error::other)?;
    let bytes = gzip.encode(plain, &mut compressor, level, None, last).map_err(io::Error::other)?;
    // It compresses into a buffer of a size that it holds to be enough. Were it not, rows would be missing.
    if !last && !bytes.ends_with(&FLUSHED) {
        return Err(io::Error::other("a block of gzip is not whole"));
    }
    Ok(bytes)
}

/// Puts chunks in order. Gzip becomes one member; bzip2 and zstd are streams that may follow each other by
/// their formats' definitions.
#[derive(Debug)]
pub(super) struct Assembly {
    gzip: Option<Member>,
}

#[derive(Debug)]
struct Member {
    started: bool,
    check: Check32,
}

struct Check32(Crc32);

impl Assembly {
    pub(super) fn new(compression: Compression) -> Self {
        let member = || Member { started: false, check: Check32(Crc32::new()) };
        Self { gzip: (compression == Compression::Gzip).then(member) }
    }

    pub(super) fn append(&mut self, packed: Packed) -> Vec<Bytes> {
        let mut out = Vec::with_capacity(2);
        if let (Some(member), Some(check)) = (&mut self.gzip, packed.check) {
            member.start(&mut out);
            member.check.0.combine(&check.0);
        }
        if !packed.bytes.is_empty() {
            out.push(Bytes::from(packed.bytes));
        }
        out
    }

    pub(super) fn finish(&mut self) -> io::Result<Vec<Bytes>> {
        let mut out = Vec::new();
        if let Some(member) = &mut self.gzip {
            member.start(&mut out);
            let mut end = deflate(&[], true)?;
            end.extend(gzip().0.footer(&member.check.0));
            out.push(Bytes::from(end));
        }
        Ok(out)
    }
}

impl Member {
    /// The header has no name, no time, and an unknown system: the same rows give the same bytes.
    fn start(&mut self, out: &mut Vec<Bytes>) {
        if !self.started {
            self.started = true;
            let (gzip, level) = gzip();
            out.push(Bytes::from(gzip.header(level)));
        }
    }
}

impl std::fmt::Debug for Check32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Check32")
    }
}
