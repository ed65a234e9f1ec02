//! One bucket's share of a publish: records, delta, batches to deliver, and the snapshot's new rows.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, RecordBatch, RecordBatchOptions, UInt8Array, UInt32Array,
        new_empty_array, new_null_array,
    },
    buffer::BooleanBuffer,
    compute::{take, take_record_batch},
    datatypes::SchemaRef,
    error::ArrowError,
};
use herald_destinations::contract::{Batch, Changes, Mode, Op};

use super::{Failure, Ledger, code, outgoing::Outgoing};
use crate::{
    config::SendOps,
    resolve::{Resolved, Spooled},
    snapshot::{
        Delta, Gone, GoneMembers, Held, Holding, KeyCodec, Keys, MemberKeys, Rows, Sent, Snapshot, changed_fields,
        delta, field_prints, fingerprints,
    },
};

/// What the buckets of one publish share.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) spooled: Spooled,
    /// The only members to look at; `None`: all.
    pub(super) named: Option<Named>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) codec: KeyCodec,
    pub(super) schema: SchemaRef,
    pub(super) how: How,
    pub(super) send: SendOps,
    /// The publish's number, noted beside each record that it acknowledges.
    pub(super) sequence: u32,
    pub(super) keys: Keys,
}

/// Members that were named, and where they are.
#[derive(Debug)]
pub(super) struct Named {
    members: MemberKeys,
    /// Whether each was asked for, and not only found to have been touched: then each is accounted for.
    asked_for: bool,
    buckets: BTreeSet<usize>,
}

/// How what is wanted becomes what is sent.
#[derive(Debug)]
pub(super) enum How {
    /// The whole membership, in place of all before.
    Whole,
    /// What differs. `rebase`: the snapshot is written anew, and not the changes as a layer over it.
    Changes { rebase: bool },
    /// What differs, to a target that shows members as they arrive.
    AtOnce {
        /// Whether records that did not change are sent again.
        again: bool,
        /// Who was removed lately, for targets that are told what changed.
        gone: Option<Gone>,
    },
}

/// One bucket's share.
#[derive(Debug)]
pub(super) struct Share {
    /// What is to be delivered, in order.
    pub(super) batches: Vec<Outgoing>,
    /// Its counts.
    pub(super) ledger: Ledger,
    /// What the snapshot's new file holds of this bucket.
    pub(super) rows: Rows,
    /// How many members more the snapshot will hold.
    pub(super) gained: i64,
}

/// Rows of a bucket that are sent.
struct Changed {
    /// Of the wanted records.
    added: UInt32Array,
    /// Of the wanted records.
    updated: UInt32Array,
    /// Of the held members, the record that each update replaces.
    updated_from: UInt32Array,
    /// Of the held members.
    removed: UInt32Array,
}

impl Share {
    /// About how many bytes the batches take.
    pub(super) fn bytes(&self) -> usize {
        self.batches.iter().map(|outgoing| outgoing.batch.rows.get_array_memory_size()).sum()
    }
}

impl Named {
    pub(super) fn new(members: MemberKeys, asked_for: bool, keys: &Keys, buckets: u32) -> Self {
        Self { buckets: members.partitions(keys, buckets), members, asked_for }
    }

    /// Those who are to be accounted for, whatever is found of them.
    pub(super) fn asked_for(&self) -> u64 {
        if self.asked_for { self.members.len() as u64 } else { 0 }
    }

    /// Whether any of them is in the bucket.
    pub(super) fn holds(&self, bucket: usize) -> bool {
        self.buckets.contains(&bucket)
    }

    /// The rows of those who are named.
    fn among(&self, held: &Held) -> Result<Held, ArrowError> {
        held.take(&self.members.rows_among(held.keys())?)
    }
}

impl How {
    /// For a target that shows nothing before the commit.
    pub(super) fn new(mode: Mode, rebase: bool) -> Self {
        match mode {
            Mode::Full => Self::Whole,
            Mode::Incremental => Self::Changes { rebase },
        }
    }
}

impl Work {
    /// Whether nobody in the bucket is looked at.
    pub(super) fn idle(&self, bucket: usize) -> bool {
        self.named.as_ref().is_some_and(|named| !named.holds(bucket))
    }

    /// The share of a bucket in which nobody is looked at.
    pub(super) fn idle_share(&self) -> Result<Share, Failure> {
        let rows = || -> Result<Rows, ArrowError> {
            let nobody = new_empty_array(&self.codec.stored_type());
            let rows = Rows::unknown(nobody, Holding::Gone, self.sequence, self.tells_fields())?;
            let at_once = matches!(self.how, How::AtOnce { .. });
            if at_once { rows.sending(UInt8Array::from(Vec::<u8>::new())) } else { Ok(rows) }
        };
        let rows = rows().map_err(code::internal)?;
        Ok(Share { batches: Vec::new(), ledger: Ledger::default(), rows, gained: 0 })
    }

    /// Whether the target is told which fields changed.
    fn tells_fields(&self) -> bool {
        matches!(self.how, How::AtOnce { gone: Some(_), .. })
    }

