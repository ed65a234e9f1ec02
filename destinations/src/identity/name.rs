//! Names: trimmed, lower case, one space between words.

use arrow::array::StringArray;

use super::error::IdentityError;
use super::lower::{is_blank, push_lower, trim};
use super::text::Text;

const USUAL_LENGTH: usize = 16;

/// Trims and lowers names and turns every run of blanks inside into one space. Null where nothing is left.
///
/// Accents, hyphens, apostrophes and titles stay, and so does the Unicode form: platforms differ in what they
/// drop beyond this, so dropping it is the target's business.
///
/// # Errors
/// `TooLarge` when the result exceeds 2 GiB.
pub fn normalize_name(text: Text<'_>) -> Result<StringArray, IdentityError> {
    let mut buffer = String::new();
    text.map(USUAL_LENGTH, |_, text, row| {
        buffer.clear();
        for word in trim(text).split(is_blank).filter(|word| !word.is_empty()) {
            if !buffer.is_empty() {
                buffer.push(' ');
            }
            push_lower(word, &mut buffer);
        }
        if buffer.is_empty() { Ok(()) } else { row.set(&buffer) }
    })
}
