//! What a publish must send, and what must be known after it.

use std::collections::{BTreeMap, BTreeSet};

use herald::snapshot::Holding;
use herald_destinations::contract::{ErrorKind, Op};
use uuid::Uuid;

use super::{
    books::{Entries, Entry},
    wire::{Answer, Call, Row},
};
use crate::simulation::{
    Checked,
    consumer::shown,
    definition::Definition,
    ensure,
    model::tripped,
    wanted::{Record, Wanted},
};

/// What is known of the target, from what it answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The last record that it acknowledged, of members that it holds for certain and just so.
    pub(crate) records: BTreeMap<String, Record>,
    /// Whose removal it acknowledged, and no add since.
    pub(crate) gone: BTreeSet<String>,
    /// Records that it refused last, by member and operation; removals have none.
    pub(crate) refused: BTreeMap<(String, String), Option<Record>>,
}

/// What a publish must do, from a snapshot in which nothing is left to settle.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) wanted: Wanted,
    /// What is to be sent of whom.
    pub(crate) ops: BTreeMap<String, Op>,
    pub(crate) unchanged: u64,
    /// The guard that stops it.
    pub(crate) blocked: Option<&'static str>,
}

impl Expected {
    /// `named`: the only members to look at.
    pub(crate) fn of(
        definition: &Definition,
        wanted: Wanted,
        entries: Option<&Entries>,
        known: &Known,
        named: Option<&BTreeSet<String>>,
        full: bool,
    ) -> Self {
        let nobody = Entries::new();
        let held = entries.unwrap_or(&nobody);
        let looked = |member: &&String| named.is_none_or(|named| named.contains(*member));
        let mut ops = BTreeMap::new();
        let (mut unchanged, mut differing, mut joining) = (0, 0, 0);
        for (member, record) in wanted.records.iter().filter(|(member, _)| looked(member)) {
            let op = match held.get(member).map(|entry| entry.holding) {
                Some(Holding::Held) if known.records.get(member).is_some_and(|known| known.same(record)) => {
                    if !full {
                        unchanged += 1;
                        continue;
                    }
                    Op::Update
                }
                Some(Holding::Held | Holding::Stale) => {
                    differing += 1;
                    Op::Update
                }
                Some(Holding::Perhaps | Holding::Gone) => Op::Add,
                None => {
                    joining += 1;
                    Op::Add
                }
            };
            ops.insert(member.clone(), op);
        }
        let leaving: Vec<&String> =
            held.keys().filter(looked).filter(|member| !wanted.records.contains_key(*member)).collect();
        ops.extend(leaving.iter().map(|member| ((*member).clone(), Op::Remove)));

        let members = match named {
            None => wanted.records.len(),
            Some(_) => held.len() + joining - leaving.len(),
        };
        let blocked = tripped(definition, members as u64, (differing, leaving.len()), entries.map(Entries::len));
        Self { wanted, ops, unchanged, blocked }
    }

    /// How many of an operation.
    pub(crate) fn count(&self, op: Op) -> u64 {
        self.ops.values().filter(|expected| **expected == op).count() as u64
    }

    /// Holds a row that was sent against what was to be sent, and what the target was told of its change.
    pub(crate) fn check(&self, op: Op, row: &Row, entries: &Entries, known: &Known) -> Checked {
        let member = &row.member;
        let to_send = self.ops.get(member);
        ensure!(to_send == Some(&op), "{} was sent of {member}, {to_send:?} was to be sent", op.as_str());
        let record = self.wanted.records.get(member);
        match op {
            Op::Add => {
                let returns = known.gone.contains(member);
                ensure!(row.returning == Some(returns), "{member} returns: {returns}, told was {:?}", row.returning);
            }
            Op::Update => {
                let sure = entries.get(member).is_some_and(|entry| entry.holding == Holding::Held);
                let before = known.records.get(member).filter(|_| sure);
                let changed = record.map(|record| differing(record, before));
                ensure!(row.changed == changed, "{changed:?} of {member} changed, told was {:?}", row.changed);
            }
            Op::Remove => ensure!(row.record.is_empty(), "a removal holds {:?}", row.record),
        }
        Ok(())
    }
}