    /// Makes a bucket's share; the same each time it is asked.
    pub(super) async fn share(&self, bucket: usize) -> Result<Share, Failure> {
        let resolved = self.spooled.bucket(bucket).await?;
        let buckets = self.spooled.buckets();
        let mut held = match &self.snapshot {
            Some(snapshot) => snapshot.partition(bucket, buckets)?,
            None => None,
        };
        if let (Some(named), Some(all)) = (&self.named, &held) {
            held = Some(named.among(all).map_err(code::internal)?);
        }
        let gone = match &self.how {
            How::AtOnce { gone: Some(gone), .. } => Some(gone.partition(bucket, buckets)?),
            _ => None,
        };
        self.compare(&resolved, held.as_ref(), gone.as_ref()).map_err(code::internal)
    }

    fn compare(
        &self,
        resolved: &Resolved,
        held: Option<&Held>,
        gone: Option<&GoneMembers>,
    ) -> Result<Share, ArrowError> {
        let prints = fingerprints(&resolved.records, &self.keys)?;
        let mut delta = delta(&resolved.keys, &prints, held)?;
        let mut ledger = account(resolved, &delta, held);
        if let How::Whole = self.how {
            return self.whole(resolved, prints, ledger);
        }
        if let How::AtOnce { again: true, .. } = self.how {
            delta = delta.again_all();
        }
        ledger.counts.unchanged += delta.unchanged.len() as u64;
        ledger.differ(Op::Add, delta.added.len() as u64, self.send);
        ledger.differ(Op::Update, delta.updated.len() as u64, self.send);
        ledger.differ(Op::Remove, delta.removed.len() as u64, self.send);
        let changed = Changed::new(&delta, self.send);
        let fields = gone.map(|_| field_prints(&resolved.records, &self.keys)).transpose()?;
        let mut batches = Vec::with_capacity(3);
        batches.extend(self.wanted(Op::Add, resolved, &prints, &changed.added)?);
        batches.extend(self.wanted(Op::Update, resolved, &prints, &changed.updated)?);
        batches.extend(held.map(|held| self.unwanted(held, &changed.removed)).transpose()?.flatten());
        if let Some(gone) = gone {
            for outgoing in &mut batches {
                outgoing.batch.changes = Some(self.changes(outgoing, &changed, held, fields.as_ref(), gone)?);
            }
        }
        let again = if self.send.add { delta.again.len() } else { 0 };
        let gained = (changed.added.len() - again) as i64 - changed.removed.len() as i64;
        let rows = self.next_rows(resolved, &prints, fields, held, &changed, &delta)?;
        Ok(Share { batches, ledger, rows, gained })
    }

    fn whole(
        &self,
        resolved: &Resolved,
        prints: FixedSizeBinaryArray,
        mut ledger: Ledger,
    ) -> Result<Share, ArrowError> {
        let members = resolved.keys.len();
        ledger.counts.added = members as u64;
        let all = UInt32Array::from_iter_values(0..members as u32);
        let batches = self.wanted(Op::Add, resolved, &prints, &all)?.into_iter().collect();
        let rows = Rows::held(Arc::clone(&resolved.keys), prints, self.sequence, None)?;
        Ok(Share { batches, ledger, rows, gained: members as i64 })
    }

    fn wanted(
        &self,
        op: Op,
        resolved: &Resolved,
        prints: &FixedSizeBinaryArray,
        rows: &UInt32Array,
    ) -> Result<Option<Outgoing>, ArrowError> {
        if rows.is_empty() {
            return Ok(None);
        }
        // Every row, in order: a first publish or a full one. No need to copy them.
        let (keys, records, prints) = if rows.len() == resolved.keys.len() {
            (Arc::clone(&resolved.keys), resolved.records.clone(), prints.clone())
        } else {
            (take(&resolved.keys, rows, None)?, take_record_batch(&resolved.records, rows)?, taken(prints, rows)?)
        };
        let batch = Batch { op, members: self.codec.members(&keys)?, rows: records, changes: None };
        Ok(Some(Outgoing { batch, keys, prints: Some(prints) }))
    }

    fn unwanted(&self, held: &Held, rows: &UInt32Array) -> Result<Option<Outgoing>, ArrowError> {
        if rows.is_empty() {
            return Ok(None);
        }
        removal(&self.codec, &self.schema, take(held.keys(), rows, None)?).map(Some)
    }

    /// What a target is told of the changes of a batch.
    fn changes(
        &self,
        outgoing: &Outgoing,
        changed: &Changed,
        held: Option<&Held>,
        fields: Option<&BinaryArray>,
        gone: &GoneMembers,
    ) -> Result<Changes, ArrowError> {
        let rows = outgoing.batch.rows.num_rows();
        Ok(match (outgoing.batch.op, held.and_then(Rows::fields), fields) {
            (Op::Add, ..) => Changes::Returning(gone.returning(&outgoing.keys, &self.keys)?),
            (Op::Update, Some(before), Some(now)) => {
                let count = self.schema.fields().len();
                Changes::Fields(changed_fields(count, (now, &changed.updated), (before, &changed.updated_from)))
            }
            (Op::Update, ..) => Changes::Fields(vec![BooleanBuffer::new_set(rows); self.schema.fields().len()]),
            (Op::Remove, ..) => Changes::None,
        })
    }

