//! Lives through a history: does each step for real, and holds what is on record and what the target holds against
//! the model.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    thread,
};

use herald::{
    config::OnDelete,
    publish::{DeadLetter, Presence, PublishError, PublishKind, Receipt, Request, Status},
    snapshot::Holding,
    state::{ActivationState, DeadLettersOf},
};
use herald_destinations::{
    contract::Op,
    reference::{FaultyTarget, MemoryTarget, Refusal, Script},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    books::{Books, Entries, Letters},
    history::{Ask, End, Fault, History, Refuse, Step, Whom},
    model::{Expected, Known, sound},
    tally::Tally,
    wire::{Stop, Wire, shown},
};
use crate::simulation::{
    Checked,
    definition::Definition,
    ensure,
    lake::{Lake, MEMBERS},
    model::lawful,
    process::{Ended, Process, request},
    wanted::{Record, wanted},
};

/// Most rows that the target ever takes in a batch.
pub(crate) const MOST_ROWS: usize = 10;

/// One activation with all around it.
pub(crate) struct World<'a> {
    history: &'a History,
    pub(super) home: TempDir,
    pub(super) target: MemoryTarget,
    script: Script,
    pub(super) wire: Wire,
    lake: Lake,
    /// Whether the lake's files are not what it is.
    stale: bool,
    pub(super) definition: Definition,
    refusal: Option<Refuse>,
    processes: [Option<Process>; 2],
    pub(super) books: Books,
    /// The snapshot when nothing was left to settle last; `None`: there was none.
    pub(super) entries: Option<Entries>,
    pub(super) known: Known,
    pub(super) letters: Letters,
    /// Those that are not sent any more.
    pub(super) quarantined: Letters,
    /// What the target held then, and the number of batches that had passed.
    pub(super) held: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) since: usize,
    /// What the publishes since then wanted.
    pub(super) wanted: BTreeMap<Uuid, BTreeMap<String, Record>>,
    /// The publish whose process died since then, if it is the only one.
    left: Option<(Option<Expected>, Ask)>,
    pub(super) sequence: u64,
    last: Option<Uuid>,
    pub(super) tally: Tally,
}

impl<'a> World<'a> {
    /// A world in which nothing happened yet, in memory where there is a file system for that.
    pub(crate) fn new(history: &'a History) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let memory = Path::new("/dev/shm");
        let home = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.map_err(text)?;
        fs::create_dir(home.path().join("lake")).map_err(text)?;
        let (target, script) = (MemoryTarget::new("people"), Script::new());
        target.want_changes();
        target.limit_batches(MOST_ROWS);
        let world = Self {
            history,
            books: Books::open(&home.path().join("data"))?,
            home,
            wire: Wire::to(FaultyTarget::new(target.clone(), &script)),
            target,
            script,
            lake: Lake::default(),
            stale: true,
            definition: Definition::new(),
            refusal: None,
            processes: [None, None],
            entries: None,
            known: Known::default(),
            letters: Letters::new(),
            quarantined: Letters::new(),
            held: BTreeMap::new(),
            since: 0,
            wanted: BTreeMap::new(),
            left: None,
            sequence: 0,
            last: None,
            tally: Tally::default(),
        };
        world.configure()?;
        Ok(world)
    }

    /// Lives through the whole history.
    pub(crate) fn live(mut self) -> Result<Tally, String> {
        for (number, step) in self.history.steps.iter().enumerate() {
            self.step(step).map_err(|why| format!("step {number}, {step:?}: {why}"))?;
        }
        Ok(self.tally)
    }

    fn configure(&self) -> Checked {
        let path = "{activation}/{date}/{publish_id}/part-{part}.{ext}";
        let yaml = self.definition.yaml(self.history.keys, path);
        fs::write(self.home.path().join("herald.yaml"), yaml).map_err(|error| error.to_string())
    }

