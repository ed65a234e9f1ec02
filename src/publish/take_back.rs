//! Taking members back from a target that shows them one by one.

use arrow::{array::Array, compute::concat};
use herald_destinations::contract::{
    Account, Batch, Changes, Destination, ErrorKind, Mode, Op, Publication, PublishContext,
};
use tokio_util::sync::CancellationToken;

use super::{Failure, Publisher, Receipt, code, standing::Standing, work::empty_records};
use crate::config::{Activation, Target};

/// Members of a batch where the target has no limit of its own.
const ROWS: usize = 8192;

/// Members refused alone, with none accepted, after which it is not the members.
const HOPELESS: u64 = 16;

/// A teardown's removals under way.
struct Removal<'a> {
    publication: Box<dyn Publication>,
    standing: &'a Standing,
    events: bool,
    /// Whether the target names the rows that it refuses.
    names: bool,
    /// Whether the target took anything.
    any: bool,
    refused: u64,
}

impl Publisher {
    /// Removes every member that the snapshot holds, those who are perhaps there too. Removals may be repeated, so that
    /// one that stopped halfway begins again.
    pub(super) async fn take_back(
        &self,
        activation: &Activation,
        target: &Target,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        let Some(row) = self.state.snapshot(&activation.name).await? else { return Ok(()) };
        if row.identity != self.identity(activation, target) {
            return Err(Failure {
                code: "target_missing".into(),
                message: "the members were published to another place, which the config does not name any more".into(),
                remedy: "put the former target back and delete again, or delete with `--keep`".into(),
                retryable: false,
            });
        }
        let standing: Standing = serde_json::from_value(row.pointer).map_err(code::internal)?;
        let destination = self.connect(activation, target).await?;
        let removed = self.remove_all(activation, receipt, &standing, destination.as_ref()).await;
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
        destination: &dyn Destination,
    ) -> Result<(), Failure> {
        let snapshot = self.snapshots()?.open(&activation.name, &standing.pointer)?;
        receipt.counts.removed = snapshot.members();
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
            cancel: CancellationToken::new(),
        };
        let capabilities = destination.capabilities();
        let most = capabilities.max_rows.unwrap_or(ROWS).max(1);
        let publication = destination.begin(&context).await?;
        let events = capabilities.change_events;
        let names = capabilities.names_rejected_rows;
        let mut removal = Removal { publication, standing, events, names, any: false, refused: 0 };
        let mut waiting: Vec<arrow::array::ArrayRef> = Vec::new();
        for partition in 0..standing.pointer.partitions as usize {
            let Some(held) = snapshot.partition(partition, standing.pointer.partitions)? else { continue };
            waiting.push(codec.members(held.keys()).map_err(code::internal)?);
            let there: usize = waiting.iter().map(|members| members.len()).sum();
            if there >= most || partition + 1 == standing.pointer.partitions as usize {
                let members = concat(&waiting.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(code::internal)?;
                waiting.clear();
                for from in (0..members.len()).step_by(most) {
                    let rows = most.min(members.len() - from);
                    let refused = removal.remove(&members.slice(from, rows)).await?;
                    receipt.counts.rejected += refused;
                    receipt.counts.delivered += rows as u64 - refused;
                    // At once: whatever stops the rest, the reasons add up to the count.
                    if refused > 0 {
                        *receipt.rejected_by.entry("refused".into()).or_default() += refused;
                    }
                }
            }
        }
        let account = Account { ..receipt.counts };
        let ticket = removal.publication.seal(account).await?;
        destination.commit(&ticket).await?;
        Ok(())
    }
}

impl Removal<'_> {
    /// How many were refused.
    async fn remove(&mut self, members: &arrow::array::ArrayRef) -> Result<u64, Failure> {
        let rows = empty_records(&self.standing.schema(), members.len()).map_err(code::internal)?;
        let changes = self.events.then_some(Changes::None);
        let batch = Batch { op: Op::Remove, members: std::sync::Arc::clone(members), rows, changes };
        // Halves that are still to come, the next one last.
        let mut todo = vec![(0, members.len())];
        let mut refused = 0;
        while let Some((from, rows)) = todo.pop() {
            match self.publication.write(batch.slice(from, rows)).await {
                Ok(rejections) => {
                    self.any |= rejections.len() < rows;
                    refused += rejections.len() as u64;
                }
                Err(error) if error.kind() == ErrorKind::Refused && !self.names => match rows {
                    0 => {}
                    // It is not the members, but the request.
                    1 if self.refused + refused >= HOPELESS && !self.any => return Err(error.into()),
                    1 => refused += 1,
                    _ => todo.extend([(from + rows / 2, rows - rows / 2), (from, rows / 2)]),
                },
                Err(error) => return Err(error.into()),
            }
        }
        self.refused += refused;
        Ok(refused)
    }
}
