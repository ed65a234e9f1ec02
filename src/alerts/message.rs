//! What is posted, to the field.
//!
//! Slack: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>, and for what is escaped
//! <https://docs.slack.dev/messaging/formatting-message-text>. PagerDuty: Events API v2,
//! <https://developer.pagerduty.com/docs/send-alert-event>.

use chrono::SecondsFormat;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::judge::{Condition, Notice};
use crate::config::{Alert, AlertEvent, AlertFormat};

/// Characters of a Slack section.
const LONGEST_SECTION: usize = 3_000;
/// Characters of a PagerDuty summary.
const LONGEST_SUMMARY: usize = 1_024;
/// Characters of a PagerDuty key of deduplication.
const LONGEST_KEY: usize = 255;

/// The JSON body. `base` is the public address of the service, for links.
pub(super) fn body(alert: &Alert, notice: &Notice, base: Option<&str>) -> Value {
    match alert.format {
        AlertFormat::Webhook => webhook(notice, base),
        AlertFormat::Slack => slack(notice, base),
        AlertFormat::Pagerduty => pagerduty(notice, base, alert.key.as_ref().map_or("", |key| key.expose_secret())),
    }
}

fn webhook(notice: &Notice, base: Option<&str>) -> Value {
    let condition = &notice.condition;
    json!({
        "event": condition.event.as_str(),
        "state": if notice.resolved { "resolved" } else { "firing" },
        "reminder": notice.reminder,
        "activation": condition.activation,
        "target": field(condition, "target"),
        "at": notice.at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "since": condition.since.to_rfc3339_opts(SecondsFormat::Secs, true),
        "summary": condition.summary,
        "remedy": condition.remedy,
        "receipt": condition.receipt,
        "link": link(condition, base),
    })
}

fn slack(notice: &Notice, base: Option<&str>) -> Value {
    let condition = &notice.condition;
    let name = condition.activation.as_deref().unwrap_or("config");
    let word = match (notice.resolved, notice.reminder) {
        (true, _) => "Over",
        (false, true) => "Still",
        (false, false) => "Alert",
    };
    let heading = format!("{word}: {} of {name}", condition.event.as_str());
    let mut text = format!("*{}*\n{}", escaped(&heading), escaped(&condition.summary));
    if let Some(remedy) = condition.remedy.as_deref().filter(|_| !notice.resolved) {
        text = format!("{text}\n_{}_", escaped(remedy));
    }
    let mut text = cut(&text, LONGEST_SECTION - 400);
    if let Some(link) = link(condition, base).filter(|link| link.len() < 300) {
        text = format!("{text}\n<{}|Open in Herald>", escaped(&link));
    }
    let since = condition.since.to_rfc3339_opts(SecondsFormat::Secs, true);
    json!({
        "text": escaped(&cut(&format!("{heading}: {}", condition.summary), LONGEST_SECTION)),
        "blocks": [
            { "type": "section", "text": { "type": "mrkdwn", "text": text } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": format!("since {since}") }] },
        ],
    })
}

fn pagerduty(notice: &Notice, base: Option<&str>, key: &str) -> Value {
    let condition = &notice.condition;
    let source = base.unwrap_or("herald");
    let dedup_key = dedup_key(source, condition);
    if notice.resolved {
        return json!({ "routing_key": key, "event_action": "resolve", "dedup_key": dedup_key });
    }
    let mut details = Map::new();
    for (name, value) in [("activation", condition.activation.clone()), ("remedy", condition.remedy.clone())] {
        details.extend(value.map(|value| (name.to_owned(), Value::String(value))));
    }
    details.extend(condition.receipt.clone().map(|receipt| ("receipt".to_owned(), receipt)));
    let mut event = json!({
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": "herald",
        "payload": {
            "summary": cut(&condition.summary, LONGEST_SUMMARY),
            "source": source,
            "severity": severity(condition.event),
            "timestamp": condition.since.to_rfc3339_opts(SecondsFormat::Millis, true),
            "component": field(condition, "target").unwrap_or("herald"),
            "group": condition.activation.as_deref().unwrap_or("config"),
            "class": condition.event.as_str(),
            "custom_details": details,
        },
    });
    if let Some(link) = link(condition, base) {
        event["client_url"] = Value::String(link.clone());
        event["links"] = json!([{ "href": link, "text": "Open in Herald" }]);
    }
    event
}

/// The same for all that is said of one condition.
fn dedup_key(source: &str, condition: &Condition) -> String {
    let key = format!("{source}/{}/{}", condition.event.as_str(), condition.activation.as_deref().unwrap_or(""));
    if key.len() <= LONGEST_KEY {
        return key;
    }
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

const fn severity(event: AlertEvent) -> &'static str {
    match event {
        AlertEvent::Failed | AlertEvent::Blocked | AlertEvent::Config | AlertEvent::Teardown => "error",
        AlertEvent::Partial | AlertEvent::Lag | AlertEvent::DeadLetters => "warning",
    }
}

/// The page of the publish, or of the activation.
fn link(condition: &Condition, base: Option<&str>) -> Option<String> {
    let base = base?.trim_end_matches('/');
    Some(match (field(condition, "id"), &condition.activation) {
        (Some(id), _) => format!("{base}/publishes/{id}"),
        (None, Some(name)) => format!("{base}/activations/{name}"),
        (None, None) => format!("{base}/"),
    })
}

fn field<'a>(condition: &'a Condition, name: &str) -> Option<&'a str> {
    condition.receipt.as_ref()?.get(name)?.as_str()
}

/// What Slack reads as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// At most so many characters.
fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest - 1).chain(['…']).collect()
}
