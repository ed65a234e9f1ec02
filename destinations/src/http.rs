//! What destinations behind an HTTP API have in common.

use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, Utc};

use crate::contract::ErrorKind;

/// Whether a host is this machine itself, so that nobody between can read along.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// No pause that a server asks for counts as longer; it is more than any policy waits.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The pause of a `Retry-After` header: seconds, or a date as HTTP writes it; at most a week.
pub(crate) fn pause(header: &str) -> Option<Duration> {
    asked(header).map(|pause| pause.min(LONGEST))
}

fn asked(header: &str) -> Option<Duration> {
    if let Ok(seconds) = header.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(header.trim()).ok()?;
    Some((date.with_timezone(&Utc) - Utc::now()).to_std().unwrap_or(Duration::ZERO))
}

/// What a store means by a status, where it has no word of its own for it.
pub(crate) fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        401 | 403 => ErrorKind::Unauthorized,
        404 => ErrorKind::Missing,
        408 => ErrorKind::TimedOut,
        412 => ErrorKind::Conflict,
        425 => ErrorKind::Unavailable,
        429 => ErrorKind::Throttled,
        507 => ErrorKind::Full,
        // Something that this store never does, however often it is asked.
        501 | 505 => ErrorKind::Refused,
        500.. => ErrorKind::Unavailable,
        // A yes without what it must hold: the store broke off.
        ..300 => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        assert_eq!(pause("7"), Some(Duration::from_secs(7)));
        assert_eq!(pause("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let soon = (Utc::now() + Duration::from_secs(90)).to_rfc2822();
        assert!(pause(&soon).is_some_and(|pause| (80..=90).contains(&pause.as_secs())), "{soon}");
        assert_eq!(pause("soon"), None);
        assert_eq!(pause(&u64::MAX.to_string()), Some(LONGEST));
    }
}
