//! The text of a config file, and places in it.

use std::{
    fmt,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// A config file. What it holds is shown only through [`Source::shown_line`], where secrets are masked.
pub(crate) struct Source {
    /// Its path, as the user would type it.
    pub(crate) path: String,
    /// The absolute folder that it stands in; relative paths in it start here.
    pub(crate) folder: PathBuf,
    /// Its text, without a byte order mark.
    pub(crate) text: String,
    /// Bytes that no output shows.
    hidden: Mutex<Vec<Range<usize>>>,
}

impl Source {
    /// A file with nothing hidden yet.
    pub(crate) fn new(path: String, folder: PathBuf, text: String) -> Arc<Self> {
        Arc::new(Self { path, folder, text, hidden: Mutex::new(Vec::new()) })
    }

    /// Hides bytes from all output.
    pub(crate) fn hide(&self, span: Range<usize>) {
        if !span.is_empty() {
            self.hidden.lock().unwrap_or_else(PoisonError::into_inner).push(span);
        }
    }

    /// The line that holds a byte, what is hidden in it masked, with the part of `span` that lies in it;
    /// `None` where the file has no such byte.
    pub(crate) fn shown_line(&self, span: &Range<usize>) -> Option<ShownLine> {
        let at = span.start.min(self.text.len());
        let before = self.text.get(..at)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text.get(at..)?.find('\n').map_or(self.text.len(), |newline| at + newline);
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hidden.sort_by_key(|range| (range.start, range.end));
        let mut line = ShownLine { text: String::new(), span: 0..0 };
        let (mut position, mut began, mut ended) = (start, None, None);
        let mut masks = hidden.into_iter().filter(|range| range.end > start && range.start < end).peekable();
        while position < end {
            while masks.next_if(|mask| mask.end <= position).is_some() {}
            let mark = line.text.len();
            let next = match masks.peek() {
                Some(mask) if mask.start <= position => {
                    line.text.push_str(MASK);
                    mask.end.min(end)
                }
                mask => {
                    let next = mask.map_or(end, |mask| mask.start.min(end));
                    line.text.push_str(self.text.get(position..next)?);
                    let inside = |byte: usize| mark + byte.clamp(position, next) - position;
                    if (position..next).contains(&span.start) {
                        began.get_or_insert(inside(span.start));
                    }
                    if span.end > position && span.end <= next {
                        ended = Some(inside(span.end));
                    }
                    position = next;
                    continue;
                }
            };
            if (position..next).contains(&span.start) {
                began.get_or_insert(mark);
            }
            if span.end > position && span.end <= next {
                ended = Some(line.text.len());
            }
            position = next;
        }
        let trimmed = line.text.trim_end().len();
        line.text.truncate(trimmed);
        let from = began.unwrap_or(trimmed).min(trimmed);
        line.span = from..ended.unwrap_or(trimmed).clamp(from, trimmed.max(from));
        Some(line)
    }
}

/// What stands in the place of a secret.
const MASK: &str = "***";

/// A line as it may be shown.
pub(crate) struct ShownLine {
    /// Its text.
    pub(crate) text: String,
    /// The bytes of `text` at fault.
    pub(crate) span: Range<usize>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// A place in a config file.
#[derive(Clone)]
pub struct Place {
    pub(crate) source: Arc<Source>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Bytes of the file, a byte order mark not counted.
    pub span: Range<usize>,
}

impl Place {
    /// The file, as the user would type it.
    pub fn file(&self) -> &str {
        &self.source.path
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        (self.file(), self.line, self.column) == (other.file(), other.line, other.column)
    }
}

impl Eq for Place {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file(), self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