    /// What the snapshot's new file holds of this bucket: everything where it is written anew, else the changes.
    fn next_rows(
        &self,
        resolved: &Resolved,
        prints: &FixedSizeBinaryArray,
        fields: Option<BinaryArray>,
        held: Option<&Held>,
        changed: &Changed,
        delta: &Delta,
    ) -> Result<Rows, ArrowError> {
        let at_once = matches!(self.how, How::AtOnce { .. });
        if held.is_none() && !at_once && changed.added.len() == resolved.keys.len() {
            return Rows::held(Arc::clone(&resolved.keys), prints.clone(), self.sequence, fields);
        }
        let wanted = |rows: &UInt32Array| -> Result<Rows, ArrowError> {
            let fields = fields.as_ref().map(|fields| taken(fields, rows)).transpose()?;
            Rows::held(take(&resolved.keys, rows, None)?, taken(prints, rows)?, self.sequence, fields)
        };
        let (mut added, mut updated) = (wanted(&changed.added)?, wanted(&changed.updated)?);
        let Some(held) = held else {
            if at_once {
                added = added.sending(UInt8Array::from_value(Sent::Add as u8, changed.added.len()))?;
            }
            return Ok(added);
        };
        if let How::Changes { rebase: true } = self.how {
            // Those of the snapshot that neither changed nor went.
            return Rows::join(&[added, updated, held.take(&untouched(held, changed))?]);
        }
        let gone_keys = take(held.keys(), &changed.removed, None)?;
        let mut removed = Rows::unknown(gone_keys, Holding::Gone, self.sequence, fields.is_some())?;
        if at_once {
            let mut adds = vec![Sent::Add as u8; changed.added.len()];
            if !adds.is_empty() {
                delta.again.iter().for_each(|row| adds[*row as usize] = Sent::Again as u8);
            }
            added = added.sending(adds.into())?;
            updated = updated.sending(UInt8Array::from_value(Sent::Update as u8, changed.updated.len()))?;
            removed = removed.sending(UInt8Array::from_value(Sent::Remove as u8, changed.removed.len()))?;
        }
        Rows::join(&[added, updated, removed])
    }
}

impl Changed {
    fn new(delta: &Delta, send: SendOps) -> Self {
        let none = || UInt32Array::from(Vec::<u32>::new());
        let if_sent = |rows: &UInt32Array, sent: bool| if sent { rows.clone() } else { none() };
        Self {
            added: if_sent(&delta.added, send.add),
            updated: if_sent(&delta.updated, send.update),
            updated_from: if_sent(&delta.updated_from, send.update),
            removed: if_sent(&delta.removed, send.remove),
        }
    }
}

fn account(resolved: &Resolved, delta: &Delta, held: Option<&Held>) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.counts.resolved = resolved.resolved;
    for (reason, members) in &resolved.suppressed_by {
        ledger.suppress(reason, *members);
    }
    ledger.duplicates = resolved.duplicates;
    ledger.truth.members = resolved.keys.len() as u64;
    ledger.truth.added = delta.added.len() as u64;
    ledger.truth.again = delta.again.len() as u64;
    ledger.truth.updated = delta.updated.len() as u64;
    ledger.truth.removed = delta.removed.len() as u64;
    ledger.truth.compared = held.map_or(0, |held| held.len() as u64);
    ledger
}

/// Rows of the snapshot that neither change nor go.
fn untouched(held: &Held, changed: &Changed) -> UInt32Array {
    let mut touched = vec![false; held.len()];
    for rows in [&changed.updated_from, &changed.removed] {
        rows.values().iter().for_each(|row| touched[*row as usize] = true);
    }
    let kept = touched.iter().enumerate().filter(|(_, touched)| !**touched).map(|(row, _)| row as u32);
    UInt32Array::from_iter_values(kept)
}

/// The removal of members, by their keys as the snapshot stores them.
pub(super) fn removal(codec: &KeyCodec, schema: &SchemaRef, keys: ArrayRef) -> Result<Outgoing, ArrowError> {
    let (members, rows) = (codec.members(&keys)?, empty_records(schema, keys.len())?);
    Ok(Outgoing { batch: Batch { op: Op::Remove, members, rows, changes: None }, keys, prints: None })
}

/// As many records as asked for, all values null: what a removal carries.
fn empty_records(schema: &SchemaRef, rows: usize) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// `take`, in the array's own type.
fn taken<A: Array + Clone + 'static>(array: &A, rows: &UInt32Array) -> Result<A, ArrowError> {
    let taken = take(array, rows, None)?;
    let own = taken.as_any().downcast_ref::<A>().cloned();
    own.ok_or_else(|| ArrowError::CastError("another type was taken than given".into()))
}
