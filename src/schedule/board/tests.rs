//! Simulated time: the board is driven by a queue of ends, with no clock and no task.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use herald_destinations::{
    contract::{Mode, RetryPolicy},
    files::FileOptions,
};

use uuid::Uuid;

use super::Board;
use crate::{
    config::{Activation, Cron, Guards, OnDelete, Rapid, Refresh, SendOps},
    publish::{PublishKind, Whom},
    schedule::{Asked, Ending, Job, Lane, Standing, Trigger},
    state::History,
};

const GOOD: Ending = Ending::Good { delivered: true };
const TARGET_FAILED: Ending = Ending::Failed { retryable: true, by_target: true };

pub(in crate::schedule) fn activation(name: &str, refresh: Refresh) -> Activation {
    Activation {
        name: name.to_owned(),
        was: None,
        paused: false,
        segment: "everyone".to_owned(),
        table: "person".to_owned(),
        target: "out".to_owned(),
        attributes: Vec::new(),
        filter: None,
        require: Vec::new(),
        mode: Mode::Incremental,
        send: SendOps { add: true, update: true, remove: true },
        refresh,
        rapid: None,
        resync: None,
        freshness: None,
        guards: Guards { min_members: 1, max_members: None, max_removed: 0.5, max_changed: None },
        on_delete: OnDelete::Keep,
        files: FileOptions::default(),
        keep: None,
        retry: RetryPolicy::default(),
    }
}

pub(in crate::schedule) fn every(seconds: u64) -> Refresh {
    Refresh::Every(Duration::from_secs(seconds))
}

fn rapid(seconds: u64) -> Option<Rapid> {
    Some(Rapid { every: Duration::from_secs(seconds), overlap: Duration::ZERO })
}

fn start() -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse().unwrap()
}

fn second(number: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(number)
}

fn published(at: DateTime<Utc>) -> History {
    History { standard: Some(at), rapid: Some(at), full: Some(at), good: Some(at), resync_tried: None }
}

/// A trigger of `a`.
fn asked(kind: PublishKind, number: u128) -> Trigger {
    Trigger { activation: "a".to_owned(), kind, receipt: Uuid::from_u128(number) }
}

/// Which activation, how it ends, when it began.
type End = (Job, Ending, DateTime<Utc>);

/// When a publish was due, and when it began.
type Slot = (DateTime<Utc>, DateTime<Utc>);

/// A world in which each publish takes a while and ends as it is told to.
struct World {
    board: Board,
    now: DateTime<Utc>,
    /// Ends: when, which activation, how, when it began.
    ends: BTreeMap<(DateTime<Utc>, u64), End>,
    number: u64,
    parallel: Option<usize>,
}

impl World {
    fn new(concurrency: usize) -> Self {
        Self { board: Board::new(concurrency, start()), now: start(), ends: BTreeMap::new(), number: 0, parallel: None }
    }

    fn add(&mut self, activation: &Activation, history: History) {
        self.board.add(activation, history, self.now);
    }

    /// Runs until a time. `publish` says of each start how long it takes and how it ends.
    fn run(&mut self, until: DateTime<Utc>, mut publish: impl FnMut(DateTime<Utc>, &Job) -> (TimeDelta, Ending)) {
        loop {
            let parallel = self.parallel;
            for job in self.board.starts(self.now, |_| parallel) {
                let (takes, ending) = publish(self.now, &job);
                self.number += 1;
                self.ends.insert((self.now + takes, self.number), (job, ending, self.now));
            }
            let end = self.ends.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = [end, self.board.wakes(self.now)].into_iter().flatten().min().filter(|at| *at <= until)
            else {
                self.now = until;
                return;
            };
            self.now = next;
            while let Some(entry) = self.ends.first_entry().filter(|entry| entry.key().0 <= next) {
                let (job, ending, began) = entry.remove();
                self.board.ended(job, ending, began, next);
            }
        }
    }
}

