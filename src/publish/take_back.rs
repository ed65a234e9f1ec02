//! Taking members back from a target that shows them one by one.

use std::sync::Arc;

use herald_destinations::contract::{Batch, Changes, Destination, ErrorKind, Mode, Publication, PublishContext};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Publisher, Receipt, code,
    outgoing::{Filler, Halves, Outgoing},
    removal::stopped,
    sender::HOPELESS,
    standing::Standing,
    work,
};
use crate::config::Activation;

/// A teardown's removals under way.
struct Removal {
    publication: Box<dyn Publication>,
    events: bool,
    /// Whether the target names the rows that it refuses.
    names: bool,
    /// Whether the target took anything.
    any: bool,
    refused: u64,
    cancel: CancellationToken,
}

impl Publisher {
    /// Removes every member that a snapshot holds, those who are perhaps there too. Removals may be repeated, so that
    /// one that stopped halfway begins again.
    pub(super) async fn take_back(
        &self,
        activation: &Activation,
        pointer: serde_json::Value,
        destination: &dyn Destination,
        (receipt, cancel): (&mut Receipt, &CancellationToken),
    ) -> Result<(), Failure> {
        let standing: Standing = serde_json::from_value(pointer).map_err(code::internal)?;
        let removed = self.remove_all(activation, receipt, &standing, (destination, cancel)).await;
        receipt.counts.owed = receipt.counts.removed - receipt.counts.delivered - receipt.counts.rejected;
        removed?;
        match receipt.counts.rejected {
            0 => Ok(()),
            refused => Err(Failure {
                code: "target_refused".into(),
                message: format!("the target refused to remove {refused} members"),
                remedy: "look at the target's reason, then delete again: removals may be repeated".into(),
                retryable: true,
            }),
        }
    }

    async fn remove_all(
        &self,
        activation: &Activation,
        receipt: &mut Receipt,
        standing: &Standing,
        (destination, cancel): (&dyn Destination, &CancellationToken),
    ) -> Result<(), Failure> {
        let snapshot = self.snapshots()?.open(&activation.name, &standing.pointer)?;
        receipt.counts.removed += snapshot.members();
        let codec = standing.codec()?;
        let context = PublishContext {
            publish: receipt.id,
            sequence: receipt.sequence,
            previous: standing.sequence,
            activation: receipt.activation.clone(),
            segment: receipt.segment.clone(),
            mode: Mode::Incremental,
            started_at: receipt.started_at.unwrap_or(receipt.queued_at),
            schema: standing.schema(),
            member_type: codec.member_type(),
            files: activation.files.clone(),
            cancel: cancel.clone(),
        };
        let capabilities = destination.capabilities();
        let publication = destination.begin(&context).await?;
        let names = capabilities.names_rejected_rows;
        let mut removal = Removal {
            publication,
            events: capabilities.change_events,
            names,
            any: false,
            refused: 0,
            cancel: cancel.clone(),
        };
        let mut filler = Filler::new(capabilities.max_rows);
        let schema = standing.schema();
        for partition in 0..standing.pointer.partitions as usize {
            let Some(held) = snapshot.partition(partition, standing.pointer.partitions)? else { continue };
            let outgoing = work::removal(&codec, &schema, Arc::clone(held.keys())).map_err(code::internal)?;
            for full in filler.push(outgoing).map_err(code::internal)? {
                removal.remove(full, receipt).await?;
            }
        }
        for rest in filler.finish().map_err(code::internal)? {
            removal.remove(rest, receipt).await?;
        }
        let ticket = removal.publication.seal(receipt.counts).await?;
        destination.commit(&ticket).await?;
        Ok(())
    }
}

impl Removal {
    /// Removes members, and counts them.
    async fn remove(&mut self, outgoing: Outgoing, receipt: &mut Receipt) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(stopped());
        }
        let batch = Batch { changes: self.events.then_some(Changes::None), ..outgoing.batch };
        let mut halves = Halves::of(batch.rows.num_rows());
        let mut refused = 0;
        while let Some((from, rows)) = halves.next() {
            match self.publication.write(batch.slice(from, rows)).await {
                Ok(rejections) => {
                    self.any |= rejections.len() < rows;
                    refused += rejections.len() as u64;
                }
                Err(error) if error.kind() == ErrorKind::Refused && !self.names => match rows {
                    // It is not the members, but the request.
                    1 if self.refused + refused >= HOPELESS && !self.any => return Err(error.into()),
                    1 => refused += 1,
                    _ => halves.split(from, rows),
                },
                Err(error) => return Err(error.into()),
            }
        }
        self.refused += refused;
        receipt.counts.rejected += refused;
        receipt.counts.delivered += batch.rows.num_rows() as u64 - refused;
        // At once: whatever stops the rest, the reasons add up to the count.
        if refused > 0 {
            *receipt.rejected_by.entry("refused".into()).or_default() += refused;
        }
        Ok(())
    }
}
