//! The phases of one publish.

use std::{path::Path, sync::Arc};

use herald_destinations::contract::{Account, Destination, PublishContext, Ticket};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Ledger, Phase, Progress, PublishError, Publisher, Receipt, Status, code,
    delivery::{Stopped, Walk, Walked},
    pending::{Pending, commit, fill},
    work::Work,
};
use crate::{
    config::{Activation, Target},
    resolve::{PublishPlan, Spooled},
    snapshot::{LayerWriter, Snapshot},
};

/// A publish under way.
pub(super) struct Run<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) activation: &'a Activation,
    pub(super) target: &'a Target,
    /// Whether everything anew was asked for by name.
    pub(super) full: bool,
    pub(super) plan: PublishPlan,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
}

impl Run<'_> {
    /// Runs a publish that is on record, and ends it on record.
    pub(super) async fn record(self, mut receipt: Receipt) -> Result<Receipt, PublishError> {
        let spool = self.publisher.spool_dir(receipt.id);
        let mut ledger = Ledger::default();
        let ended = self.go(&mut receipt, &mut ledger, &spool).await;
        let _ = std::fs::remove_dir_all(&spool);
        receipt.finished_at = Some(chrono::Utc::now());
        let (status, failure) = match ended {
            Ok(pending) => {
                self.publisher.acknowledge(&receipt, pending).await?;
                return Ok(receipt);
            }
            // It stays in flight on record, with its sealed ticket.
            Err(Stopped::Unsettled(failure)) => {
                tracing::error!(
                    code = failure.code,
                    error = failure.message,
                    "sealed, and committed by the next publish"
                );
                fill(&mut receipt, &ledger);
                receipt.counts.owed = ledger.sent();
                receipt.status = Status::Failed;
                receipt.error = Some(failure);
                return Ok(receipt);
            }
            Err(Stopped::Blocked(failure)) => (Status::Blocked, failure),
            Err(Stopped::Failed(failure)) => match failure.code.as_str() {
                code::INTERRUPTED => (Status::Cancelled, failure),
                code::SNAPSHOT_MISSING => (Status::Blocked, failure),
                _ => (Status::Failed, failure),
            },
        };
        tracing::error!(code = failure.code, error = failure.message, remedy = failure.remedy, "publish stopped");
        self.publisher.fail(&mut receipt, &ledger, status, failure).await?;
        Ok(receipt)
    }

    async fn go(&self, receipt: &mut Receipt, ledger: &mut Ledger, spool: &Path) -> Result<Pending, Stopped> {
        let plan = &self.plan;
        let before = self.before(receipt.mode).await?;
        let destination = self.publisher.connect(self.activation, self.target).await?;
        let mut context = self.context(receipt, &before);
        if before.standing.is_none() {
            self.past_lost_state(destination.as_ref(), &mut context, receipt).await?;
        }
        let spooled = self.spool(spool, before.buckets).await?;
        let null_keys = spooled.null_keys();
        let rebase = before.rebases(receipt.mode);
        let total = spooled.rows();
        let held = before.snapshot.as_ref().map(Snapshot::members);
        let work = Arc::new(Work {
            spooled,
            snapshot: before.snapshot,
            codec: plan.codec().clone(),
            schema: Arc::clone(plan.schema()),
            mode: receipt.mode,
            send: self.activation.send,
            sequence: u32::try_from(receipt.sequence).unwrap_or(u32::MAX),
            rebase,
            keys: self.publisher.snapshots()?.keys().clone(),
        });
        let name = if rebase { "base" } else { "layer" };
        let mut layer =
            self.publisher.snapshots()?.layer(&receipt.activation, receipt.id, name, &plan.codec().stored_type())?;

        let ticket = destination.ticket(&context);
        self.publisher.state.put_ticket(receipt.id, &ticket, &serde_json::Value::Null).await.map_err(Failure::from)?;
        self.progress.phase(Phase::Delivering, Some(total));
        let walk = Walk {
            work: Arc::clone(&work),
            guards: &self.activation.guards,
            held,
            enforce: receipt.override_reason.is_none(),
            progress: self.progress,
            cancel: self.cancel,
            threads: self.publisher.threads,
        };
        let delivered = self.deliver(destination.as_ref(), &context, walk, &mut layer, ledger, null_keys).await;
        let (sealed, members) = match delivered {
            Ok(sealed) => sealed,
            Err(stopped) => return Err(discarded(destination.as_ref(), &ticket, stopped).await),
        };
        drop(work);
        let sequence = before.standing.as_ref().and_then(|standing| standing.sequence);
        let standing = before.standing.filter(|_| !rebase).ok_or(before.buckets);
        let pending = layer
            .finish()
            .and_then(|layer| self.pending(receipt.clone(), ledger, standing, sequence, (layer, members)));
        let pending = match pending {
            Ok(pending) => pending,
            Err(failure) => return Err(discarded(destination.as_ref(), &ticket, failure.into()).await),
        };
        let stored = serde_json::to_value(&pending).map_err(code::internal)?;
        self.publisher.state.put_ticket(receipt.id, &sealed, &stored).await.map_err(Failure::from)?;
        self.progress.phase(Phase::Committing, None);
        match commit(destination.as_ref(), &sealed, receipt, &pending).await {
            Ok(()) => Ok(pending),
            Err(failure) if failure.retryable => Err(Stopped::Unsettled(failure)),
            Err(failure) => Err(discarded(destination.as_ref(), &sealed, failure.into()).await),
        }
    }

    /// Reads all sources to disk.
    pub(super) async fn spool(&self, folder: &Path, buckets: u32) -> Result<Spooled, Failure> {
        std::fs::create_dir_all(folder).map_err(|error| code::disk(&error, "make the spool's folder"))?;
        self.plan.spool(folder, buckets, self.publisher.snapshots()?.keys(), self.cancel).await
    }

    async fn deliver(
        &self,
        destination: &dyn Destination,
        context: &PublishContext,
        walk: Walk<'_>,
        layer: &mut LayerWriter,
        ledger: &mut Ledger,
        null_keys: u64,
    ) -> Result<(Ticket, u64), Stopped> {
        let mut publication = destination.begin(context).await.map_err(Failure::from)?;
        let mut walked = Walked::default();
        walked.ledger.counts.resolved = null_keys;
        walked.ledger.suppress("null_key", null_keys);
        let done = walk.run(Some(layer), Some(publication.as_mut()), |_| {}, &mut walked).await;
        *ledger = walked.ledger;
        done?;
        if ledger.duplicates > 0 {
            tracing::warn!(rows = ledger.duplicates, "rows with the key of another were left out");
        }
        self.plan.check_sources().await?;
        let account = Account { delivered: ledger.sent(), ..ledger.counts };
        let sealed = publication.seal(account).await.map_err(Failure::from)?;
        Ok((sealed, walked.members))
    }
}

/// Leaves nothing of a publish that stopped.
async fn discarded(destination: &dyn Destination, ticket: &Ticket, stopped: Stopped) -> Stopped {
    if let Err(error) = destination.discard(ticket).await {
        tracing::warn!(%error, "what the publish staged could not be removed");
    }
    stopped
}
