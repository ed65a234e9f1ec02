//! Fingerprints of single fields, for targets that are told what changed.

use std::hash::Hasher;

use arrow::{
    array::{Array, BinaryArray, BinaryBuilder, RecordBatch, UInt32Array},
    buffer::BooleanBuffer,
    error::ArrowError,
};
use siphasher::sip::SipHasher13;

use super::{fingerprint::Column, secret::Keys};

/// Bytes that stand for a field's name.
const NAME: usize = 4;
/// Bytes that stand for a field.
const FIELD: usize = NAME + 8;

/// One value a row: for each field the hash of its name and a keyed hash of its value. Fields are told by name, so
/// that a record can be compared with one of another mapping.
///
/// # Errors
/// When a column is of a type that has no canonical form.
pub fn field_prints(records: &RecordBatch, secret: &Keys) -> Result<BinaryArray, ArrowError> {
    let (first, second) = secret.fingerprint;
    let hash = |bytes: &[u8]| {
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(bytes);
        hasher.finish().to_le_bytes()
    };
    let names: Vec<[u8; 8]> = records.schema_ref().fields().iter().map(|field| hash(field.name().as_bytes())).collect();
    let columns = records.columns().iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    let mut prints = BinaryBuilder::with_capacity(records.num_rows(), records.num_rows() * columns.len() * FIELD);
    let (mut value, mut print) = (Vec::new(), Vec::with_capacity(columns.len() * FIELD));
    for row in 0..records.num_rows() {
        print.clear();
        for (column, name) in columns.iter().zip(&names) {
            value.clear();
            column.append(row, &mut value);
            print.extend_from_slice(&name[..NAME]);
            print.extend_from_slice(&hash(&value));
        }
        prints.append_value(&print);
    }
    Ok(prints.finish())
}

/// For each of `fields` fields of the wanted records: in which of the chosen pairs of rows it changed. All fields
/// changed where the held record is not known.
pub fn changed_fields(
    fields: usize,
    (wanted, rows): (&BinaryArray, &UInt32Array),
    (held, held_rows): (&BinaryArray, &UInt32Array),
) -> Vec<BooleanBuffer> {
    let changed = |field: usize| {
        let differs = |pair: usize| {
            let (row, there) = (rows.value(pair) as usize, held_rows.value(pair) as usize);
            if held.is_null(there) {
                return true;
            }
            let print = wanted.value(row).chunks_exact(FIELD).nth(field);
            print.is_none_or(|print| !known(held.value(there), field, print))
        };
        BooleanBuffer::collect_bool(rows.len(), differs)
    };
    (0..fields).map(changed).collect()
}

/// Whether a held record has this very field; it stands in the same place unless the mapping changed.
fn known(held: &[u8], field: usize, print: &[u8]) -> bool {
    let same_place = held.chunks_exact(FIELD).nth(field);
    same_place == Some(print) || held.chunks_exact(FIELD).any(|held| held == print)
}
