//! When a target fails, and how: by order of its calls, or drawn from a seed.

use std::{
    collections::BTreeMap,
    fmt,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::contract::{Error, ErrorKind, Tally};

/// A call of a destination or of its publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// [`Destination::probe`](crate::contract::Destination::probe).
    Probe,
    /// [`Destination::begin`](crate::contract::Destination::begin).
    Begin,
    /// [`Publication::write`](crate::contract::Publication::write).
    Write,
    /// [`Publication::seal`](crate::contract::Publication::seal).
    Seal,
    /// [`Destination::commit`](crate::contract::Destination::commit).
    Commit,
    /// [`Destination::discard`](crate::contract::Destination::discard).
    Discard,
    /// [`Destination::manifests`](crate::contract::Destination::manifests).
    Manifests,
    /// [`Destination::remove`](crate::contract::Destination::remove).
    Remove,
    /// [`Destination::verify`](crate::contract::Destination::verify).
    Verify,
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It fails, and nothing of it is done.
    Before(ErrorKind),
    /// It is done, and fails: the answer was lost. Of a kind that is a no, a try before this one was done.
    After(ErrorKind),
    /// Of a write the first half of the rows is done, then it fails. Any other call fails before anything is done.
    Cut(ErrorKind),
    /// It fails with a request for this pause: 429 with `Retry-After`.
    Throttled(Duration),
    /// It is done after this long.
    Slow(Duration),
    /// Nothing comes back: a write and a seal end when the publish is cancelled, any other call when it is dropped.
    Hang,
    /// It is done after so many tries of the destination's own, each failed like this; the tally counts them.
    Repeated(u32, ErrorKind),
}

/// Mishaps to come, shared by all clones. `O` is what calls are told apart by.
#[derive(Debug)]
pub struct Script<O = Operation>(Arc<Mutex<State<O>>>);

#[derive(Debug)]
struct State<O> {
    calls: BTreeMap<O, u64>,
    /// By operation and number of the call, from 1.
    due: BTreeMap<(O, u64), Mishap>,
    random: Option<Random<O>>,
}

#[derive(Debug)]
struct Random<O> {
    seed: u64,
    rate: f64,
    operations: Vec<O>,
}

