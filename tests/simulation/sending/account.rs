//! Holds what a publish left, once nothing of it is in flight, against the model.

use std::collections::{BTreeMap, BTreeSet};

use herald::publish::{DeadLetter, PublishKind, Receipt, Status};
use herald_destinations::contract::{Account, Op};

use super::{
    books::{Entries, Letters},
    history::{Ask, End, Whom},
    model::{Expected, Fate, Passed, doubt, passed, standing},
    wire::{Answer, Call},
    world::{MOST_ROWS, World},
};
use crate::simulation::{Checked, ensure, model::lawful, process::Cut};

/// Code of records that are held back.
const QUARANTINED: &str = "quarantined";

/// What a publish left.
struct Left<'r> {
    /// What passed between the program and the target.
    calls: Vec<Call>,
    passed: BTreeMap<String, Passed>,
    /// Whether a process died, or somebody stopped the publish: the program may know less than what passed.
    loose: bool,
    /// The publish's own; `None`: it came too little far to have one.
    receipt: Option<&'r Receipt>,
    entries: Entries,
    letters: Vec<DeadLetter>,
}

impl World<'_> {
    /// `expected`: what the one publish should do; `None` where it is not known what it began with, or where there
    /// was more than one. `died`: whether a process died.
    pub(super) fn account(
        &mut self,
        expected: Option<&Expected>,
        ask: &Ask,
        died: bool,
        receipts: &[Receipt],
    ) -> Checked {
        for receipt in receipts {
            ensure!(receipt.sequence == self.sequence + 1, "after number {}: {receipt:?}", self.sequence);
            self.sequence = receipt.sequence;
            self.count(receipt)?;
        }
        let receipt = receipts.iter().rev().find(|receipt| receipt.kind != PublishKind::Recovery);
        let calls = self.wire.since(self.since);
        let hopeless = receipt.is_some_and(|receipt| code(receipt) == Some("target_refused"));
        let unanswered = |call: &Call| matches!(call.answer, Answer::None | Answer::Failed(_, true));
        let entries = self.books.entries()?;
        let left = Left {
            passed: passed(&calls, hopeless),
            loose: died || calls.iter().any(unanswered) || receipt.is_some_and(|it| it.status == Status::Cancelled),
            calls,
            receipt,
            entries: entries.clone().unwrap_or_default(),
            letters: self.read_letters()?,
        };
        let context = |why: String| format!("{why}\nof {receipt:?}\nsent: {:#?}", brief(&left.calls));
        self.check(expected, ask, died, &left).map_err(context)?;
        self.learn(&left, receipts).map_err(context)?;
        let last = receipt.filter(|receipt| receipt.counts.rejected > 0).map(|receipt| receipt.id);
        self.stand(entries, &left.letters, last).map_err(context)
    }

    fn count(&mut self, receipt: &Receipt) -> Checked {
        lawful(receipt)?;
        if receipt.kind == PublishKind::Recovery {
            ensure!(receipt.status == Status::Succeeded && receipt.counts == Account::default(), "{receipt:?}");
            return Ok(());
        }
        let counts = receipt.counts;
        let tally = &mut self.tally;
        tally.publishes += 1;
        tally.delivered += counts.delivered;
        tally.rejected += counts.rejected;
        tally.owed += counts.owed;
        tally.sent += counts.added + counts.updated + counts.removed;
        tally.quarantined += receipt.rejected_by.get(QUARANTINED).copied().unwrap_or_default();
        match receipt.status {
            Status::Succeeded => tally.succeeded += 1,
            Status::Partial => tally.partial += 1,
            Status::Blocked => tally.blocked += 1,
            Status::Cancelled => tally.cancelled += 1,
            Status::Failed => tally.failed += 1,
            Status::Queued | Status::Running => return Err(format!("not ended: {receipt:?}")),
        }
        Ok(())
    }

    fn check(&self, expected: Option<&Expected>, ask: &Ask, died: bool, left: &Left<'_>) -> Checked {
        let before = self.entries.clone().unwrap_or_default();
        if let Some(expected) = expected {
            for call in &left.calls {
                call.rows.iter().try_for_each(|row| expected.check(call.op, row, &before, &self.known))?;
            }
        }
        self.check_entries(expected, &before, left)?;
        let Some(receipt) = left.receipt else {
            ensure!(left.calls.is_empty() && (died || ask.end.is_some()), "no receipt");
            return Ok(());
        };
        if let Some(expected) = expected {
            self.check_receipt(expected, ask, died, receipt, left)?;
            self.check_letters(expected, ask, receipt, left)?;
        }
        if matches!(receipt.status, Status::Succeeded | Status::Partial) && !died {
            self.check_target(expected, ask, receipt, left)?;
        }
        Ok(())
    }

    /// The snapshot says what passed; where the publish was cut short, of one batch at most it may say that it does
    /// not know.
    fn check_entries(&self, expected: Option<&Expected>, before: &Entries, left: &Left<'_>) -> Checked {
        let members: BTreeSet<&String> = before.keys().chain(left.entries.keys()).chain(left.passed.keys()).collect();
        let mut doubted = 0;
        for member in members {
            let passed = left.passed.get(member);
            let was = before.get(member).copied();
            let right = standing(was, passed);
            let now = left.entries.get(member).map(|entry| entry.holding);
            let op = passed.map(|passed| passed.op).or(expected.and_then(|expected| expected.ops.get(member)).copied());
            if now == right {
                continue;
            }
            let excused = left.loose
                && match op {
                    Some(op) => now == Some(doubt(op)),
                    // More than one publish: nobody knows what was to be sent.
                    None => expected.is_none(),
                };
            ensure!(excused, "{member} was {was:?}, should be {right:?}, is {now:?}: {passed:?}");
            doubted += 1;
        }
        let most = if expected.is_some() { MOST_ROWS } else { 4 * MOST_ROWS };
        ensure!(doubted <= most, "{doubted} members in doubt without need");
        Ok(())
    }

    fn check_receipt(&self, expected: &Expected, ask: &Ask, died: bool, receipt: &Receipt, left: &Left<'_>) -> Checked {
        let counts = receipt.counts;
        let fates = |fate: Fate| left.passed.values().filter(|passed| passed.fate == fate).count() as u64;
        let held_back = receipt.rejected_by.get(QUARANTINED).copied().unwrap_or_default();
        let (taken, refused) = (fates(Fate::Acknowledged), fates(Fate::Refused));
        // What settles a dead process's publish names the reason that a record was refused for first, not that it was
        // held back.
        let most = refused + self.quarantined.len() as u64;
        ensure!(counts.delivered <= taken && counts.rejected - held_back <= most, "{taken} and {refused} in truth");
        if !left.loose {
            ensure!(counts.delivered == taken, "{taken} were taken");
            ensure!(counts.rejected - held_back == refused, "{refused} were refused");
        }
        let blocked = expected.blocked.filter(|_| !ask.overridden);
        let good = matches!(receipt.status, Status::Succeeded | Status::Partial);
        if good || receipt.status == Status::Blocked || !left.calls.is_empty() {
            let right = Account {
                unchanged: expected.unchanged,
                added: expected.count(Op::Add),
                updated: expected.count(Op::Update),
                removed: expected.count(Op::Remove),
                ..counts
            };
            ensure!(counts == right, "counted should be {right:?}");
            if !matches!(ask.whom, Whom::Named(_) | Whom::Retry) {
                let wanted = &expected.wanted;
                ensure!(
                    counts.resolved == wanted.resolved && receipt.suppressed_by == wanted.suppressed_by,
                    "resolved should be {}, suppressed {:?}",
                    wanted.resolved,
                    wanted.suppressed_by
                );
            }
        }
        let failure = left.calls.iter().find_map(|call| match call.answer {
            Answer::Failed(kind, _) if kind != herald_destinations::contract::ErrorKind::Refused => Some(kind.code()),
            _ => None,
        });
        let failure = failure.or(self.wire.not_begun().map(|kind| kind.code()));
        let stopped = matches!(ask.end, Some(End::AtBatch(..) | End::Cut(Cut::Cancel(_))));
        match receipt.status {
            Status::Succeeded | Status::Partial => {
                ensure!(blocked.is_none(), "{blocked:?} should have stopped it");
                ensure!((receipt.status == Status::Partial) == (counts.rejected > 0), "partial, or not");
            }
            Status::Blocked => {
                ensure!(left.calls.is_empty() && code(receipt) == blocked, "{blocked:?} should have stopped it");
            }
            Status::Cancelled => ensure!(stopped, "nobody stopped it"),
            _ if died => ensure!(code(receipt) == Some("interrupted"), "it died"),
            _ if failure.is_none() => {
                let hopeless = code(receipt) == Some("target_refused") && taken == 0 && refused + 1 >= 16;
                ensure!(hopeless, "no reason was given for this");
            }
            _ => ensure!(code(receipt) == failure, "it failed with {failure:?}"),
        }
        Ok(())
    }

    /// Dead letters are exactly the records that were refused last.
    fn check_letters(&self, expected: &Expected, ask: &Ask, receipt: &Receipt, left: &Left<'_>) -> Checked {
        let now: Letters = left.letters.iter().map(|letter| (letter.member.clone(), letter.op.clone())).collect();
        let refused = left.passed.iter().filter(|(_, passed)| passed.fate == Fate::Refused);
        let refused: Letters =
            refused.map(|(member, passed)| (member.clone(), passed.op.as_str().to_owned())).collect();
        let letter = |member: &String, op: Op| (member.clone(), op.as_str().to_owned());
        let worthless = |member: &String, op: Op| {
            let letter = letter(member, op);
            let same = |record: &Option<_>| match (record, expected.wanted.records.get(member)) {
                (Some(before), Some(now)) if op != Op::Remove => crate::simulation::wanted::Record::same(before, now),
                _ => op == Op::Remove,
            };
            self.quarantined.contains(&letter)
                && !matches!(ask.whom, Whom::Retry | Whom::Full)
                && self.known.refused.get(&letter).is_some_and(same)
        };
        for call in &left.calls {
            let sent = call.rows.iter().find(|row| worthless(&row.member, call.op));
            ensure!(sent.is_none(), "sent was what is refused again and again: {sent:?}");
        }
        let good = matches!(receipt.status, Status::Succeeded | Status::Partial);
        let held_back: Letters = expected
            .ops
            .iter()
            .filter(|(member, op)| worthless(member, **op))
            .map(|(member, op)| letter(member, *op))
            .collect();
        if left.loose {
            let most = self.letters.iter().chain(&refused).chain(&held_back).cloned().collect();
            ensure!(now.is_subset(&most), "dead letters are {now:?}, refused was {most:?}");
            return Ok(());
        }
        let mut right = self.letters.clone();
        if good {
            let looked: Option<BTreeSet<String>> = match &ask.whom {
                Whom::Named(members) => Some(members.iter().map(|member| self.shown(*member)).collect()),
                Whom::Retry => return Ok(()),
                _ => None,
            };
            right.retain(|(member, _)| looked.as_ref().is_some_and(|looked| !looked.contains(member)));
            right.extend(held_back);
        }
        right.extend(refused);
        ensure!(now == right, "dead letters are {now:?}, should be {right:?}");
        Ok(())
    }

    /// After a publish that was through the target holds what is wanted, but for what it refused, of which it holds what
    /// it held.
    fn check_target(&self, expected: Option<&Expected>, ask: &Ask, receipt: &Receipt, left: &Left<'_>) -> Checked {
        let Some(expected) = expected else { return Ok(()) };
        let own = left.letters.iter().filter(|letter| letter.publish == receipt.id);
        let refused: BTreeSet<&String> = own.map(|letter| &letter.member).collect();
        ensure!(refused.len() as u64 == receipt.counts.rejected, "dead letters: {refused:?}");
        let there = self.there();
        let named = match &ask.whom {
            Whom::Named(members) => Some(members.iter().map(|member| self.shown(*member)).collect::<BTreeSet<_>>()),
            Whom::Retry => Some(self.letters.iter().map(|(member, _)| member.clone()).collect()),
            _ => None,
        };
        let members: BTreeSet<&String> =
            there.keys().chain(self.held.keys()).chain(expected.wanted.records.keys()).collect();
        for member in members {
            let untouched = named.as_ref().is_some_and(|named| !named.contains(member) || ask.whom == Whom::Retry);
            let touched = expected.ops.contains_key(member) && left.passed.contains_key(member);
            let (now, before) = (there.get(member), self.held.get(member));
            if refused.contains(member) || (untouched && !touched) {
                ensure!(now == before, "{member} was left alone, and became {now:?} from {before:?}");
                continue;
            }
            let same = match (now, expected.wanted.records.get(member)) {
                (None, None) => true,
                // What was acknowledged before is what the target holds; it need not be sent for its fourteenth digit.
                (Some(_), Some(wanted)) => {
                    let unchanged = self.known.records.get(member).is_some_and(|known| known.same(wanted));
                    (unchanged && now == before) || now == Some(&crate::simulation::consumer::shown(wanted))
                }
                _ => false,
            };
            ensure!(same, "{member} is {now:?} at the target, wanted is {:?}", expected.wanted.records.get(member));
        }
        Ok(())
    }

    /// Takes what was acknowledged into what is known.
    fn learn(&mut self, left: &Left<'_>, receipts: &[Receipt]) -> Checked {
        for (member, Passed { op, fate, publish }) in &left.passed {
            let record = self.wanted.get(publish).and_then(|wanted| wanted.get(member)).cloned();
            let entry = left.entries.get(member);
            match fate {
                Fate::Refused => {
                    let letter = (member.clone(), op.as_str().to_owned());
                    self.known.refused.insert(letter, record.filter(|_| *op != Op::Remove));
                }
                Fate::Acknowledged if *op == Op::Remove && entry.is_none() => {
                    self.known.gone.insert(member.clone());
                }
                Fate::Acknowledged
                    if entry.is_some_and(|entry| standing(None, left.passed.get(member)) == Some(entry.holding)) =>
                {
                    let number = receipts.iter().find(|receipt| receipt.id == *publish).map(|it| it.sequence);
                    let said = entry.map(|entry| entry.sequence);
                    ensure!(
                        number.is_none() || said == number,
                        "{member} was acknowledged in publish {number:?}, the snapshot says {said:?}"
                    );
                    self.tally.returned += u64::from(self.known.gone.remove(member));
                    self.known.records.extend(record.map(|record| (member.clone(), record)));
                }
                _ => {}
            }
        }
        let sure = |member: &String| {
            left.entries.get(member).is_some_and(|entry| entry.holding == herald::snapshot::Holding::Held)
        };
        self.known.records.retain(|member, _| sure(member));
        self.tally.doubted += left.entries.keys().filter(|member| !sure(member)).count() as u64;
        Ok(())
    }
}

fn code(receipt: &Receipt) -> Option<&str> {
    receipt.error.as_ref().map(|error| error.code.as_str())
}

fn brief(calls: &[Call]) -> Vec<String> {
    let members = |call: &Call| call.rows.iter().map(|row| row.member.clone()).collect::<Vec<_>>().join(" ");
    calls.iter().map(|call| format!("{} {}: {:?}", call.op.as_str(), members(call), call.answer)).collect()
}
