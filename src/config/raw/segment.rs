//! The `segments` map.

use schemars::JsonSchema;
use serde::Deserialize;

/// A named rule that yields members. All that is given must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Segment {
    /// The table whose key identifies a member.
    #[schemars(required)]
    pub(in crate::config) from: Option<String>,
    /// A condition over that table.
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub(in crate::config) filter: Option<String>,
    /// A query whose columns are members' keys; it may read every table.
    #[schemars(length(min = 1))]
    pub(in crate::config) sql: Option<String>,
    /// Belongs to each of these.
    #[schemars(length(min = 1))]
    pub(in crate::config) all_of: Option<Vec<Part>>,
    /// Belongs to at least one of these.
    #[schemars(length(min = 1))]
    pub(in crate::config) any_of: Option<Vec<Part>>,
    /// Belongs to none of these.
    #[schemars(length(min = 1))]
    pub(in crate::config) none_of: Option<Vec<Part>>,
    /// Only the first so many.
    pub(in crate::config) limit: Option<Limit>,
    /// Segments, each taking the members that none before it took; stands alone. A rung is published as
    /// `NAME.RUNG`.
    #[schemars(length(min = 1))]
    pub(in crate::config) waterfall: Option<Vec<String>>,
}

/// A segment by name, or a rule of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Part {
    /// A segment's name, or a rung of a waterfall, `tiers.gold`.
    Named(String),
    /// A rule over the same table.
    Inline(Box<Inline>),
}

/// A rule over the same table as the segment that it stands in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Inline {
    /// A condition over the table.
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub(in crate::config) filter: Option<String>,
    /// A query whose columns are members' keys.
    #[schemars(length(min = 1))]
    pub(in crate::config) sql: Option<String>,
    /// Belongs to each of these.
    #[schemars(length(min = 1))]
    pub(in crate::config) all_of: Option<Vec<Part>>,
    /// Belongs to at least one of these.
    #[schemars(length(min = 1))]
    pub(in crate::config) any_of: Option<Vec<Part>>,
    /// Belongs to none of these.
    #[schemars(length(min = 1))]
    pub(in crate::config) none_of: Option<Vec<Part>>,
    /// Only the first so many.
    pub(in crate::config) limit: Option<Limit>,
}

/// The first so many.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Limit {
    /// How many.
    #[schemars(range(min = 1))]
    pub(in crate::config) members: u64,
    /// In which order, as in SQL's ORDER BY; ties go by the key. Default: by the key.
    #[schemars(length(min = 1))]
    pub(in crate::config) order_by: Option<String>,
}
