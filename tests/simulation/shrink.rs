//! From a history that fails to a short one that fails.

use std::{
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

/// Longest that a history is shortened.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lives through a history; why it failed, if it did, be it by a panic.
pub(crate) fn lived<T>(live: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let lived = panic::catch_unwind(AssertUnwindSafe(live));
    lived.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        Err(text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

/// Leaves out steps that need not be there for `fails` to go on: half of them, then quarters, down to single ones.
pub(crate) fn shrunk<S: Clone>(mut steps: Vec<S>, fails: impl Fn(&[S]) -> bool) -> Vec<S> {
    let started = Instant::now();
    let mut chunk = steps.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut shorter = false;
        while from < steps.len() {
            if started.elapsed() > PATIENCE {
                return steps;
            }
            let without = [&steps[..from], &steps[(from + chunk).min(steps.len())..]].concat();
            if fails(&without) {
                steps = without;
                shorter = true;
            } else {
                from += chunk;
            }
        }
        match chunk {
            1 if !shorter => return steps,
            1 => {}
            _ => chunk = chunk.div_ceil(2),
        }
    }
}
