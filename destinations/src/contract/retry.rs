//! The one retry policy: full-jitter exponential backoff, bounded in attempts and in time.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Error, ErrorKind, Tally};

/// Whether and when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It can't pass.
    Never,
    /// After a pause that the policy draws.
    Backoff,
    /// After the pause that the target asked for.
    After(Duration),
}

/// How long to keep trying what can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// Time in all, pauses included.
    pub max_elapsed: Duration,
}

/// The first pause is drawn from up to this, each later one from up to twice as much.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// No pause is longer, unless the target asks for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 8, max_elapsed: Duration::from_secs(3600) }
    }
}

impl RetryPolicy {
    /// One try, for what somebody else repeats.
    pub const ONCE: Self = Self { attempts: 1, max_elapsed: Duration::ZERO };

    /// Longest pause before try number `attempt + 1`; `attempt` counts from 1.
    pub fn ceiling(attempt: u32) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_PAUSE)
    }
}

/// A policy at work: what a connected destination repeats its requests under, and the count of it.
#[derive(Debug, Clone, Default)]
pub struct Retries {
    policy: RetryPolicy,
    tally: Arc<Tally>,
}

impl From<RetryPolicy> for Retries {
    /// With a tally of its own.
    fn from(policy: RetryPolicy) -> Self {
        Self { policy, tally: Arc::default() }
    }
}

impl Retries {
    /// What has been tried under it so far, by all that share it.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Repeats an idempotent request until it succeeds, can't pass, or the policy is spent.
    ///
    /// # Errors
    /// The last error of the request, or [`ErrorKind::Cancelled`].
    pub async fn run<T, F>(&self, cancel: &CancellationToken, request: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.run_in_doubt(cancel, request).await.map(|(value, _)| value)
    }

    /// As [`run`](Self::run), for a request whose answer may be a no: says too whether a try before the answered one
    /// may have been applied.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub async fn run_in_doubt<T, F>(
        &self,
        cancel: &CancellationToken,
        mut request: impl FnMut() -> F,
    ) -> Result<(T, bool), Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let started = Instant::now();
        let mut attempt = 1;
        let mut doubt = false;
        loop {
            self.tally.tried(attempt);
            let error = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(Error::new(ErrorKind::Cancelled, "go on")),
                answer = request() => match answer {
                    Ok(value) => return Ok((value, doubt)),
                    Err(error) => error.after_doubt(doubt),
                },
            };
            doubt = error.doubtful();
            let pause = match error.retry() {
                Retry::Never => return Err(error),
                Retry::Backoff => RetryPolicy::ceiling(attempt).mul_f64(fraction()),
                Retry::After(pause) => pause,
            };
            if attempt >= self.policy.attempts || started.elapsed().saturating_add(pause) > self.policy.max_elapsed {
                return Err(error);
            }
            self.tally.repeated(error.kind());
            tracing::warn!(attempt, pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), %error, "trying again");
            tokio::select! {
                () = cancel.cancelled() => return Err(Error::new(ErrorKind::Cancelled, "go on").after_doubt(doubt)),
                () = tokio::time::sleep(pause) => {}
            }
            attempt += 1;
        }
    }
}

/// A random share of 1. A UUID's tail is random enough to spread retries, and at hand.
fn fraction() -> f64 {
    f64::from((uuid::Uuid::now_v7().as_u128() & 0xffff_ffff) as u32) / f64::from(u32::MAX)
}
