//! The counts of a publish, and the laws that they obey.

use std::collections::BTreeMap;

use herald_destinations::contract::{Account, Op};

use super::{Failure, Status, code};
use crate::config::SendOps;

/// What became of every record, as far as the publish has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// What is sent.
    pub counts: Account,
    /// What `send` leaves out, by operation.
    pub withheld: BTreeMap<String, u64>,
    /// Why members were suppressed.
    pub suppressed_by: BTreeMap<String, u64>,
    /// The difference to the snapshot, whatever mode and `send` make of it: guards judge this.
    pub truth: Truth,
    /// Rows given up for another of the same key.
    pub duplicates: u64,
}

/// The difference between the records wanted and the snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    /// Members after the publish.
    pub members: u64,
    /// Records that the target does not hold.
    pub added: u64,
    /// Those of them that it holds perhaps: they count as held already.
    pub again: u64,
    /// Records that it holds otherwise.
    pub updated: u64,
    /// Members that it should not hold.
    pub removed: u64,
    /// Members of the snapshot that have been compared.
    pub compared: u64,
}

impl Ledger {
    /// Adds the counts of another part of the same publish.
    pub fn add(&mut self, other: &Self) {
        let (a, b) = (&mut self.counts, &other.counts);
        a.resolved += b.resolved;
        a.suppressed += b.suppressed;
        a.unchanged += b.unchanged;
        a.added += b.added;
        a.updated += b.updated;
        a.removed += b.removed;
        let (a, b) = (&mut self.truth, &other.truth);
        a.members += b.members;
        a.added += b.added;
        a.again += b.again;
        a.updated += b.updated;
        a.removed += b.removed;
        a.compared += b.compared;
        self.duplicates += other.duplicates;
        for (into, from) in [(&mut self.withheld, &other.withheld), (&mut self.suppressed_by, &other.suppressed_by)] {
            for (name, count) in from {
                *into.entry(name.clone()).or_default() += count;
            }
        }
    }

    /// Members that were suppressed for a reason.
    pub fn suppress(&mut self, reason: &str, members: u64) {
        if members > 0 {
            self.counts.suppressed += members;
            *self.suppressed_by.entry(reason.to_owned()).or_default() += members;
        }
    }

    /// Records of an incremental publish that differ; what `send` leaves out is withheld: adds and updates count as
    /// unchanged then, removals as nothing.
    pub fn differ(&mut self, op: Op, records: u64, send: SendOps) {
        let (sent, counter) = match op {
            Op::Add => (send.add, &mut self.counts.added),
            Op::Update => (send.update, &mut self.counts.updated),
            Op::Remove => (send.remove, &mut self.counts.removed),
        };
        if sent {
            *counter += records;
            return;
        }
        if op != Op::Remove {
            self.counts.unchanged += records;
        }
        if records > 0 {
            *self.withheld.entry(op.as_str().to_owned()).or_default() += records;
        }
    }

    /// Warns of rows that stand for nobody.
    pub(super) fn report_duplicates(&self) {
        if self.duplicates > 0 {
            tracing::warn!(rows = self.duplicates, "rows with the key of another were left out");
        }
    }

    /// Records that are sent.
    pub fn sent(&self) -> u64 {
        self.counts.added + self.counts.updated + self.counts.removed
    }
}

/// Checks the conservation laws of a receipt's counts.
///
/// # Errors
/// `internal`: a broken law is a bug, and the publish must not succeed.
pub(super) fn conserve(counts: &Account, suppressed_by: &BTreeMap<String, u64>, status: Status) -> Result<(), Failure> {
    let wanted = counts.suppressed + counts.unchanged + counts.added + counts.updated;
    if counts.resolved != wanted {
        return Err(code::internal(format!("{} members resolved, {wanted} accounted for", counts.resolved)));
    }
    if suppressed_by.values().sum::<u64>() != counts.suppressed {
        return Err(code::internal("the reasons for suppression do not add up to those suppressed"));
    }
    let sent = counts.added + counts.updated + counts.removed;
    let owed = if matches!(status, Status::Succeeded | Status::Partial) { 0 } else { counts.owed };
    let answered = counts.delivered + counts.rejected + owed;
    if sent != answered {
        return Err(code::internal(format!("{sent} records to send, {answered} accounted for")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_send_leaves_out_is_withheld_and_the_books_still_balance() {
        let mut ledger = Ledger::default();
        ledger.counts.resolved = 10;
        let send = SendOps { add: true, update: false, remove: false };
        ledger.differ(Op::Add, 4, send);
        ledger.differ(Op::Update, 5, send);
        ledger.differ(Op::Remove, 7, send);
        ledger.suppress("filter", 1);
        assert_eq!(ledger.withheld, BTreeMap::from([("update".to_owned(), 5), ("remove".to_owned(), 7)]));
        let counts = Account { delivered: 4, ..ledger.counts };
        conserve(&counts, &ledger.suppressed_by, Status::Succeeded).unwrap();
    }

    #[test]
    fn a_lost_record_fails_the_publish() {
        let counts = Account { resolved: 2, added: 2, delivered: 1, ..Account::default() };
        assert!(conserve(&counts, &BTreeMap::new(), Status::Succeeded).is_err());
        let counts = Account { resolved: 3, added: 2, delivered: 2, ..Account::default() };
        assert!(conserve(&counts, &BTreeMap::new(), Status::Succeeded).is_err());
    }
}
