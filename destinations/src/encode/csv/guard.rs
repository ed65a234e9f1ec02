//! Texts that a spreadsheet would run as a formula.

/// Puts an apostrophe before the field that starts at `start` where it begins as a formula does. Apostrophes may stand
/// before that: so whoever takes one away from a field of this form has what was there, whatever it was.
pub(super) fn guard(out: &mut Vec<u8>, start: usize) {
    let mut rest = out[start..].iter().skip_while(|byte| **byte == b'\'');
    if rest.next().is_some_and(|byte| b"=+-@\t\r".contains(byte)) {
        out.insert(start, b'\'');
    }
}
