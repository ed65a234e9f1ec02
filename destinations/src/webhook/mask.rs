//! What a receiver says, without what it was told: its words are stored and shown, members' values are not.

use std::collections::{BTreeSet, HashMap};

use arrow::{
    array::{Array, AsArray},
    datatypes::DataType,
    util::display::{ArrayFormatter, FormatOptions},
};

use crate::contract::Batch;

/// What stands in place of a value.
const BLANK: &str = "…";
/// Shorter values are words like any other.
pub(super) const SHORTEST: usize = 4;
/// Bytes by which texts are looked up.
const START: usize = 4;
/// Characters of a message that are kept.
const LONGEST_MESSAGE: usize = 200;
/// Characters of a code that are kept.
const LONGEST_CODE: usize = 64;
/// Bytes of what a receiver says that are looked at.
const LOOKED_AT: usize = 4096;

/// Texts that may not be shown, in lower case.
#[derive(Clone, Default)]
pub(super) struct Mask {
    /// By their first bytes: a request may hold hundreds of thousands of values.
    texts: HashMap<[u8; START], BTreeSet<String>>,
    /// Too short for that.
    short: BTreeSet<String>,
}

impl Mask {
    /// Hides a text of any length.
    pub(super) fn hide(&mut self, text: &str) {
        let text = line(text).to_ascii_lowercase();
        if text.is_empty() {
            return;
        }
        let start = text.as_bytes().first_chunk().copied();
        start.map_or(&mut self.short, |start| self.texts.entry(start).or_default()).insert(text);
    }

    /// Hides the key and the values of one row.
    pub(super) fn hide_row(&mut self, batch: &Batch, row: usize) {
        self.hide_value(batch.members.as_ref(), row);
        for column in batch.rows.columns() {
            self.hide_value(column.as_ref(), row);
        }
    }

    fn hide_value(&mut self, array: &dyn Array, row: usize) {
        if array.is_null(row) {
            return;
        }
        match array.data_type() {
            // Two words that any message may hold.
            DataType::Boolean => {}
            DataType::List(_) => self.hide_items(array.as_list::<i32>().value(row).as_ref()),
            DataType::LargeList(_) => self.hide_items(array.as_list::<i64>().value(row).as_ref()),
            DataType::Struct(_) => {
                for column in array.as_struct().columns() {
                    self.hide_value(column.as_ref(), row);
                }
            }
            _ => {
                // A type that can't be shown can't have been sent.
                let Ok(texts) = ArrayFormatter::try_new(array, &FormatOptions::default()) else { return };
                let text = texts.value(row).to_string();
                if text.trim().chars().count() >= SHORTEST {
                    self.hide(text.trim());
                }
            }
        }
    }

    fn hide_items(&mut self, items: &dyn Array) {
        for item in 0..items.len() {
            self.hide_value(items, item);
        }
    }

    /// A message as it may be shown: one short line without values or addresses.
    pub(super) fn message(&self, said: &str) -> String {
        let said = &said[..said.floor_char_boundary(LOOKED_AT)];
        let blanked = without_addresses(&self.blank(&line(said)));
        let words: Vec<&str> = blanked.split_whitespace().collect();
        words.join(" ").chars().take(LONGEST_MESSAGE).collect()
    }

    /// A code as it may be shown; `None` where nothing of it may.
    pub(super) fn code(&self, said: &str) -> Option<String> {
        let fits = |char: char| char.is_ascii_alphanumeric() || "_.-".contains(char);
        let shown = !said.is_empty() && self.blank(said) == said && !said.contains('@');
        let code = said.chars().map(|char| if fits(char) { char } else { '_' }).take(LONGEST_CODE);
        shown.then(|| code.collect())
    }

    fn blank(&self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let mut shown = String::with_capacity(text.len());
        // Values may overlap: each hides its own part.
        let mut hidden_to = 0;
        for (at, char) in text.char_indices() {
            let hidden = self.longest(&lower[at..]);
            if hidden > 0 && at >= hidden_to {
                shown.push_str(BLANK);
            }
            hidden_to = hidden_to.max(at + hidden);
            if at >= hidden_to {
                shown.push(char);
            }
        }
        shown
    }

    /// Bytes of the longest hidden text that this one starts with.
    fn longest(&self, text: &str) -> usize {
        let alike = text.as_bytes().first_chunk().and_then(|start| self.texts.get(start));
        let hidden = alike.into_iter().flatten().chain(&self.short);
        hidden.filter(|hidden| text.starts_with(hidden.as_str())).map(String::len).max().unwrap_or(0)
    }
}

fn line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// Whatever holds an `@` may be an address of somebody else's.
fn without_addresses(text: &str) -> String {
    let word = |word: &str| if word.contains('@') { BLANK.to_owned() } else { word.to_owned() };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conformance::{batch, every_type},
        contract::{Batch, Op},
    };

    #[test]
    fn values_of_the_row_are_blanked_whatever_their_case() {
        let mut mask = Mask::default();
        mask.hide_row(&batch(Op::Add, 40, 2), 1);
        assert_eq!(mask.message("No such box: PERSON41@example.com, of m000041 (771)"), "No such box: …, of … (771)");
        assert_eq!(mask.code("bad_m000041"), None);
    }

    #[test]
    fn items_of_lists_and_numbers_are_values_too() {
        let rows = every_type();
        let members = rows.column(0).clone();
        let mut mask = Mask::default();
        mask.hide_row(&Batch { op: Op::Add, members, rows, changes: None }, 0);
        let said = "B,\"C\" and -9223372036854775808, 2026-11-22, true";
        assert_eq!(mask.message(said), "… and …, …, true");
    }

    #[test]
    fn a_message_is_one_short_line_without_addresses() {
        let mask = Mask::default();
        let long = mask.message(&format!("a\r\n\u{1b}[31mb <who@example.com>; {}", "ä".repeat(9_000)));
        assert!(long.starts_with("a [31mb … ä"), "{long}");
        assert_eq!(long.chars().count(), LONGEST_MESSAGE);
        assert_eq!(mask.message(""), "");
    }

    #[test]
    fn a_code_is_short_and_plain() {
        let mask = Mask::default();
        assert_eq!(mask.code("bad email!").as_deref(), Some("bad_email_"));
        assert_eq!(mask.code(&"x".repeat(100)).map(|code| code.len()), Some(64));
        assert_eq!(mask.code(""), None);
        assert_eq!(mask.code("who@example.com"), None);
    }

    #[test]
    fn a_secret_is_blanked_where_it_overlaps_others() {
        let mut mask = Mask::default();
        mask.hide("token");
        mask.hide("token-4711");
        mask.hide("11-x");
        assert_eq!(mask.message("bad Token-4711 and token, or token-4711-x"), "bad … and …, or …");
    }
}
