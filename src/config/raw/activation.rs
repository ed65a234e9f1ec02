//! The `activations` map.

use herald_destinations::contract::Mode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    files::Files,
    text::{Cron, Duration, Ordered, Ratio, Zone},
};

/// A segment and chosen attributes, published to a target on a cadence.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Activation {
    /// Its name before a rename: takes over that snapshot in place of a teardown.
    pub(in crate::config) was: Option<String>,
    /// Stops the schedule; what was delivered stays. Default: false.
    pub(in crate::config) paused: Option<bool>,
    /// Whom to publish: a segment, or a rung of a waterfall, `tiers.gold`.
    #[schemars(required)]
    pub(in crate::config) segment: Option<String>,
    /// Where to.
    #[schemars(required)]
    pub(in crate::config) target: Option<String>,
    /// Record fields, in this order.
    #[schemars(extend("minProperties" = 1))]
    pub(in crate::config) attributes: Option<Ordered<Attribute>>,
    /// What ad platforms take in place of attributes.
    pub(in crate::config) identifiers: Option<Identifiers>,
    /// A condition over the segment's table; false or null suppresses a member, reason `filter`.
    #[schemars(length(min = 1))]
    pub(in crate::config) filter: Option<String>,
    /// Attributes that must not be null; else a member is suppressed, reason `missing:NAME`.
    pub(in crate::config) require: Option<Vec<String>>,
    /// Everything each time, or what changed. Default: `incremental`.
    pub(in crate::config) mode: Option<Mode>,
    /// Which changes are sent, in mode incremental. Default: all three.
    #[schemars(length(min = 1))]
    pub(in crate::config) send: Option<Vec<SendOp>>,
    /// When to publish: one of `every`, `cron`, `manual`.
    #[schemars(required)]
    pub(in crate::config) refresh: Option<Refresh>,
    /// A second, faster cadence that looks only at members touched since; needs mode incremental.
    pub(in crate::config) rapid: Option<Rapid>,
    /// Everything is sent again, and leavers removed, so often: for targets that let members expire.
    pub(in crate::config) resync: Option<Resync>,
    /// Past this age of the last good publish, lag is an alert.
    pub(in crate::config) freshness: Option<Duration>,
    /// What stops a publish before anything is sent.
    pub(in crate::config) guards: Option<Guards>,
    /// What a teardown does with delivered data. Default: `keep`.
    pub(in crate::config) on_delete: Option<OnDelete>,
    /// How files look, for file targets.
    pub(in crate::config) files: Option<Files>,
    /// How long to keep trying what can pass.
    pub(in crate::config) retry: Option<Retry>,
}

/// Where a record field comes from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Attribute {
    /// SQL over the segment's table.
    Direct(#[schemars(length(min = 1))] String),
    /// SQL over a related table.
    Related(Related),
}

/// SQL over a related table; expressions may use `member.COLUMN` of the segment's table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Related {
    /// A table with a `member` column.
    pub(in crate::config) from: String,
    /// An expression; an aggregate, such as `sum(amount)`, counts all rows of the member.
    #[schemars(length(min = 1))]
    pub(in crate::config) value: String,
    /// Which rows count.
    #[serde(rename = "where")]
    #[schemars(length(min = 1))]
    pub(in crate::config) filter: Option<String>,
    /// Their order, as in SQL's ORDER BY; ties go by the table's key. Default: by that key.
    #[schemars(length(min = 1))]
    pub(in crate::config) order_by: Option<String>,
    /// The first non-null value, or a list of all. Default: `first`; not for aggregates.
    pub(in crate::config) take: Option<crate::config::model::Take>,
}

/// Identifiers of people, for ad platforms.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "no target of this build takes identifiers; they are checked and refused")]
pub(in crate::config) struct Identifiers {
    email: Option<Attribute>,
    phone: Option<Attribute>,
    first_name: Option<Attribute>,
    last_name: Option<Attribute>,
    city: Option<Attribute>,
    region: Option<Attribute>,
    postal_code: Option<Attribute>,
    country: Option<Attribute>,
    birth_date: Option<Attribute>,
    gender: Option<Attribute>,
    mobile_ad_id: Option<Attribute>,
    external_id: Option<Attribute>,
}

/// A change that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum SendOp {
    /// Members that the target does not hold.
    Add,
    /// Members whose record changed.
    Update,
    /// Members that the target should not hold any more.
    Remove,
}

/// When to publish: one of the three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["every"]}, {"required": ["cron"]}, {"required": ["manual"]}]))]
pub(in crate::config) struct Refresh {
    /// So often, at a phase of the activation's own.
    pub(in crate::config) every: Option<Duration>,
    /// At wall-clock times: five fields, or six with seconds first.
    pub(in crate::config) cron: Option<Cron>,
    /// The zone of `cron`. Default: `UTC`.
    pub(in crate::config) timezone: Option<Zone>,
    /// Only when asked; `true`.
    pub(in crate::config) manual: Option<bool>,
}

/// The faster cadence.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Rapid {
    /// How often.
    pub(in crate::config) every: Duration,
    /// How far back of the last watermark to look, for rows that arrive late. Default: `10m`.
    pub(in crate::config) overlap: Option<Duration>,
}

/// Sending everything again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Resync {
    /// How often.
    pub(in crate::config) every: Duration,
}

/// What stops a publish before anything is sent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Guards {
    /// Fewest members after the publish. Default: 1.
    pub(in crate::config) min_members: Option<u64>,
    /// Most members after the publish.
    pub(in crate::config) max_members: Option<u64>,
    /// Largest share of the snapshot that a publish removes. Default: `50%`.
    pub(in crate::config) max_removed: Option<Ratio>,
    /// Largest share of the snapshot that a publish updates or removes.
    pub(in crate::config) max_changed: Option<Ratio>,
}

/// What a teardown does with delivered data.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum OnDelete {
    /// Leaves it in place.
    Keep,
    /// Takes back what this activation put there.
    Purge,
}

/// How long to keep trying.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Retry {
    /// Tries in all. Default: 8.
    #[schemars(range(min = 1, max = 1000))]
    pub(in crate::config) attempts: Option<u32>,
    /// Time in all. Default: `1h`.
    pub(in crate::config) max_elapsed: Option<Duration>,
}
