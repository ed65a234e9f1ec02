//! The phases of one publish.

use std::{path::Path, sync::Arc};

use herald_destinations::contract::{Account, Destination, Mode, PublishContext, Ticket};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Ledger, Phase, Progress, PublishError, Publisher, Receipt, Status, code,
    delivery::{Stopped, Walk, Walked},
    ledger::conserve,
    standing::{Standing, notes, same_types},
    work::Work,
};
use crate::{
    config::{Activation, Target},
    resolve::PublishPlan,
    snapshot::{LayerWriter, Pointer, Snapshot},
    state::SnapshotRow,
};

/// What is stored with a sealed ticket: another process can end the publish with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The receipt as it will be, but for what only the commit tells.
    pub(super) receipt: Receipt,
    /// What the snapshot is bound to.
    pub(super) identity: String,
    /// What stands after the publish.
    pub(super) standing: Standing,
}

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

/// What a publish starts from.
pub(super) struct Before {
    pub(super) standing: Option<Standing>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) buckets: u32,
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
}

impl Publisher {
    /// Puts the end of a publish that did not succeed on record.
    pub(super) async fn fail(
        &self,
        receipt: &mut Receipt,
        ledger: &Ledger,
        status: Status,
        failure: Failure,
    ) -> Result<(), Failure> {
        fill(receipt, ledger);
        // A delta that was cut short accounts for nothing; only a whole one is owed.
        if conserve(&Account { owed: ledger.sent(), ..receipt.counts }, &receipt.suppressed_by, status).is_ok() {
            receipt.counts.owed = ledger.sent();
        } else {
            fill(receipt, &Ledger::default());
        }
        receipt.status = status;
        receipt.error = Some(failure);
        Ok(self.state.finish(receipt).await?)
    }

    /// Receipt and snapshot, in one transaction; then what they replaced is swept away.
    pub(super) async fn acknowledge(&self, receipt: &Receipt, pending: Pending) -> Result<(), Failure> {
        let row = SnapshotRow {
            activation: receipt.activation.clone(),
            identity: pending.identity,
            pointer: serde_json::to_value(&pending.standing).map_err(code::internal)?,
            rows: pending.standing.pointer.members,
            publish: receipt.id,
        };
        self.state.acknowledge(receipt, Some(&row)).await?;
        self.snapshots()?.sweep(&receipt.activation, &[&pending.standing.pointer])
    }
}

