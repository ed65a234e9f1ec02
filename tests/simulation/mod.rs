//! Random histories of an activation, lived through by the library and by a model in plain Rust.
//!
//! ```text
//! seed ─▶ history: edits of the lake, changes of the config, publishes, crashes, faults of the target, races
//!            │
//!            ├─▶ lake on disk ─▶ Publisher ─▶ target ─▶ a consumer who applies its manifests ─┐
//!            └─▶ lake in memory ─▶ model ─────────────▶ what the target was told ─────────────┴─ must agree,
//!                                                                                              and every receipt
//! ```
//!
//! A history that fails is shortened, step by step, for as long as it fails.

mod consumer;
mod definition;
mod history;
mod lake;
mod model;
mod process;
mod random;
mod sending;
mod shrink;
mod target;
mod wanted;
mod world;

use self::{
    history::{BAD_DAY, History, Rates, USUAL},
    world::{Tally, World},
};
pub(crate) use self::{random::Random, shrink::number};

/// Why a check failed.
pub(crate) type Checked = Result<(), String>;

/// Fails a check: without a panic, so that a history can be lived through again and again in quiet.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
use ensure;

/// Histories of a test, and publishes of a history.
const HISTORIES: u64 = 4;
const PUBLISHES: usize = 32;

/// Lives through the history of a seed; what happened.
fn explore(seed: u64, publishes: usize, rates: Rates) -> Tally {
    let history = History::drawn(seed, publishes, rates);
    shrink::explore(seed, publishes, &history, |history| World::new(history).and_then(World::live))
}

/// A share of the seeds that every run of the tests explores.
fn seeds(share: u64) {
    let mut sum = Tally::default();
    for seed in share * HISTORIES..(share + 1) * HISTORIES {
        let tally = explore(seed, PUBLISHES, USUAL);
        eprintln!("seed {seed}: {tally:?}");
        sum = sum.plus(tally);
    }
    // What never happens is not tested.
    assert!(sum.publishes >= HISTORIES * PUBLISHES as u64 * 9 / 10, "{sum:?}");
    assert!(sum.died > 0 && sum.failed > 0 && sum.recovered > 0 && sum.blocked > 0 && sum.delivered > 200, "{sum:?}");
}

macro_rules! shares {
    ($($name:ident: $share:literal,)+) => {
        $(#[test]
        fn $name() {
            seeds($share);
        })+
    };
}

// So that a thousand publishes run side by side.
shares! {
    target_receipts_and_model_agree_over_random_histories_0: 0,
    target_receipts_and_model_agree_over_random_histories_1: 1,
    target_receipts_and_model_agree_over_random_histories_2: 2,
    target_receipts_and_model_agree_over_random_histories_3: 3,
    target_receipts_and_model_agree_over_random_histories_4: 4,
    target_receipts_and_model_agree_over_random_histories_5: 5,
    target_receipts_and_model_agree_over_random_histories_6: 6,
    target_receipts_and_model_agree_over_random_histories_7: 7,
}

/// A publish every quarter of an hour. After each, what is owed is what the program says and what the model says; what
/// was delivered is what consumers applied; the last publish delivers all the rest.
#[test]
fn over_a_day_of_faults_every_record_is_delivered_or_still_owed() {
    let tally = explore(24, 24 * 4, BAD_DAY);
    assert!(tally.failed >= 20 && tally.died >= 8 && tally.recovered >= 3 && tally.delivered > 100, "{tally:?}");
}

#[test]
#[ignore = "takes minutes: make soak"]
fn soak_histories_from_a_seed_of_the_day() {
    shrink::soak(|seed, publishes| explore(seed, publishes, USUAL));
}
