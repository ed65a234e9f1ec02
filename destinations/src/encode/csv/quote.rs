/// Whether a field holds what ends it or opens quotes.
pub(super) fn is_due(field: &[u8], delimiter: &[u8]) -> bool {
    let ends = |byte: u8| (byte == b'"') | (byte == b'\n') | (byte == b'\r');
    // Without an early exit, so that the loop becomes vector instructions.
    match delimiter {
        [one] => field.iter().fold(false, |found, byte| found | (byte == one) | ends(*byte)),
        several => {
            field.iter().fold(false, |found, byte| found | ends(*byte))
                || field.windows(several.len()).any(|window| window == several)
        }
    }
}

/// Quotes the bytes from `start` on, in place; quotes within are doubled.
pub(super) fn quote(out: &mut Vec<u8>, start: usize) {
    let length = out.len();
    let inner = out[start..].iter().filter(|byte| **byte == b'"').count();
    out.resize(length + inner + 2, b'"');
    let mut to = out.len() - 1;
    for from in (start..length).rev() {
        let byte = out[from];
        to -= 1;
        out[to] = byte;
        if byte == b'"' {
            to -= 1;
            out[to] = b'"';
        }
    }
    out[start] = b'"';
}
