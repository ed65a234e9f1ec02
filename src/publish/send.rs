//! Delivery to targets that show members as they arrive.
//!
//! ```text
//! compare everything ─▶ guards ─▶ store what is about to be sent ─▶ send batch by batch ─▶ settle ─▶ acknowledge
//!                                 (the file `sending`)              (begun, answered: on record)
//! ```
//!
//! Before a batch leaves, it is on record that it may have arrived; after it was answered, what the target said. So
//! at any instant it is known of every record whether the target has it, refused it, has it perhaps, or never saw it,
//! and a crash loses nothing of that.

use std::sync::Arc;

use herald_destinations::contract::{Destination, Mode, PublishContext};
use tracing::Instrument;

use super::{
    Failure, Ledger, Phase, Publisher, Receipt, Status,
    before::Before,
    code, crash,
    delivery::{Stopped, Walked, share_again},
    ledger::conserve,
    outgoing::Filler,
    pending::{Pending, fill},
    run::{Run, discarded, status_of},
    sender::Sender,
    standing::Standing,
    work::{How, Work},
};
use crate::{
    resolve::Spooled,
    snapshot::{Answers, Columns, Layer, Pointer, Snapshot},
    state::Looked,
    telemetry::spans,
};

impl Run<'_> {
    /// Sends what was resolved.
    pub(super) async fn send(
        &self,
        receipt: &mut Receipt,
        ledger: &mut Ledger,
        mut before: Before,
        spooled: Spooled,
        (destination, context): (Arc<dyn Destination>, PublishContext),
    ) -> Result<Pending, Stopped> {
        let destination = destination.as_ref();
        let events = destination.capabilities().change_events;
        let pointer = self.pointer(receipt, &mut before)?;
        let watermarks = std::mem::take(&mut before.watermarks);
        let held = before.snapshot.as_ref().map(Snapshot::members);
        let store = self.publisher.snapshots()?;
        let gone = events.then(|| store.gone(&receipt.activation, &pointer)).transpose()?;
        let how = How::AtOnce { again: receipt.mode == Mode::Full, gone };
        let work = self.work(receipt.sequence, &mut before, spooled, how)?;

        let span = spans::delta();
        let compared = self.compare(receipt, ledger, &work, held, events).instrument(span.clone()).await;
        spans::number(&span, "herald.changes", ledger.sent());
        if let Err(stopped) = &compared {
            stopped.tell(&span);
        }
        drop(span);
        let sending = compared?;
        self.plan.check_sources().await?;
        // Only what is sent whole has been read.
        let before = before.standing.map(|standing| standing.watermarks.of_plan(&self.plan)).unwrap_or_default();
        let standing = Standing::new(self.activation, &self.plan, pointer, Some(receipt.sequence), before);
        fill(receipt, ledger);
        receipt.counts.owed = ledger.sent();
        let identity = self.publisher.identity(self.activation, self.target);
        let mut pending = Pending {
            receipt: receipt.clone(),
            identity,
            standing,
            sending: Some(sending),
            looked: self.looked()?,
            watermarks: Some(watermarks),
        };
        let ticket = destination.ticket(&context);
        self.put(receipt, &ticket, Some(&pending)).await?;
        crash::point(crash::SENDING_STORED).await;

        self.begins(ledger.sent());
        // From here on what was answered stands on record, and whatever fails, the next publish settles by it.
        let span = spans::deliver();
        spans::number(&span, "herald.sent", ledger.sent());
        let sent = self.send_all(receipt, &work, destination, &context).instrument(span.clone()).await;
        if let Err(failure) | Ok((_, Some(failure))) = &sent {
            spans::failed(&span, &failure.code);
        }
        drop(span);
        let (answers, stopped) = sent.map_err(Stopped::Unsettled)?;
        drop(work);
        if let Some(failure) = &stopped
            && answers == Answers::default()
        {
            return Err(discarded(destination, &ticket, failure.clone().into()).await);
        }
        crash::point(crash::ALL_SENT).await;
        self.progress.phase(Phase::Committing, None);
        let settle = || self.publisher.settle_sent(receipt, &mut pending, &answers, stopped);
        let settled = spans::commit().in_scope(settle);
        settled.map_err(Stopped::Unsettled)?;
        crash::point(crash::SETTLED).await;
        Ok(pending)
    }

    /// What the snapshot stands on, in as many partitions as there are buckets.
    fn pointer(&self, receipt: &Receipt, before: &mut Before) -> Result<Pointer, Failure> {
        let store = self.publisher.snapshots()?;
        let Some(standing) = &before.standing else { return Ok(store.empty(before.buckets)) };
        if standing.pointer.partitions == before.buckets {
            return Ok(standing.pointer.clone());
        }
        let pointer = store.compact(&receipt.activation, receipt.id, &standing.pointer, before.buckets)?;
        before.snapshot = Some(store.open(&receipt.activation, &pointer)?);
        Ok(pointer)
    }

    /// Compares everything, lets the guards judge it, and writes what is about to be sent.
    async fn compare(
        &self,
        receipt: &Receipt,
        ledger: &mut Ledger,
        work: &Arc<Work>,
        held: Option<u64>,
        events: bool,
    ) -> Result<Layer, Stopped> {
        let columns = Columns { key: self.plan.codec().stored_type(), fields: events, sent: true };
        let mut layer = self.publisher.snapshots()?.layer(&receipt.activation, receipt.id, "sending", &columns)?;
        let mut walked = Walked::over(&work.spooled);
        let walk = self.walk(work, held, receipt.override_reason.is_none());
        let done = walk.run(Some(&mut layer), None, |_| {}, &mut walked).await;
        *ledger = walked.ledger;
        done?;
        ledger.report_duplicates();
        Ok(layer.finish()?)
    }

    /// Sends every record; what the target answered, and why it stopped if it did.
    async fn send_all(
        &self,
        receipt: &mut Receipt,
        work: &Arc<Work>,
        destination: &dyn Destination,
        context: &PublishContext,
    ) -> Result<(Answers, Option<Failure>), Failure> {
        let publication = match destination.begin(context).await {
            Ok(publication) => publication,
            Err(error) => return Ok((Answers::default(), Some(error.into()))),
        };
        crash::point(crash::BEGUN).await;
        let mut sender = Sender::new(self, receipt, publication, destination.capabilities()).await?;
        let sent = self.send_buckets(&mut sender, work, destination).await;
        let (answers, rejected_by) = sender.finish(receipt, sent.is_ok()).await?;
        receipt.rejected_by = rejected_by;
        Ok((answers, sent.err()))
    }

    async fn send_buckets(
        &self,
        sender: &mut Sender<'_>,
        work: &Arc<Work>,
        destination: &dyn Destination,
    ) -> Result<(), Failure> {
        let mut filler = Filler::new(destination.capabilities().max_rows);
        for bucket in 0..work.spooled.buckets() as usize {
            if self.cancel.is_cancelled() {
                return Err(code::interrupted());
            }
            for outgoing in share_again(work, bucket).await?.batches {
                for full in filler.push(outgoing).map_err(code::internal)? {
                    sender.send(full).await?;
                }
            }
        }
        for rest in filler.finish().map_err(code::internal)? {
            sender.send(rest).await?;
        }
        Ok(())
    }
}

