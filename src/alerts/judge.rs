//! What fires and what is over. No clock, no I/O: it is told what happened, and says what to tell.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    config::{AlertEvent, Config},
    fleet::Standing,
    publish::{PublishKind, Receipt, Status},
};

/// What still fires is told again after this.
const REMINDED_AFTER: TimeDelta = TimeDelta::hours(24);
/// Keys that end within this are told of.
const EXPIRES_SOON: TimeDelta = TimeDelta::days(14);

/// Which turn things took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It began, or still is so.
    Firing,
    /// It is over.
    Resolved,
}

impl Turn {
    /// The word in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// Something to be told.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What is the matter.
    pub event: AlertEvent,
    /// Whether it began or is over.
    pub turn: Turn,
    /// Name of the activation; `None`: of the service itself.
    pub activation: Option<String>,
    /// Name of its target.
    pub target: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// What happened, in one line.
    pub message: String,
    /// What to do.
    pub remedy: Option<String>,
    /// The publish that it is about.
    pub receipt: Option<Box<Receipt>>,
}

/// Of an activation, or of the service, and what is the matter.
type Matter = (Option<String>, AlertEvent);

/// Knows what fires.
#[derive(Debug, Default)]
pub struct Judge {
    /// When each was last told.
    firing: BTreeMap<Matter, DateTime<Utc>>,
}

impl Judge {
    /// A publish has ended.
    pub fn ended(&mut self, receipt: &Receipt, now: DateTime<Utc>) -> Vec<Notice> {
        let mut notices = Vec::new();
        let fires: &[AlertEvent] = match (receipt.kind, receipt.status) {
            (PublishKind::Recovery, _) | (_, Status::Cancelled | Status::Queued | Status::Running) => return notices,
            (PublishKind::Teardown, Status::Failed) => &[AlertEvent::Teardown],
            (PublishKind::Teardown, _) => &[],
            (_, Status::Failed) => &[AlertEvent::Failed],
            (_, Status::Blocked) => &[AlertEvent::Blocked],
            (_, Status::Partial) => &[AlertEvent::Partial],
            (_, Status::Succeeded) => &[],
        };
        let over: &[AlertEvent] = match (receipt.kind, receipt.status) {
            (PublishKind::Teardown, Status::Succeeded) => &[AlertEvent::Teardown],
            (PublishKind::Teardown, _) => &[],
            (_, Status::Succeeded) => &[AlertEvent::Failed, AlertEvent::Blocked, AlertEvent::Partial],
            (_, Status::Partial) => &[AlertEvent::Failed, AlertEvent::Blocked],
            _ => &[],
        };
        let notice = |event, turn, message: String| Notice {
            event,
            turn,
            activation: Some(receipt.activation.clone()),
            target: Some(receipt.target.clone()),
            at: now,
            message,
            remedy: receipt.error.as_ref().map(|error| error.remedy.clone()).filter(|_| turn == Turn::Firing),
            receipt: Some(Box::new(receipt.clone())),
        };
        for event in fires {
            if self.fires(Some(&receipt.activation), *event, now) {
                notices.push(notice(*event, Turn::Firing, what(receipt)));
            }
        }
        for event in over {
            if self.firing.remove(&(Some(receipt.activation.clone()), *event)).is_some() {
                let message = format!("`{}` publishes again", receipt.activation);
                notices.push(notice(*event, Turn::Resolved, message));
            }
        }
        notices
    }

