//! Rows of one partition of a snapshot.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryArray, RecordBatch, UInt8Array, UInt32Array,
    },
    compute::{concat_batches, filter_record_batch, nullif, sort_to_indices, take_record_batch},
    datatypes::{DataType, Field, Schema, SchemaRef, UInt8Type, UInt32Type},
    error::ArrowError,
};

use herald_destinations::contract::Op;

use super::fingerprint;

/// How the target holds a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Holding {
    /// It acknowledged the record whose fingerprint stands here.
    Held = 0,
    /// It holds the member, with a record that nobody knows: an update got no answer, or the snapshot was rebuilt.
    Stale = 1,
    /// Nobody knows whether it holds the member: an add or a removal got no answer.
    Perhaps = 2,
    /// It does not, any more. Only in a layer, where it hides what older files say.
    Gone = 3,
}

/// What is about to be sent of a member, beside the state that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Sent {
    /// An add of a member that the snapshot does not know.
    Add = 0,
    /// An update.
    Update = 1,
    /// A removal.
    Remove = 2,
    /// An add of a member that is perhaps there.
    Again = 3,
}

impl Holding {
    /// As it stands in the column.
    pub fn of(code: u8) -> Self {
        match code {
            0 => Self::Held,
            1 => Self::Stale,
            3 => Self::Gone,
            // What is not understood is not relied on.
            _ => Self::Perhaps,
        }
    }
}

impl Sent {
    /// The operation.
    pub fn op(self) -> Op {
        match self {
            Self::Add | Self::Again => Op::Add,
            Self::Update => Op::Update,
            Self::Remove => Op::Remove,
        }
    }

    /// As it stands in the column.
    pub fn of(code: u8) -> Self {
        match code {
            1 => Self::Update,
            2 => Self::Remove,
            3 => Self::Again,
            _ => Self::Add,
        }
    }
}

/// Which columns a file has beside those that each has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Type of the member's key.
    pub key: DataType,
    /// `fields`: a fingerprint for each field of the record.
    pub fields: bool,
    /// `sent`: what is about to be sent; such a file is not part of a snapshot before that is settled.
    pub sent: bool,
}

impl Columns {
    /// The columns that each file has.
    pub fn of(key: DataType) -> Self {
        Self { key, fields: false, sent: false }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        let mut fields = vec![
            Field::new("key", self.key.clone(), false),
            Field::new("fingerprint", DataType::FixedSizeBinary(fingerprint::WIDTH), true),
            Field::new("sequence", DataType::UInt32, false),
            Field::new("state", DataType::UInt8, false),
        ];
        if self.fields {
            fields.push(Field::new(FIELDS, DataType::Binary, true));
        }
        if self.sent {
            fields.push(Field::new(SENT, DataType::UInt8, false));
        }
        Arc::new(Schema::new(fields))
    }
}

pub(super) const FIELDS: &str = "fields";
const SENT: &str = "sent";
const STATE: usize = 3;

/// Rows of one partition: keys ascending and unique.
#[derive(Debug, Clone)]
pub struct Rows(RecordBatch);

impl Rows {
    /// Rows of these columns. `fingerprints` are null but for those that are [`Holding::Held`]; `fields`, if any, are
    /// [`field_prints`](super::field_prints).
    ///
    /// # Errors
    /// When the columns differ in length or are not of the types of [`Columns`].
    pub fn new(
        keys: ArrayRef,
        fingerprints: FixedSizeBinaryArray,
        sequences: UInt32Array,
        states: UInt8Array,
        fields: Option<BinaryArray>,
    ) -> Result<Self, ArrowError> {
        let columns = Columns { fields: fields.is_some(), ..Columns::of(keys.data_type().clone()) };
        let mut arrays: Vec<ArrayRef> = vec![keys, Arc::new(fingerprints), Arc::new(sequences), Arc::new(states)];
        arrays.extend(fields.map(|fields| Arc::new(fields) as ArrayRef));
        Ok(Self(RecordBatch::try_new(columns.schema(), arrays)?))
    }

    /// Rows that one publish acknowledged, all of them held.
    ///
    /// # Errors
    /// When the columns differ in length.
    pub fn held(
        keys: ArrayRef,
        fingerprints: FixedSizeBinaryArray,
        sequence: u32,
        fields: Option<BinaryArray>,
    ) -> Result<Self, ArrowError> {
        let rows = keys.len();
        let states = UInt8Array::from_value(Holding::Held as u8, rows);
        Self::new(keys, fingerprints, UInt32Array::from_value(sequence, rows), states, fields)
    }

