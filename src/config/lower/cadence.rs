//! When an activation is published.

use std::time::Duration;

use super::{Lowering, together};
use crate::config::{Code, Guards, Rapid, Refresh, raw};

impl Lowering<'_> {
    pub(super) fn refresh(&mut self, at: &str, raw: raw::Refresh) -> Refresh {
        let at = format!("{at}.refresh");
        let mut given = vec!["every", "cron", "manual"];
        given.retain(|key| self.places.has(&format!("{at}.{key}")));
        match given.as_slice() {
            [] if self.misspelt(&at) => {}
            [] => self.fault_with(
                &at,
                Code::MissingKey,
                "nothing says when to publish",
                "give one of `every: 12h`, `cron: \"0 6 * * *\"`, `manual: true`",
            ),
            [first, others @ ..] => {
                for other in others {
                    self.fault_with(
                        &format!("{at}.{other}"),
                        Code::Conflict,
                        together(other, first),
                        "keep one of the two",
                    );
                }
            }
        }
        if raw.timezone.is_some() && !given.is_empty() && !given.contains(&"cron") {
            self.fault_with(
                &format!("{at}.timezone"),
                Code::Conflict,
                "a time zone goes with `cron` alone",
                "remove it, or give a cron expression",
            );
        }
        if raw.manual == Some(false) {
            let message = "`manual` is `true` or left out";
            self.fault_with(&format!("{at}.manual"), Code::InvalidValue, message, "give `every` or `cron` instead");
        }
        match (raw.every, raw.cron) {
            (Some(every), _) => Refresh::Every(self.positive(&format!("{at}.every"), every.0)),
            (None, Some(cron)) => Refresh::Cron {
                expression: cron.0,
                timezone: raw.timezone.map_or(chrono_tz::Tz::UTC, |timezone| timezone.0),
            },
            (None, None) => Refresh::Manual,
        }
    }

    pub(super) fn rapid(&mut self, at: &str, raw: raw::Rapid) -> Rapid {
        let overlap = raw.overlap.map_or(Rapid::OVERLAP, |overlap| overlap.0);
        Rapid { every: self.positive(&format!("{at}.rapid.every"), raw.every.0), overlap }
    }

    /// Refuses a cadence of no time at all.
    pub(super) fn positive(&mut self, at: &str, duration: Duration) -> Duration {
        if duration.is_zero() {
            self.fault(at, Code::InvalidValue, "a duration longer than nothing is wanted");
        }
        duration
    }

    pub(super) fn guards(&mut self, at: &str, raw: &raw::Guards) -> Guards {
        let guards = Guards {
            min_members: raw.min_members.unwrap_or(1),
            max_members: raw.max_members,
            max_removed: raw.max_removed.as_ref().map_or(0.5, |ratio| ratio.0),
            max_changed: raw.max_changed.as_ref().map(|ratio| ratio.0),
        };
        if guards.max_members.is_some_and(|most| most < guards.min_members) {
            let message = format!("it is less than `min_members`, which is {}", guards.min_members);
            self.fault(&format!("{at}.guards.max_members"), Code::Conflict, message);
        }
        guards
    }
}
