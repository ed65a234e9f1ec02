//! Who publishes next. No clock, no I/O: it is told what time it is and what happened, and says what to start.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Asked, Ending, Job, Lane, Standing, Trigger,
    breaker::{Breaker, Sign},
    entry::Entry,
    lane::Lanes,
};
use crate::{
    config::{Activation, Config},
    publish::PublishKind,
    state::History,
};

/// A clock that goes back by less than this was only corrected.
const CORRECTION: TimeDelta = TimeDelta::seconds(1);

/// Everything that the service knows of its activations.
#[derive(Debug)]
pub(super) struct Board {
    entries: BTreeMap<Arc<str>, Entry>,
    targets: HashMap<String, Target>,
    lanes: Lanes,
    /// The latest time that it was told, to see when a clock goes back.
    latest: DateTime<Utc>,
}

#[derive(Debug, Default)]
struct Target {
    breaker: Breaker,
    running: usize,
}

impl Board {
    pub(super) fn new(concurrency: usize, now: DateTime<Utc>) -> Self {
        Self { entries: BTreeMap::new(), targets: HashMap::new(), lanes: Lanes::new(concurrency), latest: now }
    }

    pub(super) fn add(&mut self, activation: &Activation, history: History, now: DateTime<Utc>) {
        self.entries.insert(activation.name.as_str().into(), Entry::new(activation, history, now));
    }

    /// What is to be started now. Who has waited longest comes first; each lane fills its own workers. `parallel`: most
    /// publishes to a target at once.
    pub(super) fn starts(&mut self, now: DateTime<Utc>, parallel: impl Fn(&str) -> Option<usize>) -> Vec<Job> {
        self.notice(now);
        let mut ready: Vec<(DateTime<Utc>, Job)> = Vec::new();
        for lane in [Lane::Standard, Lane::Rapid] {
            if self.lanes.has_room(lane) {
                ready.extend(self.entries.values().filter_map(|entry| entry.ready(lane, now)));
            }
        }
        // Stable: of one activation's two, both due since the same moment, the standard one comes first.
        ready.sort_by_key(|(since, _)| *since);
        let mut starts = Vec::new();
        for (_, job) in ready {
            if !self.lanes.has_room(job.lane) {
                continue;
            }
            let Some(entry) = self.entries.get_mut(&job.activation).filter(|entry| entry.running.is_none()) else {
                continue;
            };
            let target = match self.targets.get_mut(&entry.target) {
                Some(target) => target,
                None => self.targets.entry(entry.target.clone()).or_default(),
            };
            // Who asks by hand wants to know whether the target is back.
            let by_hand = matches!(job.kind, PublishKind::Manual | PublishKind::Retry);
            let may = target.breaker.lets_through(now) || by_hand;
            if !may || parallel(&entry.target).is_some_and(|most| target.running >= most.max(1)) {
                continue;
            }
            target.breaker.began(&job.activation);
            target.running += 1;
            self.lanes.take(job.lane);
            entry.began(&job, now);
            starts.push(job);
        }
        starts
    }

    /// A publish that was started at `began` has ended; `job`: as it was run.
    pub(super) fn ended(&mut self, job: Job, ending: Ending, began: DateTime<Utc>, now: DateTime<Utc>) {
        self.notice(now);
        let activation = Arc::clone(&job.activation);
        let Some(entry) = self.entries.get_mut(&activation) else { return };
        let Some(running) = &entry.running else { return };
        self.lanes.give_back(running.job.lane);
        let name = running.target.clone();
        entry.ended(job, ending, began, now);
        if entry.gone {
            self.entries.remove(&activation);
        }
        if let Some(target) = self.targets.get_mut(&name) {
            target.running = target.running.saturating_sub(1);
            let sign = match ending {
                Ending::Good { delivered: true } => Sign::Well,
                Ending::Failed { by_target: true, .. } => Sign::Failed,
                _ => Sign::None,
            };
            target.breaker.ended(&name, &activation, sign, now);
        }
    }

