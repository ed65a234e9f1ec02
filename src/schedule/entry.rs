//! One activation on the board.

use std::{collections::HashSet, hash::Hasher, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use herald_destinations::contract::RetryPolicy;
use siphasher::sip::SipHasher13;
use uuid::Uuid;

use super::{Cadence, Due, Ending, Job, Lane, handle::Trigger};
use crate::{
    config::Activation,
    publish::{PublishKind, Whom},
    state::History,
};

/// Another process that publishes the activation is asked after again within one to two of these.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Once lag was told, history is asked after this again, or after the objective if that is shorter.
const STALE_PAUSE: Duration = Duration::from_secs(60);

/// One activation.
#[derive(Debug)]
pub(super) struct Entry {
    name: Arc<str>,
    pub(super) target: String,
    cadence: Cadence,
    retry: RetryPolicy,
    freshness: Option<Duration>,
    paused_by_config: bool,
    pub(super) paused: bool,
    pub(super) deleted: bool,
    /// Whether the config names it no more: once what runs has ended, it goes.
    pub(super) gone: bool,
    pub(super) history: History,
    pub(super) due: Due,
    /// What somebody asked for and waits on record, oldest first: at most one of a kind, which others join.
    asked: Vec<Job>,
    /// What is to be tried again, by lane.
    again: [Option<Again>; 2],
    pub(super) running: Option<Running>,
    /// When it could have been started at the earliest: it ran before, and waits since then and not since it was due, so
    /// that one that is always late does not always come first.
    free_since: DateTime<Utc>,
    /// When the service first saw it; age is counted from there while nothing was ever acknowledged.
    seen: DateTime<Utc>,
    /// Lag was told, and history last asked then.
    stale: Option<DateTime<Utc>>,
}

/// A publish that is tried again.
#[derive(Debug, Clone)]
struct Again {
    job: Job,
    at: DateTime<Utc>,
    tries: u32,
    first: DateTime<Utc>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) job: Job,
    /// Where it goes: another definition may name another target meanwhile.
    pub(super) target: String,
    tries: u32,
    first: DateTime<Utc>,
}

impl Entry {
    pub(super) fn new(activation: &Activation, history: History, now: DateTime<Utc>) -> Self {
        let cadence = Cadence::of(activation);
        Self {
            name: activation.name.as_str().into(),
            target: activation.target.clone(),
            due: cadence.due(&history, now),
            cadence,
            retry: activation.retry,
            freshness: activation.freshness,
            paused_by_config: activation.paused,
            paused: false,
            deleted: false,
            gone: false,
            history,
            asked: Vec::new(),
            again: [None, None],
            running: None,
            free_since: now,
            seen: now,
            stale: None,
        }
    }

    /// Whether its schedule stands still.
    fn halted(&self) -> bool {
        self.paused || self.paused_by_config
    }

    /// What a lane's worker could start now, and since when that waits.
    pub(super) fn ready(&self, lane: Lane, now: DateTime<Utc>) -> Option<(DateTime<Utc>, Job)> {
        if self.running.is_some() || self.deleted || self.gone {
            return None;
        }
        let job = self.job(lane, now)?;
        Some((job.due.max(self.free_since), job))
    }

    fn job(&self, lane: Lane, now: DateTime<Utc>) -> Option<Job> {
        if let Some(asked) = self.asked.iter().find(|asked| asked.lane == lane && asked.due <= now) {
            return Some(asked.clone());
        }
        self.scheduled(lane, now)
    }

    /// Publishes that wait in a lane, be it for one of the activation that runs: those asked for, and what is due.
    pub(super) fn queued(&self, lane: Lane, now: DateTime<Utc>) -> usize {
        if self.deleted || self.gone {
            return 0;
        }
        let asked = self.asked.iter().filter(|asked| asked.lane == lane).count();
        asked + usize::from(self.scheduled(lane, now).is_some())
    }

