//! The checked config: every reference resolved by name, every default filled in, no I/O left to do.
//! SQL stays text with the place it came from; [`resolve`](crate::resolve) plans it.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use herald_destinations::{
    contract::{self, Mode, RetryPolicy},
    files::FileOptions,
};
use schemars::JsonSchema;
use serde::Deserialize;

mod service;

pub use service::{Alert, AlertEvent, AlertFormat, Http, Key, Scope, Service, Tls, Token, Traces};

/// All that the config files say. Its `Debug` names the entries only: values may have come by `${file:}`.
pub struct Config {
    /// The `service` map.
    pub service: Service,
    /// Tables of all sources; their names are unique over all of them.
    pub tables: BTreeMap<String, Table>,
    /// Segments.
    pub segments: BTreeMap<String, Segment>,
    /// Targets.
    pub targets: BTreeMap<String, Target>,
    /// Activations.
    pub activations: BTreeMap<String, Activation>,
    /// What each entry says, as a digest, by place (`segments.gold_de`): tells whether two configs say the same.
    pub digests: BTreeMap<String, [u8; 32]>,
    /// Where each value stands, for errors found later.
    pub places: super::Places,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("tables", &self.tables.keys())
            .field("segments", &self.segments.keys())
            .field("targets", &self.targets.keys())
            .field("activations", &self.activations.keys())
            .finish_non_exhaustive()
    }
}

/// A piece of SQL. Its `Debug` shows the place only: the text may have come by `${file:}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Sql {
    /// The text, substitutions done.
    pub text: String,
    /// Dotted path of the value it stands in: `segments.gold_de.where`.
    pub at: String,
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sql({})", self.at)
    }
}

/// A table of a source.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The source it belongs to.
    pub source: String,
    /// Absolute path, glob or folder, or a URL `s3://`, `gs://`, `az://`.
    pub location: String,
    /// `None`: by the files' extension.
    pub format: Option<TableFormat>,
    /// Key columns, at least one.
    pub key: Vec<String>,
    /// Columns that point to a member's key; empty: not a related table.
    pub member: Vec<String>,
    /// Column that says when a row last changed.
    pub updated_at: Option<String>,
    /// Declared columns: name → SQL type; empty: inferred.
    pub columns: Vec<(String, String)>,
}

/// Format of a table's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// `.parquet`
    Parquet,
    /// `.csv`, also compressed
    Csv,
    /// `.ndjson`, `.jsonl`, `.json`, also compressed
    Ndjson,
    /// `.arrow`, `.ipc`, `.feather`
    Arrow,
}

/// A named rule that yields members.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// The table whose key identifies a member.
    pub from: String,
    /// Who belongs.
    pub rule: Rule,
}

/// A rule: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// Where it stands in the config.
    pub at: String,
    /// A condition over the segment's table.
    pub filter: Option<Sql>,
    /// A query whose columns are the member's key.
    pub sql: Option<Sql>,
    /// Belongs to each.
    pub all_of: Vec<Part>,
    /// Belongs to at least one; `None`: not asked.
    pub any_of: Option<Vec<Part>>,
    /// Belongs to none.
    pub none_of: Vec<Part>,
    /// The first so many, of those who belong.
    pub limit: Option<Limit>,
    /// Names of segments, each taking the members that none before it took; empty: no waterfall.
    pub waterfall: Vec<String>,
}

/// A part of a rule.
#[derive(Debug, Clone)]
pub enum Part {
    /// A segment by name, or a rung of a waterfall, `tiers.recent_buyers`.
    Named {
        /// The name.
        name: String,
        /// Where it stands.
        at: String,
    },
    /// A rule of its own.
    Inline(Box<Rule>),
}

/// The first so many.
#[derive(Debug, Clone)]
pub struct Limit {
    /// How many.
    pub members: u64,
    /// Order; ties go by the key.
    pub order_by: Option<Sql>,
}

/// A place to publish to.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Checked options of its kind.
    pub config: Box<dyn contract::Config>,
    /// What that was made from.
    pub origin: Origin,
}

