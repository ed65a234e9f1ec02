//! How a publish ends: what is stored with its sealed ticket, and what is put on record.

use herald_destinations::contract::{Account, Destination, Mode, Ticket};
use serde::{Deserialize, Serialize};

use super::{Failure, Ledger, Publisher, Receipt, Status, code, crash, ledger::conserve, run::Run, standing::Standing};
use crate::{
    resolve::Watermarks,
    snapshot::{Layer, Pointer},
    state::{Looked, SnapshotRow},
};

/// What is stored with a sealed ticket: another process can end the publish with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    /// The receipt as it will be, but for what only the commit tells.
    pub(super) receipt: Receipt,
    /// What the snapshot is bound to.
    pub(super) identity: String,
    /// What stands after the publish; while it is sent, what stood before.
    pub(super) standing: Standing,
    /// What is about to be sent, where the target shows members as they arrive.
    #[serde(default)]
    pub(super) sending: Option<Layer>,
    /// Whose dead letters it settles.
    #[serde(default)]
    pub(super) looked: Looked,
    /// How far the tables will have been read, should all of it be sent.
    #[serde(default)]
    pub(super) watermarks: Option<Watermarks>,
}

impl Pending {
    /// The snapshot after the publish.
    pub(super) fn snapshot(&self, receipt: &Receipt) -> Result<SnapshotRow, Failure> {
        Ok(SnapshotRow {
            activation: receipt.activation.clone(),
            identity: self.identity.clone(),
            pointer: serde_json::to_value(&self.standing).map_err(code::internal)?,
            rows: self.standing.pointer.members,
            publish: receipt.id,
        })
    }
}

impl Run<'_> {
    /// What will stand once the target has committed: `layer` is what the snapshot gains, `members` what it then
    /// holds, over what was `standing` before, or, without that, as a base of `buckets` partitions.
    pub(super) fn pending(
        &self,
        mut receipt: Receipt,
        ledger: &Ledger,
        standing: Result<Standing, u32>,
        (before, watermarks): (Option<u64>, Watermarks),
        (layer, members): (Layer, u64),
    ) -> Result<Pending, Failure> {
        let store = self.publisher.snapshots()?;
        // An incremental publish without changes writes nothing that a consumer could wait for.
        let silent = receipt.mode == Mode::Incremental && ledger.sent() == 0;
        let sequence = if silent { before } else { Some(receipt.sequence) };
        let mut pointer = match standing {
            Err(buckets) => store.empty(buckets),
            Ok(standing) => standing.pointer,
        };
        // One without rows says nothing over others; the sweep takes it.
        if layer.rows > 0 || pointer.layers.is_empty() {
            pointer.layers.push(layer);
        }
        pointer.members = members;
        let pointer = store.tidy(&receipt.activation, receipt.id, pointer, self.members.is_some())?;
        fill(&mut receipt, ledger);
        receipt.counts.delivered = ledger.sent();
        receipt.status = Status::Succeeded;
        conserve(&receipt.counts, &receipt.suppressed_by, receipt.status)?;
        let standing = Standing::new(self.activation, &self.plan, pointer, sequence, watermarks);
        let identity = self.publisher.identity(self.activation, self.target);
        Ok(Pending { receipt, identity, standing, sending: None, looked: self.looked()?, watermarks: None })
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
        account(receipt, ledger);
        receipt.status = status;
        receipt.fail(failure);
        Ok(self.state.finish(receipt).await?)
    }

    /// Receipt and snapshot, in one transaction; then what they replaced is swept away.
    pub(super) async fn acknowledge(&self, receipt: &Receipt, pending: Pending) -> Result<(), Failure> {
        let row = pending.snapshot(receipt)?;
        self.state.acknowledge(receipt, Some(&row), &pending.looked).await?;
        crash::point(crash::ACKNOWLEDGED).await;
        self.sweep(&receipt.activation, Some(&pending.standing.pointer)).await
    }

    /// Removes files of an activation that no snapshot names: neither its own, nor that of a former place, nor the one
    /// that a publish in flight there will leave.
    pub(super) async fn sweep(&self, activation: &str, current: Option<&Pointer>) -> Result<(), Failure> {
        let former = self.state.places(activation).await?.into_iter().filter_map(|place| place.pointer);
        let mut named: Vec<Standing> =
            former.map(serde_json::from_value).collect::<Result<_, _>>().map_err(code::internal)?;
        let in_flight = self.state.in_flight(Some(activation)).await?.into_iter().filter_map(|left| left.pending);
        let pending = in_flight.filter_map(|pending| serde_json::from_value::<Pending>(pending).ok());
        named.extend(pending.map(|pending| pending.standing));
        let kept: Vec<&Pointer> = named.iter().map(|standing| &standing.pointer).chain(current).collect();
        self.snapshots()?.sweep(activation, &kept)
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

/// Writes the counts of a publish that did not succeed into its receipt: all that was to be sent is owed. A delta that
/// was cut short accounts for nothing.
pub(super) fn account(receipt: &mut Receipt, ledger: &Ledger) {
    receipt.rejected_by.clear();
    fill(receipt, ledger);
    if conserve(&Account { owed: ledger.sent(), ..receipt.counts }, &receipt.suppressed_by, Status::Failed).is_ok() {
        receipt.counts.owed = ledger.sent();
    } else {
        fill(receipt, &Ledger::default());
    }
}

/// Writes the counts of a publish into its receipt.
pub(super) fn fill(receipt: &mut Receipt, ledger: &Ledger) {
    receipt.counts = ledger.counts;
    receipt.withheld.clone_from(&ledger.withheld);
    receipt.suppressed_by.clone_from(&ledger.suppressed_by);
}