    fn step(&mut self, step: &Step) -> Checked {
        match step {
            Step::Edit(edit) => {
                self.lake.edit(edit);
                self.stale = true;
            }
            Step::Change(change) => {
                self.definition.change(*change);
                self.processes = [None, None];
                self.configure()?;
            }
            Step::Publish(ask) => self.publish(ask)?,
            Step::Race => self.race()?,
            Step::Refuse(refuse) => self.refuse(Some(*refuse)),
            Step::Accept => self.refuse(None),
            Step::Limit(rows) => self.target.limit_batches(*rows),
            Step::Explain(member) => self.explain(*member)?,
            Step::Purge(fault) => self.purge(*fault)?,
        }
        Ok(())
    }

    fn refuse(&mut self, refuse: Option<Refuse>) {
        self.refusal = refuse;
        let keys = self.history.keys;
        let numbers: BTreeMap<String, usize> = (0..MEMBERS).map(|member| (keys.shown(member), member)).collect();
        self.target.refuse(match refuse {
            None => Refusal::Nobody,
            Some(Refuse { whole, op, every, from }) => {
                let refuses = move |of: Op, member: &str| {
                    op.is_none_or(|op| op == of) && numbers.get(member).is_some_and(|member| member % every == from)
                };
                if whole { Refusal::whole(refuses) } else { Refusal::named(refuses) }
            }
        });
    }

    /// A process that runs with the config and the lake as they are.
    fn ready(&mut self, number: usize) -> Result<&Process, String> {
        if self.stale {
            self.lake.write(&self.home.path().join("lake"), self.history.keys);
            self.stale = false;
        }
        let process = match self.processes[number].take() {
            Some(process) => process,
            None => Process::start(self.home.path(), &self.wire)?,
        };
        Ok(self.processes[number].insert(process))
    }

    fn publish(&mut self, ask: &Ask) -> Checked {
        self.ready(ask.by)?;
        if ask.settled {
            self.settle(ask.by)?;
        }
        let Some(request) = self.request(ask)? else { return Ok(()) };
        let expected = self.left.is_none().then(|| self.expected(&request));
        let cancel = CancellationToken::new();
        let (cut, stop) = match ask.end {
            None => (None, None),
            Some(End::Cut(cut)) => (Some(cut), None),
            Some(End::AtBatch(after, arrives)) => (None, Some(Stop { after, arrives, cancel: cancel.clone() })),
        };
        self.arm(ask.fault);
        self.wire.arm(stop);
        let calls = self.wire.len();
        let ended = self.ready(ask.by)?.run(&request, cut, &cancel);
        self.arm(None);
        if matches!(ended, Ended::Died) {
            self.processes[ask.by] = None;
            self.tally.died += 1;
        }
        if let Ended::Answered(Err(error)) = &ended {
            ensure!(cancel.is_cancelled(), "no receipt: {error:?}");
        }
        self.note_wanted(calls)?;
        let receipts = self.books.receipts(self.sequence)?;
        if self.books.in_flight()? {
            ensure!(matches!(ended, Ended::Died), "a publish has not ended: {ended:?}");
            let first = self.left.is_none();
            self.left = Some((expected.filter(|_| first), ask.clone()));
            return Ok(());
        }
        let left = self.left.take();
        if let (Ended::Answered(Ok(said)), Some(stored)) = (&ended, receipts.last()) {
            ensure!(said.as_ref() == stored, "on record is {stored:?}, said was {said:?}");
        }
        let expected = expected.filter(|_| left.is_none());
        self.account(expected.as_ref(), ask, matches!(ended, Ended::Died) || left.is_some(), &receipts)
    }

    /// Settles what an earlier publish left, as a process does that starts.
    fn settle(&mut self, by: usize) -> Checked {
        let Some((expected, ask)) = self.left.take() else { return Ok(()) };
        let settled = self.ready(by)?.ask(|publisher| publisher.settle_left_behind("a"))?;
        settled.map_err(|error| error.to_string())?;
        ensure!(!self.books.in_flight()?, "what was settled is in flight");
        let receipts = self.books.receipts(self.sequence)?;
        self.tally.recovered += 1;
        self.account(expected.as_ref(), &ask, true, &receipts).map_err(|why| format!("{why}\nsettling {ask:?}"))
    }

    fn arm(&self, fault: Option<Fault>) {
        self.script.clear();
        if let Some(Fault(operation, nth, mishap)) = fault {
            self.script.at(operation, nth, mishap);
        }
    }

