//! What a publish must do: the counts of its receipt, and what the target holds after it.

use std::collections::BTreeMap;

use herald::publish::{Preview, Receipt, Status};
use herald_destinations::contract::{Account, Mode};

use super::{
    Checked,
    definition::Definition,
    ensure,
    wanted::{Record, Wanted},
};

/// Member to record, as the target was last told.
pub(crate) type Held = BTreeMap<String, Record>;

/// What a publish must do when nothing goes wrong.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) mode: Mode,
    /// The guard that stops it.
    pub(crate) blocked: Option<&'static str>,
    counts: Account,
    withheld: BTreeMap<String, u64>,
    suppressed_by: BTreeMap<String, u64>,
    /// What the target holds after it.
    pub(crate) after: Held,
}

/// What differs between what is wanted and what is held.
struct Difference<'a> {
    added: Vec<&'a String>,
    updated: Vec<&'a String>,
    removed: Vec<String>,
    unchanged: u64,
}

impl<'a> Difference<'a> {
    fn between(wanted: &'a Held, held: &Held) -> Self {
        let mut difference = Self { added: Vec::new(), updated: Vec::new(), removed: Vec::new(), unchanged: 0 };
        for (member, record) in wanted {
            match held.get(member) {
                None => difference.added.push(member),
                Some(there) if there.same(record) => difference.unchanged += 1,
                Some(_) => difference.updated.push(member),
            }
        }
        difference.removed = held.keys().filter(|member| !wanted.contains_key(*member)).cloned().collect();
        difference
    }
}

impl Expected {
    /// `known`: whether the target was ever published to.
    pub(crate) fn of(
        definition: &Definition,
        wanted: &Wanted,
        held: Option<&Held>,
        full: bool,
        overridden: bool,
    ) -> Self {
        let nothing = Held::new();
        let difference = Difference::between(&wanted.records, held.unwrap_or(&nothing));
        let blocked = guard(definition, wanted, &difference, held).filter(|_| !overridden);
        let mode = if full || definition.full { Mode::Full } else { Mode::Incremental };
        let suppressed_by = wanted.suppressed_by.clone();
        let mut counts =
            Account { resolved: wanted.resolved, suppressed: suppressed_by.values().sum(), ..Account::default() };
        let mut withheld = BTreeMap::new();
        let mut after = held.unwrap_or(&nothing).clone();
        if mode == Mode::Full {
            counts.added = wanted.records.len() as u64;
            after.clone_from(&wanted.records);
        } else {
            let mut withhold = |op: &str, records: usize| {
                if records > 0 {
                    withheld.insert(op.to_owned(), records as u64);
                }
            };
            counts.unchanged = difference.unchanged;
            let send = definition.send;
            for (sent, op, members, counter) in [
                (send.add, "add", &difference.added, &mut counts.added),
                (send.update, "update", &difference.updated, &mut counts.updated),
            ] {
                if sent {
                    *counter = members.len() as u64;
                    after.extend(members.iter().map(|member| ((*member).clone(), wanted.records[*member].clone())));
                } else {
                    counts.unchanged += members.len() as u64;
                    withhold(op, members.len());
                }
            }
            if send.remove {
                counts.removed = difference.removed.len() as u64;
                difference.removed.iter().for_each(|member| drop(after.remove(member)));
            } else {
                withhold("remove", difference.removed.len());
            }
        }
        Self { mode, blocked, counts, withheld, suppressed_by, after }
    }

    /// Records that are sent.
    pub(crate) fn sent(&self) -> u64 {
        self.counts.added + self.counts.updated + self.counts.removed
    }

    /// Holds the receipt of a publish that succeeded or was blocked against this.
    pub(crate) fn check(&self, receipt: &Receipt) -> Checked {
        ensure!(receipt.mode == self.mode, "mode: {receipt:?}");
        ensure!(receipt.suppressed_by == self.suppressed_by, "wanted {:?}: {receipt:?}", self.suppressed_by);
        ensure!(receipt.withheld == self.withheld, "wanted {:?}: {receipt:?}", self.withheld);
        let counts = match receipt.status {
            Status::Succeeded => Account { delivered: self.sent(), ..self.counts },
            _ => Account { owed: self.sent(), ..self.counts },
        };
        ensure!(receipt.counts == counts, "wanted {counts:?}: {receipt:?}");
        Ok(())
    }