    /// What is to be tried again, or is due by the cadence.
    fn scheduled(&self, lane: Lane, now: DateTime<Utc>) -> Option<Job> {
        let again = self.again[lane as usize].as_ref().filter(|again| again.at <= now).map(|again| &again.job);
        if self.halted() {
            return None;
        }
        let passed = |due: Option<DateTime<Utc>>| due.filter(|due| *due <= now);
        let scheduled = |kind, full, due| Job {
            activation: Arc::clone(&self.name),
            kind,
            lane,
            full,
            whom: if kind == PublishKind::Rapid { Whom::Touched(Vec::new()) } else { Whom::Everybody },
            override_reason: None,
            receipt: None,
            due,
        };
        match lane {
            Lane::Rapid => {
                passed(self.due.rapid).map(|due| scheduled(PublishKind::Rapid, false, due)).or(again.cloned())
            }
            Lane::Standard => again
                .filter(|job| job.full)
                .cloned()
                .or_else(|| passed(self.due.resync).map(|due| scheduled(PublishKind::Resync, true, due)))
                .or_else(|| passed(self.due.standard).map(|due| scheduled(PublishKind::Scheduled, false, due)))
                .or(again.cloned()),
        }
    }

    /// The next time at which something could become ready that is not so yet.
    pub(super) fn wakes(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.running.is_some() || self.deleted || self.gone {
            return None;
        }
        let again = self.again.iter().flatten();
        let halted = self.halted();
        let again = again.filter(|_| !halted).map(|again| again.at);
        let due = if halted { Due::default() } else { self.due };
        let asked = self.asked.iter().map(|asked| asked.due);
        again
            .chain(asked)
            .chain([due.standard, due.rapid, due.resync].into_iter().flatten())
            .filter(|at| *at > now)
            .min()
    }

    /// Whether it was known already.
    pub(super) fn ask(&mut self, trigger: &Trigger, now: DateTime<Utc>) -> bool {
        let runs = self.running.as_ref().is_some_and(|running| running.job.receipt == Some(trigger.receipt));
        if runs || self.asked.iter().any(|asked| asked.receipt == Some(trigger.receipt)) {
            return true;
        }
        self.asked.push(Job {
            activation: Arc::clone(&self.name),
            kind: trigger.kind,
            lane: trigger.lane(),
            full: false,
            whom: Whom::Everybody,
            override_reason: None,
            receipt: Some(trigger.receipt),
            due: now,
        });
        false
    }

    /// What waits is not to run any more.
    pub(super) fn drop_asked(&mut self, receipt: Uuid) {
        self.asked.retain(|asked| asked.receipt != Some(receipt));
    }

    pub(super) fn began(&mut self, job: &Job, now: DateTime<Utc>) {
        let lane = job.lane as usize;
        self.asked.retain(|asked| asked != job);
        let (mut tries, mut first) = (0, now);
        match self.again[lane].take() {
            Some(again) if again.job == *job => (tries, first) = (again.tries, again.first),
            // This publish does not do what that one was to do, or nobody knows yet.
            Some(again) if job.receipt.is_some() || !does(job, &again.job) => self.again[lane] = Some(again),
            _ => {}
        }
        // Who is looked at by what was asked for is known only once it has ended.
        if job.receipt.is_none() {
            self.covers(job, now);
        }
        if job.kind == PublishKind::Resync {
            self.history.resync_tried = Some(now);
        }
        self.renew_due(now);
        self.running = Some(Running { job: job.clone(), target: self.target.clone(), tries, first });
    }

    /// A publish of everybody, or of all who were touched, stands in for one of the cadence.
    fn covers(&mut self, job: &Job, began: DateTime<Utc>) {
        if matches!(job.whom, Whom::Named(_)) {
            return;
        }
        self.history.rapid = self.history.rapid.max(Some(began));
        if job.whom == Whom::Everybody && job.lane == Lane::Standard {
            self.history.standard = self.history.standard.max(Some(began));
        }
    }

