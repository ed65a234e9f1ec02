//! When an activation is due, from its config and what it did last. Everything here is a pure function of its arguments, so that
//! the service and `herald status` can't disagree.

use std::{hash::Hasher, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use siphasher::sip::SipHasher13;

use crate::{
    config::{Activation, Refresh},
    state::History,
};

/// An activation that was never published is published within this, or within its cadence if that is shorter.
const NEWCOMERS_WAIT: Duration = Duration::from_secs(60);
/// A resync that failed is tried again after this, or after its cadence if that is shorter.
const RESYNC_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// When an activation is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cadence {
    /// Spreads activations of one cadence over it; the same in every process.
    phase: u64,
    refresh: Refresh,
    rapid: Option<Duration>,
    resync: Option<Duration>,
}

/// When each kind of publish is due; `None`: never by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// The regular one.
    pub standard: Option<DateTime<Utc>>,
    /// The faster one.
    pub rapid: Option<DateTime<Utc>>,
    /// Everything again.
    pub resync: Option<DateTime<Utc>>,
}

impl Due {
    /// The first of them.
    pub fn first(&self) -> Option<DateTime<Utc>> {
        [self.standard, self.rapid, self.resync].into_iter().flatten().min()
    }
}

impl Cadence {
    /// The cadence of an activation.
    pub fn of(activation: &Activation) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(activation.name.as_bytes());
        Self {
            phase: hasher.finish(),
            refresh: activation.refresh.clone(),
            rapid: activation.rapid.map(|rapid| rapid.every),
            resync: activation.resync,
        }
    }

    /// Whether it sends everything again from time to time.
    pub(super) fn resyncs(&self) -> bool {
        self.resync.is_some()
    }

    /// When each kind is due next. A time that has passed was missed: it is due at once, and stands for all that were missed.
    pub fn due(&self, history: &History, now: DateTime<Utc>) -> Due {
        Due {
            standard: self.standard(history.standard, now),
            rapid: self.rapid.map(|every| self.on_the_grid(every, last(history.rapid, now).unwrap_or(now))),
            resync: self.resync(history, now),
        }
    }

    fn standard(&self, began: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match (&self.refresh, last(began, now)) {
            (Refresh::Manual, _) => None,
            (Refresh::Every(every), Some(last)) => Some(self.on_the_grid(*every, last)),
            (Refresh::Every(every), None) => Some(self.on_the_grid(NEWCOMERS_WAIT.min(*every), now)),
            (Refresh::Cron { expression, timezone }, last) => expression.next(last.unwrap_or(now), *timezone),
        }
    }

    /// The first publish of an activation sends everything as well, so that a resync is counted from there.
    fn resync(&self, history: &History, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let every = self.resync?;
        let due = later(last(history.full, now)?, every);
        Some(match last(history.resync_tried, now) {
            Some(tried) => due.max(later(tried, every.min(RESYNC_AGAIN))),
            None => due,
        })
    }

    /// The first time after `after` of a grid `every` wide, which begins at the activation's phase. A grid, and not a while
    /// after the last start: it does not drift, a restart does not bring all activations into step, and a publish by hand moves
    /// nothing.
    fn on_the_grid(&self, every: Duration, after: DateTime<Utc>) -> DateTime<Utc> {
        let width = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
        let phase = (self.phase % width.unsigned_abs()).cast_signed();
        let after = after.timestamp_millis();
        let passed = (after - phase).rem_euclid(width);
        DateTime::from_timestamp_millis(after + (width - passed)).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// A time in the past as it is; one in the future, from a clock that has been put back since, as now.
fn last(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    at.map(|at| at.min(now))
}

fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by).ok().and_then(|by| at.checked_add_signed(by)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Cadence, Due};
    use crate::{
        config::{Cron, Refresh},
        state::History,
    };

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn cadence(phase: u64, refresh: Refresh) -> Cadence {
        Cadence { phase, refresh, rapid: None, resync: None }
    }

    fn published(at: DateTime<Utc>) -> History {
        History { standard: Some(at), rapid: Some(at), good: Some(at), full: Some(at), resync_tried: None }
    }

    #[test]
    fn activations_of_one_cadence_are_spread_over_it() {
        let now = at("2026-11-22T12:00:00Z");
        let mut minutes = [0; 60];
        for number in 0..600_u64 {
            use std::hash::Hasher;
            let mut hasher = siphasher::sip::SipHasher13::new();
            hasher.write(format!("activation_{number}").as_bytes());
            let due = cadence(hasher.finish(), Refresh::Every(HOUR)).due(&published(now), now).standard.unwrap();
            assert!(due > now && due <= now + TimeDelta::hours(1));
            minutes[((due - now).num_minutes() % 60) as usize] += 1;
        }
        assert!(minutes.iter().all(|count| (1..30).contains(count)), "{minutes:?}");
    }

    #[test]
    fn times_of_a_cadence_lie_on_a_grid_whenever_the_last_publish_began() {
        let every = cadence(7_000, Refresh::Every(HOUR));
        let mut now = at("2026-11-22T12:00:00Z");
        let mut last = every.due(&published(now), now).standard.unwrap();
        for late in [0, 1, 59, 3_599] {
            now = last + TimeDelta::seconds(late);
            let next = every.due(&published(now), now).standard.unwrap();
            assert_eq!(next - last, TimeDelta::hours(1), "{late} s late");
            last = next;
        }
    }

    #[test]
    fn a_newcomer_comes_soon_and_a_missed_time_stays_due() {
        let now = at("2026-11-22T12:00:00Z");
        for (every, soon) in [(HOUR * 12, 60), (Duration::from_secs(5), 5)] {
            let due = cadence(12_345_678, Refresh::Every(every)).due(&History::default(), now).standard.unwrap();
            assert!(due > now && due <= now + TimeDelta::seconds(soon), "{due}");
        }
        let every = cadence(0, Refresh::Every(HOUR));
        assert_eq!(every.due(&published(at("2026-11-20T10:30:00Z")), now).standard, Some(at("2026-11-20T11:00:00Z")));
    }

    #[test]
    fn cron_waits_for_its_time_even_for_a_newcomer() {
        let refresh =
            Refresh::Cron { expression: Cron::parse("0 6 * * *").unwrap(), timezone: chrono_tz::Europe::Berlin };
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(
            cadence(0, refresh.clone()).due(&History::default(), now).standard,
            Some(at("2026-11-23T05:00:00Z"))
        );
        assert_eq!(
            cadence(0, refresh).due(&published(at("2026-11-20T12:00:00Z")), now).standard,
            Some(at("2026-11-21T05:00:00Z"))
        );
    }

    #[test]
    fn a_manual_activation_is_never_due() {
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(cadence(1, Refresh::Manual).due(&published(now), now), Due::default());
    }

    #[test]
    fn a_last_publish_in_the_future_does_not_stop_the_cadence() {
        let now = at("2026-11-22T12:00:00Z");
        let every = cadence(0, Refresh::Every(HOUR));
        assert_eq!(every.due(&published(at("2031-01-01T00:00:00Z")), now).standard, Some(at("2026-11-22T13:00:00Z")));
    }

    #[test]
    fn a_resync_is_counted_from_what_sent_everything_and_a_failed_one_waits_a_day() {
        let began = at("2026-11-01T00:00:00Z");
        let resync = Cadence { resync: Some(HOUR * 240), ..cadence(0, Refresh::Manual) };
        let due = |history: History| resync.due(&history, at("2026-11-22T12:00:00Z")).resync;
        assert_eq!(due(History::default()), None, "what was never published needs no resync");
        assert_eq!(due(published(began)), Some(at("2026-11-11T00:00:00Z")));
        let tried = History { resync_tried: Some(at("2026-11-22T06:00:00Z")), ..published(began) };
        assert_eq!(due(tried), Some(at("2026-11-23T06:00:00Z")));
    }
}
