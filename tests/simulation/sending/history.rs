//! Histories of an activation whose target shows members as they arrive.

use std::time::Duration;

use herald::publish::{Phase, crash};
use herald_destinations::{
    contract::{ErrorKind, Op},
    reference::{Mishap, Operation},
};

use crate::simulation::{
    definition::Change,
    lake::{Edit, Keys, MEMBERS, Person},
    process::Cut,
    random::Random,
    shrink::Steps,
};

/// All that happens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    pub(crate) keys: Keys,
    pub(crate) steps: Vec<Step>,
}

impl Steps for History {
    type Step = Step;

    fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn with(&self, steps: &[Step]) -> Self {
        Self { steps: steps.to_vec(), ..self.clone() }
    }
}

/// One thing that happens. Each stands for itself, so that any may be left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// The lake changes.
    Edit(Edit),
    /// The config changes, and every process starts anew with it.
    Change(Change),
    /// A process publishes.
    Publish(Ask),
    /// Two processes publish at once.
    Race,
    /// From now on the target refuses some.
    Refuse(Refuse),
    /// From now on the target refuses nobody.
    Accept,
    /// From now on the target takes so many rows in a batch.
    Limit(usize),
    /// Somebody asks whether the target holds a member.
    Explain(usize),
    /// The activation is deleted, its members taken back, and it lives again.
    Purge(Option<Fault>),
}

/// Whom the target refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refuse {
    /// Whole batches, without a name.
    pub(crate) whole: bool,
    /// One operation alone.
    pub(crate) op: Option<Op>,
    /// Every so-manieth member …
    pub(crate) every: usize,
    /// … from this one on.
    pub(crate) from: usize,
}

/// Who is published.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Whom {
    /// What differs.
    #[default]
    Everybody,
    /// Everybody anew.
    Full,
    /// These alone.
    Named(Vec<usize>),
    /// The dead letters of the last publish that has some.
    Retry,
}

/// A mishap of a call, the so-manieth of its kind in the publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) Operation, pub(crate) u64, pub(crate) Mishap);

/// What ends a publish before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its process dies, or somebody stops it between two steps.
    Cut(Cut),
    /// Somebody stops it while a batch is under way: batches before, and whether the batch arrives.
    AtBatch(u32, bool),
}

/// A publish, and what goes wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ask {
    /// The first process or the second.
    pub(crate) by: usize,
    pub(crate) whom: Whom,
    pub(crate) overridden: bool,
    pub(crate) end: Option<End>,
    pub(crate) fault: Option<Fault>,
    /// Whether what an earlier one left is settled by itself before, as the service does when it starts.
    pub(crate) settled: bool,
}

/// How often what goes wrong, in percent of all publishes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) end: usize,
    pub(crate) fault: usize,
    pub(crate) change: usize,
    pub(crate) refuse: usize,
    pub(crate) purge: usize,
}

/// As a bad week has it.
pub(crate) const USUAL: Rates = Rates { end: 22, fault: 22, change: 12, refuse: 20, purge: 4 };
/// A day on which hardly anything works.
pub(crate) const BAD_DAY: Rates = Rates { end: 30, fault: 50, change: 0, refuse: 30, purge: 0 };
/// Weeks in which the target refuses the same records again and again.
pub(crate) const STUBBORN: Rates = Rates { end: 10, fault: 8, change: 0, refuse: 3, purge: 0 };

