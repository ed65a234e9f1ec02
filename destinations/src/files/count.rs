//! The rows of a part, counted from its bytes alone: nobody need say how it was written.

use std::io::{self, BufRead, BufReader, Read};

use bytes::{Buf, Bytes};
use parquet::file::metadata::ParquetMetaDataReader;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Receiver;

/// A Parquet file starts with this, and ends with its footer, the footer's length and this.
const MAGIC: &[u8] = b"PAR1";
/// Bytes that tell how a file is packed.
const LONGEST_SIGN: usize = 4;
/// What is kept of a file's end; a footer that is longer is not read.
const LONGEST_FOOTER: usize = 4 << 20;

/// What text a part is, as far as its name tells. A name may stand still (`customers.csv`) and say what is not so: the
/// content must agree, or nothing is counted. Parquet is known by its content alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A record ends with a line break outside of quotes.
    Csv,
    /// A record a line.
    Ndjson,
    /// Parquet, encrypted, or named so that nothing can be told.
    Other,
}

impl Kind {
    /// By the endings that [`FileOptions::extension`](super::FileOptions::extension) gives.
    pub(super) fn of(path: &str) -> Self {
        let plain = [".gz", ".bz2", ".zst"].into_iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
        if plain.ends_with(".csv") {
            Self::Csv
        } else if plain.ends_with(".ndjson") {
            Self::Ndjson
        } else {
            Self::Other
        }
    }
}

/// What was read of a part.
#[derive(Debug)]
pub(super) struct Seen {
    /// Lower-case hex.
    pub(super) sha256: String,
    /// `None`: they can't be counted.
    pub(super) rows: Option<Rows>,
}

/// Rows of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// So many.
    Exactly(u64),
    /// So many lines, the first of which may be a header.
    WithHeader(u64),
}

impl Rows {
    pub(super) fn may_be(self, rows: u64) -> bool {
        match self {
            Self::Exactly(found) => found == rows,
            Self::WithHeader(found) => found == rows || found == rows.saturating_add(1),
        }
    }
}

/// Reads all chunks, on a thread that may wait for them. What can't be decoded is hashed all the same.
pub(super) fn count(kind: Kind, chunks: Receiver<Bytes>) -> Seen {
    let mut chunks = Chunks { chunks, current: Bytes::new(), hash: Sha256::new() };
    let rows = match kind {
        _ if chunks.start().starts_with(MAGIC) => footer(&mut chunks).map(Rows::Exactly),
        Kind::Csv => decoded(&mut chunks, csv).map(Rows::WithHeader),
        Kind::Ndjson => decoded(&mut chunks, lines).map(Rows::Exactly),
        Kind::Other => None,
    };
    // What a decoder left unread counts for the hash, too.
    let rest = io::copy(&mut chunks, &mut io::sink());
    Seen { sha256: faster_hex::hex_string(&chunks.hash.finalize()), rows: rows.filter(|_| rest.is_ok()) }
}

/// The chunks as one text, hashed as it is read.
struct Chunks {
    chunks: Receiver<Bytes>,
    current: Bytes,
    hash: Sha256,
}

impl Chunks {
    /// The next chunk whole; `None` at the end.
    fn chunk(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.blocking_recv()?;
        self.hash.update(&chunk);
        Some(chunk)
    }

