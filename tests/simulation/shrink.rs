//! Living through histories, and from one that fails to a short one that fails.

use std::{
    fmt::Debug,
    panic::{self, AssertUnwindSafe},
    time::{Duration, Instant},
};

/// Longest that a history is shortened.
const PATIENCE: Duration = Duration::from_secs(120);

/// The steps of a history: what living through it needs beside is the seed's, and stays.
pub(crate) trait Steps: Debug + Clone {
    type Step: Clone;

    fn steps(&self) -> &[Self::Step];

    fn with(&self, steps: &[Self::Step]) -> Self;
}

/// Lives through the history of a seed; what happened.
pub(crate) fn explore<H: Steps, T>(
    seed: u64,
    publishes: usize,
    history: &H,
    live: impl Fn(&H) -> Result<T, String>,
) -> T {
    let live = |history: &H| lived(|| live(history));
    live(history).unwrap_or_else(|why| {
        eprintln!("seed {seed}, {publishes} publishes: {why}\nshortening the history …");
        let shortest = shrunk(history.steps().to_vec(), |steps| live(&history.with(steps)).is_err());
        let shortest = history.with(&shortest);
        let why = live(&shortest).err().unwrap_or_else(|| "it failed, but not again".to_owned());
        panic!(
            "seed {seed}, {publishes} publishes; the shortest history that fails: {shortest:#?}\n{why}\n\
             again: HERALD_SIM_SEED={seed} HERALD_SIM_STEPS={publishes} make soak"
        )
    })
}

/// Explores what the environment asks for, or twenty long histories that nobody lived through before today.
pub(crate) fn soak<T: Debug>(explore: impl Fn(u64, usize) -> T) {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let given = number("HERALD_SIM_SEED");
    let publishes = number("HERALD_SIM_STEPS").unwrap_or(200) as usize;
    let first = given.unwrap_or_else(|| now() * 1_000);
    for seed in first..first + given.map_or(20, |_| 1) {
        eprintln!("seed {seed}: {:?}", explore(seed, publishes));
    }
}

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Lives through a history; why it failed, if it did, be it by a panic.
fn lived<T>(live: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let lived = panic::catch_unwind(AssertUnwindSafe(live));
    lived.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        Err(text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

/// Leaves out steps that need not be there for `fails` to go on: half of them, then quarters, down to single ones.
fn shrunk<S: Clone>(mut steps: Vec<S>, fails: impl Fn(&[S]) -> bool) -> Vec<S> {
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
