//! E-mail addresses: trimmed, lower case, and of the shape x@y.z.

use arrow::array::StringArray;

use super::error::IdentityError;
use super::hash::Hasher;
use super::lower::{is_blank, push_lower, trim};
use super::text::Text;

/// Bytes to reserve for an address; most are shorter.
const USUAL_LENGTH: usize = 24;

/// Trims and lowers e-mail addresses. Null where the text is none: exactly one `@`, something before it, no
/// blank inside, and after it at least two labels with a dot between, none of them empty.
///
/// Nothing else is touched: what one platform alone wants (Gmail's dots, tags after a plus) is that
/// platform's business. There is no Unicode normalisation: the platforms' own utilities have none, and a hash
/// must equal theirs.
///
/// # Errors
/// `TooLarge` when the result exceeds 2 GiB.
pub fn normalize_email(text: Text<'_>) -> Result<StringArray, IdentityError> {
    let mut buffer = String::new();
    text.map(USUAL_LENGTH, |_, text, row| match normalize(text, &mut buffer) {
        Some(email) => row.set(email),
        None => Ok(()),
    })
}

/// SHA-256 of each normalised e-mail address as 64 lower-case hex digits; null where it is none.
///
/// # Errors
/// `TooLarge` when the result exceeds 2 GiB.
pub fn sha256_email(text: Text<'_>) -> Result<StringArray, IdentityError> {
    let mut buffer = String::new();
    let mut hasher = Hasher::new();
    text.map(Hasher::HEX, |_, text, row| match normalize(text, &mut buffer) {
        Some(email) => row.set(hasher.hex(email)),
        None => Ok(()),
    })
}

/// The normalised address: the text itself where nothing changes, else in the buffer.
fn normalize<'a>(text: &'a str, buffer: &'a mut String) -> Option<&'a str> {
    let text = trim(text);
    if !is_email(text) {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Some(text);
    }
    buffer.clear();
    push_lower(text, buffer);
    Some(buffer)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    if local.is_empty() || !is_domain(domain) {
        return false;
    }
    if text.is_ascii() { text.bytes().all(|byte| byte.is_ascii_graphic()) } else { !text.contains(is_blank) }
}

/// Labels with dots between, at least two, none empty; and no second `@`.
fn is_domain(domain: &str) -> bool {
    let mut dots = 0;
    let mut previous = b'.';
    for byte in domain.bytes() {
        match byte {
            b'@' => return false,
            b'.' if previous == b'.' => return false,
            b'.' => dots += 1,
            _ => {}
        }
        previous = byte;
    }
    dots > 0 && previous != b'.'
}
