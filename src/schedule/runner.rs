//! What runs a publish, and what the schedule has to know of the state.

use std::{fmt::Debug, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Lane, background::Background};
use crate::{
    publish::{Failure, PublishError, PublishKind, Publisher, Receipt, Request, Silent, Status, Whom, code},
    state::{ActivationState, History, Waiting},
};

/// A publish that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Name of the activation.
    pub activation: Arc<str>,
    /// Why it runs.
    pub kind: PublishKind,
    /// Whose workers run it.
    pub lane: Lane,
    /// Everything anew, whatever the activation's mode.
    pub full: bool,
    /// Who is looked at.
    pub whom: Whom,
    /// Why guards may be passed.
    pub override_reason: Option<String>,
    /// The publish on record that waits for this to run, and says what is to be done; `None`: a new one.
    pub receipt: Option<Uuid>,
    /// Since when it waits.
    pub due: DateTime<Utc>,
}

/// How a publish ended, as far as the schedule acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Acknowledged.
    Good {
        /// Whether the target took anything: if not, nothing is known of how it is.
        delivered: bool,
    },
    /// Stopped by a guard: it waits for its next time.
    Blocked,
    /// Stopped by somebody.
    Cancelled,
    /// Another process publishes the activation.
    Busy,
    /// It failed.
    Failed {
        /// Whether it may succeed later.
        retryable: bool,
        /// Whether the target is to blame.
        by_target: bool,
    },
}

/// What the state says of an activation; one that it says nothing of is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Name of the activation.
    pub activation: String,
    /// Whether its schedule stands still.
    pub paused: bool,
    /// Whether it is torn down, or being so.
    pub deleted: bool,
}

/// Runs publishes.
#[async_trait]
pub trait Runner: Debug + Send + Sync + 'static {
    /// One publish, which another process's publish of the same activation turns away. On record when it returns. What a
    /// publish that waited is to do is noted in the job.
    async fn publish(&self, job: &mut Job, cancel: &CancellationToken) -> Ending;

    /// Publishes on record that wait for a worker.
    async fn waiting(&self) -> Result<Vec<Waiting>, Failure>;

    /// Activations that are paused or deleted.
    async fn standings(&self) -> Result<Vec<Standing>, Failure>;

    /// What an activation did last.
    async fn history(&self, activation: &str) -> Result<History, Failure>;

    /// Activations with publishes in flight that no process works on.
    async fn left_behind(&self) -> Result<Vec<String>, Failure>;

    /// Settles what a process that died left of an activation.
    async fn settle(&self, activation: &str) -> Result<(), Failure>;

    /// Most publishes to a target at once; `None`: any number.
    fn parallel(&self, target: &str) -> Option<usize>;
}

/// The real one.
#[derive(Debug)]
pub struct Publishing {
    publisher: Arc<ArcSwap<Publisher>>,
    standard: Background,
}

impl Publishing {
    /// Runs publishes, each by the config that is in force when it begins.
    ///
    /// # Errors
    /// A system that starts no threads.
    pub fn new(publisher: Arc<ArcSwap<Publisher>>) -> Result<Self, Failure> {
        Ok(Self { publisher, standard: Background::new()? })
    }
}

#[async_trait]
impl Runner for Publishing {
    async fn publish(&self, job: &mut Job, cancel: &CancellationToken) -> Ending {
        let publisher = self.publisher.load_full();
        if let Some(waited) = job.receipt {
            match publisher.take_up(&job.activation, waited).await {
                Ok(Some((whom, full, reason))) => (job.whom, job.full, job.override_reason) = (whom, full, reason),
                // Cancelled meanwhile, or done.
                Ok(None) => return Ending::Cancelled,
                // It waits on, and is taken up again.
                Err(failure) if failure.retryable => return Ending::Busy,
                Err(failure) => return publisher.give_up(waited, failure).await.map_or(Ending::Busy, |it| ending(&it)),
            }
        }
        let request = Request {
            activation: job.activation.to_string(),
            kind: job.kind,
            full: job.full,
            whom: job.whom.clone(),
            override_reason: job.override_reason.clone(),
            receipt: job.receipt,
            wait: false,
            unattended: true,
        };
        let published = match job.lane {
            Lane::Rapid => publisher.publish(&request, &Silent, cancel).await,
            Lane::Standard => {
                let (publisher, cancel) = (Arc::clone(&publisher), cancel.clone());
                let publishing = async move { publisher.publish(&request, &Silent, &cancel).await };
                let Some(published) = self.standard.run(publishing).await else { return Ending::Cancelled };
                published
            }
        };
        match published {
            Ok(receipt) => {
                log(&receipt);
                ending(&receipt)
            }
            Err(PublishError::Failed(failure)) if failure.code == code::BUSY => Ending::Busy,
            Err(error) => {
                tracing::error!(activation = %job.activation, "could not begin to publish: {}", why(&publisher, &error));
                let failure = match error {
                    PublishError::Failed(failure) => Some(failure),
                    PublishError::Unknown(_) | PublishError::Unfit(_) | PublishError::Config(_) => None,
                };
                failure.as_ref().map_or(Ending::Failed { retryable: false, by_target: false }, failed)
            }
        }
    }

