//! Numbers and times for people.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

use crate::publish::{PublishKind, Status};

/// `12,345`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `830 B`, `83.1 KiB`
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{number} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `320 ms`, `2.3 s`, `4 min`, `3 h 5 min`, `2 d 4 h`
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let pair = |whole: u64, unit: &str, rest: u64, smaller: &str| {
        if rest == 0 { format!("{whole} {unit}") } else { format!("{whole} {unit} {rest} {smaller}") }
    };
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..=59 => format!("{:.1} s", duration.as_secs_f64()),
        60..=3_599 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..=86_399 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// Whole units alone: `45 s`, `12 min`, `5 h`, `3 d`
pub(super) fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{} min", seconds / 60),
        3_600..=86_399 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `3 min ago`, `in 2 h`; the script keeps it true.
pub(super) fn when(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    let text = match ((now - at).to_std(), (at - now).to_std()) {
        (Ok(past), _) if past.as_secs() < 5 => "just now".to_owned(),
        (Ok(past), _) => format!("{} ago", rough(past)),
        (_, Ok(ahead)) => format!("in {}", rough(ahead)),
        _ => "now".to_owned(),
    };
    html! { time datetime=(at.to_rfc3339_opts(SecondsFormat::Secs, true)) { (text) } }
}

/// `2026-11-22 14:03:11 UTC`
pub(super) fn exact(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The word of the contract.
pub(super) const fn kind(kind: PublishKind) -> &'static str {
    match kind {
        PublishKind::Scheduled => "scheduled",
        PublishKind::Rapid => "rapid",
        PublishKind::Manual => "manual",
        PublishKind::Retry => "retry",
        PublishKind::Resync => "resync",
        PublishKind::Recovery => "recovery",
        PublishKind::Teardown => "teardown",
    }
}

/// The word of the contract.
pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running => "running",
        Status::Succeeded => "succeeded",
        Status::Partial => "partial",
        Status::Failed => "failed",
        Status::Blocked => "blocked",
        Status::Cancelled => "cancelled",
    }
}

/// A sign and its word: states differ in shape, not in colour alone. `sign` names a symbol of the page.
pub(super) fn badge(sign: &str, word: &str) -> Markup {
    html! { span class=(format!("b {sign}")) { svg aria-hidden="true" { use href=(format!("#{sign}")) {} } (word) } }
}

/// How a publish stands.
pub(super) fn status_badge(of: Status) -> Markup {
    let sign = match of {
        Status::Queued => "idle",
        Status::Running => "run",
        Status::Succeeded => "ok",
        Status::Partial => "part",
        Status::Failed => "bad",
        Status::Blocked => "stop",
        Status::Cancelled => "off",
    };
    badge(sign, status(of))
}

#[cfg(test)]
mod tests {
    use super::{bytes, count, duration};
    use std::time::Duration;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!([count(0), count(999), count(1_234_567)], ["0", "999", "1,234,567"]);
        assert_eq!([bytes(12), bytes(1536)], ["12 B", "1.5 KiB"]);
        assert_eq!(duration(Duration::from_secs(3_600)), "1 h");
        assert_eq!(duration(Duration::from_millis(2_340)), "2.3 s");
    }
}
