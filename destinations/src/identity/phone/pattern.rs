//! One pattern of the metadata, anchored and compiled when it is first needed.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

/// A pattern over ASCII digits. Some 2,000 of them exist and a lake needs those of a few countries, so each
/// is compiled by the first number that asks for it and is then read without a lock.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    /// Nothing but digits: compared, not searched. Most dialling prefixes are.
    literal: bool,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Matches from the first digit on, and need not reach the last.
    pub(super) fn prefix(source: &str) -> Self {
        let source = without_blanks(source);
        let literal = source.bytes().all(|byte| byte.is_ascii_digit());
        let source = if literal { source } else { format!("^(?:{source})") };
        Self { source, literal, compiled: OnceLock::new() }
    }

    /// Matches the whole number or not at all.
    pub(super) fn whole(source: &str) -> Self {
        Self { source: format!("^(?:{})$", without_blanks(source)), literal: false, compiled: OnceLock::new() }
    }

    /// Where a match from the first digit on ends.
    pub(super) fn end(&self, digits: &[u8]) -> Option<usize> {
        if self.literal {
            return digits.starts_with(self.source.as_bytes()).then_some(self.source.len());
        }
        self.regex()?.find(digits).map(|found| found.end())
    }

    /// Whether it matches.
    pub(super) fn is_match(&self, digits: &[u8]) -> bool {
        if self.literal {
            return digits.starts_with(self.source.as_bytes());
        }
        self.regex().is_some_and(|regex| regex.is_match(digits))
    }

    /// The compiled pattern. None where it does not compile: a test compiles every one there is.
    pub(super) fn regex(&self) -> Option<&Regex> {
        // Digits are ASCII by now, and tables without Unicode are a tenth of the size.
        self.compiled.get_or_init(|| RegexBuilder::new(&self.source).unicode(false).build().ok()).as_ref()
    }
}

/// The metadata wraps its longer patterns over several lines.
fn without_blanks(source: &str) -> String {
    source.chars().filter(|c| !c.is_whitespace()).collect()
}
