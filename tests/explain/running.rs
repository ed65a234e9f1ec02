//! `explain` beside what else happens to an activation.

use chrono::Utc;
use herald::{
    publish::{PublishKind, Receipt, Status},
    state::{NewPublish, State},
};
use herald_destinations::contract::{Mode, Ticket};
use serde_json::{Value, json};

use super::{explain, outcomes, step};
use crate::{
    publishing::{config, floats, integers, words},
    support::{Home, files},
};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, score: score }
    guards: { max_removed: 100% }
";

fn home() -> Home {
    let home = Home::new(&config(ACTIVATION, ""));
    people(&home, &[1.0, 2.0]);
    home
}

/// Persons 0, 1, … with these scores.
fn people(home: &Home, scores: &[f64]) {
    let ids: Vec<i64> = (0..scores.len() as i64).collect();
    home.table(
        "person",
        vec![("id", integers(&ids)), ("score", floats(scores)), ("at", integers(&vec![1; scores.len()]))],
    );
    home.table("contact", vec![("cid", words(&[])), ("person", integers(&[]))]);
}

#[test]
fn a_paused_or_deleted_activation_is_named_as_such() {
    let home = home();
    home.publish(&["a"]);
    home.run(&["pause", "a"]);
    let explained = explain(&home, "1");
    assert_eq!(outcomes(&explained), "passed passed passed unchanged delivered yes");
    assert!(step(&explained, "delta").1.contains("paused"), "{explained}");
    assert_eq!(home.run(&["delete", "a"]).status, 0);
    let explained = explain(&home, "1");
    assert_eq!(outcomes(&explained), "passed passed passed added none no");
    assert!(step(&explained, "delta").1.contains("the activation was deleted: nothing is sent"), "{explained}");
}

#[test]
fn it_leaves_nothing_behind_and_needs_no_lock() {
    let home = home();
    home.publish(&["a"]);
    // The database's own files come and go with whoever has it open.
    let standing = || {
        let all = files(&home.path("herald-data")).into_iter();
        all.filter(|path| !path.to_str().unwrap().contains("state.db")).collect::<Vec<_>>()
    };
    let before = standing();
    let lock = std::fs::File::open(home.path("herald-data/locks/a.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(outcomes(&explain(&home, "1")), "passed passed passed unchanged delivered yes");
    assert_eq!(standing(), before);
}

#[test]
fn it_answers_while_publishes_replace_the_snapshot() {
    let home = home();
    home.publish(&["a"]);
    std::thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            for round in 0..6_u8 {
                let full: &[&str] = if round % 2 == 0 { &["a", "--full"] } else { &["a"] };
                home.publish(full);
            }
        });
        let mut asked = 0;
        while !publishing.is_finished() || asked == 0 {
            let explained = explain(&home, "0");
            // Between seal and acknowledgement nothing moves either, since the record is the same.
            assert!(outcomes(&explained).ends_with("unchanged delivered yes"), "{explained:#}");
            asked += 1;
        }
        publishing.join().unwrap();
    });
}

/// A publish that has begun, and goes on when its ticket is settled.
async fn begun(state: &State) -> Receipt {
    let mut receipt = state
        .queue(NewPublish {
            activation: "a".into(),
            segment: "everyone".into(),
            target: "out".into(),
            kind: PublishKind::Manual,
            mode: Mode::Incremental,
            queued_at: Utc::now(),
            override_reason: None,
        })
        .await
        .unwrap();
    receipt.status = Status::Running;
    state.save(&receipt).await.unwrap();
    receipt
}

#[tokio::test]
async fn what_a_sealed_publish_changes_is_perhaps_held_until_it_is_acknowledged() {
    let home = home();
    home.publish(&["a"]);
    people(&home, &[1.0, 2.5, 3.0]);
    let state = State::open(&home.path("herald-data")).await.unwrap();
    let receipt = begun(&state).await;
    let mut ticket =
        Ticket { kind: "local".into(), version: 1, publish: receipt.id, sealed: false, body: json!({"parts": []}) };
    state.put_ticket(receipt.id, &ticket, &Value::Null).await.unwrap();
    assert_eq!(outcomes(&explain(&home, "1")), "passed passed passed updated delivered yes");
    ticket.sealed = true;
    state.put_ticket(receipt.id, &ticket, &json!({ "acknowledged": "later" })).await.unwrap();
    let explained = explain(&home, "1");
    assert_eq!(outcomes(&explained), "passed passed passed updated delivered perhaps");
    let sealed = format!("; publish {} (number 2, ", receipt.id);
    assert!(step(&explained, "last delivery").1.contains(&sealed), "{explained}");
    assert_eq!(outcomes(&explain(&home, "0")), "passed passed passed unchanged delivered yes");
    assert_eq!(outcomes(&explain(&home, "2")), "passed passed passed added none perhaps");
}

#[test]
fn another_type_of_key_leaves_open_whether_it_is_held() {
    let home = home();
    home.publish(&["a"]);
    home.table("person", vec![("id", words(&["0", "1"])), ("score", floats(&[1.0, 2.0])), ("at", integers(&[1, 1]))]);
    assert_eq!(outcomes(&explain(&home, "1")), "passed passed passed unknown none perhaps");
}
