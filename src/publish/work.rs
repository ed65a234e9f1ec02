//! One bucket's share of a publish: records, delta, batches to deliver, and the snapshot's new rows.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
    },
    compute::{concat, sort_to_indices, take, take_record_batch},
    datatypes::{SchemaRef, UInt32Type},
    error::ArrowError,
};
use herald_destinations::contract::{Batch, Mode, Op};

use super::{Failure, Ledger, code};
use crate::{
    config::SendOps,
    resolve::{Resolved, Spooled},
    snapshot::{Delta, Held, KeyCodec, Keys, Rows, Snapshot, delta, fingerprints},
};

/// What the buckets of one publish share.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) spooled: Spooled,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) codec: KeyCodec,
    pub(super) schema: SchemaRef,
    pub(super) mode: Mode,
    pub(super) send: SendOps,
    /// The publish's number, noted beside each record that it acknowledges.
    pub(super) sequence: u32,
    /// Whether the snapshot is written anew, or the changes as a layer over it.
    pub(super) rebase: bool,
    pub(super) keys: Keys,
}

/// One bucket's share.
#[derive(Debug)]
pub(super) struct Share {
    /// What is to be delivered, in order.
    pub(super) batches: Vec<Batch>,
    /// Its counts.
    pub(super) ledger: Ledger,
    /// What the snapshot's new file holds of this bucket.
    pub(super) rows: Rows,
    /// Members that the snapshot will hold.
    pub(super) members: u64,
}

impl Share {
    /// About how many bytes the batches take.
    pub(super) fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.rows.get_array_memory_size()).sum()
    }
}

impl Work {
    /// Makes a bucket's share; the same each time it is asked.
    pub(super) async fn share(&self, bucket: usize) -> Result<Share, Failure> {
        let resolved = self.spooled.bucket(bucket).await?;
        let held = match &self.snapshot {
            Some(snapshot) => snapshot.partition(bucket, self.spooled.buckets())?,
            None => None,
        };
        self.compare(&resolved, held.as_ref()).map_err(code::internal)
    }

    fn compare(&self, resolved: &Resolved, held: Option<&Held>) -> Result<Share, ArrowError> {
        let prints = fingerprints(&resolved.records, &self.keys)?;
        let delta = delta(&resolved.keys, &prints, held)?;
        let mut ledger = self.account(resolved, &delta, held);
        let send = match self.mode {
            Mode::Full => SendOps { add: true, update: false, remove: false },
            Mode::Incremental => self.send,
        };
        let all = |length: usize| UInt32Array::from_iter_values(0..length as u32);
        let (added, updated, removed) = match self.mode {
            Mode::Full => {
                ledger.counts.added = resolved.keys.len() as u64;
                (all(resolved.keys.len()), all(0), all(0))
            }
            Mode::Incremental => {
                ledger.counts.unchanged += delta.unchanged;
                ledger.differ(Op::Add, delta.added.len() as u64, send);
                ledger.differ(Op::Update, delta.updated.len() as u64, send);
                ledger.differ(Op::Remove, delta.removed.len() as u64, send);
                let if_sent = |rows: &UInt32Array, sent: bool| if sent { rows.clone() } else { all(0) };
                (
                    if_sent(&delta.added, send.add),
                    if_sent(&delta.updated, send.update),
                    if_sent(&delta.removed, send.remove),
                )
            }
        };
        let mut batches = Vec::with_capacity(3);
        batches.extend(self.changed(Op::Add, resolved, &added)?);
        batches.extend(self.changed(Op::Update, resolved, &updated)?);
        if let Some(held) = held {
            batches.extend(self.gone(held, &removed)?);
        }
        let rows = self.next_rows(resolved, &prints, held, [&added, &updated, &removed])?;
        let held_before = if self.mode == Mode::Full { 0 } else { held.map_or(0, |held| held.keys.len()) };
        let members = (held_before + added.len() - removed.len()) as u64;
        Ok(Share { batches, ledger, rows, members })
    }