/// Names of the fields that differ; all where nobody knows what was.
fn differing(record: &Record, before: Option<&Record>) -> BTreeSet<String> {
    let differs = |name: &str, value| {
        let was = before.and_then(|before| before.0.iter().find(|(known, _)| *known == name));
        was.is_none_or(|was| !Record(vec![was.clone()]).same(&Record(vec![(was.0, value)])))
    };
    let changed = record.0.iter().filter(|(name, value)| differs(name, value.clone()));
    changed.map(|(name, _)| (*name).to_owned()).collect()
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Acknowledged,
    Refused,
    /// Nobody knows.
    Doubt,
    /// The target said no to more than the record.
    Unsent,
}

/// The last that is known of a member from what passed.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    pub(crate) op: Op,
    pub(crate) fate: Fate,
    pub(crate) publish: Uuid,
}

/// Member → what became of its record. `hopeless`: the last answer stopped the publish, and was not about the record.
pub(crate) fn passed(calls: &[Call], hopeless: bool) -> BTreeMap<String, Passed> {
    let mut passed: BTreeMap<String, Passed> = BTreeMap::new();
    for (number, call) in calls.iter().enumerate() {
        let last = hopeless && number + 1 == calls.len();
        for (index, row) in call.rows.iter().enumerate() {
            let fate = match &call.answer {
                Answer::Taken(refused) if refused.contains(&index) => Fate::Refused,
                Answer::Taken(_) => Fate::Acknowledged,
                Answer::None | Answer::Failed(_, true) => Fate::Doubt,
                Answer::Failed(ErrorKind::Refused, _) if call.rows.len() == 1 && !last => Fate::Refused,
                Answer::Failed(..) => Fate::Unsent,
            };
            let now = Passed { op: call.op, fate, publish: call.publish };
            let before = passed.get(&row.member).map(|before| before.fate);
            // Who says no changes nothing of what was.
            let news = match fate {
                Fate::Acknowledged | Fate::Doubt => true,
                Fate::Refused => matches!(before, None | Some(Fate::Unsent)),
                Fate::Unsent => before.is_none(),
            };
            if news {
                passed.insert(row.member.clone(), now);
            }
        }
    }
    passed
}

/// How a member must stand in the snapshot; the sequence, where it is a new one, is the publish's.
pub(crate) fn standing(before: Option<Entry>, passed: Option<&Passed>) -> Option<Holding> {
    match passed.map(|passed| (passed.fate, passed.op)) {
        Some((Fate::Acknowledged, Op::Remove)) => None,
        Some((Fate::Acknowledged, _)) => Some(Holding::Held),
        Some((Fate::Doubt, op)) => Some(doubt(op)),
        Some((Fate::Refused | Fate::Unsent, _)) | None => before.map(|before| before.holding),
    }
}

/// How a member stands of whom an operation got no answer.
pub(crate) fn doubt(op: Op) -> Holding {
    match op {
        Op::Add | Op::Remove => Holding::Perhaps,
        Op::Update => Holding::Stale,
    }
}

/// Holds what the snapshot says against what the target holds.
pub(crate) fn sound(entries: &Entries, known: &Known, target: &BTreeMap<String, BTreeMap<String, String>>) -> Checked {
    for member in target.keys() {
        ensure!(entries.contains_key(member), "the target holds {member}, and the snapshot does not know");
    }
    for (member, entry) in entries {
        let there = target.get(member);
        match entry.holding {
            Holding::Held => {
                let acknowledged = known.records.get(member).map(shown);
                ensure!(there.is_some(), "{member} is held by the snapshot, and not by the target");
                ensure!(
                    there == acknowledged.as_ref(),
                    "the target holds {there:?} of {member}, acknowledged was {acknowledged:?}"
                );
            }
            Holding::Stale => ensure!(there.is_some(), "{member} is stale, and not at the target"),
            Holding::Perhaps => {}
            Holding::Gone => return Err(format!("{member} is gone, and in the snapshot")),
        }
    }
    Ok(())
}
