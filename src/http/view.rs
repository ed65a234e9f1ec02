//! An activation as the API shows it: how it stands, and its definition without anything that must not be seen.

use std::time::Duration;

use herald_destinations::{
    contract::Mode,
    files::{Compression, Format},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    config::{Activation, Attribute, AttributeValue, Config, Keep, OnDelete, Refresh, Sql, Take},
    fleet::Standing,
    withheld::WITHHELD,
};

/// An activation: as `herald status` shows it, with its definition.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Activation")]
pub(super) struct View {
    #[serde(flatten)]
    standing: Standing,
    /// What the config says; null once it is gone from there.
    definition: Option<Definition>,
}

/// What the config says of an activation, defaults filled in. Texts that came by `${file:}` read `(withheld)`, and
/// anything else that did is null and named in `withheld`.
#[derive(Debug, Serialize, JsonSchema)]
struct Definition {
    /// Its name before a rename.
    was: Option<String>,
    /// Whom it publishes.
    segment: String,
    /// Where to.
    target: Place,
    /// Record fields, in their order: SQL, or an object with `from`, `value`, `where`, `order_by`, `take`.
    attributes: Map<String, Value>,
    /// SQL that must hold.
    filter: Option<String>,
    /// Attributes that must not be null.
    require: Vec<String>,
    /// Full or incremental.
    mode: Mode,
    /// Operations that are sent.
    send: Vec<&'static str>,
    /// `every`, in seconds, or `cron` and `timezone`, or `manual`.
    refresh: Value,
    /// Seconds between rapid publishes.
    rapid_seconds: Option<u64>,
    /// Seconds between resyncs.
    resync_seconds: Option<u64>,
    /// Seconds past which its lag is an alert.
    freshness_seconds: Option<u64>,
    /// What stops a publish.
    guards: Guards,
    /// `keep` or `purge`.
    on_delete: &'static str,
    /// How files look, where the target takes files.
    files: Files,
    /// How long delivered files stay; null: all do.
    keep: Option<Kept>,
    /// How long a target is tried.
    retry: Retry,
    /// Keys whose values came by `${file:}`, and are null above: `rapid`, `guards.max_removed`.
    withheld: Vec<&'static str>,
}

/// How files look.
#[derive(Debug, Serialize, JsonSchema)]
struct Files {
    /// Encoding of a part.
    format: Format,
    /// Compression of a part.
    compression: Compression,
    /// Path of a part, with its `{placeholders}`.
    path: String,
    /// Rows of a part, at most.
    max_rows: Option<u64>,
    /// Bytes past which a part is closed.
    max_size: Option<u64>,
    /// Whether a publish replaces the file before it.
    overwrite: bool,
    /// Whether parts are encrypted.
    encrypted: bool,
    /// Whether each part has a file of its SHA-256 beside it.
    checksums: bool,
    /// Whether a manifest is written.
    manifest: bool,
    /// Name of an empty file that is written after all others.
    marker: Option<String>,
}

/// How long delivered files stay.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Keep")]
#[serde(rename_all = "snake_case")]
enum Kept {
    /// So many publishes.
    Publishes(u32),
    /// So many seconds.
    Seconds(u64),
}

/// How long a target is tried.
#[derive(Debug, Serialize, JsonSchema)]
struct Retry {
    /// Tries in all.
    attempts: Option<u32>,
    /// Seconds in all.
    max_elapsed_seconds: Option<u64>,
}

/// A target, without its connection.
#[derive(Debug, Serialize, JsonSchema)]
struct Place {
    /// Its name.
    name: String,
    /// Its type.
    kind: String,
    /// Host or account, bucket, path; never a credential.
    place: String,
}

/// What stops a publish before anything is sent.
#[derive(Debug, Serialize, JsonSchema)]
struct Guards {
    /// Fewest members.
    min_members: Option<u64>,
    /// Most members.
    max_members: Option<u64>,
    /// Largest share removed, 0 to 1.
    max_removed: Option<f64>,
    /// Largest share updated or removed, 0 to 1.
    max_changed: Option<f64>,
}

impl View {
    pub(super) fn new(config: &Config, standing: Standing) -> Self {
        let definition = config.activations.get(&standing.name).map(|activation| definition(config, activation));
        Self { standing, definition }
    }
}

/// Keys of an activation whose numbers and times the API shows.
const PLAIN: [&str; 13] = [
    "refresh",
    "rapid",
    "resync",
    "freshness",
    "guards.min_members",
    "guards.max_members",
    "guards.max_removed",
    "guards.max_changed",
    "files.max_rows",
    "files.max_size",
    "retry.attempts",
    "retry.max_elapsed",
    "files.keep",
];