impl Publisher {
    /// Takes the target's answers into the snapshot and the receipt. `stopped`: why not everything was sent.
    pub(super) fn settle_sent(
        &self,
        receipt: &mut Receipt,
        pending: &mut Pending,
        answers: &Answers,
        stopped: Option<Failure>,
    ) -> Result<(), Failure> {
        let store = self.snapshots()?;
        let missing = || code::internal("what was about to be sent is not on record");
        let sending = pending.sending.as_ref().ok_or_else(missing)?;
        let publish = (receipt.activation.as_str(), receipt.id);
        let settled = store.settle(publish, &pending.standing.pointer, sending, answers, chrono::Utc::now())?;
        let some = matches!(pending.looked, Looked::At(_));
        pending.standing.pointer = store.tidy(&receipt.activation, receipt.id, settled.pointer, some)?;
        if let Some(watermarks) = pending.watermarks.take().filter(|_| stopped.is_none()) {
            pending.standing.watermarks = watermarks;
        }
        receipt.counts.delivered = settled.delivered;
        receipt.counts.rejected = settled.rejected;
        receipt.counts.owed = settled.owed;
        receipt.status = match &stopped {
            Some(failure) => status_of(failure),
            None if settled.rejected > 0 => Status::Partial,
            None => Status::Succeeded,
        };
        if stopped.is_none() && settled.owed > 0 {
            return Err(code::internal(format!("{} records were neither answered nor owed", settled.owed)));
        }
        receipt.error = stopped;
        conserve(&receipt.counts, &receipt.suppressed_by, receipt.status)?;
        let reasons: u64 = receipt.rejected_by.values().sum();
        if reasons != receipt.counts.rejected {
            return Err(code::internal(format!(
                "{} records rejected, {reasons} with a reason",
                receipt.counts.rejected
            )));
        }
        Ok(())
    }
}
