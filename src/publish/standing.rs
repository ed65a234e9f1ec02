//! What is remembered of an activation between two publishes: its snapshot, and what its records looked like.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Failure, code};
use crate::{
    config::{Activation, AttributeValue, Sql},
    resolve::{PublishPlan, Watermarks},
    snapshot::{KeyCodec, Pointer},
};

/// What stands after the last acknowledged publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// What the target holds.
    pub(super) pointer: Pointer,
    /// Types of the columns of the member's key.
    #[serde(default)]
    pub(super) key: Vec<String>,
    /// The record's fields.
    pub(super) fields: Vec<FieldNote>,
    /// The last publish that wrote a manifest; the next manifest names it as the one before.
    pub(super) sequence: Option<u64>,
    /// How far the tables were read by the last publish that looked at everybody, or at the touched.
    #[serde(default)]
    pub(super) watermarks: Watermarks,
}

/// A field as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FieldNote {
    name: String,
    data_type: String,
    /// Tells definitions apart without keeping them.
    definition: String,
}

impl Standing {
    /// What stands after a publish by this plan.
    pub(super) fn new(
        activation: &Activation,
        plan: &PublishPlan,
        pointer: Pointer,
        sequence: Option<u64>,
        watermarks: Watermarks,
    ) -> Self {
        let key = plan.codec().types().iter().map(ToString::to_string).collect();
        Self { pointer, key, fields: notes(activation, plan.schema()), sequence, watermarks }
    }

    /// How the members' keys were stored and shown, whatever the source says now.
    ///
    /// # Errors
    /// `snapshot_unreadable` when a type is none that this version knows.
    pub(super) fn codec(&self) -> Result<KeyCodec, Failure> {
        let unknown = |error: &dyn std::fmt::Display| Failure {
            code: code::SNAPSHOT_UNREADABLE.into(),
            message: format!("the snapshot's keys are of a type that is not known: {error}"),
            remedy: "publish once with `--full`".into(),
            retryable: false,
        };
        let types = self.key.iter().map(|text| text.parse::<DataType>()).collect::<Result<Vec<_>, _>>();
        KeyCodec::new(&types.map_err(|error| unknown(&error))?).map_err(|error| unknown(&error))
    }

    /// The record's fields as they were. A removal carries no value, so that a type that can't be read back is any.
    pub(super) fn schema(&self) -> SchemaRef {
        let field = |note: &FieldNote| {
            Field::new(&note.name, note.data_type.parse::<DataType>().unwrap_or(DataType::Utf8), true)
        };
        Arc::new(Schema::new(self.fields.iter().map(field).collect::<Vec<_>>()))
    }
}

/// Notes of a record's fields.
pub(super) fn notes(activation: &Activation, schema: &SchemaRef) -> Vec<FieldNote> {
    activation
        .attributes
        .iter()
        .zip(schema.fields())
        .map(|(attribute, field)| {
            let digest = Sha256::digest(definition(&attribute.value));
            FieldNote {
                name: attribute.name.clone(),
                data_type: field.data_type().to_string(),
                definition: digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            }
        })
        .collect()
}

/// The definition's texts, as one.
fn definition(value: &AttributeValue) -> String {
    let text = |sql: &Option<Sql>| sql.as_ref().map(|sql| sql.text.clone()).unwrap_or_default();
    match value {
        AttributeValue::Direct(sql) => sql.text.clone(),
        AttributeValue::Related { table, value, filter, order_by, take } => {
            [table, &value.text, &text(filter), &text(order_by), &format!("{take:?}")].map(String::as_str).join("\0")
        }
    }
}

/// Fails when a field that is defined as before has another type: the source changed under it.
///
/// # Errors
/// `schema_changed`, naming the field.
pub(super) fn same_types(before: &[FieldNote], now: &[FieldNote]) -> Result<(), Failure> {
    let changed = now.iter().find_map(|field| {
        let before = before.iter().find(|old| old.name == field.name && old.definition == field.definition)?;
        (before.data_type != field.data_type).then_some((before, field))
    });
    match changed {
        None => Ok(()),
        Some((before, now)) => Err(Failure {
            code: code::SCHEMA_CHANGED.into(),
            message: format!("`{}` was {} and is now {}", now.name, before.data_type, now.data_type),
            remedy: "put the source's type back or cast it in the attribute; `--full` publishes everything anew with the new type"
                .into(),
            retryable: false,
        }),
    }
}
