//! Dates and times by ISO 8601, without a calendar object a row.

use super::number::write_padded;

const DAY_SECONDS: i64 = 86_400;

/// `yyyy-mm-dd` of a day since 1970; `false`, and nothing written, outside of the years 0 to 9999.
pub(super) fn write_date(days: i64, out: &mut Vec<u8>) -> bool {
    let Some((year, month, day)) = civil(days) else { return false };
    write_padded(year, 4, out);
    out.push(b'-');
    write_padded(month, 2, out);
    out.push(b'-');
    write_padded(day, 2, out);
    true
}

/// `yyyy-mm-ddThh:mm:ss` and, unless it is zero, a fraction of 3, 6 or 9 digits. `unit`: how many make a second.
pub(super) fn write_timestamp(value: i64, unit: i64, out: &mut Vec<u8>) -> bool {
    let seconds = value.div_euclid(unit);
    if !write_date(seconds.div_euclid(DAY_SECONDS), out) {
        return false;
    }
    let of_day = seconds.rem_euclid(DAY_SECONDS) as u32;
    for (mark, number) in [(b'T', of_day / 3_600), (b':', of_day / 60 % 60), (b':', of_day % 60)] {
        out.push(mark);
        write_padded(number, 2, out);
    }
    let nanos = (value.rem_euclid(unit) * (1_000_000_000 / unit)) as u32;
    if nanos != 0 {
        out.push(b'.');
        match (nanos % 1_000_000, nanos % 1_000) {
            (0, _) => write_padded(nanos / 1_000_000, 3, out),
            (_, 0) => write_padded(nanos / 1_000, 6, out),
            _ => write_padded(nanos, 9, out),
        }
    }
    true
}

/// Year, month and day in the Gregorian calendar, counted in 400-year eras that begin on 1 March.
fn civil(days: i64) -> Option<(u32, u32, u32)> {
    /// Days from 0000-03-01 to 1970-01-01.
    const SHIFT: i64 = 719_468;
    const ERA: i64 = 146_097;
    let days = days.checked_add(SHIFT)?;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if !(0..=9_999).contains(&year) {
        return None;
    }
    Some((year as u32, month as u32, day as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Datelike};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timestamps_equal_chronos(
            value in any::<i64>(),
            shift in 0..40_u32,
            unit in prop_oneof![Just(1), Just(1_000), Just(1_000_000), Just(1_000_000_000_i64)],
        ) {
            let value = value >> shift;
            let nanos = (value.rem_euclid(unit) * (1_000_000_000 / unit)) as u32;
            let expected = DateTime::from_timestamp(value.div_euclid(unit), nanos).map(|time| time.naive_utc());
            let expected = expected.filter(|time| (0..=9_999).contains(&time.year())).map(|time| format!("{time:?}"));
            let mut out = Vec::new();
            let written = write_timestamp(value, unit, &mut out);
            prop_assert_eq!(written.then(|| String::from_utf8(out.clone()).expect("digits")), expected);
            prop_assert!(written || out.is_empty());
        }
    }
}