impl Run<'_> {
    async fn go(&self, receipt: &mut Receipt, ledger: &mut Ledger, spool: &Path) -> Result<Pending, Stopped> {
        let plan = &self.plan;
        let before = self.before(receipt.mode).await?;
        if let Some(standing) = before.standing.as_ref().filter(|_| receipt.mode == Mode::Incremental) {
            same_types(&standing.fields, &notes(self.activation, plan.schema()))?;
        }
        let destination = self.publisher.connect(self.activation, self.target).await?;
        let mut context = self.context(receipt, &before);
        if before.standing.is_none() {
            self.past_lost_state(destination.as_ref(), &mut context, receipt).await?;
        }
        let spooled = self.spool(spool, before.buckets).await?;
        let null_keys = spooled.null_keys();
        let rebase = receipt.mode == Mode::Full
            || before.standing.as_ref().is_none_or(|standing| standing.pointer.partitions != before.buckets);
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
        let pending = self.pending(receipt, ledger, before.standing, layer, before.buckets, rebase, members);
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

    /// What the last acknowledged publish left.
    pub(super) async fn before(&self, mode: Mode) -> Result<Before, Failure> {
        let (publisher, plan) = (self.publisher, &self.plan);
        let row = publisher.state.snapshot(&self.activation.name).await?;
        // Another place, or another table: what is held there says nothing of this one.
        let row = row.filter(|row| row.identity == publisher.identity(self.activation, self.target));
        let standing: Option<Standing> =
            row.map(|row| serde_json::from_value(row.pointer)).transpose().map_err(|error| Failure {
                code: code::SNAPSHOT_UNREADABLE.into(),
                message: format!("the snapshot's pointer can't be read: {error}"),
                remedy: "publish with `--full`".into(),
                retryable: false,
            })?;
        let wanted = plan.buckets().await?;
        let Some(standing) = standing else { return Ok(Before { standing: None, snapshot: None, buckets: wanted }) };
        let snapshot = publisher.snapshots()?.open(&self.activation.name, &standing.pointer)?;
        let same_keys = snapshot.key_type().is_none_or(|held| held == plan.codec().stored_type());
        if !same_keys && mode == Mode::Incremental {
            return Err(Failure {
                code: code::SCHEMA_CHANGED.into(),
                message: "the key of the segment's table has another type than the snapshot's".into(),
                remedy: "put the source's type back; `--full` publishes everything anew with the new type".into(),
                retryable: false,
            });
        }
        // A snapshot is split further only when it is worth writing it anew.
        let partitions = standing.pointer.partitions;
        let buckets =
            if wanted >= partitions * 4 || (mode == Mode::Full && wanted > partitions) { wanted } else { partitions };
        Ok(Before { standing: Some(standing), snapshot: same_keys.then_some(snapshot), buckets })
    }

    pub(super) async fn spool(&self, folder: &Path, buckets: u32) -> Result<crate::resolve::Spooled, Failure> {
        std::fs::create_dir_all(folder).map_err(|error| code::disk(&error, "make the spool's folder"))?;
        self.plan.spool(folder, buckets, self.publisher.snapshots()?.keys(), self.cancel).await
    }

    fn context(&self, receipt: &Receipt, before: &Before) -> PublishContext {
        PublishContext {
            publish: receipt.id,
            sequence: receipt.sequence,
            previous: before.standing.as_ref().and_then(|standing| standing.sequence),
            activation: receipt.activation.clone(),
            segment: receipt.segment.clone(),
            mode: receipt.mode,
            started_at: receipt.started_at.unwrap_or(receipt.queued_at),
            schema: Arc::clone(self.plan.schema()),
            member_type: self.plan.member_type(),
            files: self.activation.files.clone(),
            cancel: self.cancel.clone(),
        }
    }

    /// A target that holds publishes of an activation that has no record of any: its state was lost. Publishing the
    /// changes since nothing would add everybody again and forget every removal, so that only a full publish may go
    /// on, and with a sequence past all that consumers have seen.
    async fn past_lost_state(
        &self,
        destination: &dyn Destination,
        context: &mut PublishContext,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        if self.publisher.state.last_good(&self.activation.name).await?.is_some() {
            return Ok(());
        }
        let manifests = destination.manifests(context).await?;
        let Some(last) = manifests.iter().map(|manifest| manifest.sequence).max() else { return Ok(()) };
        if !self.full {
            return Err(Failure {
                code: code::SNAPSHOT_MISSING.into(),
                message: format!(
                    "the target holds publishes of `{}` up to number {last}, and there is no snapshot",
                    context.activation
                ),
                remedy: "restore the data folder, or publish once with `--full`".into(),
                retryable: false,
            });
        }
        if receipt.sequence <= last {
            self.publisher.state.renumber(receipt, last).await?;
            context.sequence = receipt.sequence;
        }
        context.previous = Some(last);
        Ok(())
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

    #[expect(clippy::too_many_arguments, reason = "all that a publish leaves behind")]
    fn pending(
        &self,
        receipt: &Receipt,
        ledger: &Ledger,
        standing: Option<Standing>,
        layer: LayerWriter,
        buckets: u32,
        rebase: bool,
        members: u64,
    ) -> Result<Pending, Failure> {
        let store = self.publisher.snapshots()?;
        let layer = layer.finish()?;
        // An incremental publish without changes writes nothing that a consumer could wait for.
        let sequence = match receipt.mode {
            Mode::Incremental if ledger.sent() == 0 => standing.as_ref().and_then(|standing| standing.sequence),
            _ => Some(receipt.sequence),
        };
        let pointer = match standing.filter(|_| !rebase) {
            None => Pointer { layers: vec![layer], members, ..store.empty(buckets) },
            Some(standing) => {
                let mut pointer = standing.pointer;
                pointer.layers.push(layer);
                pointer.members = members;
                if pointer.wants_compaction() {
                    store.compact(&receipt.activation, receipt.id, &pointer, &self.plan.codec().stored_type())?
                } else {
                    pointer
                }
            }
        };
        let mut receipt = receipt.clone();
        fill(&mut receipt, ledger);
        receipt.counts.delivered = ledger.sent();
        receipt.status = Status::Succeeded;
        conserve(&receipt.counts, &receipt.suppressed_by, receipt.status)?;
        let standing = Standing { pointer, fields: notes(self.activation, self.plan.schema()), sequence };
        Ok(Pending { receipt, identity: self.publisher.identity(self.activation, self.target), standing })
    }
}

/// Commits a sealed ticket; the receipt becomes what was pending, with what stands at the target.
pub(super) async fn commit(
    destination: &dyn Destination,
    sealed: &Ticket,
    receipt: &mut Receipt,
    pending: &Pending,
) -> Result<(), Failure> {
    let delivered = destination.commit(sealed).await?;
    *receipt = pending.receipt.clone();
    receipt.bytes = delivered.files.iter().map(|file| file.bytes).sum();
    receipt.files = delivered.files;
    receipt.extras = delivered.extras;
    Ok(())
}

/// Leaves nothing of a publish that stopped.
async fn discarded(destination: &dyn Destination, ticket: &Ticket, stopped: Stopped) -> Stopped {
    if let Err(error) = destination.discard(ticket).await {
        tracing::warn!(%error, "what the publish staged could not be removed");
    }
    stopped
}

fn fill(receipt: &mut Receipt, ledger: &Ledger) {
    receipt.counts = ledger.counts;
    receipt.withheld.clone_from(&ledger.withheld);
    receipt.suppressed_by.clone_from(&ledger.suppressed_by);
}