    /// `job`: as it was run.
    pub(super) fn ended(&mut self, job: Job, ending: Ending, began: DateTime<Utc>, now: DateTime<Utc>) {
        let Some(Running { tries, first, .. }) = self.running.take() else { return };
        self.free_since = now;
        let through = matches!(ending, Ending::Good { .. } | Ending::Blocked | Ending::Failed { .. });
        if job.receipt.is_some() && through {
            self.covers(&job, began);
            self.renew_due(now);
        }
        if matches!(ending, Ending::Good { .. }) {
            self.again[job.lane as usize].take_if(|again| does(&job, &again.job));
        }
        // What it did for some says nothing of the others.
        let of_some = matches!(job.whom, Whom::Named(_));
        match ending {
            Ending::Good { .. } if of_some => {}
            Ending::Good { .. } => {
                self.stale = None;
                self.history.good = Some(began);
                if job.full {
                    self.history.full = Some(began);
                }
                self.renew_due(now);
            }
            Ending::Busy => {
                let at = now + delta(BUSY_PAUSE.mul_f64(1.0 + self.draw(now)));
                self.try_again(Again { job, at, tries, first });
            }
            Ending::Failed { retryable: true, .. } => {
                let tries = tries + 1;
                let at = now + delta(RetryPolicy::ceiling(tries).mul_f64(self.draw(now)));
                // Who asks for one by hand looks at its receipt.
                let over =
                    asked_for(&job) || tries >= self.retry.attempts || at > first + delta(self.retry.max_elapsed);
                if !over && !self.regular_before(&job, at) {
                    // The one that was asked for has its receipt; this will be another.
                    self.try_again(Again { job: Job { receipt: None, ..job }, at, tries, first });
                }
            }
            Ending::Failed { .. } | Ending::Blocked | Ending::Cancelled => {}
        }
    }

    /// What waits already does at least as much, unless only this one sends everything, or was asked for.
    fn try_again(&mut self, again: Again) {
        if again.job.receipt.is_some() {
            // Nothing of it was begun: it waits as before.
            let at = again.at;
            let known = self.asked.iter().any(|asked| asked.receipt == again.job.receipt);
            if !known {
                self.asked.insert(0, Job { due: at, ..again.job });
            }
            return;
        }
        match &mut self.again[again.job.lane as usize] {
            Some(waits) if !again.job.full => waits.job.whom = both(waits.job.whom.clone(), again.job.whom),
            slot => *slot = Some(again),
        }
    }

    /// Whether the cadence does the same by then anyway.
    fn regular_before(&self, job: &Job, at: DateTime<Utc>) -> bool {
        // A cadence looks at rows that moved; who was named may have none.
        match &job.whom {
            Whom::Named(_) => return false,
            Whom::Touched(named) if !named.is_empty() => return false,
            Whom::Touched(_) | Whom::Everybody => {}
        }
        let regular = match job.kind {
            PublishKind::Scheduled => self.due.standard,
            PublishKind::Rapid => self.due.rapid,
            _ => None,
        };
        !self.halted() && regular.is_some_and(|regular| regular <= at)
    }