    fn account(&self, resolved: &Resolved, delta: &Delta, held: Option<&Held>) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.counts.resolved = resolved.resolved;
        for (reason, members) in &resolved.suppressed_by {
            ledger.suppress(reason, *members);
        }
        ledger.duplicates = resolved.duplicates;
        ledger.truth.members = resolved.keys.len() as u64;
        ledger.truth.added = delta.added.len() as u64;
        ledger.truth.updated = delta.updated.len() as u64;
        ledger.truth.removed = delta.removed.len() as u64;
        ledger.truth.compared = held.map_or(0, |held| held.keys.len() as u64);
        ledger
    }

    fn changed(&self, op: Op, resolved: &Resolved, rows: &UInt32Array) -> Result<Option<Batch>, ArrowError> {
        if rows.is_empty() {
            return Ok(None);
        }
        // Every row, in order: a first publish or a full one. No need to copy them.
        let (keys, records) = if rows.len() == resolved.keys.len() {
            (Arc::clone(&resolved.keys), resolved.records.clone())
        } else {
            (take(&resolved.keys, rows, None)?, take_record_batch(&resolved.records, rows)?)
        };
        Ok(Some(Batch { op, members: self.codec.members(&keys)?, rows: records, changes: None }))
    }

    fn gone(&self, held: &Held, rows: &UInt32Array) -> Result<Option<Batch>, ArrowError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let members = self.codec.members(&take(&held.keys, rows, None)?)?;
        let columns = self.schema.fields().iter().map(|field| new_null_array(field.data_type(), rows.len())).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(Some(Batch { op: Op::Remove, members, rows, changes: None }))
    }

    /// What the snapshot's new file holds of this bucket: everything where it is written anew, else the changes.
    fn next_rows(
        &self,
        resolved: &Resolved,
        prints: &FixedSizeBinaryArray,
        held: Option<&Held>,
        [added, updated, removed]: [&UInt32Array; 3],
    ) -> Result<Rows, ArrowError> {
        let sequences = |length: usize| UInt32Array::from_value(self.sequence, length);
        if self.mode == Mode::Full || (held.is_none() && added.len() == resolved.keys.len()) {
            let sequences = sequences(resolved.keys.len());
            return Ok(Rows { keys: Arc::clone(&resolved.keys), fingerprints: prints.clone(), sequences });
        }
        let changed = concat(&[added, updated])?;
        let keys = take(&resolved.keys, &changed, None)?;
        let prints_changed = take(prints, &changed, None)?;
        let Some(held) = held else {
            return sorted(&[keys], &[prints_changed], &[Arc::new(sequences(changed.len()))]);
        };
        let held_prints: ArrayRef = Arc::new(held.fingerprints.clone());
        let held_sequences: ArrayRef = Arc::new(held.sequences.clone());
        let (rest, rest_prints, rest_sequences) = if self.rebase {
            // Those of the snapshot that neither changed nor went.
            let kept = self.untouched(resolved, held, updated, removed)?;
            (take(&held.keys, &kept, None)?, take(&held_prints, &kept, None)?, take(&held_sequences, &kept, None)?)
        } else {
            let gone = take(&held.keys, removed, None)?;
            let nothing = new_null_array(held_prints.data_type(), gone.len());
            let by = Arc::new(sequences(gone.len())) as ArrayRef;
            (gone, nothing, by)
        };
        sorted(&[keys, rest], &[prints_changed, rest_prints], &[Arc::new(sequences(changed.len())), rest_sequences])
    }

    fn untouched(
        &self,
        resolved: &Resolved,
        held: &Held,
        updated: &UInt32Array,
        removed: &UInt32Array,
    ) -> Result<UInt32Array, ArrowError> {
        let mut touched = vec![false; held.keys.len()];
        removed.values().iter().for_each(|row| touched[*row as usize] = true);
        let updated = take(&resolved.keys, updated, None)?;
        crate::snapshot::rows_in_both(&updated, &held.keys, |_, row| touched[row] = true)?;
        Ok(touched
            .iter()
            .enumerate()
            .filter(|(_, touched)| !**touched)
            .map(|(row, _)| row as u32)
            .collect::<Vec<_>>()
            .into())
    }
}

/// Pieces as one, by key.
fn sorted(keys: &[ArrayRef], prints: &[ArrayRef], sequences: &[ArrayRef]) -> Result<Rows, ArrowError> {
    let joined = |pieces: &[ArrayRef]| concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let keys = joined(keys)?;
    let order = sort_to_indices(&keys, None, None)?;
    Ok(Rows {
        keys: take(&keys, &order, None)?,
        fingerprints: take(&joined(prints)?, &order, None)?.as_fixed_size_binary().clone(),
        sequences: take(&joined(sequences)?, &order, None)?.as_primitive::<UInt32Type>().clone(),
    })
}