    /// Holds a preview against this: all that would be sent is owed.
    pub(crate) fn check_preview(&self, preview: &Preview) -> Checked {
        let trips = preview.guards.iter().find(|judgement| judgement.trips).map(|judgement| judgement.name);
        let counts = Account { owed: self.sent(), ..self.counts };
        ensure!(preview.counts == counts && preview.mode == self.mode, "wanted {counts:?}: {preview:?}");
        ensure!(preview.suppressed_by == self.suppressed_by, "wanted {:?}: {preview:?}", self.suppressed_by);
        ensure!(preview.withheld == self.withheld, "wanted {:?}: {preview:?}", self.withheld);
        let blocked = self.blocked.and_then(|code| code.strip_prefix("guard_"));
        ensure!(trips == blocked, "{blocked:?} should trip: {preview:?}");
        let shown: usize = preview.sample.iter().map(|batch| batch.rows.num_rows()).sum();
        ensure!(shown as u64 == self.sent().min(3), "{shown} records of a sample");
        Ok(())
    }
}

fn guard(
    definition: &Definition,
    wanted: &Wanted,
    difference: &Difference<'_>,
    held: Option<&Held>,
) -> Option<&'static str> {
    let (updated, removed) = (difference.updated.len(), difference.removed.len());
    tripped(definition, wanted.records.len() as u64, (updated, removed), held.map(Held::len))
}

/// The guard that stops a publish after which there are so many members, and which updates and removes so many of
/// those held.
pub(crate) fn tripped(
    definition: &Definition,
    members: u64,
    (updated, removed): (usize, usize),
    held: Option<usize>,
) -> Option<&'static str> {
    let guards = definition.guards;
    // In whole numbers: so many of a hundred of those held.
    let past =
        |records: usize, percent: u32| held.is_some_and(|held| held > 0 && records * 100 > percent as usize * held);
    if members < guards.min_members {
        Some("guard_min_members")
    } else if guards.max_members.is_some_and(|most| members > most) {
        Some("guard_max_members")
    } else if past(removed, guards.max_removed) {
        Some("guard_max_removed")
    } else if guards.max_changed.is_some_and(|most| past(updated + removed, most)) {
        Some("guard_max_changed")
    } else {
        None
    }
}

/// The laws that every receipt of a target of files obeys, however its publish ended.
pub(crate) fn conserved(receipt: &Receipt) -> Checked {
    lawful(receipt)?;
    let rows: u64 = receipt.files.iter().map(|file| file.rows).sum();
    ensure!(rows == receipt.counts.delivered, "{rows} rows in files: {receipt:?}");
    Ok(())
}

/// The laws that every receipt obeys, however its publish ended.
pub(crate) fn lawful(receipt: &Receipt) -> Checked {
    let Account { resolved, suppressed, unchanged, added, updated, removed, delivered, rejected, owed } =
        receipt.counts;
    ensure!(resolved == suppressed + unchanged + added + updated, "members: {receipt:?}");
    ensure!(added + updated + removed == delivered + rejected + owed, "records: {receipt:?}");
    ensure!(suppressed == receipt.suppressed_by.values().sum::<u64>(), "suppressed: {receipt:?}");
    ensure!(rejected == receipt.rejected_by.values().sum::<u64>(), "rejected: {receipt:?}");
    let good = matches!(receipt.status, Status::Succeeded | Status::Partial);
    ensure!(!good || owed == 0, "a good publish owes nothing: {receipt:?}");
    ensure!(good == receipt.error.is_none(), "an error, or none: {receipt:?}");
    ensure!(good || receipt.files.is_empty(), "a publish that failed names files: {receipt:?}");
    ensure!(receipt.bytes == receipt.files.iter().map(|file| file.bytes).sum::<u64>(), "bytes: {receipt:?}");
    let times = [Some(receipt.queued_at), receipt.started_at, receipt.finished_at];
    ensure!(times.iter().flatten().is_sorted(), "times: {receipt:?}");
    Ok(())
}