    /// `None`: there is nothing to ask for.
    fn request(&mut self, ask: &Ask) -> Result<Option<Request>, String> {
        let override_reason = ask.overridden.then(|| "simulated".to_owned());
        let keys = self.history.keys;
        Ok(match &ask.whom {
            Whom::Everybody => Some(Request { override_reason, ..request() }),
            Whom::Full => Some(Request { override_reason, full: true, ..request() }),
            Whom::Named(members) => {
                let members = members.iter().map(|member| keys.shown(*member)).collect();
                let whom = herald::publish::Whom::Named(members);
                Some(Request { override_reason, whom, ..request() })
            }
            Whom::Retry => {
                let Some(last) = self.last else { return Ok(None) };
                match self.ready(ask.by)?.ask(|publisher| publisher.retry(last))? {
                    Ok(request) => Some(Request { override_reason, ..request }),
                    Err(PublishError::Unknown(_)) => None,
                    Err(error) => return Err(format!("{error:?}")),
                }
            }
        })
    }

    fn expected(&self, request: &Request) -> Expected {
        let wanted = wanted(&self.definition, &self.lake, self.history.keys);
        let named: BTreeSet<String> = match &request.whom {
            herald::publish::Whom::Named(members) | herald::publish::Whom::Touched(members) => {
                members.iter().cloned().collect()
            }
            herald::publish::Whom::Everybody => BTreeSet::new(),
        };
        let named = (!named.is_empty()).then_some(&named);
        Expected::of(&self.definition, wanted, self.entries.as_ref(), &self.known, named, request.full)
    }

    /// Keeps what was wanted of those who were sent, and sees that just that was sent.
    fn note_wanted(&mut self, calls: usize) -> Checked {
        let wanted = wanted(&self.definition, &self.lake, self.history.keys);
        for call in self.wire.since(calls) {
            ensure!(call.rows.len() <= MOST_ROWS, "{} rows in a batch", call.rows.len());
            for row in call.rows.iter().filter(|_| call.op != Op::Remove) {
                let record = wanted.records.get(&row.member).map(crate::simulation::consumer::shown);
                ensure!(record.as_ref() == Some(&row.record), "{record:?} is wanted of {row:?}");
            }
            self.wanted.entry(call.publish).or_insert_with(|| wanted.records.clone());
        }
        Ok(())
    }

    /// Two processes at once, with nothing in their way: the second has nothing to send but what the first was refused.
    fn race(&mut self) -> Checked {
        self.ready(0)?;
        self.settle(0)?;
        self.ready(1)?;
        self.wire.arm(None);
        let calls = self.wire.len();
        let [Some(one), Some(other)] = &self.processes else { return Err("no processes".to_owned()) };
        let asked = || (request(), CancellationToken::new());
        let ended = thread::scope(|scope| {
            let run = |process: &Process| {
                let (request, never) = asked();
                process.run(&request, None, &never)
            };
            let (one, other) = (scope.spawn(move || run(one)), scope.spawn(move || run(other)));
            [one.join(), other.join()]
        });
        let answered = ended.iter().filter(|ended| matches!(ended, Ok(Ended::Answered(Ok(_))))).count();
        ensure!(answered == 2, "{ended:?}");
        self.note_wanted(calls)?;
        let receipts = self.books.receipts(self.sequence)?;
        let [first, second] = receipts.as_slice() else { return Err(format!("two publishes: {receipts:?}")) };
        let sent = |id: Uuid| -> BTreeSet<String> {
            let calls = self.wire.since(calls).into_iter().filter(|call| call.publish == id);
            calls.flat_map(|call| call.rows.into_iter().map(|row| row.member)).collect()
        };
        if first.status == Status::Succeeded {
            ensure!(sent(second.id).is_empty(), "sent again: {second:?}");
        } else if first.status == Status::Partial {
            let (before, after) = (sent(first.id), sent(second.id));
            ensure!(after.is_subset(&before), "{after:?} was sent after {before:?}");
        }
        self.account(None, &Ask::default(), false, &receipts)
    }