    /// From 0 to 1, another one for each activation and moment: retries must not come in step.
    fn draw(&self, now: DateTime<Utc>) -> f64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.name.as_bytes());
        hasher.write_i64(now.timestamp_micros());
        f64::from((hasher.finish() >> 32) as u32) / f64::from(u32::MAX)
    }

    /// The age of what the target holds, as far as is known here, where it is past the objective.
    fn lag(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let age = now - self.history.good.unwrap_or(self.seen);
        let late = !self.deleted && self.freshness.is_some_and(|most| age > delta(most));
        late.then_some(age)
    }

    /// Whether to ask for the history: only another process can have published one that seems late, and only the history
    /// says whether the first publish sent everything, or went on from what a former name had sent.
    pub(super) fn asks(&self, now: DateTime<Utc>) -> bool {
        if self.cadence.resyncs() && self.history.good.is_some() && self.history.full.is_none() {
            return true;
        }
        let pause = self.freshness.map_or(STALE_PAUSE, |most| most.min(STALE_PAUSE));
        self.lag(now).is_some() && self.stale.is_none_or(|asked| now >= asked + delta(pause))
    }

    /// Takes in what was published, by this process or another. The age, once, where it is past the objective all the same.
    pub(super) fn learn(&mut self, history: &History, now: DateTime<Utc>) -> Option<TimeDelta> {
        let known = &mut self.history;
        known.standard = known.standard.max(history.standard);
        known.rapid = known.rapid.max(history.rapid);
        known.full = known.full.max(history.full);
        known.resync_tried = known.resync_tried.max(history.resync_tried);
        known.good = known.good.max(history.good);
        self.renew_due(now);
        let lag = self.lag(now);
        let told = self.stale.is_some();
        self.stale = lag.map(|_| now);
        lag.filter(|_| !told)
    }

    /// Takes the due times anew from the history. What never began has none to go by, and is counted from now: a time of it
    /// that has passed and still waits, for a worker or a resume, stays due.
    fn renew_due(&mut self, now: DateTime<Utc>) {
        let next = self.cadence.due(&self.history, now);
        let waits =
            |due: Option<DateTime<Utc>>, began: Option<DateTime<Utc>>| due.filter(|due| began.is_none() && *due <= now);
        self.due = Due {
            standard: waits(self.due.standard, self.history.standard).or(next.standard),
            rapid: waits(self.due.rapid, self.history.rapid).or(next.rapid),
            resync: next.resync,
        };
    }

    /// It was torn down: nothing that was before counts.
    pub(super) fn forget(&mut self, now: DateTime<Utc>) {
        self.deleted = true;
        self.history = History::default();
        self.asked.clear();
        self.again = [None, None];
        self.seen = now;
        self.stale = None;
        self.due = self.cadence.due(&self.history, now);
    }

    /// Lives again, or starts anew after a pause in the config.
    pub(super) fn revive(&mut self, now: DateTime<Utc>) {
        self.deleted = false;
        self.seen = now;
        self.due = self.cadence.due(&self.history, now);
    }

    /// Follows another definition. What it did, and what was asked of it, stays.
    pub(super) fn redefine(&mut self, activation: &Activation, now: DateTime<Utc>) {
        self.gone = false;
        self.target.clone_from(&activation.target);
        self.cadence = Cadence::of(activation);
        self.retry = activation.retry;
        self.freshness = activation.freshness;
        self.paused_by_config = activation.paused;
        self.due = self.cadence.due(&self.history, now);
    }

    /// The wall clock was put back: nothing waits for a time that it will not show for long.
    pub(super) fn clock_went_back(&mut self, now: DateTime<Utc>) {
        let cap = |at: &mut Option<DateTime<Utc>>| *at = at.map(|at| at.min(now));
        let history = &mut self.history;
        for at in
            [&mut history.standard, &mut history.rapid, &mut history.full, &mut history.resync_tried, &mut history.good]
        {
            cap(at);
        }
        self.free_since = self.free_since.min(now);
        self.seen = self.seen.min(now);
        for again in self.again.iter_mut().flatten() {
            again.at = again.at.min(now + delta(RetryPolicy::ceiling(again.tries.max(1))));
            again.first = again.first.min(now);
        }
        for asked in &mut self.asked {
            asked.due = asked.due.min(now);
        }
        if let Some(running) = &mut self.running {
            running.first = running.first.min(now);
        }
        self.stale = self.stale.filter(|_| self.lag(now).is_some()).map(|asked| asked.min(now));
        self.renew_due(now);
    }
}

/// Whether a publish does all that another one was to do.
fn does(job: &Job, other: &Job) -> bool {
    let whom = match (&job.whom, &other.whom) {
        (Whom::Everybody, _) => true,
        (Whom::Touched(all), Whom::Touched(some) | Whom::Named(some)) | (Whom::Named(all), Whom::Named(some)) => {
            let all: HashSet<&String> = all.iter().collect();
            some.iter().all(|one| all.contains(one))
        }
        _ => false,
    };
    whom && (job.full || !other.full)
}

/// Those whom two publishes look at.
fn both(one: Whom, other: Whom) -> Whom {
    let union = |mut one: Vec<String>, other: Vec<String>| {
        one.extend(other);
        one.sort_unstable();
        one.dedup();
        one
    };
    match (one, other) {
        (Whom::Everybody, _) | (_, Whom::Everybody) => Whom::Everybody,
        (Whom::Named(one), Whom::Named(other)) => Whom::Named(union(one, other)),
        (Whom::Touched(one) | Whom::Named(one), Whom::Touched(other) | Whom::Named(other)) => {
            Whom::Touched(union(one, other))
        }
    }
}

/// Whether somebody asked for it by hand.
fn asked_for(job: &Job) -> bool {
    matches!(job.kind, PublishKind::Manual | PublishKind::Retry)
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
