//! The way of a user: two activations, a rapid publish seen live, a target that breaks and is mended, and one that is gone
//! from the config and from the target.

use std::{fs, sync::Arc};

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use chrono::Utc;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use super::{Run, TOKEN, until};
use crate::{
    publishing::{integers, words},
    support::{Home, files},
};

fn config(alerts: &str, gold: bool) -> String {
    let gold = if gold {
        "  gold:
    segment: gold
    target: partner
    attributes: { id: id, name: name }
    refresh: { manual: true }
    freshness: 3s
    guards: { max_removed: 100% }
    on_delete: purge
"
    } else {
        ""
    };
    format!(
        "service:
  http: {{ listen: 127.0.0.1:0, tokens: [ {{ name: ops, token: {TOKEN}, scope: admin }} ] }}
  alerts: [ {{ url: \"{alerts}\", format: webhook, when: [failed, lag] }} ]
sources:
  lake: {{ type: files, tables: {{ person: {{ path: lake/person.parquet, key: id, updated_at: updated_at }} }} }}
segments:
  gold: {{ from: person, where: \"tier = 'gold'\" }}
  everyone: {{ from: person, where: 'true' }}
targets:
  partner: {{ type: local, path: ./partner }}
  archive: {{ type: local, path: ./archive }}
activations:
{gold}  everyone:
    segment: everyone
    target: archive
    attributes: {{ id: id, tier: tier }}
    refresh: {{ manual: true }}
"
    )
}

/// Ten people, five of them gold; the name of one is new, and so is the time of its row.
fn people(home: &Home, name: &str) {
    let ids: Vec<i64> = (0..10).collect();
    let names: Vec<&str> = (0..10).map(|id| if id == 3 { name } else { "as before" }).collect();
    let tiers: Vec<&str> = (0..10).map(|id| if id < 5 { "gold" } else { "plain" }).collect();
    let now = Utc::now().timestamp_micros();
    let times = (0..10).map(|id| if id == 3 { now } else { now - 86_400_000_000 });
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"));
    let columns = vec![("id", integers(&ids)), ("name", words(&names)), ("tier", words(&tiers)), ("updated_at", times)];
    home.table("person", columns);
}

/// What was posted about an activation: event and state.
async fn posted(alerts: &MockServer, activation: &str) -> Vec<(String, String)> {
    let requests = alerts.received_requests().await.unwrap();
    let alerts = requests.iter().map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
    let of = alerts.filter(|alert| alert["activation"] == activation);
    of.map(|alert| (alert["event"].as_str().unwrap().to_owned(), alert["state"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_publishes_watches_breaks_mends_and_deletes() {
    let alerts = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&alerts).await;
    let home = Home::new(&config(&alerts.uri(), true));
    people(&home, "Anna");
    let run = Run::start(&home).await;

    // Two activations, published whole.
    for (name, members) in [("gold", 5), ("everyone", 10)] {
        let first = run.publish(name, json!({ "kind": "manual" })).await;
        assert_eq!((&first["status"], &first["counts"]["added"]), (&json!("succeeded"), &json!(members)), "{first:#}");
        assert_eq!(run.json(&format!("/v1/activations/{name}")).await["members"], members);
    }
    let page = run.get("/").await;
    assert!(page.contains("gold") && page.contains("everyone"), "the fleet is on one page");

    // One person changes: found by its watermark, delivered, and told live.
    let heard = run.events().await;
    people(&home, "Berta");
    let rapid = run.publish("gold", json!({})).await;
    let of = |name: &str| rapid["counts"][name].as_u64().unwrap();
    assert_eq!((&rapid["kind"], of("updated"), of("delivered")), (&json!("rapid"), 1, 1), "{rapid:#}");
    let id = rapid["id"].as_str().unwrap().to_owned();
    until("the end of the publish is told", async || {
        let heard = heard.lock().unwrap();
        let told = |event: &str| event.contains("event: publish") && event.contains(&id) && event.contains("succeeded");
        heard.split("\n\n").any(told).then_some(())
    })
    .await;
    assert!(run.get(&format!("/publishes/{id}")).await.contains(&id));

    // The target breaks: failure, lag, alerts.
    fs::rename(home.path("partner"), home.path("away")).unwrap();
    fs::write(home.path("partner"), "no folder").unwrap();
    people(&home, "Carla");
    let failed = run.publish("gold", json!({ "members": ["3"] })).await;
    assert_eq!(failed["status"], "failed", "{failed:#}");
    assert!(!failed["error"]["remedy"].as_str().unwrap().is_empty());
    let failures = "herald_publishes_total{activation=\"gold\",target=\"partner\",kind=\"rapid\",status=\"failed\"}";
    assert!(run.metric(failures).await >= Some(1.0));
    until("lag and failure are posted", async || {
        let posted = posted(&alerts, "gold").await;
        let fires = |event: &str| posted.contains(&(event.to_owned(), "firing".to_owned()));
        (fires("failed") && fires("lag")).then_some(())
    })
    .await;
    until("the lag is in the metrics", async || {
        let lag = run.metric("herald_sync_lag_seconds{activation=\"gold\"}").await;
        (lag >= Some(3.0)).then_some(())
    })
    .await;
    assert!(posted(&alerts, "everyone").await.is_empty());

    // It is mended: what was not delivered comes again, and the alerts are over.
    fs::remove_file(home.path("partner")).unwrap();
    fs::rename(home.path("away"), home.path("partner")).unwrap();
    let mended = run.publish("gold", json!({ "kind": "manual" })).await;
    assert_eq!(mended["status"], "succeeded", "{mended:#}");
    until("the recovery is posted", async || {
        let posted = posted(&alerts, "gold").await;
        let over = |event: &str| posted.contains(&(event.to_owned(), "resolved".to_owned()));
        (over("failed") && over("lag")).then_some(())
    })
    .await;
    assert_eq!(crate::support::replay(&home.path("partner"))["3"]["name"], "Carla");

    // Out of the config: the target is clean, and nothing else is touched.
    let archived = files(&home.path("archive"));
    home.configure(&config(&alerts.uri(), false));
    until("the target is clean", async || files(&home.path("partner")).is_empty().then_some(())).await;
    until("the teardown is on record", async || {
        let gold = run.json("/v1/activations/gold").await;
        (gold["state"] == "deleted" && gold["last"]["status"] == "succeeded").then_some(())
    })
    .await;
    assert_eq!(files(&home.path("archive")), archived);
    until("its gauges are gone", async || {
        run.metric("herald_sync_lag_seconds{activation=\"gold\"}").await.is_none().then_some(())
    })
    .await;
    let audit = home.run(&["audit", "--json"]).stdout;
    for line in ["\"who\":\"ops\",\"what\":\"publish\"", "\"who\":\"file watch\",\"what\":\"delete\""] {
        assert!(audit.contains(line), "{line}: {audit}");
    }
    let log = fs::read_to_string(home.path("run.log")).unwrap();
    assert!(!log.contains(TOKEN) && !log.contains(&alerts.uri()), "{log}");
}
