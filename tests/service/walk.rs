//! The way of a user: two activations, a rapid publish seen live, a target that breaks and is mended, and one that is gone
//! from the config and from the target.

use std::{
    fs,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
};

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use chrono::Utc;
use futures::StreamExt;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use super::until;
use crate::{
    publishing::{integers, words},
    support::{Home, files},
};

const TOKEN: &str = "a-token-of-the-walk";

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

/// `herald run`; killed when dropped.
struct Run {
    child: Child,
    base: String,
    client: reqwest::Client,
}

impl Run {
    async fn start(home: &Home) -> Self {
        let log = home.path("run.log");
        let child =
            home.command(&["run"]).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let base = until("the service listens", async || {
            let log = fs::read_to_string(&log).unwrap();
            let line = log.lines().find(|line| line.contains("the service listens"))?;
            let address = line.split("address=").nth(1)?.split(' ').next()?;
            Some(format!("http://{address}"))
        })
        .await;
        Self { child, base, client: reqwest::Client::new() }
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.client.get(format!("{}{path}", self.base)).bearer_auth(TOKEN).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }

    /// Asks for a publish; the receipt once it has ended.
    async fn publish(&self, activation: &str, body: Value) -> Value {
        let request = self.client.post(format!("{}/v1/activations/{activation}/publishes", self.base));
        let request = request.bearer_auth(TOKEN).header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 202, "{activation}");
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        until("the publish has ended", async || {
            let receipt = self.json(&location).await;
            (!["queued", "running"].contains(&receipt["status"].as_str().unwrap())).then_some(receipt)
        })
        .await
    }

    /// What is told as it happens, from now on.
    async fn events(&self) -> Arc<Mutex<String>> {
        let answer = self.client.get(format!("{}/v1/events", self.base)).bearer_auth(TOKEN).send().await.unwrap();
        let heard = Arc::<Mutex<String>>::default();
        let hearing = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut news = answer.bytes_stream();
            while let Some(Ok(more)) = news.next().await {
                hearing.lock().unwrap().push_str(std::str::from_utf8(&more).unwrap());
            }
        });
        heard
    }

    async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
    assert!(run.metric("herald_sync_lag_seconds{activation=\"gold\"}").await >= Some(3.0));
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