    /// Members in a state without a known record.
    ///
    /// # Errors
    /// When the columns can't be made.
    pub fn unknown(keys: ArrayRef, state: Holding, sequence: u32, with_fields: bool) -> Result<Self, ArrowError> {
        let rows = keys.len();
        let none = FixedSizeBinaryArray::new_null(fingerprint::WIDTH, rows);
        let fields = with_fields.then(|| BinaryArray::new_null(rows));
        let states = UInt8Array::from_value(state as u8, rows);
        Self::new(keys, none, UInt32Array::from_value(sequence, rows), states, fields)
    }

    /// The same rows, with what is about to be sent of each.
    ///
    /// # Errors
    /// When the lengths differ.
    pub fn sending(self, sent: UInt8Array) -> Result<Self, ArrowError> {
        let columns = Columns { key: self.keys().data_type().clone(), fields: self.fields().is_some(), sent: true };
        let mut arrays = self.0.columns().to_vec();
        arrays.push(Arc::new(sent));
        Ok(Self(RecordBatch::try_new(columns.schema(), arrays)?))
    }

    /// The same rows in other states; the record of one that is not held just so is not known.
    ///
    /// # Errors
    /// When the lengths differ.
    pub(super) fn in_states(self, states: UInt8Array) -> Result<Self, ArrowError> {
        let unknown = BooleanArray::from_iter(states.values().iter().map(|state| Some(*state != Holding::Held as u8)));
        let mut columns = self.0.columns().to_vec();
        columns[1] = nullif(&columns[1], &unknown)?;
        columns[STATE] = Arc::new(states);
        if let Some(fields) = columns.get_mut(STATE + 1) {
            *fields = nullif(fields, &unknown)?;
        }
        Ok(Self(RecordBatch::try_new(self.0.schema(), columns)?))
    }

    /// All rows, sorted by key; no key may be in two pieces.
    ///
    /// # Errors
    /// When the pieces' columns differ.
    pub fn join(pieces: &[Self]) -> Result<Self, ArrowError> {
        let Some(first) = pieces.first() else {
            return Err(ArrowError::InvalidArgumentError("no rows to join".into()));
        };
        let joined = concat_batches(first.0.schema_ref(), pieces.iter().map(|rows| &rows.0))?;
        let order = sort_to_indices(joined.column(0), None, None)?;
        Ok(Self(take_record_batch(&joined, &order)?))
    }

    /// The rows of these indices, in that order.
    ///
    /// # Errors
    /// When an index is past the end.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self, ArrowError> {
        Ok(Self(take_record_batch(&self.0, rows)?))
    }

    /// The rows that are chosen.
    ///
    /// # Errors
    /// When the lengths differ.
    pub fn filter(&self, chosen: &BooleanArray) -> Result<Self, ArrowError> {
        Ok(Self(filter_record_batch(&self.0, chosen)?))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Member keys, none null.
    pub fn keys(&self) -> &ArrayRef {
        self.0.column(0)
    }

    /// Null where the record is not known, or the member is gone.
    pub fn fingerprints(&self) -> &FixedSizeBinaryArray {
        self.0.column(1).as_fixed_size_binary()
    }

    /// The publish that acknowledged the record last, or tried to.
    pub fn sequences(&self) -> &UInt32Array {
        self.0.column(2).as_primitive::<UInt32Type>()
    }

    /// How the target holds the member of a row.
    pub fn holding(&self, row: usize) -> Holding {
        Holding::of(self.0.column(STATE).as_primitive::<UInt8Type>().value(row))
    }

    /// A fingerprint for each field, if the target is told what changed.
    pub fn fields(&self) -> Option<&BinaryArray> {
        self.0.column_by_name(FIELDS).map(|column| column.as_binary::<i32>())
    }

    /// What is about to be sent of the member of a row; of a settled file there is nothing.
    pub fn sent(&self, row: usize) -> Option<Sent> {
        self.0.column_by_name(SENT).map(|column| Sent::of(column.as_primitive::<UInt8Type>().value(row)))
    }

    /// Without what was about to be sent: rows of a settled file.
    ///
    /// # Errors
    /// None that can be met: columns are only left out.
    pub fn settled(&self) -> Result<Self, ArrowError> {
        settled(&self.0).map(Self)
    }

    pub(super) fn from_batch(batch: RecordBatch) -> Self {
        Self(batch)
    }

    pub(super) fn batch(&self) -> &RecordBatch {
        &self.0
    }

    pub(super) fn states(&self) -> &UInt8Array {
        self.0.column(STATE).as_primitive::<UInt8Type>()
    }
}

/// Rows of a file without what was about to be sent.
pub(super) fn settled(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<usize> =
        (0..rows.num_columns()).filter(|column| rows.schema_ref().field(*column).name() != SENT).collect();
    rows.project(&columns)
}
