//! What a config may say, in the words of YAML. These types are the one description of it: the JSON Schema
//! is made from them, the validator follows that schema, and their comments are the reference manual.

mod activation;
mod files;
mod segment;
mod service;
mod source;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use activation::{Activation, Attribute, Guards, OnDelete, Rapid, Refresh, SendOp};
pub(super) use files::{Csv, Encrypt, Files, Keep, Layout};
pub(super) use segment::{Inline, Limit, Part, Segment};
pub(super) use service::{Alert, Http, Service, Traces};
pub(super) use source::{Source, Table};
pub(super) use text::{OneOrMany, Ordered, Secret};

/// A Herald config: what to publish, from where, to where, and when. A folder of such files is merged;
/// any file may hold any of these maps.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Herald")]
#[allow(dead_code, reason = "only its schema is used: entries are read one by one, so that each error finds its place")]
pub(super) struct Root {
    /// The process itself: where it keeps its state, what it may use.
    #[schemars(with = "Service")]
    service: serde_json::Value,
    /// Where profiles live.
    #[schemars(with = "BTreeMap<text::Name, Source>")]
    sources: serde_json::Value,
    /// Named rules that yield members.
    #[schemars(with = "BTreeMap<text::Name, Segment>")]
    segments: serde_json::Value,
    /// Places to publish to, each with its connection.
    #[schemars(with = "BTreeMap<text::Name, AnyTarget>")]
    targets: serde_json::Value,
    /// Segment and attributes to a target, on a cadence.
    #[schemars(with = "BTreeMap<text::Name, Activation>")]
    activations: serde_json::Value,
}

/// Stands in the schema where the kinds of targets go.
#[derive(Debug)]
struct AnyTarget;

impl JsonSchema for AnyTarget {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object" })
    }
}
