//! From a history that fails to a short one that fails.

use std::{
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

use super::{
    history::History,
    world::{Tally, World},
};

/// Longest that a history is shortened.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lives through a history; why it failed, if it did.
pub(crate) fn live(history: &History) -> Result<Tally, String> {
    let lived = panic::catch_unwind(AssertUnwindSafe(|| World::new(history).and_then(World::live)));
    lived.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        Err(text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

/// Leaves out what need not be there for `fails` to go on: half of the steps, then quarters, down to single ones.
pub(crate) fn shrunk(mut history: History, fails: impl Fn(&History) -> bool) -> History {
    let started = Instant::now();
    let mut chunk = history.steps.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut shorter = false;
        while from < history.steps.len() {
            if started.elapsed() > PATIENCE {
                return history;
            }
            let without = history.without(from, (from + chunk).min(history.steps.len()));
            if fails(&without) {
                history = without;
                shorter = true;
            } else {
                from += chunk;
            }
        }
        match chunk {
            1 if !shorter => return history,
            1 => {}
            _ => chunk = chunk.div_ceil(2),
        }
    }
}