    /// What the content starts with: no less than tells how it is packed, however small the chunks.
    fn start(&mut self) -> &[u8] {
        while self.current.len() < LONGEST_SIGN {
            let Some(chunk) = self.chunk() else { break };
            self.current = [&self.current[..], &chunk[..]].concat().into();
        }
        &self.current
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let length = ready.len().min(into.len());
        into[..length].copy_from_slice(&ready[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.chunk() {
                Some(chunk) => self.current = chunk,
                None => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, length: usize) {
        self.current.advance(length);
    }
}

/// The rows that a Parquet footer tells.
fn footer(chunks: &mut Chunks) -> Option<u64> {
    let mut tail = std::mem::take(&mut chunks.current).to_vec();
    while let Some(chunk) = chunks.chunk() {
        tail.extend_from_slice(&chunk);
        if tail.len() > 2 * LONGEST_FOOTER {
            tail.drain(..tail.len() - LONGEST_FOOTER);
        }
    }
    let rest = tail.strip_suffix(MAGIC)?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let metadata = ParquetMetaDataReader::decode_metadata(&rest[rest.len().checked_sub(length)?..]).ok()?;
    u64::try_from(metadata.file_metadata().num_rows()).ok()
}

/// Counts in the plain text of what is compressed, or not, as its first bytes tell.
fn decoded(chunks: &mut Chunks, count: fn(&mut dyn BufRead) -> io::Result<u64>) -> Option<u64> {
    let start = chunks.start();
    let counted = if start.starts_with(&[0x1f, 0x8b]) {
        count(&mut BufReader::new(flate2::bufread::MultiGzDecoder::new(chunks)))
    } else if start.starts_with(b"BZh") {
        count(&mut BufReader::new(bzip2::bufread::MultiBzDecoder::new(chunks)))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        count(&mut BufReader::new(zstd::stream::read::Decoder::with_buffer(chunks).ok()?))
    } else {
        count(chunks)
    };
    counted.ok()
}

/// Objects a line, the last of which may lack its end.
fn lines(text: &mut dyn BufRead) -> io::Result<u64> {
    let (mut first, mut last) = (None, None);
    records(text, move |byte| {
        if byte == b'\n' {
            let object = (first.take(), last.take()) == (Some(b'{'), Some(b'}'));
            return object.then_some(true).ok_or_else(|| other("no object"));
        }
        first.get_or_insert(byte);
        last = Some(byte);
        Ok(false)
    })
}

/// Records of CSV: a line break in quotes ends none. A quote within quotes is doubled, which changes nothing.
fn csv(text: &mut dyn BufRead) -> io::Result<u64> {
    let (mut quoted, mut first) = (false, true);
    records(text, move |byte| {
        // Objects of NDJSON in a file that is called otherwise.
        if std::mem::take(&mut first) && byte == b'{' {
            return Err(other("an object"));
        }
        quoted ^= byte == b'"';
        Ok(!quoted && byte == b'\n')
    })
}

/// Counts the bytes at which a record `ends`, and an unfinished last record. An error: it is not the text that its name says.
fn records(text: &mut dyn BufRead, mut ends: impl FnMut(u8) -> io::Result<bool>) -> io::Result<u64> {
    let (mut found, mut open) = (0, false);
    loop {
        let bytes = text.fill_buf()?;
        if bytes.is_empty() {
            return Ok(found + u64::from(open));
        }
        for byte in bytes {
            // None of these is ever in UTF-8; whatever is encrypted or packed otherwise soon has one.
            if matches!(byte, 0xc0 | 0xc1 | 0xf5..) {
                return Err(other("no text"));
            }
            let ended = ends(*byte)?;
            found += u64::from(ended);
            open = !ended;
        }
        let length = bytes.len();
        text.consume(length);
    }
}

fn other(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Counts a content that comes in chunks of so many bytes.
    fn rows(path: &str, content: &[u8], size: usize) -> Option<Rows> {
        let (sender, receiver) = tokio::sync::mpsc::channel(content.len() / size + 1);
        for chunk in content.chunks(size) {
            sender.try_send(Bytes::copy_from_slice(chunk)).expect("room");
        }
        drop(sender);
        let seen = count(Kind::of(path), receiver);
        assert_eq!(seen.sha256, faster_hex::hex_string(&Sha256::digest(content)), "{path}");
        seen.rows
    }

    #[test]
    fn records_are_counted_whatever_stands_in_quotes_and_however_they_come() {
        let text = b"id,note\r\na,\"two\nlines\"\r\nb,\"a \"\"word\"\"\n\"\r\nc,\r\n";
        for size in [1, 3, 1_000] {
            assert_eq!(rows("x/part.csv", text, size), Some(Rows::WithHeader(4)), "{size}");
            assert_eq!(rows("part.ndjson", b"{\"a\":\"\\n\"}\n{}\n{}", size), Some(Rows::Exactly(3)), "{size}");
        }
        assert_eq!(rows("part.ndjson", b"", 1), Some(Rows::Exactly(0)));
        assert!(Rows::WithHeader(4).may_be(3) && Rows::WithHeader(4).may_be(4) && !Rows::WithHeader(4).may_be(5));
    }

    #[test]
    fn compressed_streams_that_follow_each_other_are_counted_through() {
        let half = b"{}\n{}\n";
        let gzip = |text: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("gzip")
        };
        let bzip2 = |text: &[u8]| {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(text).and_then(|()| encoder.finish()).expect("bzip2")
        };
        let zstd = |text: &[u8]| zstd::bulk::compress(text, 1).expect("zstd");
        for (name, packed) in [
            ("a.ndjson.gz", [gzip(half), gzip(half)].concat()),
            ("a.ndjson.bz2", [bzip2(half), bzip2(half)].concat()),
            ("a.ndjson.zst", [zstd(half), zstd(half)].concat()),
            // A name that does not say it.
            ("a.ndjson", [zstd(half), zstd(half)].concat()),
        ] {
            for size in [2, 10_000] {
                assert_eq!(rows(name, &packed, size), Some(Rows::Exactly(4)), "{name} by {size}");
            }
            assert_eq!(rows(name, &packed[..packed.len() - 3], 7), None, "{name} cut short");
        }
    }

    #[test]
    fn what_is_encrypted_or_not_what_its_name_says_is_hashed_alone() {
        for name in ["a.csv.gz.pgp", "customers", "a.parquet", "a.json", "a.CSV"] {
            assert_eq!(rows(name, b"whatever it is\n PAR1", 5), None, "{name}");
        }
        // What OpenPGP starts a message with; a byte that no UTF-8 has, later on.
        for content in [&b"\xc1\x5e\x03abc\n"[..], b"id\na\n\xff\n", b"{\"id\":\"a \\\" b\"}\n{}\n"] {
            for size in [1, 100] {
                assert_eq!(rows("customers.csv", content, size), None, "{content:?}");
            }
        }
        for content in [&b"id,note\na,\"two\nlines\"\n"[..], b"{}\n\n{}\n", b"\xc1\n"] {
            assert_eq!(rows("customers.ndjson", content, 3), None, "{content:?}");
        }
    }

    #[test]
    fn parquet_is_counted_by_its_footer_whatever_it_is_called() {
        let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from_iter_values(0..77));
        let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)]).expect("a batch");
        let mut file = Vec::new();
        let mut writer = parquet::arrow::ArrowWriter::try_new(&mut file, batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("rows");
        writer.close().expect("a footer");
        for name in ["a.parquet", "customers.csv", "x.ndjson.gz", "customers"] {
            for size in [1, 50, 1 << 20] {
                assert_eq!(rows(name, &file, size), Some(Rows::Exactly(77)), "{name} by {size}");
            }
            assert_eq!(rows(name, &file[..file.len() - 3], 9), None, "{name} cut short");
        }
        assert_eq!(rows("a.csv", b"PAR1,x\n1,2\n", 2), None);
    }
}
