//! What a publish starts from: the last one's snapshot, and what the target says of it.

use std::sync::Arc;

use herald_destinations::contract::{Destination, Mode, PublishContext, Visibility};

use super::{
    Failure, Receipt, code,
    run::{Looks, Run},
    standing::{Standing, notes, same_types},
};
use crate::{
    config::Rapid,
    resolve::Watermarks,
    snapshot::{MemberKeys, Snapshot},
    state::SnapshotRow,
};

/// What a publish starts from.
pub(super) struct Before {
    pub(super) standing: Option<Standing>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) buckets: u32,
    /// How far the tables were read; of a publish under way, how far they will have been once it has succeeded.
    pub(super) watermarks: Watermarks,
}

/// Most times that a snapshot is looked for which another publish replaces meanwhile.
const TRIES: u32 = 10;

impl Before {
    /// Whether the snapshot's next file holds everything, and not only what changed.
    pub(super) fn rebases(&self, mode: Mode) -> bool {
        mode == Mode::Full || self.standing.as_ref().is_none_or(|standing| standing.pointer.partitions != self.buckets)
    }
}

impl Run<'_> {
    /// The members whose rows were touched since tables were last read, and these. `None`: that can't be told, so that
    /// everybody is looked at.
    pub(super) async fn touched(&self, also: &MemberKeys) -> Result<Option<MemberKeys>, Failure> {
        let standing = self.row().await?.and_then(|row| serde_json::from_value::<Standing>(row.pointer).ok());
        let Some(Standing { watermarks, .. }) = standing else { return Ok(None) };
        let overlap = self.activation.rapid.map_or(Rapid::OVERLAP, |rapid| rapid.overlap);
        self.plan.touched(&watermarks, overlap, also, self.cancel).await
    }

    /// What stands at this place. Another place, or another table: what is held there says nothing of this one. A publish
    /// has left it by now; a preview only looks.
    async fn row(&self) -> Result<Option<SnapshotRow>, Failure> {
        let row = self.publisher.stands_on(self.activation, self.target).await?;
        let identity = self.publisher.identity(self.activation, self.target);
        Ok(row.filter(|row| row.identity == identity))
    }

    /// How far the tables will have been read once the publish has succeeded: their files are the planned ones, or it
    /// fails. Of tables whose files do not say, that costs reading a column, so that it is only done for who makes use of
    /// it. One of named members reads nothing else.
    pub(super) async fn watermarks(&self, before: &Before) -> Result<Watermarks, Failure> {
        match &self.looks {
            Looks::Named(_) => Ok(before.watermarks.clone().of_plan(&self.plan)),
            Looks::Everybody => self.plan.watermarks(self.activation.rapid.is_some(), self.planned_at).await,
            Looks::Touched(_) => self.plan.watermarks(true, self.planned_at).await,
        }
    }

    /// What the last acknowledged publish left.
    pub(super) async fn before(&self, mode: Mode) -> Result<Before, Failure> {
        self.before_in(mode, TRIES).await
    }

    /// Whether another publish has been acknowledged since.
    async fn moved_on(&self, standing: &Standing) -> Result<bool, Failure> {
        let row = self.publisher.stands_on(self.activation, self.target).await?;
        let now = row.and_then(|row| serde_json::from_value::<Standing>(row.pointer).ok());
        Ok(now.is_some_and(|now| now.pointer != standing.pointer))
    }

    async fn before_in(&self, mode: Mode, tries: u32) -> Result<Before, Failure> {
        let (publisher, plan) = (self.publisher, &self.plan);
        let row = self.row().await?;
        let owner = row.as_ref().map_or_else(|| self.activation.name.clone(), |row| row.activation.clone());
        let standing: Option<Standing> =
            row.map(|row| serde_json::from_value(row.pointer)).transpose().map_err(|error| Failure {
                code: code::SNAPSHOT_UNREADABLE.into(),
                message: format!("the snapshot's pointer can't be read: {error}"),
                remedy: "publish with `--full`".into(),
                retryable: false,
            })?;
        let Some(standing) = standing else {
            let (buckets, watermarks) = (plan.buckets().await?, Watermarks::default());
            return Ok(Before { standing: None, snapshot: None, buckets, watermarks });
        };
        let watermarks = standing.watermarks.clone();
        let snapshot = match publisher.snapshots()?.open(&owner, &standing.pointer) {
            // A preview holds no lock: a publish may have put another snapshot in this one's place meanwhile.
            Err(_) if tries > 1 && self.moved_on(&standing).await? => {
                return Box::pin(self.before_in(mode, tries - 1)).await;
            }
            opened => opened?,
        };
        let same_keys = snapshot.key_type().is_none_or(|held| held == plan.codec().stored_type());
        let at_write = self.target.config.capabilities().visibility == Visibility::AtWrite;
        if !same_keys && (mode == Mode::Incremental || at_write) {
            return Err(Failure {
                code: code::SCHEMA_CHANGED.into(),
                message: "the key of the segment's table has another type than the snapshot's".into(),
                // Whom such a target holds under the former key can only be taken back under that key.
                remedy: if at_write {
                    "put the source's type back, or `herald delete --purge` and `herald recreate` the activation"
                } else {
                    "put the source's type back; `--full` publishes everything anew with the new type"
                }
                .into(),
                retryable: false,
            });
        }
        if mode == Mode::Incremental {
            same_types(&standing.fields, &notes(self.activation, plan.schema()))?;
        }
        // A snapshot is split further only when it is worth writing it anew.
        let partitions = standing.pointer.partitions;
        let buckets = if self.members.is_some() {
            partitions
        } else {
            let wanted = plan.buckets().await?;
            let finer = wanted >= partitions * 4 || (mode == Mode::Full && wanted > partitions);
            if finer { wanted } else { partitions }
        };
        Ok(Before { standing: Some(standing), snapshot: same_keys.then_some(snapshot), buckets, watermarks })
    }

    /// What the destination is told of the publish.
    pub(super) fn context(&self, receipt: &Receipt, before: &Before) -> PublishContext {
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
    pub(super) async fn past_lost_state(
        &self,
        destination: &dyn Destination,
        context: &mut PublishContext,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        let manifests = destination.manifests(context).await?;
        let Some(last) = manifests.iter().map(|manifest| manifest.sequence).max() else { return Ok(()) };
        if !self.full {
            return Err(Failure {
                code: code::SNAPSHOT_MISSING.into(),
                message: format!(
                    "the target holds publishes of `{}` up to number {last}, and there is no snapshot",
                    context.activation
                ),
                remedy: format!(
                    "restore the data folder, rebuild the snapshot with `herald adopt {}`, or publish once with `--full`",
                    context.activation
                ),
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
}
