//! The phases of one publish.

use std::{path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use herald_destinations::contract::{Destination, PublishContext, Retries, Ticket, Visibility};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Event, Failure, Ledger, Phase, Progress, PublishError, Publisher, Receipt, Status,
    before::Before,
    code, crash,
    delivery::{Stopped, Walk},
    pending::{Pending, account},
    work::{How, Named, Work},
};
use crate::{
    config::{Activation, SendOps, Target},
    resolve::{PublishPlan, Spooled},
    snapshot::{MemberKeys, identities},
    state::Looked,
    telemetry::spans,
};

/// A publish under way.
pub(super) struct Run<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) activation: &'a Activation,
    pub(super) target: &'a Target,
    /// Whether everything anew was asked for by name.
    pub(super) full: bool,
    pub(super) plan: PublishPlan,
    /// When its tables' files were listed.
    pub(super) planned_at: DateTime<Utc>,
    /// Who is to be looked at.
    pub(super) looks: Looks,
    /// The only members to look at, once that is known; `None`: all.
    pub(super) members: Option<MemberKeys>,
    pub(super) retries: Retries,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
}

/// Who is to be looked at, by their keys.
#[derive(Debug)]
pub(super) enum Looks {
    /// All members.
    Everybody,
    /// These alone.
    Named(MemberKeys),
    /// Those whose rows were touched, and these.
    Touched(MemberKeys),
}

