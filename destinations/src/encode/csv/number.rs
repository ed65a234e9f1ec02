//! Whole numbers and decimals, written from the back into a buffer on the stack.

/// `00` to `99`: two digits a division.
const PAIRS: [u8; 200] = pairs();

const fn pairs() -> [u8; 200] {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[number * 2] = b'0' + (number / 10) as u8;
        pairs[number * 2 + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
}

/// An `i128` has up to 39 digits.
const DIGITS: usize = 40;

/// Decimal digits of `value`, at the end of `buffer`; returns where they start.
fn digits(value: u128, buffer: &mut [u8; DIGITS]) -> usize {
    let mut at = DIGITS;
    let mut wide = value;
    while wide > u128::from(u64::MAX) {
        let pair = (wide % 100) as usize * 2;
        wide /= 100;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    let mut rest = wide as u64;
    while rest >= 100 {
        let pair = (rest % 100) as usize * 2;
        rest /= 100;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if rest >= 10 {
        let pair = rest as usize * 2;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        buffer[at] = b'0' + rest as u8;
    }
    at
}

/// A whole number.
pub(super) fn write_int(value: i128, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut buffer = [0; DIGITS];
    let at = digits(value.unsigned_abs(), &mut buffer);
    out.extend_from_slice(&buffer[at..]);
}

/// `value` / 10^`scale`, exact, with all its `scale` digits.
pub(super) fn write_decimal(value: i128, scale: usize, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut buffer = [0; DIGITS];
    let at = digits(value.unsigned_abs(), &mut buffer);
    let digits = &buffer[at..];
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > scale {
        let (whole, part) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(part);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

/// `value` with leading zeros, `width` digits; for values that fit.
pub(super) fn write_padded(value: u32, width: usize, out: &mut Vec<u8>) {
    let mut buffer = [0; DIGITS];
    let at = digits(u128::from(value), &mut buffer);
    out.resize(out.len() + width.saturating_sub(DIGITS - at), b'0');
    out.extend_from_slice(&buffer[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn int(value: i128) -> String {
        let mut out = Vec::new();
        write_int(value, &mut out);
        String::from_utf8(out).expect("digits")
    }

    fn decimal(value: i128, scale: usize) -> String {
        let mut out = Vec::new();
        write_decimal(value, scale, &mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn the_ends_of_the_types_are_written() {
        for value in [0, 9, 10, 99, 100, -1, i128::from(i64::MIN), i128::from(u64::MAX), i128::MIN, i128::MAX] {
            assert_eq!(int(value), value.to_string());
        }
    }

    #[test]
    fn a_decimal_keeps_all_of_its_digits() {
        for (value, scale, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (100, 2, "1.00"),
            (-12_345, 2, "-123.45"),
            (12_345, 0, "12345"),
            (1, 38, "0.00000000000000000000000000000000000001"),
        ] {
            assert_eq!(decimal(value, scale), text);
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_equal_the_standard_librarys(value in any::<i128>(), shift in 0..127_u32) {
            prop_assert_eq!(int(value >> shift), (value >> shift).to_string());
        }

        #[test]
        fn decimals_equal_arrows(value in any::<i128>(), shift in 3..127_u32, scale in 0..38_i8) {
            use arrow::datatypes::{Decimal128Type, DecimalType};
            let value = value >> shift;
            let expected = Decimal128Type::format_decimal(value, 38, scale);
            prop_assert_eq!(decimal(value, usize::from(scale.unsigned_abs())), expected);
        }
    }
}
