//! What stands below `type: webhook`, as written.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Most rows that `batch` may allow.
pub(super) const LARGEST_BATCH: usize = 10_000;
const USUAL_BATCH: usize = 500;
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// Options of a webhook target as they stand in a config. Holds secrets in the clear, hence no `Debug`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Where events are sent: `https://host[:port]/path`. Its path and query may hold a token, so it is never shown.
    #[schemars(extend("writeOnly" = true), length(min = 1))]
    pub(super) url: String,
    /// What requests are signed with, known to the receiver too: any text, or `whsec_` and the key in base64. Without
    /// it requests are not signed, and the receiver can't tell them from anybody's.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true), length(min = 1))]
    pub(super) secret: Option<String>,
    /// Most events in a request.
    #[serde(default = "usual_batch")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) batch: usize,
    /// How events are written.
    #[serde(default)]
    pub(super) format: EventFormat,
    /// Headers to send along, such as a token that the receiver asks for.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, HeaderText>,
    /// How long a request may take, answer included; at most `1h`.
    #[serde(default)]
    pub(super) timeout: Timeout,
}

fn usual_batch() -> usize {
    USUAL_BATCH
}

/// How events are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventFormat {
    /// One event a line.
    #[default]
    Ndjson,
    /// One document, with the events in a list.
    Json,
}

/// A header's value: it may be a token, so it counts as one.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct HeaderText(pub(super) String);

impl JsonSchema for HeaderText {
    fn schema_name() -> Cow<'static, str> {
        "HeaderText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// `30s`
pub(super) struct Timeout(pub(super) Duration);

impl Default for Timeout {
    fn default() -> Self {
        Self(USUAL_TIMEOUT)
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration(&text).map(Self).ok_or_else(|| de::Error::custom("a duration such as 30s is wanted"))
    }
}

impl JsonSchema for Timeout {
    fn schema_name() -> Cow<'static, str> {
        "Timeout".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // The format is the word by which the config's own durations are known.
        json_schema!({
            "type": "string", "format": "herald-duration", "pattern": "^[0-9]+(s|m|h|d)$", "examples": ["30s"]
        })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    // What is too long is told at its key, not as a value that does not fit.
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

impl Timeout {
    /// Whether a request may be given this long.
    pub(super) fn fits(&self) -> bool {
        self.0 > Duration::ZERO && self.0 <= LONGEST_TIMEOUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_number_and_a_unit() {
        for (text, seconds) in [("30s", Some(30)), ("2m", Some(120)), ("1h", Some(3600)), ("1d", Some(86_400))] {
            assert_eq!(duration(text).map(|found| found.as_secs()), seconds, "{text}");
        }
        for text in ["", "s", "30", "1.5s", "30 s", "30ß", "-1s"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert!(Timeout(Duration::from_secs(3600)).fits() && !Timeout(Duration::from_secs(3601)).fits());
        assert!(!Timeout(Duration::ZERO).fits());
    }
}
