//! Random histories of an activation whose target shows members as they arrive.
//!
//! ```text
//! seed ─▶ history ─▶ Publisher ─▶ wire ─▶ faults ─▶ target in memory
//!            │                     │                      │
//!            └─▶ model ◀───────────┘ what passed          │ what it holds
//!                  └── must agree with receipts, dead letters, snapshot and target, whenever nothing is in flight
//! ```
//!
//! What passes between the program and the target says what the program can know. The snapshot must say just that;
//! where a publish was cut short it may know less of one batch, and never more.

mod account;
mod books;
mod history;
mod model;
mod tally;
mod wire;
mod world;

use self::{
    history::{BAD_DAY, History, Rates, STUBBORN, USUAL},
    tally::Tally,
    world::World,
};
use super::shrink;

/// Histories of a test, and publishes of a history.
const HISTORIES: u64 = 3;
const PUBLISHES: usize = 28;

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
    assert!(sum.publishes >= HISTORIES * PUBLISHES as u64 * 8 / 10, "{sum:?}");
    assert!(sum.died > 0 && sum.failed > 0 && sum.partial > 0 && sum.doubted > 0 && sum.returned > 0, "{sum:?}");
}

macro_rules! shares {
    ($($name:ident: $share:literal,)+) => {
        $(#[test]
        fn $name() {
            seeds($share);
        })+
    };
}

// So that five hundred publishes run side by side.
shares! {
    wire_snapshot_receipts_and_target_agree_over_random_histories_0: 0,
    wire_snapshot_receipts_and_target_agree_over_random_histories_1: 1,
    wire_snapshot_receipts_and_target_agree_over_random_histories_2: 2,
    wire_snapshot_receipts_and_target_agree_over_random_histories_3: 3,
    wire_snapshot_receipts_and_target_agree_over_random_histories_4: 4,
    wire_snapshot_receipts_and_target_agree_over_random_histories_5: 5,
    wire_snapshot_receipts_and_target_agree_over_random_histories_6: 6,
}

/// A publish every quarter of an hour. After each, every record that was to be sent is delivered, as the target knows,
/// rejected, as a dead letter says, or owed; the last publishes deliver all the rest.
#[test]
fn over_a_day_of_faults_every_record_sent_at_once_is_delivered_rejected_or_still_owed() {
    let tally = explore(24, 24 * 4, BAD_DAY);
    assert_eq!(tally.sent, tally.delivered + tally.rejected + tally.owed, "{tally:?}");
    assert!(tally.failed >= 12 && tally.died >= 6 && tally.partial >= 3 && tally.rejected > 20, "{tally:?}");
    assert!(tally.delivered > 100 && tally.owed > 50 && tally.doubted > 20, "{tally:?}");
}

/// A record that is refused often enough is held back until it changes, or somebody asks for it.
#[test]
fn over_weeks_of_refusals_every_record_is_sent_again_or_held_back() {
    let tally = (100..103).map(|seed| explore(seed, 40, STUBBORN)).fold(Tally::default(), Tally::plus);
    assert!(tally.quarantined > 10 && tally.rejected > 100 && tally.partial > 30, "{tally:?}");
}

#[test]
#[ignore = "takes minutes: make soak"]
fn soak_sent_histories_from_a_seed_of_the_day() {
    shrink::soak(|seed, publishes| explore(seed, publishes, USUAL));
}
