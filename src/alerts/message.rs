//! What is posted, by format.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::{Notice, Turn};
use crate::config::{AlertEvent, AlertFormat};

/// Longest summary that PagerDuty takes: <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>.
const LONGEST_SUMMARY: usize = 1_024;
/// Longest text of a block that Slack takes: <https://docs.slack.dev/reference/block-kit/blocks/section-block>.
const LONGEST_TEXT: usize = 3_000;

/// The body of a post. `key`: PagerDuty's routing key.
pub(super) fn body(format: AlertFormat, key: Option<&str>, notice: &Notice) -> Value {
    match format {
        AlertFormat::Webhook => webhook(notice),
        AlertFormat::Slack => slack(notice),
        AlertFormat::Pagerduty => pagerduty(key.unwrap_or_default(), notice),
    }
}

fn webhook(notice: &Notice) -> Value {
    json!({
        "event": notice.event.as_str(),
        "state": notice.turn.as_str(),
        "activation": notice.activation,
        "target": notice.target,
        "at": at(notice),
        "message": notice.message,
        "remedy": notice.remedy,
        "receipt": notice.receipt,
    })
}

fn slack(notice: &Notice) -> Value {
    let sign = match notice.turn {
        Turn::Firing => ":red_circle:",
        Turn::Resolved => ":large_green_circle:",
    };
    let plain = format!("herald: {}", notice.message);
    let mut text = format!("{sign} *{}*: {}", notice.event.as_str().replace('_', " "), escaped(&notice.message));
    if let Some(remedy) = &notice.remedy {
        text.push('\n');
        text.push_str(&escaped(remedy));
    }
    if let Some(receipt) = &notice.receipt {
        text.push_str(&format!("\npublish `{}`", receipt.id));
    }
    json!({
        "text": escaped(&plain),
        "blocks": [ { "type": "section", "text": { "type": "mrkdwn", "text": cut(&text, LONGEST_TEXT) } } ],
    })
}

fn pagerduty(key: &str, notice: &Notice) -> Value {
    let matter = format!("herald/{}/{}", notice.activation.as_deref().unwrap_or("service"), notice.event.as_str());
    let mut event = json!({
        "routing_key": key,
        "event_action": match notice.turn { Turn::Firing => "trigger", Turn::Resolved => "resolve" },
        "dedup_key": matter,
    });
    if notice.turn == Turn::Firing {
        event["client"] = json!("Herald");
        event["payload"] = json!({
            "summary": cut(&notice.message, LONGEST_SUMMARY),
            "source": "herald",
            "severity": severity(notice.event),
            "timestamp": at(notice),
            "component": notice.target,
            "group": notice.activation,
            "class": notice.event.as_str(),
            "custom_details": {
                "remedy": notice.remedy,
                "publish": notice.receipt.as_ref().map(|receipt| receipt.id),
                "counts": notice.receipt.as_ref().map(|receipt| &receipt.counts),
            },
        });
    }
    event
}

fn severity(event: AlertEvent) -> &'static str {
    match event {
        AlertEvent::Failed | AlertEvent::Lag | AlertEvent::Teardown | AlertEvent::Config => "error",
        AlertEvent::Blocked | AlertEvent::Partial | AlertEvent::DeadLetters | AlertEvent::Credentials => "warning",
    }
}

fn at(notice: &Notice) -> String {
    notice.at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Slack reads these three: <https://docs.slack.dev/messaging/formatting-message-text>.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
