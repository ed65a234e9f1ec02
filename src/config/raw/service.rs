//! The `service` map.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{Ratio, Secret, Size};

/// The process itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Service {
    /// Folder of state, snapshots, spill and dead letters; made with mode 0700. Default: `herald-data` beside the config.
    #[schemars(length(min = 1))]
    pub(in crate::config) data_dir: Option<String>,
    /// 32 bytes, base64, that encrypt snapshots at rest. Empty or left out: a key file in `data_dir`, mode 0600.
    pub(in crate::config) encryption_key: Option<Secret>,
    /// Where state is kept: `sqlite`, in `data_dir`.
    pub(in crate::config) state: Option<Secret>,
    /// What resolves members and attributes.
    pub(in crate::config) engine: Option<Engine>,
    /// Publishes at once, 1 to 1024; rapid ones have a lane of their own. Default: 4.
    #[schemars(range(min = 1, max = 1024))]
    pub(in crate::config) concurrency: Option<u32>,
    /// API, dashboard and metrics of `herald run`.
    pub(in crate::config) http: Option<Http>,
    /// A start or reload that would tear down more activations is refused as a whole. Default: 1.
    pub(in crate::config) max_teardowns_per_reload: Option<u32>,
    /// Whether `herald run` reads the config again when its files change. Default: true.
    pub(in crate::config) watch: Option<bool>,
    /// Who is told when a publish goes wrong.
    pub(in crate::config) alerts: Option<Vec<Alert>>,
    /// Sends traces of publishes to a collector. Default: none, unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
    pub(in crate::config) traces: Option<Traces>,
}

/// Where traces go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Traces {
    /// Base address of a collector that takes OTLP over HTTP, such as `http://collector:4318`; `/v1/traces` is appended.
    #[schemars(length(min = 1))]
    pub(in crate::config) endpoint: String,
    /// Headers of every request, such as a token; secrets.
    pub(in crate::config) headers: Option<BTreeMap<String, Secret>>,
    /// Share of the publishes that are traced. Default: `100%`, or what `OTEL_TRACES_SAMPLER` says.
    pub(in crate::config) sample: Option<Ratio>,
}

/// What resolves members and attributes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Engine {
    /// Which engine. Default: `embedded`.
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one choice; the key is read so that configs can name it")]
    pub(in crate::config) kind: Option<EngineKind>,
    /// Memory of the whole process, at least 16MiB; publishes wait for their share. Default: `1GiB`.
    pub(in crate::config) memory: Option<Size>,
}

/// Kinds of engine.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum EngineKind {
    /// In this process.
    Embedded,
}

/// API, dashboard and metrics.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Http {
    /// Address and port. One that other machines reach needs `tokens`. Default: `127.0.0.1:8080`.
    pub(in crate::config) listen: Option<String>,
    /// Where people reach it, such as `https://herald.example.com`: what links in alerts begin with. Default: no links.
    pub(in crate::config) url: Option<String>,
    /// Who may do what; without any, everybody who reaches the address may do everything.
    pub(in crate::config) tokens: Option<Vec<Token>>,
    /// Speaks HTTPS with this certificate. Default: plain HTTP.
    pub(in crate::config) tls: Option<Tls>,
}

/// What HTTPS is spoken with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Tls {
    /// PEM file of the certificate, followed by those that it was signed with.
    #[schemars(length(min = 1))]
    pub(in crate::config) cert: String,
    /// PEM file of its private key.
    #[schemars(length(min = 1))]
    pub(in crate::config) key: String,
}

/// A bearer token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Token {
    /// Who holds it; stands in the audit.
    #[schemars(length(min = 1))]
    pub(in crate::config) name: String,
    /// The token itself; an empty one is no token.
    pub(in crate::config) token: Secret,
    /// What it allows; each scope holds those before it.
    pub(in crate::config) scope: crate::config::model::Scope,
}

/// Who is told.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Alert {
    /// Where to post; a secret, as its path often is one.
    pub(in crate::config) url: Secret,
    /// What is posted.
    pub(in crate::config) format: crate::config::model::AlertFormat,
    /// The routing key of a PagerDuty service; `pagerduty` needs it, and no other format takes one.
    pub(in crate::config) key: Option<Secret>,
    /// On what.
    #[schemars(length(min = 1))]
    pub(in crate::config) when: Vec<crate::config::model::AlertEvent>,
}
