//! A history lived through: after every step the target, the receipts and the model must agree.

use std::{fs, path::Path, thread};

use herald::{
    publish::{PublishKind, Receipt, Status},
    state::{Filter, State},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{
    Checked,
    consumer::{Consumer, shown},
    definition::Definition,
    ensure,
    history::{Ask, History, Step},
    lake::Lake,
    model::{Expected, Held, conserved},
    process::{Cut, Ended, Process},
    target::Folder,
    wanted::wanted,
};
use crate::support::Records;

/// What happened, to tell a history that tests something from one that does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Publishes on record, recoveries left out.
    pub(crate) publishes: u64,
    pub(crate) succeeded: u64,
    pub(crate) blocked: u64,
    pub(crate) failed: u64,
    /// Processes that died while they published.
    pub(crate) died: u64,
    /// Publishes in flight that a later process committed.
    pub(crate) recovered: u64,
    /// Records that the target acknowledged.
    pub(crate) delivered: u64,
}

impl Tally {
    /// Both.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            publishes: self.publishes + other.publishes,
            succeeded: self.succeeded + other.succeeded,
            blocked: self.blocked + other.blocked,
            failed: self.failed + other.failed,
            died: self.died + other.died,
            recovered: self.recovered + other.recovered,
            delivered: self.delivered + other.delivered,
        }
    }
}

/// A publish that has not ended: its process died, or its target did not answer.
#[derive(Debug)]
struct InFlight {
    id: Uuid,
    expected: Expected,
    /// Whether consumers have seen it.
    visible: bool,
}

/// The state, read beside the processes that write it.
#[derive(Debug)]
struct Books {
    runtime: Runtime,
    state: State,
}

impl Books {
    fn open(data: &Path) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let state = runtime.block_on(State::open(data)).map_err(|error| error.to_string())?;
        Ok(Self { runtime, state })
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.runtime.block_on(self.state.clone().close());
    }
}

/// One activation with all around it.
#[derive(Debug)]
pub(crate) struct World<'a> {
    history: &'a History,
    home: TempDir,
    folder: Folder,
    lake: Lake,
    /// Whether the lake's files are not what it is.
    stale: bool,
    definition: Definition,
    processes: [Option<Process>; 2],
    books: Books,
    consumer: Consumer,
    /// What the target was last told; `None` before its first publish.
    held: Option<Held>,
    in_flight: Option<InFlight>,
    sequence: u64,
    tally: Tally,
}

impl<'a> World<'a> {
    /// A world in which nothing happened yet, in memory where there is a file system for that.
    pub(crate) fn new(history: &'a History) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let memory = Path::new("/dev/shm");
        let home = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.map_err(text)?;
        fs::create_dir(home.path().join("lake")).map_err(text)?;
        let books = Books::open(&home.path().join("data"))?;
        let world = Self {
            history,
            folder: Folder::new(home.path().join("out")),
            home,
            lake: Lake::default(),
            stale: true,
            definition: Definition::new(),
            processes: [None, None],
            books,
            consumer: Consumer::default(),
            held: None,
            in_flight: None,
            sequence: 0,
            tally: Tally::default(),
        };
        world.configure()?;
        Ok(world)
    }

    /// Lives through the whole history.
    pub(crate) fn live(mut self) -> Result<Tally, String> {
        for (number, step) in self.history.steps.iter().enumerate() {
            self.step(step).map_err(|why| format!("step {number}: {why}"))?;
        }
        // The last publish was not disturbed, so that whatever had its time is gone.
        let late = self.consumer.expired(self.history.keep).filter(|path| path.exists()).count();
        ensure!(late == 0, "{late} objects of publishes that had their time still stand");
        // From the beginning, by the reader that other tests use.
        let replayed = crate::support::replay(&self.home.path().join("out"));
        ensure!(replayed == self.consumer.held, "a consumer who begins now holds {replayed:?}");
        let (applied, delivered) = (self.consumer.applied, self.tally.delivered);
        ensure!(
            applied == delivered || (self.history.keep.is_some() && applied < delivered),
            "{applied} rows applied, {delivered} delivered"
        );
        Ok(self.tally)
    }

    fn configure(&self) -> Checked {
        let mut yaml = self.definition.yaml(self.history.keys, self.history.path);
        if let Some(keep) = self.history.keep {
            yaml = yaml.replace("files: { ", &format!("files: {{ keep: {{ publishes: {keep} }}, "));
        }
        fs::write(self.home.path().join("herald.yaml"), yaml).map_err(|error| error.to_string())
    }

    fn step(&mut self, step: &Step) -> Checked {
        match step {
            Step::Edit(edit) => {
                self.lake.edit(edit);
                self.stale = true;
                Ok(())
            }
            Step::Change(change) => {
                self.definition.change(*change);
                self.processes = [None, None];
                self.configure()
            }
            Step::Publish(ask) => self.publish(*ask),
            Step::Race => self.race(),
            Step::Preview { full } => self.preview(*full),
        }
    }