    /// What the program says of a member's presence is what the snapshot says.
    fn explain(&mut self, member: usize) -> Checked {
        let key = self.history.keys.shown(member);
        let never = CancellationToken::new();
        let explained = self.ready(0)?.ask(|publisher| publisher.explain("a", &key, &never))?;
        let explained = explained.map_err(|error| format!("{error:?}"))?;
        let holding = self.books.entries()?.unwrap_or_default().get(&key).map(|entry| entry.holding);
        let right = match holding {
            Some(Holding::Held | Holding::Stale) => Presence::Yes,
            Some(Holding::Perhaps) => Presence::Perhaps,
            Some(Holding::Gone) | None => Presence::No,
        };
        ensure!(explained.held == right, "{key} is {holding:?}: {explained:?}");
        Ok(())
    }

    /// Deletes, asks again for as long as it did not succeed, and lets the activation live again.
    fn purge(&mut self, fault: Option<Fault>) -> Checked {
        self.settle(0)?;
        self.wire.arm(None);
        self.arm(fault);
        let delete = |world: &mut Self| -> Result<Receipt, String> {
            let deleted = world.ready(0)?.ask(|publisher| publisher.delete("a", Some(OnDelete::Purge)))?;
            let receipt = deleted.map_err(|error| format!("{error:?}"))?;
            lawful(&receipt)?;
            ensure!(receipt.kind == PublishKind::Teardown, "{receipt:?}");
            Ok(receipt)
        };
        let receipt = delete(self)?;
        self.arm(None);
        if receipt.status != Status::Succeeded {
            ensure!(fault.is_some() || self.refusal.is_some(), "no reason was given for this: {receipt:?}");
            let alive = self.ready(0)?.ask(|publisher| publisher.recreate("a"))?;
            ensure!(alive.is_err(), "lives again before all were taken back: {receipt:?}");
            self.refuse(None);
            let receipt = delete(self)?;
            ensure!(receipt.status == Status::Succeeded, "nothing stood in its way: {receipt:?}");
        }
        ensure!(self.target.records().is_empty(), "the target holds {:?}", self.target.records());
        ensure!(self.books.entries()?.is_none(), "the snapshot stands");
        ensure!(self.read_letters()?.is_empty(), "dead letters stand");
        let state = self.ready(0)?.ask(|publisher| publisher.state().activation_state("a"))?;
        ensure!(matches!(state, Ok(ActivationState::Deleted)), "{state:?}");
        self.ready(0)?.ask(|publisher| publisher.recreate("a"))?.map_err(|error| error.to_string())?;
        self.tally.purged += 1;
        self.sequence = self.books.receipts(0)?.last().map_or(self.sequence, |receipt| receipt.sequence);
        (self.entries, self.known) = (None, Known::default());
        (self.letters, self.quarantined) = (Letters::new(), Letters::new());
        (self.held, self.since, self.last) = (BTreeMap::new(), self.wire.len(), None);
        self.wanted.clear();
        Ok(())
    }

    /// A member as users see it.
    pub(super) fn shown(&self, member: usize) -> String {
        self.history.keys.shown(member)
    }

    /// Dead letters as users see them.
    pub(super) fn read_letters(&mut self) -> Result<Vec<DeadLetter>, String> {
        let letters =
            self.ready(0)?.ask(|publisher| publisher.dead_letters(DeadLettersOf::Activation("a"), 1_000, None))?;
        Ok(letters.map_err(|error| error.to_string())?.0)
    }

    /// What the target holds.
    pub(super) fn there(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.target.records().into_iter().map(|(member, record)| (member, shown(record))).collect()
    }

    /// From here on all begins anew: nothing is left to settle.
    pub(super) fn stand(&mut self, entries: Option<Entries>, letters: &[DeadLetter], last: Option<Uuid>) -> Checked {
        let of = |letter: &DeadLetter| (letter.member.clone(), letter.op.clone());
        self.letters = letters.iter().map(of).collect();
        self.quarantined = letters.iter().filter(|letter| letter.quarantined).map(of).collect();
        self.held = self.there();
        self.since = self.wire.len();
        self.wanted.clear();
        self.last = last.or(self.last);
        sound(entries.as_ref().unwrap_or(&Entries::new()), &self.known, &self.held)?;
        self.entries = entries;
        Ok(())
    }
}