    async fn standings(&self) -> Result<Vec<Standing>, Failure> {
        let rows = self.publisher.load_full().state().halted().await?;
        let standing =
            |(activation, paused, state)| Standing { activation, paused, deleted: state != ActivationState::Active };
        Ok(rows.into_iter().map(standing).collect())
    }

    async fn history(&self, activation: &str) -> Result<History, Failure> {
        Ok(self.publisher.load_full().state().history(activation).await?)
    }

    async fn left_behind(&self) -> Result<Vec<String>, Failure> {
        self.publisher.load_full().left_behind().await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, Failure> {
        Ok(self.publisher.load_full().state().waiting().await?)
    }

    async fn settle(&self, activation: &str) -> Result<(), Failure> {
        self.publisher.load_full().settle_left_behind(activation).await
    }

    fn parallel(&self, target: &str) -> Option<usize> {
        self.publisher.load().parallel(target)
    }
}

/// The reason with all of its places: a log has no other line for them.
fn why(publisher: &Publisher, error: &PublishError) -> String {
    let PublishError::Config(faults) = error else { return error.to_string() };
    let problems = faults.iter().map(|fault| fault.clone().problem(&publisher.config().places).to_string());
    problems.collect::<Vec<_>>().join("; ")
}

fn ending(receipt: &Receipt) -> Ending {
    match (receipt.status, &receipt.error) {
        (Status::Succeeded | Status::Partial, _) => Ending::Good { delivered: receipt.counts.delivered > 0 },
        (Status::Blocked, _) => Ending::Blocked,
        (Status::Cancelled, _) => Ending::Cancelled,
        (_, Some(failure)) => failed(failure),
        (_, None) => Ending::Failed { retryable: false, by_target: false },
    }
}

/// Failures that say that the target is not well. `target_refused` is none of them: it may be about what one activation
/// sends, and must not hold up the others.
const BY_TARGET: [&str; 5] =
    ["target_unreachable", "target_unauthorized", "target_missing", "target_full", "timed_out"];

fn failed(failure: &Failure) -> Ending {
    Ending::Failed { retryable: failure.retryable, by_target: BY_TARGET.contains(&failure.code.as_str()) }
}

fn log(receipt: &Receipt) {
    let seconds = receipt.started_at.zip(receipt.finished_at).map(|(began, ended)| (ended - began).as_seconds_f64());
    let counts = &receipt.counts;
    tracing::info!(
        activation = receipt.activation,
        publish = %receipt.id,
        kind = ?receipt.kind,
        status = ?receipt.status,
        added = counts.added,
        updated = counts.updated,
        removed = counts.removed,
        delivered = counts.delivered,
        seconds,
        "publish ended"
    );
}

#[cfg(test)]
mod tests {
    use super::{Ending, failed};
    use crate::publish::Failure;

    #[test]
    fn what_a_target_refuses_does_not_count_against_it_and_what_keeps_it_from_answering_does() {
        for (code, expected) in [
            ("target_unreachable", true),
            ("target_unauthorized", true),
            ("target_missing", true),
            ("target_full", true),
            ("timed_out", true),
            ("target_refused", false),
            ("source_missing", false),
        ] {
            let failure = Failure { code: code.into(), message: String::new(), remedy: String::new(), retryable: true };
            assert_eq!(failed(&failure), Ending::Failed { retryable: true, by_target: expected }, "{code}");
        }
    }
}
