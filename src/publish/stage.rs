//! Delivery to targets that show nothing before the commit: everything is staged, then revealed.

use std::sync::Arc;

use herald_destinations::contract::{Account, Destination, PublishContext, Ticket};
use tracing::Instrument;

use super::{
    Ledger, Phase, Receipt,
    before::Before,
    crash,
    delivery::{Stopped, Walk, Walked},
    pending::{Pending, commit},
    run::{Run, discarded},
    work::How,
};
use crate::{
    publish::Failure,
    resolve::Spooled,
    snapshot::{Columns, LayerWriter, Snapshot},
    telemetry::spans,
};

impl Run<'_> {
    /// Stages what was resolved, and commits it.
    pub(super) async fn stage(
        &self,
        receipt: &mut Receipt,
        ledger: &mut Ledger,
        mut before: Before,
        spooled: Spooled,
        (destination, context): (Arc<dyn Destination>, PublishContext),
    ) -> Result<Pending, Stopped> {
        let destination = destination.as_ref();
        let rebase = before.rebases(receipt.mode);
        let held = before.snapshot.as_ref().map(Snapshot::members);
        let how = How::new(receipt.mode, rebase);
        let base = if matches!(how, How::Whole) { 0 } else { held.unwrap_or(0) };
        let work = self.work(receipt.sequence, &mut before, spooled, how)?;
        let name = if rebase { "base" } else { "layer" };
        let columns = Columns::of(self.plan.codec().stored_type());
        let mut layer = self.publisher.snapshots()?.layer(&receipt.activation, receipt.id, name, &columns)?;

        let ticket = destination.ticket(&context);
        self.put(receipt, &ticket, None).await?;
        crash::point(crash::TICKET_STORED).await;
        self.begins(work.spooled.rows());
        let walk = self.walk(&work, held, receipt.override_reason.is_none());
        let span = spans::deliver();
        let delivered = self.deliver(destination, &context, walk, &mut layer, ledger).instrument(span.clone()).await;
        spans::number(&span, "herald.sent", ledger.sent());
        let (sealed, gained) = match delivered {
            Ok(sealed) => sealed,
            Err(stopped) => {
                stopped.tell(&span);
                return Err(discarded(destination, &ticket, stopped).await);
            }
        };
        drop(span);
        crash::point(crash::SEALED).await;
        drop(work);
        let sequence = before.standing.as_ref().and_then(|standing| standing.sequence);
        let watermarks = std::mem::take(&mut before.watermarks);
        let standing = before.standing.filter(|_| !rebase).ok_or(before.buckets);
        let pending = layer.finish().and_then(|layer| {
            let gains = (layer, base.saturating_add_signed(gained));
            self.pending(receipt.clone(), ledger, standing, (sequence, watermarks), gains)
        });
        let pending = match pending {
            Ok(pending) => pending,
            Err(failure) => return Err(discarded(destination, &ticket, failure.into()).await),
        };
        if let Err(failure) = self.put(receipt, &sealed, Some(&pending)).await {
            return Err(discarded(destination, &ticket, failure.into()).await);
        }
        crash::point(crash::SEAL_STORED).await;
        self.progress.phase(Phase::Committing, None);
        let span = spans::commit();
        let committed = commit(destination, &sealed, receipt, &pending).instrument(span.clone()).await;
        if let Err(failure) = &committed {
            spans::failed(&span, &failure.code);
        }
        drop(span);
        match committed {
            Ok(()) => {
                crash::point(crash::COMMITTED).await;
                Ok(pending)
            }
            Err(failure) if failure.retryable => Err(Stopped::Unsettled(failure)),
            Err(failure) => Err(discarded(destination, &sealed, failure.into()).await),
        }
    }

    async fn deliver(
        &self,
        destination: &dyn Destination,
        context: &PublishContext,
        walk: Walk<'_>,
        layer: &mut LayerWriter,
        ledger: &mut Ledger,
    ) -> Result<(Ticket, i64), Stopped> {
        let mut publication = destination.begin(context).await.map_err(Failure::from)?;
        crash::point(crash::BEGUN).await;
        let mut walked = Walked::over(&walk.work.spooled);
        let done = walk.run(Some(layer), Some(publication.as_mut()), |_| {}, &mut walked).await;
        *ledger = walked.ledger;
        done?;
        ledger.report_duplicates();
        self.plan.check_sources().await?;
        let account = Account { delivered: ledger.sent(), ..ledger.counts };
        let sealed = publication.seal(account).await.map_err(Failure::from)?;
        Ok((sealed, walked.gained))
    }
}