    /// How activations stand, now and then: lag, dead letters, keys that end. What fires of one that is torn down is over.
    pub fn standings(&mut self, standings: &[Standing], config: &Config, now: DateTime<Utc>) -> Vec<Notice> {
        let mut notices = Vec::new();
        let target = |name: &str| config.activations.get(name).map(|activation| activation.target.clone());
        let notice = |event, turn, name: &str, message: String, remedy: Option<&str>| Notice {
            event,
            turn,
            activation: Some(name.to_owned()),
            target: target(name),
            at: now,
            message,
            remedy: remedy.map(str::to_owned),
            receipt: None,
        };
        let live = |standing: &&Standing| matches!(standing.state, "active" | "paused");
        for standing in standings.iter().filter(live) {
            let name = standing.name.as_str();
            let lag = TimeDelta::seconds(standing.lag_seconds.unwrap_or(0).try_into().unwrap_or(i64::MAX / 1_000));
            let ends = expires(config, name, now);
            let facts = [
                (
                    AlertEvent::Lag,
                    standing.late,
                    format!("the last good publish of `{name}` is {} old, past its `freshness`", age(lag)),
                    format!("`{name}` is fresh again"),
                    "look at its last receipt: `herald receipts`; a target that is down is tried again by itself",
                ),
                (
                    AlertEvent::DeadLetters,
                    standing.dead_letters > 0,
                    format!("the target refused {} records of `{name}` for good", standing.dead_letters),
                    format!("`{name}` has no dead letters any more"),
                    "see why with `herald rejects`, then `herald retry`",
                ),
                (
                    AlertEvent::Credentials,
                    ends.is_some(),
                    format!("a key that `{name}` needs ends on {}", ends.unwrap_or(now).format("%Y-%m-%d")),
                    format!("the keys of `{name}` are good for a while again"),
                    "get a key with a later expiry from its owner",
                ),
            ];
            for (event, so, begins, over, remedy) in facts {
                if so {
                    if self.fires(Some(name), event, now) {
                        notices.push(notice(event, Turn::Firing, name, begins, Some(remedy)));
                    }
                } else if self.firing.remove(&(Some(name.to_owned()), event)).is_some() {
                    notices.push(notice(event, Turn::Resolved, name, over, None));
                }
            }
        }
        let live: HashSet<&str> = standings.iter().filter(live).map(|standing| standing.name.as_str()).collect();
        let gone = |(name, event): &Matter| {
            *event != AlertEvent::Teardown && name.as_deref().is_some_and(|name| !live.contains(name))
        };
        let over: Vec<Matter> = self.firing.keys().filter(|matter| gone(matter)).cloned().collect();
        for matter in over {
            self.firing.remove(&matter);
            let (name, event) = (matter.0.unwrap_or_default(), matter.1);
            notices.push(notice(event, Turn::Resolved, &name, format!("`{name}` is torn down"), None));
        }
        notices
    }

    /// The config was read again: taken in force, or refused.
    pub fn reloaded(&mut self, in_force: bool, now: DateTime<Utc>) -> Vec<Notice> {
        let notice = |turn, message: &str, remedy: Option<&str>| Notice {
            event: AlertEvent::Config,
            turn,
            activation: None,
            target: None,
            at: now,
            message: message.to_owned(),
            remedy: remedy.map(str::to_owned),
            receipt: None,
        };
        if !in_force {
            let fires = self.fires(None, AlertEvent::Config, now);
            let remedy = Some("`herald check` says what is wrong with it; until then the one before is in force");
            return Vec::from_iter(fires.then(|| notice(Turn::Firing, "a changed config was refused", remedy)));
        }
        let fired = self.firing.remove(&(None, AlertEvent::Config)).is_some();
        Vec::from_iter(fired.then(|| notice(Turn::Resolved, "the config is in force", None)))
    }

    /// Whether it is to be told: it begins, or has been told long ago.
    fn fires(&mut self, activation: Option<&str>, event: AlertEvent, now: DateTime<Utc>) -> bool {
        let matter = (activation.map(str::to_owned), event);
        let told = self.firing.get(&matter).is_some_and(|told| now - *told < REMINDED_AFTER);
        if !told {
            self.firing.insert(matter, now);
        }
        !told
    }
}

/// When the first key of an activation ends, if that is soon.
fn expires(config: &Config, name: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let activation = config.activations.get(name)?;
    let ends = activation.files.encrypt.iter().flat_map(|encryption| encryption.expiries()).map(|expiry| expiry.at);
    let first = DateTime::from_timestamp(ends.min()?, 0)?;
    (first - now < EXPIRES_SOON).then_some(first)
}

fn what(receipt: &Receipt) -> String {
    let name = &receipt.activation;
    match (&receipt.error, receipt.status) {
        (Some(error), Status::Blocked) => format!("a guard stopped `{name}`: {}", error.message),
        (Some(error), _) if receipt.kind == PublishKind::Teardown => {
            format!("the teardown of `{name}` failed: {}: {}", error.code, error.message)
        }
        (Some(error), _) => format!("`{name}` failed: {}: {}", error.code, error.message),
        (None, _) => format!("{} records of `{name}` were rejected", receipt.counts.rejected),
    }
}

