//! Texts with a shape of their own: durations, sizes, ratios, names, zones.

use std::time::Duration;

/// Of entries of the config.
pub(super) const NAME: &str = "^[a-z][a-z0-9_]*$";
/// Of record fields.
pub(super) const FIELD: &str = "^[^_\\u0000-\\u001f\\u007f][^\\u0000-\\u001f\\u007f]*$";
/// Of durations.
pub(super) const DURATION: &str = "^[0-9]+(s|m|h|d)$";
/// Of sizes.
pub(super) const SIZE: &str = "^[0-9]+(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$";
/// Of ratios.
pub(super) const RATIO: &str = "^[0-9]+(\\.[0-9]+)?%$";

/// Reads `90s`, `15m`, `12h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration such as 90s, 15m, 12h or 7d is wanted".to_owned();
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    // A century is more than any schedule needs, and keeps sums of times within their range.
    number
        .checked_mul(seconds)
        .filter(|seconds| *seconds <= 36_525 * 86_400)
        .map(Duration::from_secs)
        .ok_or_else(|| "a duration of at most 36525d is wanted".to_owned())
}

/// Reads `512MiB`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "a size such as 512MiB or 2GB is wanted".to_owned();
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let bytes: u64 = match unit {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(bytes)
        .filter(|bytes| *bytes <= 1 << 60)
        .ok_or_else(|| "a size of at most 1048576TiB is wanted".to_owned())
}

/// Reads `50%` as 0.5.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    let wrong = || "a share of the whole such as 50% is wanted".to_owned();
    let number = text.strip_suffix('%').ok_or_else(wrong)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(wrong());
    }
    let percent: f64 = number.parse().map_err(|_| wrong())?;
    if percent > 100.0 { Err("a share is at most 100%".to_owned()) } else { Ok(percent / 100.0) }
}

/// Checks the name of an entry.
pub(super) fn name(text: &str) -> Result<(), String> {
    let fits = text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if fits { Ok(()) } else { Err("a name starts with a letter a-z and goes on with a-z, 0-9 and _".to_owned()) }
}

/// Checks the name of a record field.
pub(super) fn field(text: &str) -> Result<(), String> {
    if text.starts_with('_') {
        Err("field names that start with _ are reserved".to_owned())
    } else if text.is_empty() || text.contains(char::is_control) {
        Err("a field name is not empty and holds no control character".to_owned())
    } else {
        Ok(())
    }
}

/// Reads an IANA zone.
pub(super) fn timezone(text: &str) -> Result<chrono_tz::Tz, String> {
    text.parse().map_err(|_| "an IANA time zone such as Europe/Berlin is wanted".to_owned())
}

/// `512MiB` → 512 and `MiB`.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, field, name, ratio, size, timezone};

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("12h"), Ok(Duration::from_secs(43_200)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for text in ["", "90", "s", "1.5h", "-1s", "1 h", "1w", "1H", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("2GB"), Ok(2_000_000_000));
        assert_eq!(size("7B"), Ok(7));
        for text in ["", "512", "512mib", "1.5GiB", "99999999999TiB", "1PiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ratios_end_in_a_percent_sign() {
        assert_eq!(ratio("50%"), Ok(0.5));
        assert_eq!(ratio("12.5%"), Ok(0.125));
        assert_eq!(ratio("100%"), Ok(1.0));
        for text in ["", "%", "0.5", "50", "101%", "-1%", "1e1%", "5.%", "inf%", "nan%"] {
            assert!(ratio(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_and_zones_are_checked() {
        assert!(name("a1_b").is_ok());
        for text in ["", "1a", "_a", "A", "a-b", "ä", "a.b"] {
            assert!(name(text).is_err(), "{text}");
        }
        assert!(field("External ID").is_ok() && field("_op").is_err() && field("").is_err() && field("a\nb").is_err());
        assert!(timezone("Europe/Berlin").is_ok());
        assert!(timezone("Europe/Berln").is_err() && timezone("").is_err());
    }
}