/// What a target was made from: enough to make it again once the config says otherwise. Holds secrets, so that its `Debug`
/// shows nothing of it.
#[derive(Clone)]
pub struct Origin {
    /// The options, substitutions done, `type` left out.
    pub options: serde_json::Value,
    /// What relative paths among them start from.
    pub folder: PathBuf,
    /// What came by `${file:}` and may show in its place: nothing else may show it.
    pub withheld: Vec<String>,
}

impl Target {
    /// Host or account, bucket, path; `None` where a part of it came by `${file:}`.
    pub fn place(&self) -> Option<String> {
        self.origin.withheld.is_empty().then(|| self.config.identity())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Origin(…)")
    }
}

/// segment + attributes → target.
#[derive(Debug, Clone)]
pub struct Activation {
    /// Its name.
    pub name: String,
    /// Its name before a rename.
    pub was: Option<String>,
    /// Whether its schedule stands still.
    pub paused: bool,
    /// A segment's name, or `waterfall.rung`.
    pub segment: String,
    /// The segment's table, whose key identifies a member.
    pub table: String,
    /// A target's name.
    pub target: String,
    /// Record fields, in order.
    pub attributes: Vec<Attribute>,
    /// False or null: suppressed.
    pub filter: Option<Sql>,
    /// Attributes that must not be null, in the order given.
    pub require: Vec<String>,
    /// Full or incremental.
    pub mode: Mode,
    /// Which operations are sent.
    pub send: SendOps,
    /// The cadence.
    pub refresh: Refresh,
    /// A second, faster cadence.
    pub rapid: Option<Rapid>,
    /// How often everything is sent again.
    pub resync: Option<Duration>,
    /// Past this lag, an alert.
    pub freshness: Option<Duration>,
    /// What stops a publish before anything is sent.
    pub guards: Guards,
    /// What a teardown does with delivered data.
    pub on_delete: OnDelete,
    /// How files look.
    pub files: FileOptions,
    /// How long delivered files stay; `None`: all do.
    pub keep: Option<Keep>,
    /// How long to keep trying.
    pub retry: RetryPolicy,
}

/// A field of the record.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Name of the field.
    pub name: String,
    /// `activations.NAME.attributes.FIELD`
    pub at: String,
    /// Where it comes from.
    pub value: AttributeValue,
}

/// Where a field comes from.
#[derive(Debug, Clone)]
pub enum AttributeValue {
    /// An expression over the segment's table.
    Direct(Sql),
    /// An expression over a related table.
    Related {
        /// The related table.
        table: String,
        /// The expression; may be an aggregate.
        value: Sql,
        /// Rows that count.
        filter: Option<Sql>,
        /// Their order.
        order_by: Option<Sql>,
        /// `None`: `first`, or, where the value is an aggregate, its result.
        take: Option<Take>,
    },
}

/// Which of a member's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// The first non-null value.
    First,
    /// A list of all non-null values.
    All,
}

/// Which operations are sent; incremental only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendOps {
    /// Adds.
    pub add: bool,
    /// Updates.
    pub update: bool,
    /// Removals.
    pub remove: bool,
}

/// When an activation is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    /// After so long.
    Every(Duration),
    /// At wall-clock times.
    Cron {
        /// Five or six fields.
        expression: super::Cron,
        /// An IANA zone.
        timezone: chrono_tz::Tz,
    },
    /// Only when asked.
    Manual,
}

/// The faster cadence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rapid {
    /// How often.
    pub every: Duration,
    /// How far back of the last watermark to look.
    pub overlap: Duration,
}

impl Rapid {
    /// How far back where nothing is said.
    pub const OVERLAP: Duration = Duration::from_secs(600);
}

/// How long delivered files stay. The newest full publish, and whatever came after it, always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// So many publishes.
    Publishes(u32),
    /// This long.
    Age(Duration),
}

/// What stops a publish before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guards {
    /// Fewest members after the publish.
    pub min_members: u64,
    /// Most members after the publish.
    pub max_members: Option<u64>,
    /// Largest share removed, 0 to 1, of the snapshot.
    pub max_removed: f64,
    /// Largest share updated or removed, 0 to 1, of the snapshot.
    pub max_changed: Option<f64>,
}

/// What a teardown does with delivered data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// Leaves it.
    Keep,
    /// Takes it back.
    Purge,
}
