//! Text → digits, for numbers written the usual way.

use super::digits::{Digits, MOST};
use super::parse::Dialled;

/// Longer texts are no phone numbers.
pub(super) const LONGEST_TEXT: usize = 250;

/// What one look at a text found.
pub(super) enum Scan {
    Number(Dialled),
    /// No number can be in it.
    Nothing,
    /// Letters, extensions, other scripts: needs the thorough reading.
    Unusual,
}

/// Reads digits, pluses, blanks and `- . ( ) /`. None of these starts an extension or a second number, so
/// a text of nothing else means the same read byte by byte.
pub(super) fn scan(text: &str) -> Scan {
    let mut digits = Digits::new();
    let mut plus = false;
    let mut started = false;
    let mut previous_is_plus = false;
    let mut misplaced = false;
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => {
                // What stands after a misplaced plus is no number, unless nothing but blanks follows.
                if misplaced || digits.len() == MOST {
                    return leftover(text);
                }
                started = true;
                previous_is_plus = false;
                digits.push(byte);
            }
            b'+' if !started || (previous_is_plus && digits.len() == 0) => {
                started = true;
                previous_is_plus = true;
                plus = true;
            }
            b'+' => misplaced = true,
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' => previous_is_plus = false,
            _ => return Scan::Unusual,
        }
    }
    // Two digits alone count as a number, with anything around them they don't; no region has such.
    if digits.len() < 3 || text.len() > LONGEST_TEXT {
        return Scan::Nothing;
    }
    Scan::Number(Dialled { plus, digits })
}

/// Given up on: nothing, unless bytes ahead call for the thorough reading.
fn leftover(text: &str) -> Scan {
    let usual = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b' ' | b'-' | b'.' | b'(' | b')' | b'/');
    if text.bytes().all(usual) { Scan::Nothing } else { Scan::Unusual }
}
