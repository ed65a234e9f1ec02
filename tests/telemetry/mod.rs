//! What the running service tells of itself: metrics that move, and alerts that arrive.

mod alerts;
mod metrics;

use herald::{
    control::Trigger,
    publish::{Receipt, Status},
};
use wiremock::{Request, ResponseTemplate};

use crate::service::{Live, ops};

/// Publishes by hand, and waits until that has ended so.
async fn publish(live: &Live, activation: &str, status: Status) -> Receipt {
    let asked = live.control.trigger(&ops(), activation, Trigger::default(), None).await.unwrap();
    let receipt = live.ended(asked.id).await;
    assert_eq!(receipt.status, status, "{receipt:?}");
    receipt
}

/// A receiver of change events that does not take member 3.
fn choosy(request: &Request) -> ResponseTemplate {
    let body = String::from_utf8_lossy(&request.body);
    ResponseTemplate::new(if body.contains("\"member\":3,") || body.contains("\"member\":\"3\"") { 422 } else { 200 })
}

/// A lake of people, a folder and a receiver of change events; `service` is more of that map.
fn config(service: &str, receiver: &str) -> String {
    format!(
        "service: {{ watch: false, http: {{ listen: 127.0.0.1:0, url: 'https://herald.example.com' }}, {service} }}
sources: {{ lake: {{ type: files, tables: {{ person: {{ path: lake/person.parquet, key: id }} }} }} }}
segments: {{ everyone: {{ from: person, where: 'true' }} }}
targets:
  out: {{ type: local, path: ./out }}
  hook: {{ type: webhook, url: '{receiver}/in' }}
  nobody: {{ type: webhook, url: '{receiver}/nobody' }}
activations:
  lost: {{ segment: everyone, target: nobody, refresh: {{ manual: true }}, mode: incremental, attributes: {{ id: id, name: name }} }}
  files: {{ segment: everyone, target: out, refresh: {{ manual: true }}, freshness: 1s, attributes: {{ id: id, name: name }}, guards: {{ max_removed: 100% }} }}
  few: {{ segment: everyone, target: out, refresh: {{ manual: true }}, attributes: {{ id: id, name: name }}, guards: {{ max_members: 5 }} }}
  events: {{ segment: everyone, target: hook, refresh: {{ manual: true }}, mode: incremental, attributes: {{ id: id, name: name }}, guards: {{ max_removed: 100% }} }}
"
    )
}