impl<O> Clone for Script<O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<O: Copy + Ord> Default for Script<O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O: Copy + Ord> Script<O> {
    /// Nothing fails.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State { calls: BTreeMap::new(), due: BTreeMap::new(), random: None })))
    }

    /// `mishap` for the `nth` call of `operation` from now on; 1 is the next one.
    pub fn at(&self, operation: O, nth: u64, mishap: Mishap) -> &Self {
        self.state(|state| {
            let call = state.calls(operation) + nth;
            state.due.insert((operation, call), mishap);
        });
        self
    }

    /// `mishap` for the next `times` calls of `operation`.
    pub fn next(&self, operation: O, times: u64, mishap: Mishap) -> &Self {
        for nth in 1..=times {
            self.at(operation, nth, mishap);
        }
        self
    }

    /// From now on a share of the calls of these operations fails, which ones and how depending on nothing but the
    /// seed, the operation's place in the list and the number of the call. Nothing hangs.
    pub fn random(&self, seed: u64, rate: f64, operations: &[O]) -> &Self {
        self.state(|state| state.random = Some(Random { seed, rate, operations: operations.to_vec() }));
        self
    }

    /// From now on nothing fails.
    pub fn clear(&self) {
        self.state(|state| {
            state.due.clear();
            state.random = None;
        });
    }

    /// How often an operation was called so far.
    pub fn calls(&self, operation: O) -> u64 {
        self.state(|state| state.calls(operation))
    }

    /// Counts a call, and says what happens to it.
    pub(crate) fn call(&self, operation: O) -> Option<Mishap> {
        self.state(|state| {
            let calls = state.calls.entry(operation).or_default();
            *calls += 1;
            let call = *calls;
            let planned = state.due.remove(&(operation, call));
            planned.or_else(|| state.random.as_ref().and_then(|random| random.draw(operation, call)))
        })
    }

    fn state<T>(&self, with: impl FnOnce(&mut State<O>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<O: Copy + Ord> State<O> {
    fn calls(&self, operation: O) -> u64 {
        self.calls.get(&operation).copied().unwrap_or_default()
    }
}

impl<O: PartialEq> Random<O> {
    fn draw(&self, operation: O, call: u64) -> Option<Mishap> {
        let place = self.operations.iter().position(|listed| *listed == operation)? as u64;
        let drawn = mixed(self.seed ^ mixed(place << 32 ^ call));
        // 53 bits fill a double's fraction.
        let share = (drawn >> 11) as f64 / (1_u64 << 53) as f64;
        (share < self.rate).then(|| match mixed(drawn) % 6 {
            0 => Mishap::Before(ErrorKind::Unreachable),
            1 => Mishap::Before(ErrorKind::Unavailable),
            2 => Mishap::After(ErrorKind::TimedOut),
            3 => Mishap::Cut(ErrorKind::Unreachable),
            4 => Mishap::Throttled(Duration::from_millis(1)),
            _ => Mishap::Slow(Duration::from_millis(1)),
        })
    }
}

/// The finaliser of SplitMix64: every bit of the answer depends on every bit of the question.
const fn mixed(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// Makes a call, or what its mishap says in its place. A call that can be cut in half sees to that itself.
pub(crate) async fn around<T>(
    step: impl fmt::Debug,
    mishap: Option<Mishap>,
    cancel: Option<&CancellationToken>,
    tally: Option<&Arc<Tally>>,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match mishap {
        None => call.await,
        Some(Mishap::Before(kind) | Mishap::Cut(kind)) => Err(injected(kind, step)),
        Some(Mishap::After(kind)) => call.await.and_then(|_| Err(injected(kind, step).after_doubt(true))),
        Some(Mishap::Throttled(pause)) => Err(injected(ErrorKind::Throttled, step).after(Some(pause))),
        Some(Mishap::Slow(pause)) => {
            tokio::time::sleep(pause).await;
            call.await
        }
        Some(Mishap::Hang) => {
            match cancel {
                Some(cancel) => cancel.cancelled().await,
                None => pending().await,
            }
            Err(Error::new(ErrorKind::Cancelled, "go on"))
        }
        Some(Mishap::Repeated(times, kind)) => {
            for attempt in 1..=times {
                tally.inspect(|tally| tally.repeated(kind));
                tally.inspect(|tally| tally.tried(attempt + 1));
            }
            call.await
        }
    }
}

/// The error of a mishap; `step` says where.
pub(crate) fn injected(kind: ErrorKind, step: impl fmt::Debug) -> Error {
    Error::new(kind, "pass a fault that was injected").with("step", format!("{step:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mishaps_come_at_their_call_and_once() {
        let script = Script::new();
        assert_eq!(script.call(Operation::Write), None);
        script.at(Operation::Write, 2, Mishap::Hang).next(Operation::Seal, 1, Mishap::Cut(ErrorKind::Unreachable));
        let drawn: Vec<_> = (0..3).map(|_| script.clone().call(Operation::Write)).collect();
        assert_eq!(drawn, [None, Some(Mishap::Hang), None]);
        assert_eq!(script.call(Operation::Seal), Some(Mishap::Cut(ErrorKind::Unreachable)));
        assert_eq!((script.calls(Operation::Write), script.calls(Operation::Begin)), (4, 0));
    }

    #[test]
    fn a_seed_draws_the_same_mishaps_whatever_else_is_called_between() {
        let drawn = |others: u64| -> Vec<_> {
            let script = Script::new();
            script.random(7, 0.3, &[Operation::Write, Operation::Commit]);
            let call = |_| {
                (0..others).for_each(|_| assert!(script.call(Operation::Begin).is_none()));
                script.call(Operation::Write)
            };
            (0..1_000).map(call).collect()
        };
        let plain = drawn(0);
        assert_eq!(plain, drawn(3));
        let failed = plain.iter().flatten().count();
        assert!((240..360).contains(&failed), "{failed} of 1000 at a rate of 0.3");
    }
}