    /// Takes another config in: activations that are new, with what they did last; those that are defined otherwise; and
    /// those that are gone, of which the ones that run are to be stopped: their names.
    pub(super) fn reload(
        &mut self,
        config: &Config,
        histories: &HashMap<String, History>,
        now: DateTime<Utc>,
    ) -> Vec<Arc<str>> {
        self.notice(now);
        let mut stopping = Vec::new();
        self.entries.retain(|name, entry| {
            if config.activations.contains_key(&**name) {
                return true;
            }
            entry.gone = true;
            let runs = entry.running.is_some();
            if runs {
                stopping.push(Arc::clone(name));
            }
            runs
        });
        for activation in config.activations.values() {
            match self.entries.get_mut(activation.name.as_str()) {
                Some(entry) => entry.redefine(activation, now),
                None => {
                    let history = histories.get(&activation.name).copied().unwrap_or_default();
                    self.add(activation, history, now);
                }
            }
        }
        stopping
    }

    /// Publishes that wait to be started or to be tried again, by lane: due, and asked for.
    pub(super) fn queued(&self, now: DateTime<Utc>) -> [usize; 2] {
        [Lane::Standard, Lane::Rapid].map(|lane| self.entries.values().map(|entry| entry.queued(lane, now)).sum())
    }

    /// Forgets a publish that waited.
    pub(super) fn drop_asked(&mut self, activation: &str, receipt: Uuid) {
        if let Some(entry) = self.entries.get_mut(activation) {
            entry.drop_asked(receipt);
        }
    }

    /// Somebody asks for a publish.
    pub(super) fn ask(&mut self, trigger: &Trigger, now: DateTime<Utc>) -> Asked {
        let Some(entry) = self.entries.get_mut(trigger.activation.as_str()).filter(|entry| !entry.deleted) else {
            return Asked::Unknown;
        };
        if entry.ask(trigger, now) { Asked::Folded } else { Asked::Accepted }
    }

    pub(super) fn pause(&mut self, activation: &str, paused: bool) -> Asked {
        match self.entries.get_mut(activation) {
            None => Asked::Unknown,
            Some(entry) => {
                entry.paused = paused;
                Asked::Accepted
            }
        }
    }

    /// Takes in which activations are paused or deleted, by this process or another.
    pub(super) fn stand(&mut self, standings: &[Standing], now: DateTime<Utc>) {
        let halted: HashMap<&str, &Standing> =
            standings.iter().map(|standing| (standing.activation.as_str(), standing)).collect();
        for (name, entry) in &mut self.entries {
            let standing = halted.get(&**name);
            entry.paused = standing.is_some_and(|standing| standing.paused);
            match (standing.is_some_and(|standing| standing.deleted), entry.deleted) {
                (true, false) => entry.forget(now),
                (false, true) => entry.revive(now),
                _ => {}
            }
        }
    }

    /// Activations whose history is to be asked for.
    pub(super) fn asking(&self, now: DateTime<Utc>) -> Vec<Arc<str>> {
        self.entries.iter().filter(|(_, entry)| entry.asks(now)).map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Takes in what an activation did last, in any process. The age, once, where it is past the objective all the same.
    pub(super) fn learn(&mut self, activation: &str, history: &History, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.entries.get_mut(activation)?.learn(history, now)
    }

    /// When to ask again what to start, if nothing happens before. What waits for a worker is started when one is free.
    pub(super) fn wakes(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let entries = self.entries.values().filter_map(|entry| entry.wakes(now));
        let targets = self.targets.values().filter_map(|target| target.breaker.reopens()).filter(|at| *at > now);
        entries.chain(targets).min()
    }

    /// Sees whether the clock was put back.
    fn notice(&mut self, now: DateTime<Utc>) {
        if self.latest - now > CORRECTION {
            tracing::warn!(
                seconds = (self.latest - now).num_seconds(),
                "the clock went back: due times are taken anew"
            );
            self.entries.values_mut().for_each(|entry| entry.clock_went_back(now));
            self.targets.values_mut().for_each(|target| target.breaker.clock_went_back(now));
            self.latest = now;
        }
        self.latest = self.latest.max(now);
    }
}

#[cfg(test)]
pub(super) mod tests;
