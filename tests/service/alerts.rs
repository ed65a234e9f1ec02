//! Alerts as their receivers take them: to the field, and again when they do not answer well.

use std::fs;

use herald::{alerts, control::Trigger, telemetry::Metrics};
use serde_json::Value;
use wiremock::{Match, Mock, MockServer, Request, ResponseTemplate, matchers::path};

use super::{Live, home, ops, until, with};

/// Refuses what the receiver behind the path would refuse.
struct Wrong;

impl Match for Wrong {
    fn matches(&self, request: &Request) -> bool {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return true };
        let text = |at: &str| body.pointer(at).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        let right = match request.url.path() {
            "/hook" => text("/event") && text("/state") && text("/message") && body.get("receipt").is_some(),
            // <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
            "/slack" => {
                text("/text") && body["blocks"][0]["type"] == "section" && body["blocks"][0]["text"]["type"] == "mrkdwn"
            }
            // <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>
            _ => {
                let known =
                    ["routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"];
                let fields = body.as_object().is_some_and(|body| body.keys().all(|key| known.contains(&key.as_str())));
                let resolves = body["event_action"] == "resolve";
                let severities = ["critical", "error", "warning", "info"];
                let payload = text("/payload/summary")
                    && text("/payload/source")
                    && severities.contains(&body["payload"]["severity"].as_str().unwrap_or_default());
                fields && body["routing_key"] == "R0UT1NG" && text("/dedup_key") && (resolves || payload)
            }
        };
        !right || request.headers.get("content-type").is_none_or(|kind| kind != "application/json")
    }
}

async fn posted(server: &MockServer, to: &str) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let to = requests.iter().filter(|request| request.url.path() == to);
    to.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_and_its_end_are_posted_as_each_receiver_takes_them() {
    let server = MockServer::start().await;
    Mock::given(Wrong).respond_with(ResponseTemplate::new(400)).with_priority(1).mount(&server).await;
    // Twice too busy, then well; each alert of the first is sent again.
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "0");
    Mock::given(path("/slack")).respond_with(busy).up_to_n_times(2).with_priority(2).mount(&server).await;
    Mock::given(path("/pager")).respond_with(ResponseTemplate::new(202)).with_priority(3).mount(&server).await;
    Mock::given(path("/hook")).respond_with(ResponseTemplate::new(204)).with_priority(3).mount(&server).await;
    Mock::given(path("/slack")).respond_with(ResponseTemplate::new(200)).with_priority(3).mount(&server).await;
    let home = home(&[("a", "")]);
    let at = server.uri();
    let alerts = format!(
        "watch: false, alerts: [ {{ url: {at}/hook, format: webhook, when: [failed] }}, {{ url: {at}/slack, format: slack, when: [failed, config] }}, \
         {{ url: {at}/pager, key: R0UT1NG, format: pagerduty, when: [failed] }}, {{ url: {at}/never, format: webhook, when: [blocked] }} ]"
    );
    home.configure(&with(&alerts, &[("a", "")]));
    let live = Live::start(&home).await;
    let metrics = Metrics::new().unwrap();
    let alerting = alerts::start(live.control.clone(), metrics.clone(), live.stop.clone());

    fs::write(home.path("out"), "no folder").unwrap();
    let failed = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    live.ended(failed.id).await;
    let both = async |to: &str, most: usize| {
        until("it is posted", async || (posted(&server, to).await.len() >= most).then_some(())).await;
    };
    both("/hook", 1).await;
    both("/pager", 1).await;
    both("/slack", 3).await;
    fs::remove_file(home.path("out")).unwrap();
    let well = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    live.ended(well.id).await;
    both("/hook", 2).await;
    both("/pager", 2).await;
    both("/slack", 4).await;

    let hook = posted(&server, "/hook").await;
    assert_eq!(
        (&hook[0]["event"], &hook[0]["state"], &hook[1]["state"]),
        (&"failed".into(), &"firing".into(), &"resolved".into())
    );
    assert_eq!(hook[0]["receipt"]["id"], failed.id.to_string());
    let pager = posted(&server, "/pager").await;
    assert_eq!((&pager[0]["event_action"], &pager[1]["event_action"]), (&"trigger".into(), &"resolve".into()));
    assert_eq!(pager[0]["dedup_key"], pager[1]["dedup_key"]);
    fs::write(home.path("herald.yaml"), "activations: [").unwrap();
    live.control.reload(&ops()).await.unwrap_err();
    both("/slack", 5).await;
    assert!(posted(&server, "/never").await.is_empty(), "nobody asked to be told of that there");
    let sent = "herald_alerts_total{format=\"webhook\",result=\"sent\"} 2";
    until("posts are counted", async || metrics.render().contains(sent).then_some(())).await;
    live.end().await;
    alerting.await.unwrap();
}
