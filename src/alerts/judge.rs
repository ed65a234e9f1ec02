//! What is the case, and who is to be told of it: no clock of its own, no I/O.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    config::AlertEvent,
    fleet::Standing,
    publish::{PublishKind, Receipt, Status},
};

/// What goes on is told again after so long, at the earliest.
const REMINDER: TimeDelta = TimeDelta::hours(24);

/// Of what, and of which activation; `None`: of the whole service.
type Subject = (AlertEvent, Option<String>);

/// Something that is wrong, from when it began until it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Condition {
    /// What is wrong.
    pub(super) event: AlertEvent,
    /// Name of the activation; `None`: it is about the service.
    pub(super) activation: Option<String>,
    /// When it was first seen.
    pub(super) since: DateTime<Utc>,
    /// One sentence.
    pub(super) summary: String,
    /// What to do, where something is known.
    pub(super) remedy: Option<String>,
    /// Of the newest publish that went so, without its files.
    pub(super) receipt: Option<Value>,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Notice {
    /// What it is about.
    pub(super) condition: Condition,
    /// Whether it is over.
    pub(super) resolved: bool,
    /// Whether it was told before.
    pub(super) reminder: bool,
    /// When it was decided.
    pub(super) at: DateTime<Utc>,
}

/// What outlives the process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    firing: Vec<Condition>,
    told: Vec<(String, Condition, DateTime<Utc>)>,
}

/// What is firing, and who was told of what, when.
#[derive(Debug, Default)]
pub(super) struct Judge {
    firing: BTreeMap<Subject, Condition>,
    /// By alert.
    told: BTreeMap<String, BTreeMap<Subject, (Condition, DateTime<Utc>)>>,
    changed: bool,
}

impl Judge {
    pub(super) fn remembering(memory: Memory) -> Self {
        let mut judge = Self::default();
        for condition in memory.firing {
            judge.firing.insert(subject(&condition), condition);
        }
        for (alert, condition, at) in memory.told {
            judge.told.entry(alert).or_default().insert(subject(&condition), (condition, at));
        }
        judge
    }

    pub(super) fn memory(&mut self) -> Memory {
        self.changed = false;
        let told = self
            .told
            .iter()
            .flat_map(|(alert, told)| told.values().map(|(condition, at)| (alert.clone(), condition.clone(), *at)));
        Memory { firing: self.firing.values().cloned().collect(), told: told.collect() }
    }

    /// Whether the memory is another one than when it was last asked for.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// A publish ended, or is known to have ended so.
    pub(super) fn ended(&mut self, receipt: &Receipt) {
        let name = Some(receipt.activation.as_str());
        let good = match (receipt.kind, receipt.status) {
            (PublishKind::Teardown, Status::Failed) => return self.fire(of(AlertEvent::Teardown, receipt)),
            (PublishKind::Teardown, Status::Succeeded | Status::Partial) => {
                return self.over(AlertEvent::Teardown, name);
            }
            (PublishKind::Teardown, _) => return,
            (_, Status::Failed) => return self.fire(of(AlertEvent::Failed, receipt)),
            (_, Status::Blocked) => return self.fire(of(AlertEvent::Blocked, receipt)),
            // It settles what a crash left, and says nothing of how publishes go now.
            (PublishKind::Recovery, _) => return,
            (_, Status::Partial) => {
                self.fire(of(AlertEvent::Partial, receipt));
                true
            }
            (_, Status::Succeeded) => {
                self.over(AlertEvent::Partial, name);
                true
            }
            (_, Status::Queued | Status::Running | Status::Cancelled) => false,
        };
        if good {
            self.over(AlertEvent::Failed, name);
            self.over(AlertEvent::Blocked, name);
        }
    }

    /// How all activations stand. Those that are gone, or going, end what is firing of them.
    pub(super) fn stand(&mut self, standings: &[Standing], now: DateTime<Utc>) {
        let mut live = BTreeSet::new();
        let mut known = BTreeSet::new();
        for standing in standings.iter().filter(|standing| standing.state != "deleted") {
            known.insert(standing.name.as_str());
            if standing.state == "deleting" {
                continue;
            }
            live.insert(standing.name.as_str());
            let name = Some(standing.name.as_str());
            let lag = standing.lag_seconds.unwrap_or_default();
            self.is(standing.late, AlertEvent::Lag, name, now, || {
                (
                    format!("the last good publish of {} began {lag} s ago, past its freshness", standing.name),
                    "look at its last receipts: they say why none went well since",
                )
            });
            let letters = standing.dead_letters;
            self.is(letters > 0, AlertEvent::DeadLetters, name, now, || {
                (
                    format!("{letters} records of {} were refused for good", standing.name),
                    "`herald rejects` says why; correct the data or the attributes",
                )
            });
        }
        let over: Vec<Subject> = self
            .firing
            .keys()
            .filter(|(event, name)| {
                let Some(name) = name.as_deref() else { return false };
                if *event == AlertEvent::Teardown { !known.contains(name) } else { !live.contains(name) }
            })
            .cloned()
            .collect();
        for (event, name) in over {
            self.over(event, name.as_deref());
        }
    }

