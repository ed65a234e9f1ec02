//! Alerts arrive, to the field, once, and say when it is over.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::DateTime;
use herald::{alerts, publish::Status, telemetry::Metrics};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::path};

use super::{choosy, config, publish};
use crate::{
    service::{Live, ops, people, until},
    support::Home,
};

const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

/// What PagerDuty's Events API v2 refuses with 400, and what it takes.
fn pagerduty(event: &Value) -> Result<(), String> {
    let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned).ok_or(format!("no {name}"));
    let known = ["routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links"];
    only(event, &known)?;
    if text(event, "routing_key")? != ROUTING_KEY || text(event, "dedup_key")?.len() > 255 {
        return Err("a wrong key".into());
    }
    match text(event, "event_action")?.as_str() {
        "resolve" => return Ok(()),
        "trigger" => {}
        other => return Err(format!("action {other}")),
    }
    let payload = &event["payload"];
    only(payload, &["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"])?;
    let summary = text(payload, "summary")?;
    let severe = ["critical", "error", "warning", "info"].contains(&text(payload, "severity")?.as_str());
    if summary.is_empty() || summary.chars().count() > 1024 || text(payload, "source")?.is_empty() || !severe {
        return Err("a wrong payload".into());
    }
    DateTime::parse_from_rfc3339(&text(payload, "timestamp")?).map_err(|error| error.to_string())?;
    if !payload["custom_details"].is_object() {
        return Err("details are no object".into());
    }
    Ok(())
}

/// What a Slack webhook refuses as `invalid_blocks` or `no_text`, and what it takes.
fn slack(message: &Value) -> Result<(), String> {
    only(message, &["text", "blocks"])?;
    if message["text"].as_str().is_none_or(str::is_empty) {
        return Err("no_text".into());
    }
    for block in message["blocks"].as_array().ok_or("invalid_blocks")? {
        let texts = match block["type"].as_str() {
            Some("section") => vec![block["text"].clone()],
            Some("context") => block["elements"].as_array().ok_or("invalid_blocks")?.clone(),
            _ => return Err("invalid_blocks".into()),
        };
        for text in texts {
            let long = text["text"].as_str().is_none_or(|text| text.is_empty() || text.chars().count() > 3000);
            if text["type"] != "mrkdwn" || long {
                return Err("invalid_blocks".into());
            }
        }
    }
    Ok(())
}

fn only(value: &Value, known: &[&str]) -> Result<(), String> {
    let fields = value.as_object().ok_or("no object")?;
    fields.keys().find(|key| !known.contains(&key.as_str())).map_or(Ok(()), |key| Err(format!("unknown field {key}")))
}

/// Takes what the check takes, after a first answer that asks for patience.
async fn receiver(server: &MockServer, at: &str, status: u16, check: fn(&Value) -> Result<(), String>) {
    let (first, faults) = (ResponseTemplate::new(429).insert_header("retry-after", "0"), Arc::new(AtomicUsize::new(0)));
    let answer = move |request: &Request| {
        if faults.fetch_add(1, Ordering::Relaxed) == 0 {
            return first.clone();
        }
        let body = serde_json::from_slice(&request.body).map_err(|error| error.to_string());
        match body.and_then(|body| check(&body)) {
            Ok(()) => ResponseTemplate::new(status),
            Err(why) => ResponseTemplate::new(400).set_body_string(why),
        }
    };
    Mock::given(path(at)).respond_with(answer).mount(server).await;
}

