//! A file of member keys, one a line, as users write them.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use arrow::array::{Array, StringArray};

use super::{Failure, code};
use crate::{resolve::Replay, snapshot::KeyCodec};

/// Lines that are read at a time.
const LINES: usize = 8_192;

/// Hands every key of a file over. Blank lines are none. It reads a file, so it is for a thread that may block.
///
/// # Errors
/// `keys_unreadable`, naming the first line at fault and how many are, but no key; or what the disk said.
pub(super) fn read(path: &Path, codec: &KeyCodec, into: &mut Replay) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| fault(format!("`{}` can't be read: {error}", path.display()));
    let lines = BufReader::new(File::open(path).map_err(unreadable)?).lines();
    let mut bad = Bad::default();
    let mut gathered = Gathered::default();
    for (line, number) in lines.zip(1..) {
        let line = line.map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => fault(format!("`{}`, line {number}: not in UTF-8", path.display())),
            _ => unreadable(error),
        })?;
        // Some editors begin a file with a mark of its encoding.
        let text = if number == 1 { line.trim_start_matches('\u{feff}') } else { &line };
        if !text.trim().is_empty() {
            gathered.numbers.push(number);
            gathered.texts.push(text.to_owned());
        }
        if gathered.texts.len() >= LINES {
            std::mem::take(&mut gathered).hand_over(codec, into, &mut bad)?;
        }
    }
    gathered.hand_over(codec, into, &mut bad)?;
    match bad.first {
        None => Ok(()),
        Some((line, why)) => {
            let more = if bad.count > 1 { format!(", and {} more lines", bad.count - 1) } else { String::new() };
            Err(fault(format!("`{}`, line {line}: {why}{more}", path.display())))
        }
    }
}

const NO_KEY: &str = "can't be a key of the segment's table";

/// Lines that were read and not yet handed over.
#[derive(Default)]
struct Gathered {
    numbers: Vec<u64>,
    texts: Vec<String>,
}

impl Gathered {
    fn hand_over(self, codec: &KeyCodec, into: &mut Replay, bad: &mut Bad) -> Result<(), Failure> {
        let read = codec.read_members(&StringArray::from(self.texts)).map_err(code::internal)?;
        (0..read.keys.len()).filter(|row| read.keys.is_null(*row)).for_each(|row| bad.note(self.numbers[row], NO_KEY));
        if let Some(row) = read.ambiguous {
            bad.note(self.numbers[row], "reads as more than one key");
        }
        // Once one is at fault, the rest is only looked at for others.
        if bad.count == 0 { into.members(read.keys) } else { Ok(()) }
    }
}

/// Lines at fault.
#[derive(Default)]
struct Bad {
    first: Option<(u64, &'static str)>,
    count: u64,
}

impl Bad {
    fn note(&mut self, line: u64, why: &'static str) {
        self.count += 1;
        self.first = self.first.filter(|(first, _)| *first < line).or(Some((line, why)));
    }
}

fn fault(message: String) -> Failure {
    Failure {
        code: code::KEYS_UNREADABLE.into(),
        message,
        remedy: "write one key a line, in UTF-8, as the table has it; the parts of a composite one joined by `|`"
            .into(),
        retryable: false,
    }
}
