//! The checked `service` map.

use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The `service` map.
#[derive(Debug, Clone)]
pub struct Service {
    /// State, snapshots, spill.
    pub data_dir: PathBuf,
    /// 32 bytes; `None`: a key file in `data_dir`.
    pub encryption_key: Option<Key>,
    /// Bytes of memory for the whole process.
    pub memory: u64,
    /// Publishes at once.
    pub concurrency: usize,
    /// Teardowns that one start or reload may cause.
    pub max_teardowns_per_reload: u32,
    /// Whether files of the config that change are read again by themselves.
    pub watch: bool,
    /// API, dashboard and metrics.
    pub http: Http,
    /// Who is told when a publish goes wrong.
    pub alerts: Vec<Alert>,
    /// Where traces go; `None`: where the environment says, if anywhere.
    pub traces: Option<Traces>,
}

/// Where traces go.
#[derive(Debug, Clone)]
pub struct Traces {
    /// An http or https URL, whole.
    pub endpoint: String,
    /// Headers of every request by name; each is a valid one.
    pub headers: Vec<(String, SecretString)>,
    /// Share of the publishes that are traced, 0 to 1; `None`: what the environment says, or all.
    pub sample: Option<f64>,
}

/// API, dashboard and metrics.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where people reach it, for links: an http or https URL.
    pub url: Option<String>,
    /// `host:port`; without tokens a loopback address.
    pub listen: String,
    /// Who may do what; none: everybody who reaches the address may do everything. No token is empty.
    pub tokens: Vec<Token>,
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
}

/// What HTTPS is spoken with. The files are read when the service starts, and anew when they or the config change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate and those that it was signed with, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Who holds it; unique.
    pub name: String,
    /// Never empty.
    pub token: SecretString,
    /// What it allows.
    pub scope: Scope,
}

/// What a token allows; each holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Looking.
    Read,
    /// Publishing, cancelling, pausing.
    Publish,
    /// Deleting and reloading too.
    Admin,
}

/// Who is told when a publish goes wrong.
#[derive(Debug, Clone)]
pub struct Alert {
    /// An http or https URL; often a secret itself.
    pub url: SecretString,
    /// What is posted.
    pub format: AlertFormat,
    /// The routing key; PagerDuty alone has one, always.
    pub key: Option<SecretString>,
    /// On what.
    pub when: Vec<AlertEvent>,
}

/// What an alert posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertFormat {
    /// The receipt, as JSON.
    Webhook,
    /// A Slack message.
    Slack,
    /// A PagerDuty event.
    Pagerduty,
}

impl AlertFormat {
    /// The word of the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
        }
    }
}

/// What an alert is posted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertEvent {
    /// A publish failed.
    Failed,
    /// A publish had rejected records.
    Partial,
    /// A guard stopped a publish.
    Blocked,
    /// The last good publish is older than `freshness`.
    Lag,
    /// Records were refused for good.
    DeadLetters,
    /// A reload was refused.
    Config,
    /// A teardown failed.
    Teardown,
}

impl AlertEvent {
    /// The word of the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Blocked => "blocked",
            Self::Lag => "lag",
            Self::DeadLetters => "dead_letters",
            Self::Config => "config",
            Self::Teardown => "teardown",
        }
    }
}

/// A 32-byte key that no output ever shows.
#[derive(Clone)]
pub struct Key(pub [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}