fn definition(config: &Config, activation: &Activation) -> Definition {
    let hidden = |key: &str| config.places.hidden(&format!("activations.{}.{key}", activation.name));
    let withheld: Vec<&'static str> = PLAIN.into_iter().filter(|key| hidden(key)).collect();
    let shown = |key: &str| !withheld.contains(&key);
    let seconds = |key, time: Option<Duration>| time.filter(|_| shown(key)).map(|time| time.as_secs());
    let number = |key, number: Option<u64>| number.filter(|_| shown(key));
    let share = |key, share: Option<f64>| share.filter(|_| shown(key));
    let send = activation.send;
    let target = config.targets.get(&activation.target);
    let (guards, retry) = (&activation.guards, &activation.retry);
    Definition {
        was: activation.was.clone(),
        segment: activation.segment.clone(),
        target: Place {
            name: activation.target.clone(),
            kind: target.map_or_else(String::new, |target| target.config.kind().to_owned()),
            place: target.map_or_else(String::new, |target| target.place().unwrap_or_else(|| WITHHELD.to_owned())),
        },
        attributes: activation.attributes.iter().map(|one| (one.name.clone(), attribute(config, one))).collect(),
        filter: activation.filter.as_ref().map(|filter| sql(config, filter)),
        require: activation.require.clone(),
        mode: activation.mode,
        send: [(send.add, "add"), (send.update, "update"), (send.remove, "remove")]
            .into_iter()
            .filter_map(|(sent, op)| sent.then_some(op))
            .collect(),
        refresh: match &activation.refresh {
            _ if !shown("refresh") => Value::Null,
            Refresh::Every(every) => json!({ "every": every.as_secs() }),
            Refresh::Cron { expression, timezone } => {
                json!({ "cron": expression.to_string(), "timezone": timezone.name() })
            }
            Refresh::Manual => json!({ "manual": true }),
        },
        rapid_seconds: seconds("rapid", activation.rapid.map(|rapid| rapid.every)),
        resync_seconds: seconds("resync", activation.resync),
        freshness_seconds: seconds("freshness", activation.freshness),
        guards: Guards {
            min_members: number("guards.min_members", Some(guards.min_members)),
            max_members: number("guards.max_members", guards.max_members),
            max_removed: share("guards.max_removed", Some(guards.max_removed)),
            max_changed: share("guards.max_changed", guards.max_changed),
        },
        on_delete: match activation.on_delete {
            OnDelete::Keep => "keep",
            OnDelete::Purge => "purge",
        },
        files: files(activation, hidden),
        keep: activation.keep.filter(|_| shown("files.keep")).map(|keep| match keep {
            Keep::Publishes(publishes) => Kept::Publishes(publishes),
            Keep::Age(age) => Kept::Seconds(age.as_secs()),
        }),
        retry: Retry {
            attempts: Some(retry.attempts).filter(|_| shown("retry.attempts")),
            max_elapsed_seconds: seconds("retry.max_elapsed", Some(retry.max_elapsed)),
        },
        withheld,
    }
}

fn files(activation: &Activation, hidden: impl Fn(&str) -> bool) -> Files {
    let files = &activation.files;
    let text = |key: &str, text: &str| if hidden(key) { WITHHELD.to_owned() } else { text.to_owned() };
    let number = |key: &str, number: u64| (!hidden(key)).then_some(number);
    Files {
        format: files.format,
        compression: files.compression,
        path: text("files.path", &files.path),
        max_rows: number("files.max_rows", files.max_rows),
        max_size: number("files.max_size", files.max_size),
        overwrite: files.overwrite,
        encrypted: files.encrypt.is_some(),
        checksums: files.checksums,
        manifest: files.manifest,
        marker: files.marker.as_ref().map(|marker| text("files.marker", marker)),
    }
}

fn sql(config: &Config, sql: &Sql) -> String {
    if config.places.hidden(&sql.at) { WITHHELD.to_owned() } else { sql.text.clone() }
}

fn attribute(config: &Config, attribute: &Attribute) -> Value {
    match &attribute.value {
        AttributeValue::Direct(direct) => json!(sql(config, direct)),
        AttributeValue::Related { table, value, filter, order_by, take } => json!({
            "from": table,
            "value": sql(config, value),
            "where": filter.as_ref().map(|filter| sql(config, filter)),
            "order_by": order_by.as_ref().map(|order| sql(config, order)),
            "take": take.map(|take| match take { Take::First => "first", Take::All => "all" }),
        }),
    }
}