impl Run<'_> {
    /// Runs a publish that is on record, and ends it on record.
    pub(super) async fn record(mut self, mut receipt: Receipt) -> Result<Receipt, PublishError> {
        let spool = self.publisher.spool_dir(receipt.id);
        let mut ledger = Ledger::default();
        crash::point(crash::QUEUED).await;
        let ended = self.go(&mut receipt, &mut ledger, &spool).await;
        let _ = std::fs::remove_dir_all(&spool);
        receipt.finished_at = Some(chrono::Utc::now());
        receipt.attempts = self.retries.tally().most_tries().max(1);
        for (kind, times) in self.retries.tally().repeats() {
            let (target, reason) = (&*receipt.target, kind.as_str());
            self.publisher.state.observers().tell(&Event::Retried { target, reason, times });
        }
        let (status, failure) = match ended {
            Ok(pending) => {
                if let Some(failure) = &receipt.error {
                    report(failure);
                }
                tracing::debug!("the target has it");
                self.publisher.acknowledge(&receipt, pending).await?;
                return Ok(receipt);
            }
            // It stays in flight on record, with its ticket.
            Err(Stopped::Unsettled(failure)) => {
                tracing::error!(
                    code = failure.code,
                    error = failure.message,
                    "stopped; what is at the target is settled by the next publish"
                );
                account(&mut receipt, &ledger);
                receipt.status = status_of(&failure);
                receipt.fail(failure);
                return Ok(receipt);
            }
            Err(Stopped::Blocked(failure)) => (Status::Blocked, failure),
            Err(Stopped::Failed(failure)) => (status_of(&failure), failure),
        };
        report(&failure);
        self.publisher.fail(&mut receipt, &ledger, status, failure).await?;
        Ok(receipt)
    }

    async fn go(&mut self, receipt: &mut Receipt, ledger: &mut Ledger, spool: &Path) -> Result<Pending, Stopped> {
        let span = spans::resolve();
        let resolved = Box::pin(self.resolve(receipt, spool)).instrument(span.clone()).await;
        match &resolved {
            Ok((_, spooled, _)) => spans::number(&span, "herald.rows", spooled.rows()),
            Err(stopped) => stopped.tell(&span),
        }
        // It ends here, not with the publish.
        drop(span);
        let (before, spooled, (destination, context)) = resolved?;
        match destination.capabilities().visibility {
            Visibility::AtCommit => self.stage(receipt, ledger, before, spooled, (destination, context)).await,
            Visibility::AtWrite => self.send(receipt, ledger, before, spooled, (destination, context)).await,
        }
    }

    /// Reads what is to be published, and what stands.
    async fn resolve(
        &mut self,
        receipt: &mut Receipt,
        spool: &Path,
    ) -> Result<(Before, Spooled, (Arc<dyn Destination>, PublishContext)), Stopped> {
        self.members = match &self.looks {
            Looks::Everybody => None,
            Looks::Named(members) => Some(members.clone()),
            Looks::Touched(also) => self.touched(also).await?,
        };
        tracing::debug!(members = self.members.as_ref().map(MemberKeys::len), "whom to look at is known");
        let mut before = self.before(receipt.mode).await?;
        before.watermarks = self.watermarks(&before).await?;
        let destination = self.target.config.connect(self.retries.clone()).await.map_err(Failure::from)?;
        let mut context = self.context(receipt, &before);
        if before.standing.is_none() {
            self.past_lost_state(destination.as_ref(), &mut context, receipt).await?;
        }
        tracing::debug!(buckets = before.buckets, "what stands is known");
        let spooled = self.spool(spool, before.buckets).await?;
        tracing::debug!(rows = spooled.rows(), "the sources are read");
        crash::point(crash::SPOOLED).await;
        Ok((before, spooled, (destination, context)))
    }

    /// Reads all sources to disk.
    pub(super) async fn spool(&self, folder: &Path, buckets: u32) -> Result<Spooled, Failure> {
        std::fs::create_dir_all(folder).map_err(|error| code::disk(&error, "make the spool's folder"))?;
        let keys = self.publisher.snapshots()?.keys();
        match &self.members {
            None => self.plan.spool(folder, buckets, keys, self.cancel).await,
            Some(members) => self.plan.narrowed(members).spool(folder, buckets, keys, self.cancel).await,
        }
    }

    /// What the buckets of the publish share.
    pub(super) fn work(
        &self,
        sequence: u64,
        before: &mut Before,
        spooled: Spooled,
        how: How,
    ) -> Result<Arc<Work>, Failure> {
        let keys = self.publisher.snapshots()?.keys().clone();
        let asked_for = matches!(self.looks, Looks::Named(_));
        let named = self.members.clone().map(|members| Named::new(members, asked_for, &keys, before.buckets));
        // Everything again is everything, and the leavers too.
        let send = match how {
            How::AtOnce { again: true, .. } => SendOps { add: true, update: true, remove: true },
            _ => self.activation.send,
        };
        Ok(Arc::new(Work {
            spooled,
            named,
            snapshot: before.snapshot.take(),
            codec: self.plan.codec().clone(),
            schema: Arc::clone(self.plan.schema()),
            how,
            send,
            sequence: u32::try_from(sequence).unwrap_or(u32::MAX),
            keys,
        }))
    }

    /// A walk over the buckets that guards may stop.
    pub(super) fn walk(&self, work: &Arc<Work>, held: Option<u64>, enforce: bool) -> Walk<'_> {
        Walk {
            work: Arc::clone(work),
            guards: &self.activation.guards,
            hides_guards: self.publisher.config.places.hidden(&format!("activations.{}.guards", self.activation.name)),
            held,
            enforce,
            progress: self.progress,
            cancel: self.cancel,
            threads: self.publisher.threads,
        }
    }

    /// Begins the delivery on record: after a crash the next process finds what was left by the ticket.
    pub(super) async fn put(
        &self,
        receipt: &Receipt,
        ticket: &Ticket,
        pending: Option<&Pending>,
    ) -> Result<(), Failure> {
        let pending = pending.map_or(Ok(serde_json::Value::Null), serde_json::to_value).map_err(code::internal)?;
        Ok(self.publisher.state.put_ticket(receipt.id, ticket, &pending).await?)
    }

    /// Whose dead letters the publish settles.
    pub(super) fn looked(&self) -> Result<Looked, Failure> {
        let Some(members) = &self.members else { return Ok(Looked::AtAll) };
        let hashes = identities(members.keys(), self.publisher.snapshots()?.keys()).map_err(code::internal)?;
        Ok(Looked::At(hashes.iter().flatten().map(<[u8]>::to_vec).collect()))
    }

    pub(super) fn begins(&self, rows: u64) {
        self.progress.phase(Phase::Delivering, Some(rows));
    }
}

/// How a publish ends that failed so.
pub(super) fn status_of(failure: &Failure) -> Status {
    match failure.code.as_str() {
        code::INTERRUPTED => Status::Cancelled,
        code::SNAPSHOT_MISSING => Status::Blocked,
        _ => Status::Failed,
    }
}

fn report(failure: &Failure) {
    tracing::error!(code = failure.code, error = failure.message, remedy = failure.remedy, "publish stopped");
}

/// Leaves nothing of a publish that stopped. Where that fails and may pass, it stays in flight with its ticket, and
/// the next publish, or the service, clears it away.
pub(super) async fn discarded(destination: &dyn Destination, ticket: &Ticket, stopped: Stopped) -> Stopped {
    match (destination.discard(ticket).await, stopped) {
        (Ok(()), stopped) => stopped,
        (Err(error), Stopped::Failed(failure)) if error.kind().passes() => Stopped::Unsettled(failure),
        (Err(error), stopped) => {
            tracing::warn!(%error, "what the publish staged could not be removed");
            stopped
        }
    }
}