impl History {
    /// A history of so many publishes.
    pub(crate) fn drawn(seed: u64, publishes: usize, rates: Rates) -> Self {
        let random = &mut Random::new(seed ^ 0x5e4d);
        let keys = random.pick(&[Keys::Text, Keys::Text, Keys::Integer, Keys::Composite]);
        let mut steps = vec![Step::Limit(1 + random.below(10))];
        for _ in 0..random.below(30) {
            let member = random.below(MEMBERS);
            steps.push(Step::Edit(Edit::Put(Person::drawn(random, Some(member)))));
        }
        steps.push(refuse(random));
        for _ in 0..publishes {
            if random.percent(2) {
                steps.push(Step::Edit(Edit::Empty));
            }
            for _ in 0..random.pick(&[0, 1, 2, 5, 12]) {
                steps.push(Step::Edit(Edit::drawn(random)));
            }
            if random.percent(rates.change) {
                steps.extend(change(random).map(Step::Change));
            }
            if random.percent(rates.refuse) {
                steps.push(refuse(random));
            }
            if random.percent(10) {
                steps.push(Step::Limit(1 + random.below(10)));
            }
            if random.percent(rates.purge) {
                steps.push(Step::Purge(random.percent(60).then(|| fault(random))));
            }
            steps.push(if random.percent(4) { Step::Race } else { Step::Publish(Ask::drawn(random, rates)) });
            if random.percent(6) {
                steps.push(Step::Explain(random.below(MEMBERS)));
            }
        }
        // Whatever happened before, publishes that nothing disturbs bring the target to what is wanted: first those
        // that are held back because they were refused so often, then all.
        steps.push(Step::Accept);
        for whom in [Whom::Everybody, Whom::Retry, Whom::Everybody] {
            steps.push(Step::Publish(Ask { whom, overridden: true, settled: true, ..Ask::default() }));
        }
        Self { keys, steps }
    }
}

impl Ask {
    fn drawn(random: &mut Random, rates: Rates) -> Self {
        let end = random.percent(rates.end).then(|| end(random));
        let whom = match random.below(100) {
            0..70 => Whom::Everybody,
            70..80 => Whom::Full,
            80..91 => Whom::Named((0..=random.below(6)).map(|_| random.below(MEMBERS)).collect()),
            _ => Whom::Retry,
        };
        Self {
            by: random.below(2),
            whom,
            overridden: random.percent(25),
            end,
            fault: (end.is_none() && random.percent(rates.fault)).then(|| fault(random)),
            settled: random.percent(70),
        }
    }
}

/// Of what matters to a target without files.
fn change(random: &mut Random) -> Option<Change> {
    let change = Change::drawn(random);
    (!matches!(change, Change::Full(_) | Change::Send(_) | Change::MaxRows(_))).then_some(change)
}

fn refuse(random: &mut Random) -> Step {
    if random.percent(35) {
        return Step::Accept;
    }
    let every = random.pick(&[1, 2, 5, 9, 20]);
    let op = random.pick(&[None, None, Some(Op::Add), Some(Op::Update), Some(Op::Remove)]);
    Step::Refuse(Refuse { whole: random.percent(40), op, every, from: random.below(every) })
}

fn end(random: &mut Random) -> End {
    match random.below(100) {
        0..50 => End::Cut(Cut::Moment(random.pick(&crash::MOMENTS), random.pick(&[1, 1, 2, 3, 5]))),
        50..75 => End::Cut(Cut::Die {
            phase: random.pick(&[Phase::Resolving, Phase::Delivering, Phase::Delivering, Phase::Committing]),
            waits: random.pick(&[0, 1, 2, 3, 5, 8, 12, 16, 20, 30, 40]),
        }),
        75..83 => End::Cut(Cut::Cancel(random.pick(&[Phase::Resolving, Phase::Delivering, Phase::Committing]))),
        _ => End::AtBatch(random.pick(&[0, 0, 1, 2, 4]), random.percent(50)),
    }
}

fn fault(random: &mut Random) -> Fault {
    let nth = random.pick(&[1, 1, 2, 3, 5]);
    // Who says no for good has not done it.
    let doubtful = random.pick(&[ErrorKind::Unreachable, ErrorKind::TimedOut, ErrorKind::Unavailable]);
    let certain = random.pick(&[ErrorKind::Unauthorized, ErrorKind::Missing, ErrorKind::Full, ErrorKind::Conflict]);
    let mishap = match random.below(100) {
        0..20 => Mishap::Before(certain),
        20..40 => Mishap::Before(doubtful),
        40..60 => Mishap::After(doubtful),
        60..75 => Mishap::Cut(doubtful),
        75..85 => Mishap::Throttled(Duration::from_millis(1)),
        85..93 => Mishap::Repeated(2, ErrorKind::Unavailable),
        _ => Mishap::Slow(Duration::from_millis(1)),
    };
    match random.below(100) {
        0..80 => Fault(Operation::Write, nth, mishap),
        80..90 => Fault(Operation::Begin, 1, mishap),
        _ => Fault(Operation::Seal, 1, mishap),
    }
}