fn age(lag: TimeDelta) -> String {
    match (lag.num_days(), lag.num_hours(), lag.num_minutes()) {
        (days, hours, _) if days > 1 => format!("{days} d {} h", hours - days * 24),
        (_, hours, minutes) if hours > 0 => format!("{hours} h {} min", minutes - hours * 60),
        (_, _, minutes) if minutes > 0 => format!("{minutes} min"),
        _ => format!("{} s", lag.num_seconds()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(kind: PublishKind, status: Status) -> Receipt {
        let text = r#"{"id":"01932f3e-0000-7000-8000-000000000000","sequence":1,"activation":"gold","segment":"s","target":"t",
            "kind":"scheduled","mode":"incremental","status":"queued","counts":{"resolved":0,"suppressed":0,"unchanged":0,"added":0,
            "updated":0,"removed":0,"delivered":0,"rejected":0,"owed":0},"withheld":{},"suppressed_by":{},"rejected_by":{},
            "files":[],"extras":[],"bytes":0,"attempts":1,"queued_at":"2026-11-01T00:00:00Z","started_at":null,"finished_at":null,
            "override":null,"error":null}"#;
        Receipt { kind, status, ..serde_json::from_str(text).unwrap() }
    }

    fn at(hour: i64) -> DateTime<Utc> {
        "2026-11-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour)
    }

    fn told(notices: &[Notice]) -> Vec<(AlertEvent, Turn)> {
        notices.iter().map(|notice| (notice.event, notice.turn)).collect()
    }

    fn standing(state: &'static str, late: bool, dead_letters: u64) -> Standing {
        let (name, lag_seconds) = ("gold".to_owned(), Some(90_000));
        Standing { name, state, last: None, next: None, lag_seconds, members: 0, dead_letters, late }
    }

    fn config() -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("herald.yaml");
        std::fs::write(&path, include_str!("../../tests/fixtures/config/small.yaml")).unwrap();
        crate::config::load(&path).unwrap()
    }

    #[test]
    fn what_fails_again_and_again_is_told_once_a_day_and_its_end_once() {
        let mut judge = Judge::default();
        let failed = receipt(PublishKind::Scheduled, Status::Failed);
        assert_eq!(told(&judge.ended(&failed, at(0))), [(AlertEvent::Failed, Turn::Firing)]);
        assert!(judge.ended(&failed, at(1)).is_empty());
        assert!(judge.ended(&receipt(PublishKind::Manual, Status::Cancelled), at(2)).is_empty());
        assert_eq!(told(&judge.ended(&failed, at(25))), [(AlertEvent::Failed, Turn::Firing)]);
        let blocked = receipt(PublishKind::Rapid, Status::Blocked);
        assert_eq!(told(&judge.ended(&blocked, at(26))), [(AlertEvent::Blocked, Turn::Firing)]);
        let partial = receipt(PublishKind::Rapid, Status::Partial);
        let expected = [
            (AlertEvent::Partial, Turn::Firing),
            (AlertEvent::Failed, Turn::Resolved),
            (AlertEvent::Blocked, Turn::Resolved),
        ];
        assert_eq!(told(&judge.ended(&partial, at(27))), expected);
        let well = receipt(PublishKind::Scheduled, Status::Succeeded);
        assert_eq!(told(&judge.ended(&well, at(28))), [(AlertEvent::Partial, Turn::Resolved)]);
        assert!(judge.ended(&well, at(29)).is_empty());
    }

    #[test]
    fn a_recovery_says_nothing_and_a_teardown_of_itself_alone() {
        let mut judge = Judge::default();
        judge.ended(&receipt(PublishKind::Scheduled, Status::Failed), at(0));
        assert!(judge.ended(&receipt(PublishKind::Recovery, Status::Succeeded), at(0)).is_empty());
        let teardown = |status| receipt(PublishKind::Teardown, status);
        assert_eq!(told(&judge.ended(&teardown(Status::Failed), at(1))), [(AlertEvent::Teardown, Turn::Firing)]);
        let gone = judge.standings(&[standing("deleting", true, 3)], &config(), at(1));
        assert_eq!(told(&gone), [(AlertEvent::Failed, Turn::Resolved)], "nothing else is expected of it any more");
        let done = judge.ended(&teardown(Status::Succeeded), at(2));
        assert_eq!(told(&done), [(AlertEvent::Teardown, Turn::Resolved)]);
    }

    #[test]
    fn lag_and_dead_letters_follow_how_activations_stand() {
        let (mut judge, config) = (Judge::default(), config());
        let late = judge.standings(&[standing("active", true, 7)], &config, at(0));
        assert_eq!(told(&late), [(AlertEvent::Lag, Turn::Firing), (AlertEvent::DeadLetters, Turn::Firing)]);
        assert!(late[0].message.contains("1 d 1 h") || late[0].message.contains("25 h 0 min"), "{}", late[0].message);
        assert!(judge.standings(&[standing("active", true, 8)], &config, at(1)).is_empty());
        let well = judge.standings(&[standing("paused", false, 0)], &config, at(2));
        assert_eq!(told(&well), [(AlertEvent::Lag, Turn::Resolved), (AlertEvent::DeadLetters, Turn::Resolved)]);
    }

    #[test]
    fn a_refused_config_is_told_once_and_so_is_a_good_one() {
        let mut judge = Judge::default();
        assert!(judge.reloaded(true, at(0)).is_empty());
        assert_eq!(told(&judge.reloaded(false, at(0))), [(AlertEvent::Config, Turn::Firing)]);
        assert!(judge.reloaded(false, at(1)).is_empty());
        assert_eq!(told(&judge.reloaded(true, at(1))), [(AlertEvent::Config, Turn::Resolved)]);
    }
}
