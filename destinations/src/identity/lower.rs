//! Trimming and lower-casing without an allocation per row.

/// White space, control characters and the blanks that have no width but survive a copy from a web page or
/// the start of a file. None of them is ever meant.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200B}' | '\u{2060}' | '\u{FEFF}')
}

/// The text without blanks at its ends.
pub(super) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        // The common case costs two comparisons.
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim_matches(is_blank),
    }
}

/// Appends the lower-case text, as Unicode has it.
pub(super) fn push_lower(text: &str, buffer: &mut String) {
    if text.is_ascii() {
        let start = buffer.len();
        buffer.push_str(text);
        if let Some(added) = buffer.get_mut(start..) {
            added.make_ascii_lowercase();
        }
    } else if text.contains('Σ') {
        // The one letter whose small form depends on its neighbours; rare enough for a copy.
        buffer.push_str(&text.to_lowercase());
    } else {
        buffer.extend(text.chars().flat_map(char::to_lowercase));
    }
}