    /// A process that runs with the config and the lake as they are.
    fn ready(&mut self, number: usize) -> Checked {
        if self.stale {
            self.lake.write(&self.home.path().join("lake"), self.history.keys);
            self.stale = false;
        }
        if self.processes[number].is_none() {
            self.processes[number] = Some(Process::start(self.home.path(), &self.folder)?);
        }
        Ok(())
    }

    fn publish(&mut self, ask: Ask) -> Checked {
        self.ready(ask.by)?;
        self.folder.arm(ask.fault);
        let reason = ask.overridden.then(|| "simulated".to_owned());
        let ended =
            self.processes[ask.by].as_ref().map_or(Ended::Died, |process| process.publish(ask.full, reason, ask.cut));
        let suffered = self.folder.suffered();
        self.folder.arm(None);
        if matches!(ended, Ended::Died) {
            self.processes[ask.by] = None;
            self.tally.died += 1;
        }
        let ask = Ask { fault: ask.fault.filter(|_| suffered), ..ask };
        self.settle(ask, &[ended]).map_err(|why| format!("{why}\nof {ask:?}"))
    }

    fn race(&mut self) -> Checked {
        self.ready(0)?;
        self.ready(1)?;
        let [Some(one), Some(other)] = &self.processes else { return Err("no processes".to_owned()) };
        let ended = thread::scope(|scope| {
            let one = scope.spawn(|| one.publish(false, None, None));
            let other = scope.spawn(|| other.publish(false, None, None));
            [one.join(), other.join()]
        });
        let ended: Vec<Ended> = ended.into_iter().map(|ended| ended.unwrap_or(Ended::Died)).collect();
        self.settle(Ask::default(), &ended)
    }

    /// What is owed to the target, by the program and by the model.
    fn preview(&mut self, full: bool) -> Checked {
        self.ready(0)?;
        let preview = self.processes[0].as_ref().ok_or("no process")?.preview(full)?;
        self.expected(full, false).check_preview(&preview)?;
        let receipts = self.receipts()?;
        ensure!(receipts.iter().all(|receipt| receipt.sequence <= self.sequence), "a preview is on record");
        self.look()
    }

    /// What a publish must do now.
    fn expected(&self, full: bool, overridden: bool) -> Expected {
        let wanted = wanted(&self.definition, &self.lake, self.history.keys);
        Expected::of(&self.definition, &wanted, self.held.as_ref(), full, overridden)
    }

    /// Holds what is on record, and what stands at the target, against the model.
    fn settle(&mut self, ask: Ask, ended: &[Ended]) -> Checked {
        let receipts = self.receipts()?;
        self.end_in_flight(&receipts)?;
        let mut answered = 0;
        let known = self.sequence;
        for receipt in receipts.iter().filter(|receipt| receipt.sequence > known) {
            answered += u64::from(receipt.kind == PublishKind::Manual);
            self.new_receipt(receipt, ask)?;
        }
        for ended in ended {
            self.answer(ended, ask, &receipts)?;
        }
        let disturbed = ask.cut.is_some() || ask.fault.is_some();
        ensure!(disturbed || answered == ended.len() as u64, "{answered} publishes on record");
        ensure!(disturbed || self.in_flight.is_none(), "an undisturbed publish has not ended");
        self.look()
    }

    /// Receipts of late, oldest first.
    fn receipts(&self) -> Result<Vec<Receipt>, String> {
        let Books { runtime, state } = &self.books;
        let late = Filter { limit: 12, ..Filter::default() };
        let mut receipts = runtime.block_on(state.receipts(late)).map_err(|error| error.to_string())?;
        receipts.reverse();
        Ok(receipts)
    }

    fn end_in_flight(&mut self, receipts: &[Receipt]) -> Checked {
        let Some(left) = self.in_flight.take() else { return Ok(()) };
        let Some(receipt) = receipts.iter().find(|receipt| receipt.id == left.id) else {
            return Err(format!("publish {} is on record no more", left.id));
        };
        match receipt.status {
            Status::Running | Status::Queued => self.in_flight = Some(left),
            Status::Succeeded => {
                conserved(receipt)?;
                left.expected.check(receipt)?;
                self.tally.recovered += 1;
                self.acknowledged(receipt, left.expected);
            }
            _ => {
                conserved(receipt)?;
                ensure!(receipt.status == Status::Failed, "settled: {receipt:?}");
                ensure!(!left.visible, "consumers have seen what failed: {receipt:?}");
                self.tally.failed += 1;
            }
        }
        Ok(())
    }

