//! What is told when, by the clock of the test.

use herald_destinations::contract::{Account, Mode};
use uuid::Uuid;

use super::*;
use crate::publish::code;

const ALL: [AlertEvent; 7] = [
    AlertEvent::Failed,
    AlertEvent::Partial,
    AlertEvent::Blocked,
    AlertEvent::Lag,
    AlertEvent::DeadLetters,
    AlertEvent::Config,
    AlertEvent::Teardown,
];

fn at(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
}

fn receipt(activation: &str, kind: PublishKind, status: Status) -> Receipt {
    Receipt {
        id: Uuid::nil(),
        sequence: 1,
        activation: activation.to_owned(),
        segment: "s".to_owned(),
        target: "t".to_owned(),
        kind,
        mode: Mode::Full,
        status,
        counts: Account::default(),
        withheld: BTreeMap::new(),
        suppressed_by: BTreeMap::new(),
        rejected_by: BTreeMap::new(),
        files: Vec::new(),
        extras: Vec::new(),
        bytes: 0,
        attempts: 1,
        queued_at: at(0),
        started_at: Some(at(0)),
        finished_at: Some(at(0)),
        override_reason: None,
        error: (status == Status::Failed).then(|| code::internal("broken")),
        taken_back: None,
    }
}

fn manual(status: Status) -> Receipt {
    receipt("a", PublishKind::Manual, status)
}

fn standing(state: &'static str, late: bool, dead_letters: u64) -> Standing {
    Standing {
        name: "a".to_owned(),
        state,
        last: None,
        next: None,
        lag_seconds: Some(60),
        members: 1,
        dead_letters,
        late,
        freshness: None,
    }
}

/// What one alert on these events is told: a word and the event.
fn due(judge: &mut Judge, when: &[AlertEvent], now: DateTime<Utc>) -> Vec<(&'static str, AlertEvent)> {
    let word = |notice: &Notice| match (notice.resolved, notice.reminder) {
        (true, _) => "over",
        (false, true) => "still",
        (false, false) => "begins",
    };
    let due = judge.due([("x", when)].into_iter(), now);
    due.iter().map(|(_, notice)| (word(notice), notice.condition.event)).collect()
}

#[test]
fn it_is_told_once_when_it_begins_again_after_a_day_and_when_it_is_over() {
    let mut judge = Judge::default();
    judge.ended(&manual(Status::Failed));
    assert_eq!(due(&mut judge, &ALL, at(0)), [("begins", AlertEvent::Failed)]);
    judge.ended(&manual(Status::Failed));
    assert_eq!(due(&mut judge, &ALL, at(23)), []);
    assert_eq!(due(&mut judge, &ALL, at(24)), [("still", AlertEvent::Failed)]);
    judge.ended(&manual(Status::Cancelled));
    judge.ended(&receipt("a", PublishKind::Recovery, Status::Succeeded));
    judge.ended(&receipt("b", PublishKind::Manual, Status::Succeeded));
    assert_eq!(due(&mut judge, &ALL, at(25)), [], "none of these says that it is over");
    judge.ended(&manual(Status::Succeeded));
    assert_eq!(due(&mut judge, &ALL, at(26)), [("over", AlertEvent::Failed)]);
    assert_eq!(due(&mut judge, &ALL, at(99)), []);
}

#[test]
fn a_partial_publish_ends_failures_and_blocks_and_is_over_with_a_whole_one() {
    let mut judge = Judge::default();
    judge.ended(&manual(Status::Failed));
    judge.ended(&manual(Status::Blocked));
    assert_eq!(due(&mut judge, &ALL, at(0)), [("begins", AlertEvent::Failed), ("begins", AlertEvent::Blocked)]);
    judge.ended(&manual(Status::Partial));
    let told = due(&mut judge, &ALL, at(0));
    assert_eq!(told, [("over", AlertEvent::Failed), ("over", AlertEvent::Blocked), ("begins", AlertEvent::Partial)]);
    judge.ended(&manual(Status::Succeeded));
    assert_eq!(due(&mut judge, &ALL, at(0)), [("over", AlertEvent::Partial)]);
}

#[test]
fn lag_dead_letters_and_refused_reloads_last_as_long_as_they_are_so() {
    let mut judge = Judge::default();
    judge.stand(&[standing("active", true, 3)], at(0));
    judge.reloads(true, at(0));
    let begins = [AlertEvent::Lag, AlertEvent::DeadLetters, AlertEvent::Config].map(|event| ("begins", event));
    assert_eq!(due(&mut judge, &ALL, at(0)), begins);
    judge.stand(&[standing("paused", true, 4)], at(1));
    assert_eq!(due(&mut judge, &ALL, at(1)), []);
    judge.stand(&[standing("active", false, 0)], at(2));
    judge.reloads(false, at(2));
    assert_eq!(due(&mut judge, &ALL, at(2)), begins.map(|(_, event)| ("over", event)));
}

#[test]
fn a_deleted_activation_ends_its_alerts_and_a_teardown_that_failed_lasts_until_it_is_done() {
    let mut judge = Judge::default();
    judge.ended(&manual(Status::Failed));
    judge.stand(&[standing("active", true, 1)], at(0));
    assert_eq!(due(&mut judge, &ALL, at(0)).len(), 3);
    judge.ended(&receipt("a", PublishKind::Teardown, Status::Failed));
    judge.stand(&[standing("deleting", true, 1)], at(1));
    let told = due(&mut judge, &ALL, at(1));
    assert_eq!(told.iter().filter(|one| one.0 == "over").count(), 3, "{told:?}");
    assert!(told.contains(&("begins", AlertEvent::Teardown)), "{told:?}");
    judge.stand(&[standing("deleted", true, 1)], at(2));
    assert_eq!(due(&mut judge, &ALL, at(2)), [("over", AlertEvent::Teardown)]);
}

#[test]
fn each_alert_is_told_what_it_asks_for_though_it_comes_later() {
    let mut judge = Judge::default();
    judge.ended(&manual(Status::Failed));
    judge.ended(&manual(Status::Blocked));
    assert_eq!(due(&mut judge, &[AlertEvent::Blocked], at(0)), [("begins", AlertEvent::Blocked)]);
    let two = [("x", &[AlertEvent::Blocked][..]), ("y", &[AlertEvent::Failed][..])];
    let told: Vec<String> = judge.due(two.into_iter(), at(1)).into_iter().map(|(alert, _)| alert).collect();
    assert_eq!(told, ["y"]);
    assert_eq!(due(&mut judge, &[AlertEvent::Lag], at(1)), [("over", AlertEvent::Blocked)], "it asks no more");
}

#[test]
fn a_restart_neither_repeats_what_was_told_nor_forgets_what_is_over() {
    let mut judge = Judge::default();
    judge.ended(&manual(Status::Failed));
    due(&mut judge, &ALL, at(0));
    assert!(judge.changed());
    let text = serde_json::to_string(&judge.memory()).unwrap();
    assert!(!judge.changed());
    let restarted = || Judge::remembering(serde_json::from_str(&text).unwrap());
    let mut same = restarted();
    same.ended(&manual(Status::Cancelled));
    assert_eq!(due(&mut same, &ALL, at(1)), []);
    let mut better = restarted();
    better.ended(&manual(Status::Succeeded));
    assert_eq!(due(&mut better, &ALL, at(1)), [("over", AlertEvent::Failed)]);
}
