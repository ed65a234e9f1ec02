//! What Arrow's reader of CSV does not know of the dialects that herald writes.

use std::{
    io::{self, Read},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringArray},
    error::ArrowError,
};

/// A byte that no UTF-8 text holds.
const STAND_IN: u8 = 0xff;

/// A text whose delimiter takes one byte, and that byte: Arrow's reader takes no other. A longer delimiter is replaced
/// wherever it stands outside of quotes.
pub(super) fn one_byte(text: Box<dyn Read + Send>, delimiter: char) -> (Box<dyn Read + Send>, u8) {
    if let Ok(byte) = u8::try_from(delimiter)
        && byte.is_ascii()
    {
        return (text, byte);
    }
    let delimiter = delimiter.to_string().into_bytes();
    (Box::new(Replaced { text, delimiter, plain: Vec::new(), done: Vec::new(), given: 0, quoted: false }), STAND_IN)
}

struct Replaced {
    text: Box<dyn Read + Send>,
    delimiter: Vec<u8>,
    /// What was read and may end within a delimiter.
    plain: Vec<u8>,
    /// What is ready, and how much of it was given.
    done: Vec<u8>,
    given: usize,
    /// Whether the next byte stands in quotes. Doubled quotes open what they have just closed.
    quoted: bool,
}

/// Bytes of a read.
const BLOCK: usize = 1 << 16;

impl Replaced {
    /// Reads a block; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.done.clear();
        self.given = 0;
        let before = self.plain.len();
        let read = (&mut self.text).take(BLOCK as u64).read_to_end(&mut self.plain)?;
        let mut at = 0;
        while at < self.plain.len() {
            let rest = &self.plain[at..];
            if !self.quoted && rest.starts_with(&self.delimiter) {
                self.done.push(STAND_IN);
                at += self.delimiter.len();
                continue;
            }
            if !self.quoted && read > 0 && rest.len() < self.delimiter.len() && self.delimiter.starts_with(rest) {
                break;
            }
            self.quoted ^= rest[0] == b'"';
            self.done.push(rest[0]);
            at += 1;
        }
        self.plain.drain(..at);
        Ok(before + read > 0)
    }
}

impl Read for Replaced {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.done.len() {
            if !self.fill()? {
                return Ok(0);
            }
        }
        let length = out.len().min(self.done.len() - self.given);
        out[..length].copy_from_slice(&self.done[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

/// Texts without the apostrophe that keeps a spreadsheet from running them: it stands before what begins as a formula
/// does, apostrophes of its own left aside.
pub(super) fn unguarded(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| {
        let texts = column.as_string::<i32>().iter().map(|text| text.map(without_guard));
        Arc::new(texts.collect::<StringArray>()) as ArrayRef
    });
    RecordBatch::try_new(batch.schema(), columns.collect())
}

fn without_guard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_delimiter_becomes_one_byte_outside_of_quotes_however_the_text_is_cut() {
        let text = "a¦b\n\"x¦y\"\"¦\"¦¦\n¤¦Â\n".repeat(20_000);
        let expected = b"a\xffb\n\"x\xc2\xa6y\"\"\xc2\xa6\"\xff\xff\n\xc2\xa4\xff\xc3\x82\n".repeat(20_000);
        let (mut reader, byte) = one_byte(Box::new(io::Cursor::new(text.into_bytes())), '¦');
        let mut found = Vec::new();
        reader.read_to_end(&mut found).expect("a text");
        assert_eq!(byte, 0xff);
        assert!(found == expected);
        let (_, byte) = one_byte(Box::new(io::empty()), ';');
        assert_eq!(byte, b';');
    }

    #[test]
    fn only_the_apostrophe_of_the_guard_is_taken_away() {
        for (text, plain) in [("'=a", "=a"), ("''+1", "'+1"), ("'a", "'a"), ("'", "'"), ("", ""), ("''", "''")] {
            assert_eq!(without_guard(text), plain);
        }
    }
}