/// A deterministic stream of numbers.
fn mixed(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn in_a_simulated_month_with_faults_no_time_is_missed_and_none_comes_twice() {
    let began = Instant::now();
    let mut world = World::new(4);
    let berlin = chrono_tz::Europe::Berlin;
    let crons: Vec<(String, Cron)> = (0..20)
        .map(|number| {
            (format!("cron_{number}"), Cron::parse(&format!("{} */{} * * *", number * 3, number % 5 + 1)).unwrap())
        })
        .collect();
    for (name, cron) in &crons {
        world.add(&activation(name, Refresh::Cron { expression: cron.clone(), timezone: berlin }), published(start()));
    }
    for number in 0..20 {
        world.add(&activation(&format!("every_{number}"), every(3_600)), published(start()));
    }
    let end = start() + TimeDelta::days(31);
    let mut seed = 7;
    let mut slots: BTreeMap<String, Vec<Slot>> = BTreeMap::new();
    let mut running: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
    let mut scheduled = 0;
    world.run(end, |now, job| {
        let name = job.activation.to_string();
        assert!(running.get(&name).is_none_or(|ends| *ends <= now), "{name} runs twice at once");
        assert_eq!(job.kind, PublishKind::Scheduled);
        let takes = TimeDelta::milliseconds(1_000 + (mixed(&mut seed) % 40_000) as i64);
        running.insert(name.clone(), now + takes);
        let seen = slots.entry(name).or_default();
        // A retry carries the due time of the publish that failed.
        if seen.last().is_none_or(|(due, _)| *due != job.due) {
            seen.push((job.due, now));
            scheduled += 1;
        }
        let ending = match mixed(&mut seed) % 20 {
            0 => Ending::Failed { retryable: true, by_target: false },
            1 => Ending::Failed { retryable: false, by_target: false },
            2 => Ending::Blocked,
            3 => Ending::Busy,
            _ => GOOD,
        };
        (takes, ending)
    });
    assert!(scheduled > 15_000, "{scheduled}");
    for (name, seen) in &slots {
        let late = seen.iter().map(|(due, began)| (*began - *due).num_seconds()).max().unwrap();
        assert!(late < 600, "{name} was {late} s late");
        if let Some((_, cron)) = crons.iter().find(|(cron, _)| cron == name) {
            let expected: Vec<_> = std::iter::successors(cron.next(start(), berlin), |last| cron.next(*last, berlin))
                .take_while(|at| *at <= end)
                .collect();
            assert_eq!(seen.iter().map(|(due, _)| *due).collect::<Vec<_>>(), expected, "{name}");
        } else {
            assert_eq!(seen.len(), 31 * 24, "{name}");
            assert!(seen.windows(2).all(|pair| pair[1].0 - pair[0].0 == TimeDelta::hours(1)), "{name}");
        }
    }
    assert_eq!(slots.len(), 40);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_thousand_that_are_due_together_all_run_once_and_a_tick_is_cheap() {
    let mut world = World::new(4);
    for number in 0..1_000 {
        world.add(&activation(&format!("a_{number}"), every(43_200)), published(start() - TimeDelta::days(2)));
    }
    let began = Instant::now();
    let first = world.board.starts(world.now, |_| None);
    let tick = began.elapsed();
    assert_eq!(first.len(), 4);
    // A debug build; the bound is that of the real one.
    assert!(tick < Duration::from_millis(50), "{tick:?}");
    for job in &first {
        world.board.ended(job.clone(), GOOD, world.now, world.now);
    }
    let mut ran: BTreeSet<String> = first.iter().map(|job| job.activation.to_string()).collect();
    world.run(second(999), |_, job| {
        assert!(ran.insert(job.activation.to_string()) || job.due > start(), "{} ran twice", job.activation);
        (TimeDelta::seconds(3), GOOD)
    });
    assert_eq!(ran.len(), 1_000);
}

#[test]
fn rapid_publishes_start_at_once_while_hour_long_ones_fill_the_pool() {
    let mut world = World::new(2);
    for number in 0..6 {
        world.add(&activation(&format!("long_{number}"), every(60)), published(start() - TimeDelta::days(1)));
    }
    world.add(&Activation { rapid: rapid(10), ..activation("quick", Refresh::Manual) }, published(start()));
    let mut waits = Vec::new();
    world.run(second(3_000), |now, job| match job.lane {
        Lane::Standard => (TimeDelta::hours(1), GOOD),
        Lane::Rapid => {
            waits.push(now - job.due);
            (TimeDelta::seconds(1), GOOD)
        }
    });
    assert_eq!(waits.len(), 300);
    assert!(waits.iter().all(|wait| *wait == TimeDelta::zero()), "{waits:?}");
}

#[test]
fn one_that_is_always_late_does_not_keep_others_from_their_turn() {
    let mut world = World::new(1);
    world.add(&activation("greedy", every(1)), published(start()));
    for number in 0..3 {
        world.add(&activation(&format!("modest_{number}"), every(60)), published(start()));
    }
    let mut turns: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
    world.run(second(3_600), |now, job| {
        turns.entry(job.activation.to_string()).or_default().push(now);
        (TimeDelta::seconds(10), GOOD)
    });
    for number in 0..3 {
        let gaps = turns[&format!("modest_{number}")].windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).max();
        assert!(gaps.unwrap() <= 110, "{gaps:?}");
    }
    assert!(turns["greedy"].len() > 100);
}

#[test]
fn a_rapid_cadence_that_is_always_late_does_not_starve_the_standard_one() {
    let mut world = World::new(2);
    world.add(&Activation { rapid: rapid(1), ..activation("a", every(60)) }, published(start()));
    let mut standard = 0;
    world.run(second(600), |_, job| {
        standard += usize::from(job.lane == Lane::Standard);
        (TimeDelta::seconds(5), GOOD)
    });
    assert!((9..=10).contains(&standard), "{standard}");
}

#[test]
fn a_target_takes_no_more_publishes_at_once_than_it_says() {
    let mut world = World::new(8);
    world.parallel = Some(1);
    for number in 0..5 {
        world.add(&activation(&format!("a_{number}"), every(600)), published(start() - TimeDelta::days(1)));
    }
    let mut busy_until = start();
    let mut ran = BTreeSet::new();
    world.run(second(100), |now, job| {
        assert!(now >= busy_until);
        busy_until = now + TimeDelta::seconds(7);
        ran.insert(job.activation.to_string());
        (TimeDelta::seconds(7), GOOD)
    });
    assert_eq!(ran.len(), 5);
}

#[test]
fn a_failure_that_can_pass_is_tried_again_within_the_policy_and_others_wait_for_their_time() {
    let outcomes = [
        (Ending::Failed { retryable: true, by_target: false }, 4),
        (Ending::Failed { retryable: false, by_target: false }, 1),
        (Ending::Blocked, 1),
        (Ending::Cancelled, 1),
    ];
    for (ending, expected) in outcomes {
        let mut world = World::new(1);
        let retry = RetryPolicy { attempts: 4, max_elapsed: Duration::from_secs(3_600) };
        world.add(&Activation { retry, ..activation("a", every(43_200)) }, published(start() - TimeDelta::days(3)));
        let mut tries = Vec::new();
        world.run(second(300), |now, _| {
            tries.push(now);
            (TimeDelta::milliseconds(1), ending)
        });
        assert_eq!(tries.len(), expected, "{ending:?}");
        assert!(tries.windows(2).all(|pair| pair[1] - pair[0] <= TimeDelta::seconds(31)), "{tries:?}");
    }
}

#[test]
fn what_is_to_be_tried_again_is_not_dropped_for_what_does_less() {
    let mut world = World::new(1);
    world.add(&activation("a", every(43_200)), published(start() - TimeDelta::days(3)));
    let mut first = true;
    world.run(second(0), |_, _| (TimeDelta::milliseconds(1), TARGET_FAILED));
    // Of one member only, as it turns out when it has ended.
    world.board.ask(&asked(PublishKind::Manual, 7), start());
    let mut everybody = 0;
    world.run(second(300), |_, job| {
        let asked = std::mem::take(&mut first);
        assert_eq!(job.receipt.is_some(), asked, "what was asked for comes first");
        everybody += u32::from(!asked);
        (TimeDelta::milliseconds(1), if asked { Ending::Failed { retryable: false, by_target: false } } else { GOOD })
    });
    assert_eq!(everybody, 1, "the failed one is tried again, once");
}

#[test]
fn what_is_asked_for_by_hand_is_tried_once_and_a_rapid_one_again() {
    for (kind, expected) in [(PublishKind::Manual, 1), (PublishKind::Retry, 1), (PublishKind::Rapid, 3)] {
        let mut world = World::new(1);
        let retry = RetryPolicy { attempts: 3, max_elapsed: Duration::from_secs(3_600) };
        world.add(&Activation { retry, ..activation("a", Refresh::Manual) }, published(start()));
        world.board.ask(&asked(kind, 7), start());
        let mut tries = 0;
        world.run(second(300), |_, _| {
            tries += 1;
            (TimeDelta::milliseconds(1), Ending::Failed { retryable: true, by_target: false })
        });
        assert_eq!(tries, expected, "{kind:?}");
    }
}

#[test]
fn what_waits_behind_its_own_activation_is_queued() {
    let mut world = World::new(4);
    world.add(&activation("a", Refresh::Manual), published(start()));
    world.board.ask(&asked(PublishKind::Manual, 1), start());
    assert_eq!(world.board.queued(start()), [1, 0]);
    world.run(second(1), |_, _| (TimeDelta::hours(1), GOOD));
    assert_eq!(world.board.queued(second(1)), [0, 0]);
    world.board.ask(&asked(PublishKind::Rapid, 2), second(1));
    world.board.ask(&asked(PublishKind::Manual, 3), second(1));
    assert_eq!(world.board.queued(second(1)), [1, 1]);
}

#[test]
fn retries_end_with_the_time_they_are_given_and_at_the_next_regular_time() {
    let fails = |refresh, max_elapsed| {
        let mut world = World::new(1);
        let retry = RetryPolicy { attempts: 1_000, max_elapsed: Duration::from_secs(max_elapsed) };
        world.add(&Activation { retry, ..activation("a", refresh) }, published(start() - TimeDelta::days(3)));
        let mut dues = Vec::new();
        world.run(second(600), |_, job| {
            dues.push(job.due);
            (TimeDelta::milliseconds(1), Ending::Failed { retryable: true, by_target: false })
        });
        dues
    };
    let within_a_minute = fails(every(43_200), 60).len();
    assert!((2..40).contains(&within_a_minute), "{within_a_minute}");
    // The regular time takes over from a retry, and is not put off by it.
    let dues: BTreeSet<_> = fails(every(20), 3_600).into_iter().collect();
    assert!(dues.len() >= 30, "{dues:?}");
}

#[test]
fn a_dead_target_costs_one_try_at_a_time_and_others_are_not_touched() {
    let mut world = World::new(4);
    for number in 0..50 {
        world.add(&activation(&format!("dead_{number}"), every(60)), published(start() - TimeDelta::days(1)));
        let well = Activation { target: "well".to_owned(), ..activation(&format!("well_{number}"), every(60)) };
        world.add(&well, published(start() - TimeDelta::days(1)));
    }
    let (mut dead, mut well) = (Vec::new(), 0);
    let back = second(3_600);
    let mut publish = |now: DateTime<Utc>, job: &Job| {
        if job.activation.starts_with("well") {
            well += 1;
            return (TimeDelta::milliseconds(100), GOOD);
        }
        dead.push(now);
        (TimeDelta::milliseconds(100), if now < back { TARGET_FAILED } else { GOOD })
    };
    world.run(back, &mut publish);
    world.run(second(7_200), &mut publish);
    let before = dead.iter().filter(|at| **at < back).count();
    assert!(before < 20, "{before} tries at a dead target within an hour");
    let after = dead.len() - before;
    assert!(after > 40 * 50, "{after} once it was back");
    assert!(well > 115 * 50, "{well}");
}

#[test]
fn triggers_that_wait_are_one_and_a_manual_one_passes_pause_and_breaker() {
    let mut world = World::new(1);
    world.add(&activation("a", every(3_600)), published(start()));
    world.board.stand(&[Standing { activation: "a".to_owned(), paused: true, deleted: false }], start());
    let trigger = |activation: &str, number| Trigger {
        activation: activation.to_owned(),
        kind: PublishKind::Manual,
        receipt: Uuid::from_u128(number),
    };
    for number in 0..3 {
        let job = Job {
            activation: "a".into(),
            kind: PublishKind::Manual,
            lane: Lane::Standard,
            full: false,
            whom: Whom::Everybody,
            override_reason: None,
            receipt: Some(Uuid::from_u128(number)),
            due: start(),
        };
        world.board.ask(&trigger("a", number), start());
        assert_eq!(world.board.starts(start(), |_| None), std::slice::from_ref(&job));
        world.board.ended(job, Ending::Failed { retryable: false, by_target: true }, start(), start());
    }
    assert_eq!(world.board.ask(&trigger("a", 7), start()), Asked::Accepted);
    assert_eq!(world.board.ask(&trigger("a", 7), start()), Asked::Folded);
    let jobs = world.board.starts(start(), |_| None);
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!(world.board.ask(&trigger("a", 7), start()), Asked::Folded, "it runs");
    assert_eq!(world.board.ask(&trigger("b", 8), start()), Asked::Unknown);
}

/// What somebody asked for and the cadence, in the rapid lane.
#[test]
fn named_members_stand_in_for_nothing_and_a_busy_publish_waits_on_with_its_receipt() {
    let mut world = World::new(1);
    world.add(&Activation { rapid: rapid(10), ..activation("a", Refresh::Manual) }, published(start()));
    let due = world.board.wakes(start()).unwrap();
    let asked = Trigger { activation: "a".to_owned(), kind: PublishKind::Rapid, receipt: Uuid::from_u128(1) };
    world.board.ask(&asked, start());
    let mut job = world.board.starts(start(), |_| None).remove(0);
    world.board.ended(job.clone(), Ending::Busy, start(), start());
    assert!(world.board.starts(start(), |_| None).is_empty(), "the other process is given a moment");
    let again = world.board.wakes(start()).unwrap();
    let waits = world.board.starts(again, |_| None).remove(0);
    assert_eq!((waits.receipt, waits.lane), (job.receipt, Lane::Rapid));
    job = Job { whom: Whom::Named(vec!["m".to_owned()]), ..waits };
    world.board.ended(job, GOOD, again, again);
    assert_eq!(world.board.wakes(again), Some(due), "the cadence is as it was");
    let scheduled = world.board.starts(due, |_| None).remove(0);
    assert_eq!((scheduled.whom.clone(), scheduled.receipt), (Whom::Touched(Vec::new()), None));
}

#[test]
fn a_reload_adds_follows_and_stops_and_what_is_gone_gives_its_worker_back() {
    let mut world = World::new(1);
    world.add(&activation("a", every(60)), History::default());
    world.add(&activation("b", every(60)), published(start()));
    let later = second(100);
    let job = world.board.starts(later, |_| None).remove(0);
    let (gone, stays) = if &*job.activation == "a" { ("a", "b") } else { ("b", "a") };
    let mut config =
        crate::schedule::service::tests::config(vec![activation("c", every(60)), activation(stays, Refresh::Manual)]);
    assert_eq!(world.board.reload(&config, &HashMap::new(), later), [Arc::from(gone)]);
    assert!(world.board.starts(second(160), |_| None).is_empty(), "one worker, and what runs still has it");
    world.board.ended(job, Ending::Cancelled, later, second(160));
    assert_eq!(&*world.board.starts(second(160), |_| None).remove(0).activation, "c");
    config.activations.clear();
    assert_eq!(world.board.reload(&config, &HashMap::new(), second(161)), [Arc::from("c")]);
    let back = Trigger { activation: gone.to_owned(), kind: PublishKind::Manual, receipt: Uuid::from_u128(1) };
    assert_eq!(world.board.ask(&back, second(161)), Asked::Unknown);
}

#[test]
fn a_paused_or_deleted_activation_waits_and_catches_up_with_one_publish() {
    let mut world = World::new(1);
    world.add(&activation("a", every(60)), published(start()));
    let standing = |paused, deleted| [Standing { activation: "a".to_owned(), paused, deleted }];
    let mut ran = Vec::new();
    let mut publish = |now, _: &Job| {
        ran.push(now);
        (TimeDelta::milliseconds(1), GOOD)
    };
    world.board.stand(&standing(true, false), start());
    world.run(second(600), &mut publish);
    world.board.stand(&[], second(600));
    world.run(second(600), &mut publish);
    world.board.stand(&standing(false, true), second(600));
    world.run(second(1_200), &mut publish);
    assert_eq!(ran, [second(600)]);
}

#[test]
fn the_first_time_of_a_newcomer_stays_due_while_it_waits_whatever_is_learned_meanwhile() {
    let mut world = World::new(1);
    let noon = Refresh::Cron { expression: Cron::parse("0 12 * * *").unwrap(), timezone: chrono_tz::UTC };
    world.add(&Activation { rapid: rapid(60), ..activation("a", noon) }, History::default());
    let standing = [Standing { activation: "a".to_owned(), paused: true, deleted: false }];
    world.board.stand(&standing, start());
    let due = start() + TimeDelta::hours(12);
    world.run(due + TimeDelta::minutes(5), |_, job| panic!("{job:?} is paused"));
    world.board.learn("a", &History::default(), world.now);
    world.board.stand(&[], world.now);
    // The rapid one begins first, and says nothing of the regular time; nor does a clock that is corrected.
    let mut regular = Vec::new();
    let resumed = world.now;
    world.board.notice(resumed - TimeDelta::seconds(90));
    world.board.learn("a", &History::default(), resumed - TimeDelta::seconds(90));
    world.run(resumed + TimeDelta::hours(1), |_, job| {
        regular.extend((job.lane == Lane::Standard).then_some(job.due));
        (TimeDelta::seconds(1), GOOD)
    });
    assert_eq!(regular, [due]);
}

#[test]
fn a_busy_activation_is_asked_after_again_without_holding_a_worker() {
    let mut world = World::new(1);
    world.add(&activation("a", every(43_200)), published(start() - TimeDelta::days(3)));
    world.add(&activation("b", every(5)), published(start()));
    let (mut busy, mut done, mut others) = (0, 0, 0);
    world.run(second(100), |now, job| {
        if &*job.activation == "b" {
            others += 1;
            return (TimeDelta::milliseconds(10), GOOD);
        }
        let ending = if now < second(60) { Ending::Busy } else { GOOD };
        *(if ending == GOOD { &mut done } else { &mut busy }) += 1;
        (TimeDelta::milliseconds(1), ending)
    });
    assert_eq!(done, 1);
    assert!((30..=60).contains(&busy), "{busy}");
    assert_eq!(others, 20);
}

#[test]
fn a_clock_that_jumps_causes_neither_a_storm_nor_a_standstill() {
    let mut world = World::new(4);
    for number in 0..10 {
        world.add(&activation(&format!("a_{number}"), every(600)), published(start()));
    }
    let mut ran = 0;
    let mut publish = |_: DateTime<Utc>, _: &Job| {
        ran += 1;
        (TimeDelta::zero(), GOOD)
    };
    world.run(second(1_200), &mut publish);
    // A year forward: each catches up once. A year back: each goes on at its cadence.
    world.now = second(1_200) + TimeDelta::days(365);
    let year = world.now;
    world.run(year, &mut publish);
    world.now = second(1_200);
    world.run(second(2_400), &mut publish);
    assert_eq!(ran, 20 + 10 + 20);
}

#[test]
fn a_resync_takes_the_place_of_the_regular_publish_and_is_full() {
    let mut world = World::new(1);
    let resync = Some(Duration::from_secs(86_400));
    world.add(&Activation { resync, ..activation("a", every(3_600)) }, published(start()));
    let mut kinds = Vec::new();
    world.run(start() + TimeDelta::hours(84), |_, job| {
        assert_eq!(job.full, job.kind == PublishKind::Resync);
        kinds.push(job.kind);
        (TimeDelta::seconds(5), GOOD)
    });
    assert_eq!(kinds.iter().filter(|kind| **kind == PublishKind::Resync).count(), 3);
}

#[test]
fn after_a_first_publish_the_history_says_from_when_a_resync_is_counted() {
    let mut world = World::new(1);
    let resync = Some(Duration::from_secs(86_400));
    world.add(&Activation { resync, ..activation("a", every(3_600)) }, History::default());
    let mut kinds = Vec::new();
    let mut publish = |_: DateTime<Utc>, job: &Job| {
        kinds.push(job.kind);
        (TimeDelta::seconds(1), GOOD)
    };
    assert!(world.board.asking(start()).is_empty());
    world.run(second(65), &mut publish);
    assert_eq!(world.board.asking(second(65)).len(), 1);
    // A former name sent everything a day ago.
    let full = Some(start() - TimeDelta::days(1) + TimeDelta::seconds(100));
    world.board.learn("a", &History { full, ..published(second(1)) }, second(65));
    assert!(world.board.asking(second(65)).is_empty());
    world.run(second(110), &mut publish);
    assert_eq!(kinds[0], PublishKind::Scheduled);
    assert!(kinds.contains(&PublishKind::Resync), "{kinds:?}");
}

#[test]
fn lag_past_the_objective_is_told_once_a_crossing() {
    let mut world = World::new(1);
    let freshness = Some(Duration::from_secs(100));
    world.add(&Activation { freshness, ..activation("a", Refresh::Manual) }, published(start()));
    assert!(world.board.asking(second(100)).is_empty());
    assert_eq!(world.board.asking(second(101)).len(), 1);
    // Another process has published meanwhile.
    assert_eq!(world.board.learn("a", &published(second(50)), second(101)), None);
    assert_eq!(world.board.learn("a", &History::default(), second(151)), Some(TimeDelta::seconds(101)));
    // It is asked after again, but not with every look, and told no second time.
    assert!(world.board.asking(second(210)).is_empty());
    assert_eq!(world.board.asking(second(211)).len(), 1);
    assert_eq!(world.board.learn("a", &History::default(), second(211)), None);
    assert!(world.board.asking(second(270)).is_empty());
    // Another process has published again: the next crossing is told.
    assert_eq!(world.board.learn("a", &published(second(260)), second(271)), None);
    assert!(world.board.asking(second(360)).is_empty());
    assert_eq!(world.board.asking(second(361)).len(), 1);
    assert_eq!(world.board.learn("a", &History::default(), second(361)), Some(TimeDelta::seconds(101)));
}
