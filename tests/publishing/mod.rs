//! Publishes over small lakes, from config to files and back.

mod crash;
mod cuts;
mod delta;
mod forms;
mod full_disk;
mod liveramp;
mod pins;
mod places;
mod privacy;
mod records;
mod remote;
mod segments;
mod trouble;
mod webhook;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};

pub(crate) fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn words(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn integers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

pub(crate) fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub(crate) fn booleans(values: &[Option<bool>]) -> ArrayRef {
    Arc::new(BooleanArray::from(values.to_vec()))
}

/// A config over `person` (key `id`) and `contact` (key `cid`, member `person`), with `everyone` in a segment.
/// `activation` holds further lines of the one activation, `a`; `segments` further segments.
pub(crate) fn config(activation: &str, segments: &str) -> String {
    format!(
        "
sources:
  lake:
    type: files
    tables:
      person: {{ path: lake/person.parquet, key: id, updated_at: at }}
      contact: {{ path: lake/contact.parquet, key: cid, member: person }}
segments:
  everyone: {{ from: person, where: 'true' }}
{segments}
targets:
  out: {{ type: local, path: ./out }}
activations:
  a:
    target: out
    refresh: {{ manual: true }}
{activation}
"
    )
}
