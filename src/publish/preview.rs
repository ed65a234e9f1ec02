//! `plan`: everything of a publish but its sending.

use std::collections::BTreeMap;

use herald_destinations::contract::{Account, Batch, Mode, Visibility};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Judgement, Phase, Progress, PublishError, Publisher,
    delivery::{Stopped, Walked},
    guards::judge,
    outgoing::Outgoing,
    run::{Looks, Run},
    work::{How, Share},
};
use crate::{config::Activation, snapshot::Snapshot};

/// What a publish would do.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Name of the activation.
    pub activation: String,
    /// Full or incremental.
    pub mode: Mode,
    /// What would be counted; nothing is delivered, all that would be sent is owed.
    pub counts: Account,
    /// What `send` leaves out: operation → records.
    pub withheld: BTreeMap<String, u64>,
    /// Reason → members.
    pub suppressed_by: BTreeMap<String, u64>,
    /// What each guard says.
    pub guards: Vec<Judgement>,
    /// Some of what would be sent.
    pub sample: Vec<Batch>,
}

impl Publisher {
    /// Resolves and takes the delta; sends nothing, and changes nothing. `sample`: most records to return.
    ///
    /// # Errors
    /// Unknown activation, or what the sources, the engine or the snapshot said.
    pub async fn preview(
        &self,
        name: &str,
        full: bool,
        sample: usize,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Preview, PublishError> {
        let (activation, target) = self.activation(name)?;
        let mode = if full { Mode::Full } else { activation.mode };
        let spool = self.spool_dir(Uuid::now_v7());
        let plan = self.resolver.plan(&self.config, activation).await.map_err(PublishError::Config)?;
        progress.phase(Phase::Resolving, None);
        let run = Run {
            publisher: self,
            activation,
            target,
            full,
            plan,
            planned_at: chrono::Utc::now(),
            looks: Looks::Everybody,
            members: None,
            retries: activation.retry.into(),
            progress,
            cancel,
        };
        let looked = self.look(&run, activation, mode, sample, &spool).await;
        let _ = std::fs::remove_dir_all(&spool);
        looked.map_err(|stopped| match stopped {
            Stopped::Blocked(failure) | Stopped::Failed(failure) | Stopped::Unsettled(failure) => {
                PublishError::Failed(failure)
            }
        })
    }

    async fn look(
        &self,
        run: &Run<'_>,
        activation: &Activation,
        mode: Mode,
        sample: usize,
        spool: &std::path::Path,
    ) -> Result<Preview, Stopped> {
        let mut before = run.before(mode).await?;
        let held = before.snapshot.as_ref().map(Snapshot::members);
        let spooled = run.spool(spool, before.buckets).await?;
        let mut walked = Walked::over(&spooled);
        run.begins(spooled.rows());
        let how = match run.target.config.capabilities().visibility {
            Visibility::AtCommit => How::new(mode, false),
            Visibility::AtWrite => How::AtOnce { again: mode == Mode::Full, gone: None },
        };
        let work = run.work(0, &mut before, spooled, how)?;
        let walk = run.walk(&work, held, false);
        let mut taken = Sample { wanted: sample, batches: Vec::new() };
        walk.run(None, None, |share| taken.take(share), &mut walked).await?;
        let ledger = walked.ledger;
        Ok(Preview {
            activation: activation.name.clone(),
            mode,
            counts: Account { owed: ledger.sent(), ..ledger.counts },
            guards: judge(&activation.guards, &ledger.truth, held),
            withheld: ledger.withheld,
            suppressed_by: ledger.suppressed_by,
            sample: taken.batches,
        })
    }
}

/// The first records of each operation that comes along.
struct Sample {
    wanted: usize,
    batches: Vec<Batch>,
}

impl Sample {
    fn take(&mut self, share: &Share) {
        for Outgoing { batch, .. } in &share.batches {
            let rows = self.wanted.min(batch.rows.num_rows());
            if rows > 0 {
                self.wanted -= rows;
                self.batches.push(batch.slice(0, rows));
            }
        }
    }
}
