//! Publishes to a receiver of events.

use serde_json::Value;
use tokio::runtime::Runtime;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use super::{config, floats, integers, words};
use crate::support::{Home, count};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, score: score }
    guards: { max_removed: 100% }
";

fn people(home: &Home, rows: &[(&str, f64)]) {
    let ids: Vec<&str> = rows.iter().map(|row| row.0).collect();
    let scores: Vec<f64> = rows.iter().map(|row| row.1).collect();
    home.table("person", vec![("id", words(&ids)), ("score", floats(&scores)), ("at", integers(&vec![1; rows.len()]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

/// Kind of change, member and score of every event received so far.
fn events(runtime: &Runtime, server: &MockServer) -> Vec<(String, String, Option<f64>)> {
    let received = runtime.block_on(server.received_requests()).unwrap();
    let lines = received.iter().flat_map(|request| std::str::from_utf8(&request.body).unwrap().lines());
    let mut events: Vec<_> = lines
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| event["header"][name].as_str().unwrap().to_owned();
            (text("change_type"), text("member"), event["body"]["score"].as_f64())
        })
        .collect();
    events.sort_by(|one, other| one.1.cmp(&other.1));
    events
}

#[test]
fn what_changed_arrives_as_events() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    runtime.block_on(Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server));
    let hook = format!("out: {{ type: webhook, url: \"{}/in?token=canary\", secret: canary-secret }}", server.uri());
    let home = Home::new(&config(ACTIVATION, "").replace("out: { type: local, path: ./out }", &hook));
    people(&home, &[("a", 1.0), ("b", 2.0), ("c", 3.0)]);
    let checked = home.run(&["check", "--connect"]);
    assert_eq!(checked.status, 0, "{checked:?}");
    assert_eq!(events(&runtime, &server), [], "a probe holds no event");

    let first = home.publish(&["a"]);
    assert_eq!((count(&first, "added"), count(&first, "delivered")), (3, 3));
    let created = |member: &str, score| ("create".to_owned(), member.to_owned(), Some(score));
    assert_eq!(events(&runtime, &server), [created("a", 1.0), created("b", 2.0), created("c", 3.0)]);

    runtime.block_on(server.reset());
    runtime.block_on(Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server));
    people(&home, &[("a", 1.0), ("b", 2.5), ("d", 4.0)]);
    let second = home.publish(&["a"]);
    assert_eq!((count(&second, "added"), count(&second, "updated"), count(&second, "removed")), (1, 1, 1));
    let updated = ("update".to_owned(), "b".to_owned(), Some(2.5));
    assert_eq!(events(&runtime, &server), [updated, ("delete".to_owned(), "c".to_owned(), None), created("d", 4.0)]);
}

/// The table that identifies members has another name, and the address is the same.
#[test]
fn members_of_another_table_stay_who_are_sent_where_others_are_taken_back() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    runtime.block_on(Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server));
    let hook = format!("out: {{ type: webhook, url: \"{}/in\" }}", server.uri());
    let activation = format!("{ACTIVATION}    on_delete: purge\n");
    let of = |config: String| config.replace("out: { type: local, path: ./out }", &hook);
    let home = Home::new(&of(config(&activation, "")));
    people(&home, &[("a", 1.0), ("b", 2.0)]);
    home.publish(&["a"]);
    std::fs::copy(home.path("lake/person.parquet"), home.path("lake/other.parquet")).unwrap();
    let more = "    tables:\n      other: { path: lake/other.parquet, key: id }\n";
    home.configure(&of(config(&activation, "")
        .replacen("    tables:\n", more, 1)
        .replace("from: person", "from: other")));
    let second = home.publish(&["a"]);
    assert_eq!((count(&second, "added"), count(&second, "delivered")), (2, 2));
    let mut there = std::collections::BTreeSet::new();
    for request in runtime.block_on(server.received_requests()).unwrap() {
        for line in std::str::from_utf8(&request.body).unwrap().lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let member = event["header"]["member"].as_str().unwrap().to_owned();
            match event["header"]["change_type"].as_str().unwrap() {
                "delete" => there.remove(&member),
                _ => there.insert(member),
            };
        }
    }
    assert_eq!(there.into_iter().collect::<Vec<_>>(), ["a", "b"], "as its snapshot says");
    assert_eq!(count(&home.publish(&["a"]), "unchanged"), 2);
}

#[test]
fn a_receiver_that_knows_another_secret_is_told_without_showing_it() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    let refusal = ResponseTemplate::new(401).set_body_string("canary-secret is not the secret");
    runtime.block_on(Mock::given(method("POST")).respond_with(refusal).mount(&server));
    let hook = format!("out: {{ type: webhook, url: \"{}/in?token=canary\", secret: canary-secret }}", server.uri());
    let home = Home::new(&config(ACTIVATION, "").replace("out: { type: local, path: ./out }", &hook));
    people(&home, &[("a", 1.0)]);
    let checked = home.run(&["check", "--connect"]);
    assert_eq!(checked.status, 1, "{checked:?}");
    let published = home.run(&["publish", "a", "--json"]);
    assert_eq!(published.status, 1, "{published:?}");
    let receipt: Value = serde_json::from_str(&published.stdout).unwrap();
    assert_eq!(receipt["error"]["code"], "target_unauthorized");
    assert!(!format!("{checked:?} {published:?}").contains("canary"), "{checked:?} {published:?}");
}