    fn new_receipt(&mut self, receipt: &Receipt, ask: Ask) -> Checked {
        ensure!(receipt.sequence == self.sequence + 1, "after number {}: {receipt:?}", self.sequence);
        self.sequence = receipt.sequence;
        if receipt.kind == PublishKind::Recovery {
            conserved(receipt)?;
            ensure!(receipt.status == Status::Succeeded && receipt.counts.resolved == 0, "a recovery: {receipt:?}");
            return Ok(());
        }
        ensure!(self.in_flight.is_none(), "begun while another was in flight: {receipt:?}");
        self.tally.publishes += 1;
        let expected = self.expected(ask.full, ask.overridden);
        match receipt.status {
            Status::Queued | Status::Running => {
                self.in_flight = Some(InFlight { id: receipt.id, expected, visible: false });
                return Ok(());
            }
            Status::Succeeded => {
                ensure!(expected.blocked.is_none(), "{:?} should have stopped it: {receipt:?}", expected.blocked);
                expected.check(receipt)?;
                self.acknowledged(receipt, expected);
            }
            Status::Blocked => {
                let code = receipt.error.as_ref().map(|error| error.code.as_str());
                ensure!(code == expected.blocked, "{:?} should have stopped it: {receipt:?}", expected.blocked);
                expected.check(receipt)?;
                self.tally.blocked += 1;
            }
            Status::Failed | Status::Cancelled => {
                self.tally.failed += 1;
                self.failed(receipt, &expected, ask)?;
            }
            Status::Partial => return Err(format!("nothing was rejected: {receipt:?}")),
        }
        conserved(receipt)
    }

    fn acknowledged(&mut self, receipt: &Receipt, expected: Expected) {
        self.tally.succeeded += 1;
        self.tally.delivered += receipt.counts.delivered;
        self.held = Some(expected.after);
    }

    /// A publish fails for the reason that it was given, and owes all or does not know.
    fn failed(&self, receipt: &Receipt, expected: &Expected, ask: Ask) -> Checked {
        let code = receipt.error.as_ref().map(|error| error.code.as_str());
        let given = match (ask.fault, ask.cut) {
            (Some(fault), _) => Some(fault.kind.code()),
            (None, Some(Cut::Cancel(_))) => Some("interrupted"),
            _ => None,
        };
        ensure!(given.is_some() && code == given, "no reason was given for this: {receipt:?}");
        let cancelled = code == Some("interrupted");
        ensure!(cancelled == (receipt.status == Status::Cancelled), "cancelled or failed: {receipt:?}");
        let owed = receipt.counts.owed;
        ensure!(owed == 0 || owed == expected.sent(), "{} were to be sent: {receipt:?}", expected.sent());
        Ok(())
    }

    /// What the process says is what stands on record.
    fn answer(&self, ended: &Ended, ask: Ask, receipts: &[Receipt]) -> Checked {
        match ended {
            Ended::Died => {
                ensure!(matches!(ask.cut, Some(Cut::Die { .. } | Cut::Moment(..))), "a process died of itself")
            }
            Ended::Answered(Err(error)) => {
                let excused = ask.fault.is_some() || matches!(ask.cut, Some(Cut::Cancel(_)));
                ensure!(excused, "no receipt: {error:?}");
            }
            Ended::Answered(Ok(receipt)) => {
                let stored = receipts.iter().find(|stored| stored.id == receipt.id);
                let in_flight = self.in_flight.as_ref().is_some_and(|left| left.id == receipt.id);
                conserved(receipt)?;
                if in_flight {
                    ensure!(receipt.status == Status::Failed && ask.fault.is_some(), "not ended: {receipt:?}");
                } else {
                    ensure!(stored == Some(receipt.as_ref()), "on record is {stored:?}, said was {receipt:?}");
                }
            }
        }
        Ok(())
    }

    /// A consumer holds what was acknowledged; of what is in flight, all or nothing.
    fn look(&mut self) -> Checked {
        let settled = self.in_flight.is_none();
        self.consumer.look(&self.home.path().join("out"), settled, self.history.keep)?;
        let as_seen = |held: &Held| held.iter().map(|(member, record)| (member.clone(), shown(record))).collect();
        let before: Records = self.held.as_ref().map(as_seen).unwrap_or_default();
        let held = &self.consumer.held;
        let Some(left) = &mut self.in_flight else {
            ensure!(*held == before, "held is {held:?}, told was {before:?}");
            return Ok(());
        };
        let told = self.consumer.manifests.iter().any(|manifest| manifest.id == left.id);
        ensure!(told || !left.visible, "what was visible is so no more");
        left.visible = told;
        let right = if told { as_seen(&left.expected.after) } else { before };
        ensure!(*held == right, "held is {held:?}, told was {right:?}, of a publish in flight");
        Ok(())
    }
}
