//! Histories: what happens to one activation, drawn from a seed.

use herald::publish::Phase;
use herald_destinations::{conformance::Step as Call, contract::ErrorKind};

use super::{
    definition::Change,
    lake::{Edit, Keys, MEMBERS, Person},
    process::Cut,
    random::Random,
    shrink::Steps,
    target::Fault,
};

/// All that happens, and what never changes while it does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    pub(crate) keys: Keys,
    /// `files.path`.
    pub(crate) path: &'static str,
    /// `files.keep.publishes`.
    pub(crate) keep: Option<usize>,
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
    /// Somebody asks what a publish would do.
    Preview {
        /// Everything anew.
        full: bool,
    },
}

/// A publish, and what goes wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ask {
    /// The first process or the second.
    pub(crate) by: usize,
    pub(crate) full: bool,
    pub(crate) overridden: bool,
    pub(crate) cut: Option<Cut>,
    pub(crate) fault: Option<Fault>,
}

/// How often what goes wrong, in percent of all publishes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) cut: usize,
    pub(crate) fault: usize,
    /// Changes of the config.
    pub(crate) change: usize,
    /// Previews.
    pub(crate) preview: usize,
}

/// As a bad week has it.
pub(crate) const USUAL: Rates = Rates { cut: 20, fault: 12, change: 40, preview: 6 };
/// A day on which hardly anything works, watched closely.
pub(crate) const BAD_DAY: Rates = Rates { cut: 30, fault: 50, change: 0, preview: 100 };

/// Files of the default path have a folder a publish; of the others the folder is shared.
const PATHS: [&str; 3] =
    ["{activation}/{date}/{publish_id}/part-{part}.{ext}", "flat/{sequence}-{part}.{ext}", "{publish_id}-{part}.{ext}"];

impl History {
    /// A history of so many publishes.
    pub(crate) fn drawn(seed: u64, publishes: usize, rates: Rates) -> Self {
        let random = &mut Random::new(seed);
        let keys = random.pick(&[Keys::Text, Keys::Text, Keys::Integer, Keys::Composite]);
        let path = random.pick(&PATHS);
        let mut steps = Vec::new();
        for _ in 0..random.below(50) {
            steps.push(Step::Edit(Edit::drawn(random)));
        }
        for _ in 0..random.below(20) {
            let member = random.below(MEMBERS);
            steps.push(Step::Edit(Edit::Put(Person::drawn(random, Some(member)))));
        }
        for _ in 0..publishes {
            if random.percent(2) {
                steps.push(Step::Edit(Edit::Empty));
            }
            for _ in 0..random.pick(&[0, 1, 2, 5, 12]) {
                steps.push(Step::Edit(Edit::drawn(random)));
            }
            for _ in 0..2 {
                if random.percent(rates.change) {
                    steps.push(Step::Change(Change::drawn(random)));
                }
            }
            steps.push(if random.percent(5) { Step::Race } else { Step::Publish(Ask::drawn(random, rates)) });
            if random.percent(rates.preview) {
                steps.push(Step::Preview { full: random.percent(20) });
            }
        }
        // Whatever happened before, a publish that nothing disturbs brings the target to what is wanted.
        steps.push(Step::Publish(Ask { overridden: true, ..Ask::default() }));
        // Not drawn, so that seeds without it live through what they always did.
        let keep = seed.is_multiple_of(3).then_some(1 + steps.len() % 4);
        Self { keys, path, keep, steps }
    }
}

impl Ask {
    fn drawn(random: &mut Random, rates: Rates) -> Self {
        let cut = random.percent(rates.cut).then(|| cut(random));
        Self {
            by: random.below(2),
            full: random.percent(10),
            overridden: random.percent(25),
            cut,
            fault: (cut.is_none() && random.percent(rates.fault)).then(|| fault(random)),
        }
    }
}

fn cut(random: &mut Random) -> Cut {
    let phase = random.pick(&[Phase::Resolving, Phase::Delivering, Phase::Committing, Phase::Committing]);
    if random.percent(15) {
        return Cut::Cancel(phase);
    }
    Cut::Die { phase, waits: random.pick(&[0, 1, 2, 3, 4, 5, 6, 8, 12, 20, 40]) }
}

fn fault(random: &mut Random) -> Fault {
    let step = random.pick(&[Call::Stage, Call::Write, Call::Finish, Call::Reveal, Call::Put]);
    let kind = random.pick(&[
        ErrorKind::Unreachable,
        ErrorKind::Unavailable,
        ErrorKind::Throttled,
        ErrorKind::TimedOut,
        ErrorKind::Full,
        ErrorKind::Refused,
        ErrorKind::Unauthorized,
    ]);
    // Who says no for good has not done it.
    Fault { step, kind, times: random.pick(&[1, 1, 2, 1_000]), applied: kind.passes() && random.percent(50) }
}
