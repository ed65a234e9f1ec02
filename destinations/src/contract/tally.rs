//! How often requests had to be repeated, and why.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::ErrorKind;

/// Tries of the requests that share it, such as those of one publish.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    most_tries: u32,
    repeats: BTreeMap<ErrorKind, u64>,
}

impl Tally {
    /// Most tries that any one request took; 0 before the first request.
    pub fn most_tries(&self) -> u32 {
        self.counts(|counts| counts.most_tries)
    }

    /// How many requests were made again, by what had gone wrong.
    pub fn repeats(&self) -> BTreeMap<ErrorKind, u64> {
        self.counts(|counts| counts.repeats.clone())
    }

    /// A request begins its `attempt`th try, from 1.
    pub(crate) fn tried(&self, attempt: u32) {
        self.counts(|counts| counts.most_tries = counts.most_tries.max(attempt));
    }

    /// A request will be made again because of this.
    pub(crate) fn repeated(&self, kind: ErrorKind) {
        self.counts(|counts| *counts.repeats.entry(kind).or_default() += 1);
    }

    fn counts<T>(&self, with: impl FnOnce(&mut Counts) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::contract::{Error, Retries, RetryPolicy};

    #[tokio::test]
    async fn the_tally_holds_the_most_tries_of_one_request_and_each_reason() {
        let retries = Retries::from(RetryPolicy { attempts: 3, max_elapsed: Duration::from_secs(60) });
        let never = CancellationToken::new();
        let none: Result<(), Error> = retries.run(&never, || async { Ok(()) }).await;
        none.unwrap();
        assert_eq!((retries.tally().most_tries(), retries.tally().repeats().len()), (1, 0));

        let calls = AtomicU32::new(0);
        let request = || async {
            let kind = match calls.fetch_add(1, Ordering::SeqCst) {
                0 => ErrorKind::Throttled,
                1 => ErrorKind::Unavailable,
                _ => return Ok(()),
            };
            Err(Error::new(kind, "ask").after(Some(Duration::ZERO)))
        };
        retries.clone().run(&never, request).await.unwrap();
        assert_eq!(retries.tally().most_tries(), 3);
        let repeats = BTreeMap::from([(ErrorKind::Throttled, 1), (ErrorKind::Unavailable, 1)]);
        assert_eq!(retries.tally().repeats(), repeats);

        let refused = retries.run(&never, || async { Err::<(), _>(Error::new(ErrorKind::Refused, "ask")) }).await;
        refused.unwrap_err();
        assert_eq!(retries.tally().repeats(), repeats, "what can't pass is not repeated");
    }
}