    /// Whether the last reload was refused.
    pub(super) fn reloads(&mut self, refused: bool, now: DateTime<Utc>) {
        self.is(refused, AlertEvent::Config, None, now, || {
            (
                "the last reload of the config was refused; the one before is in force".to_owned(),
                "`herald check` shows what is wrong; do not restart the service before",
            )
        });
    }

    /// Who is to be told of what, given the alerts of the config by id, with what each is posted on.
    pub(super) fn due<'a>(
        &mut self,
        alerts: impl Iterator<Item = (&'a str, &'a [AlertEvent])>,
        now: DateTime<Utc>,
    ) -> Vec<(String, Notice)> {
        let mut due = Vec::new();
        let mut known = BTreeSet::new();
        for (alert, when) in alerts {
            known.insert(alert.to_owned());
            let told = self.told.entry(alert.to_owned()).or_default();
            let wanted = |subject: &Subject| when.contains(&subject.0);
            let over: Vec<Subject> = told
                .keys()
                .filter(|subject| !wanted(subject) || !self.firing.contains_key(*subject))
                .cloned()
                .collect();
            for subject in over {
                if let Some((condition, _)) = told.remove(&subject) {
                    let notice = Notice { condition, resolved: true, reminder: false, at: now };
                    due.push((alert.to_owned(), notice));
                }
            }
            for (subject, condition) in self.firing.iter().filter(|(subject, _)| wanted(subject)) {
                let before = told.get(subject).map(|(_, at)| *at);
                if before.is_some_and(|before| now - before < REMINDER) {
                    continue;
                }
                told.insert(subject.clone(), (condition.clone(), now));
                let notice =
                    Notice { condition: condition.clone(), resolved: false, reminder: before.is_some(), at: now };
                due.push((alert.to_owned(), notice));
            }
        }
        // Nobody can be told any more where the config names no such alert.
        let before = self.told.len();
        self.told.retain(|alert, _| known.contains(alert));
        self.changed |= !due.is_empty() || before != self.told.len();
        due
    }

    /// Begins, or goes on since it began.
    fn fire(&mut self, mut condition: Condition) {
        let subject = subject(&condition);
        match self.firing.get(&subject) {
            Some(before) => condition.since = before.since,
            None => self.changed = true,
        }
        self.firing.insert(subject, condition);
    }

    fn over(&mut self, event: AlertEvent, activation: Option<&str>) {
        self.changed |= self.firing.remove(&(event, activation.map(str::to_owned))).is_some();
    }

    fn is(
        &mut self,
        so: bool,
        event: AlertEvent,
        activation: Option<&str>,
        now: DateTime<Utc>,
        says: impl FnOnce() -> (String, &'static str),
    ) {
        if !so {
            return self.over(event, activation);
        }
        let (summary, remedy) = says();
        let remedy = Some(remedy.to_owned());
        let activation = activation.map(str::to_owned);
        self.fire(Condition { event, activation, since: now, summary, remedy, receipt: None });
    }
}

fn subject(condition: &Condition) -> Subject {
    (condition.event, condition.activation.clone())
}

fn of(event: AlertEvent, receipt: &Receipt) -> Condition {
    let (name, target) = (&receipt.activation, &receipt.target);
    let why = receipt.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    let summary = match event {
        AlertEvent::Blocked => format!("a publish of {name} to {target} was blocked{why}"),
        AlertEvent::Partial => {
            format!("a publish of {name} to {target} had {} records rejected", receipt.counts.rejected)
        }
        AlertEvent::Teardown => format!("the teardown of {name} at {target} failed{why}"),
        _ => format!("a publish of {name} to {target} failed{why}"),
    };
    let mut account = serde_json::to_value(receipt).unwrap_or_default();
    if let Some(fields) = account.as_object_mut() {
        // As many as a publish has parts: whoever wants them asks for the receipt.
        fields.remove("files");
        fields.remove("extras");
    }
    Condition {
        event,
        activation: Some(name.clone()),
        since: receipt.finished_at.unwrap_or(receipt.queued_at),
        summary,
        remedy: receipt.error.as_ref().map(|error| error.remedy.clone()),
        receipt: Some(account),
    }
}

#[cfg(test)]
mod tests;
