//! A running service, and publishes of other processes.

use std::process::Stdio;

use serde_json::Value;

use super::{Running, one, people, receipts, signal, until};

/// The newest receipt of a publish by hand.
fn newest(home: &crate::support::Home) -> Option<Value> {
    receipts(home).into_iter().find(|receipt| receipt["kind"] == "manual")
}

#[test]
fn a_publish_that_is_killed_is_settled_at_once_by_the_running_service() {
    let home = one("{ manual: true }");
    home.publish(&["a"]);
    let running = Running::start(&home);
    // One that is through before it is killed says nothing: then a larger one is.
    let killed = (1..8).any(|round| {
        people(&home, 40_000 * round, round);
        let before = receipts(&home).len();
        let mut child = home
            .command(&["publish", "a", "--override", "test", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("it is on record", || receipts(&home).len() > before);
        signal(&child, "KILL");
        !child.wait().unwrap().success() && newest(&home).unwrap()["status"] == "running"
            || receipts(&home)[0]["kind"] == "recovery"
    });
    assert!(killed, "no publish could be killed while it ran");
    until("it is settled", || receipts(&home)[0]["kind"] == "recovery");
    let settled = newest(&home).unwrap();
    assert!(["failed", "succeeded"].contains(&settled["status"].as_str().unwrap()), "{settled:#}");
    assert_eq!(running.stop(), Some(0));
    home.publish(&["a", "--override", "test"]);
    assert_eq!(home.run(&["verify", "a"]).status, 0);
}

#[test]
fn publishes_by_hand_go_on_beside_it_and_never_overlap_with_its_own() {
    let home = one("{ every: 1s }");
    let running = Running::start(&home);
    until("it publishes", || !receipts(&home).is_empty());
    for _ in 0..5 {
        home.publish(&["a"]);
    }
    assert_eq!(running.stop(), Some(0));
    let mut times: Vec<(String, String)> = receipts(&home)
        .iter()
        .map(|receipt| {
            let time = |key: &str| receipt[key].as_str().unwrap().to_owned();
            (time("started_at"), time("finished_at"))
        })
        .collect();
    times.sort();
    assert!(times.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{times:?}");
}