/// What one receiver was posted and took, in order; the first try was not taken.
async fn taken(server: &MockServer, at: &str) -> Vec<Value> {
    let all = server.received_requests().await.unwrap();
    let here = all.iter().filter(|request| request.url.path() == at);
    here.skip(1).map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

fn three(uri: &str) -> String {
    let when = "when: [failed, partial, blocked, lag, dead_letters, config]";
    format!(
        "alerts: [{{ url: '{uri}/hook', format: webhook, {when} }}, {{ url: '{uri}/slack', format: slack, {when} }}, \
         {{ url: '{uri}/pd', format: pagerduty, key: {ROUTING_KEY}, {when} }}]"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_receiver_is_told_once_what_began_and_that_it_is_over() {
    let server = MockServer::start().await;
    receiver(&server, "/hook", 200, |_| Ok(())).await;
    receiver(&server, "/slack", 200, slack).await;
    receiver(&server, "/pd", 202, pagerduty).await;
    let home = Home::new(&config(&three(&server.uri()), &server.uri()));
    people(&home, 20, 0);
    let live = Live::start(&home).await;
    let metrics = Metrics::new().unwrap();
    let alerts = alerts::start(&live.control, &metrics);
    let blocked = publish(&live, "few", Status::Blocked).await;
    publish(&live, "few", Status::Blocked).await;
    people(&home, 4, 0);
    publish(&live, "few", Status::Succeeded).await;
    let told = async |at: &str, number: usize| {
        until("the receiver was told", async || {
            let taken = taken(&server, at).await;
            (taken.len() >= number).then_some(taken)
        })
        .await
    };

    let hook = told("/hook", 2).await;
    assert_eq!(hook.len(), 2, "the second one that was blocked is nothing new: {hook:#?}");
    assert_eq!((&hook[0]["event"], &hook[0]["state"]), (&json!("blocked"), &json!("firing")));
    assert_eq!((&hook[0]["activation"], &hook[0]["target"]), (&json!("few"), &json!("out")));
    assert_eq!(hook[0]["receipt"]["id"], json!(blocked.id));
    assert_eq!(hook[0]["link"], json!(format!("https://herald.example.com/publishes/{}", blocked.id)));
    assert_eq!((&hook[1]["event"], &hook[1]["state"]), (&json!("blocked"), &json!("resolved")));

    let pd = told("/pd", 2).await;
    let actions: Vec<_> = pd.iter().map(|event| event["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(pd[0]["dedup_key"], pd[1]["dedup_key"]);
    let slack = told("/slack", 2).await;
    assert!(slack[0]["text"].as_str().unwrap().starts_with("Alert: blocked of few"), "{slack:#?}");
    assert!(slack[1]["text"].as_str().unwrap().starts_with("Over: blocked of few"), "{slack:#?}");

    // What a command publishes beside the service counts as well.
    people(&home, 20, 1);
    assert_ne!(home.run(&["publish", "few"]).status, 0);
    told("/hook", 3).await;
    // What a reload brings is in force at once.
    home.configure("activations: [");
    live.control.reload(&ops()).await.unwrap_err();
    let hook = told("/hook", 4).await;
    assert_eq!((&hook[3]["event"], &hook[3]["activation"]), (&json!("config"), &Value::Null));
    let another = config(&three(&server.uri()).replace("/hook", "/other"), &server.uri());
    Mock::given(path("/other")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    home.configure(&another);
    live.control.reload(&ops()).await.unwrap();
    until("the new one is told what goes on", async || {
        let all = server.received_requests().await.unwrap();
        let other = all.iter().find(|request| request.url.path() == "/other")?;
        let body: Value = serde_json::from_slice(&other.body).unwrap();
        (body["event"] == "blocked" && body["state"] == "firing").then_some(())
    })
    .await;
    live.end().await;
    alerts.end().await;
    let text = metrics.render();
    assert!(text.contains("herald_alerts_total{format=\"pagerduty\",result=\"sent\"}"), "{text}");
    assert!(!text.contains("result=\"failed\"") && !text.contains("result=\"dropped\""), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_never_answers_holds_up_neither_publishes_nor_others_nor_the_end() {
    let server = MockServer::start().await;
    Mock::given(path("/in")).respond_with(choosy).mount(&server).await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    Mock::given(path("/slack")).respond_with(slow).mount(&server).await;
    receiver(&server, "/hook", 200, |_| Ok(())).await;
    receiver(&server, "/pd", 202, pagerduty).await;
    let home = Home::new(&config(&three(&server.uri()), &server.uri()));
    people(&home, 20, 0);
    let live = Live::start(&home).await;
    let metrics = Metrics::new().unwrap();
    let alerts = alerts::start(&live.control, &metrics);
    publish(&live, "events", Status::Partial).await;
    publish(&live, "files", Status::Succeeded).await;
    let events = until("rejects, and lag, are told", async || {
        let taken = taken(&server, "/hook").await;
        let mut events: Vec<String> = taken.iter().map(|one| one["event"].as_str().unwrap().to_owned()).collect();
        events.sort();
        (events.len() >= 3).then_some(events)
    })
    .await;
    assert_eq!(events, ["dead_letters", "lag", "partial"]);
    live.end().await;
    let ending = Instant::now();
    alerts.end().await;
    assert!(ending.elapsed() < Duration::from_secs(15), "{:?}", ending.elapsed());
    assert!(metrics.render().contains("herald_alerts_total{format=\"slack\",result=\"failed\"}"));
}

#[test]
fn no_log_and_no_file_shows_where_alerts_go() {
    let alerts = "alerts: [{ url: 'http://127.0.0.1:9/CANARY', format: slack, when: [blocked] }, \
                  { url: 'http://127.0.0.1:9/x?CANARY', format: pagerduty, key: CANARY, when: [blocked] }]";
    let home = Home::new(&config(alerts, "http://127.0.0.1:9"));
    people(&home, 20, 0);
    assert_ne!(home.run(&["publish", "few"]).status, 0);
    let log = home.path("log");
    let file = std::fs::File::create(&log).unwrap();
    let mut service = home.command(&["run"]).stderr(file).stdout(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let text = loop {
        let text = std::fs::read_to_string(&log).unwrap();
        if text.contains("format slack") && text.contains("format pagerduty") {
            break text;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no try in the log:\n{text}");
        std::thread::sleep(Duration::from_millis(50));
    };
    service.kill().unwrap();
    service.wait().unwrap();
    assert!(!text.contains("CANARY") && !text.contains("127.0.0.1:9"), "{text}");
    let kept = std::fs::read_to_string(home.path("herald-data/alerts.json")).unwrap();
    assert!(kept.contains("blocked") && !kept.contains("CANARY"), "{kept}");
}
