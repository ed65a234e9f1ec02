//! `keep`: old publishes go.

use serde_json::Value;

use super::{CHANGES, FULL, block, count_files, crash, home, meddle, part, people, unblock, verified};
use crate::support::{Home, files, replay};

fn sequences(home: &Home) -> Vec<u64> {
    let manifests = files(&home.path("out")).into_iter().filter(|path| path.ends_with("manifest.json"));
    let mut found: Vec<u64> = manifests
        .map(|path| {
            serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap()["sequence"].as_u64().unwrap()
        })
        .collect();
    found.sort_unstable();
    found
}

fn keep(activation: &str, keep: &str) -> String {
    format!("{activation}    files: {{ keep: {{ {keep} }} }}\n")
}

#[test]
fn the_newest_publishes_stay_and_older_ones_go_whole() {
    let home = home(&keep(FULL, "publishes: 2"));
    people(&home, &["p", "q"]);
    for _ in 0..4 {
        home.publish(&["a"]);
    }
    assert_eq!((sequences(&home), count_files(&home, "out")), (vec![3, 4], 4));
    assert_eq!(verified(&home), (0, 4), "nobody expects what had its time");
    assert_eq!(home.run(&["receipts", "a", "--json"]).stdout.lines().count(), 4, "receipts stay");
    assert!(home.run(&["audit"]).stdout.contains("expire"));
    assert_eq!(home.json(&["delete", "a", "--purge"]).1["taken_back"]["removed"], 4);
}

#[test]
fn what_a_consumer_needs_who_begins_now_stays() {
    let home = home(&keep(CHANGES, "publishes: 1"));
    people(&home, &["p"]);
    home.publish(&["a"]);
    people(&home, &["p", "q"]);
    home.publish(&["a"]);
    assert_eq!(sequences(&home), [1, 2], "there is no full one yet");
    home.publish(&["a", "--full"]);
    assert_eq!(sequences(&home), [3]);
    people(&home, &["q", "r"]);
    home.publish(&["a"]);
    people(&home, &["q", "r", "s"]);
    home.publish(&["a"]);
    assert_eq!(sequences(&home), [3, 4, 5]);
    assert_eq!(replay(&home.path("out")).into_keys().collect::<Vec<_>>(), ["q", "r", "s"]);
}

#[test]
fn publishes_go_by_their_age() {
    let home = home(&keep(FULL, "age: 30d"));
    people(&home, &["p"]);
    home.publish(&["a"]);
    home.publish(&["a"]);
    assert_eq!(sequences(&home), [1, 2]);
    meddle(
        &home,
        "UPDATE publishes SET receipt = json_set(receipt, '$.finished_at', '2020-01-01T00:00:00Z') WHERE sequence = 1",
    );
    home.publish(&["a"]);
    assert_eq!(sequences(&home), [2, 3]);
}

#[test]
fn a_publish_that_is_killed_while_old_ones_go_loses_nothing() {
    for moment in ["leaving", "removing", "removed", "removing:2", "removed:2"] {
        let home = home(&keep(FULL, "publishes: 1"));
        people(&home, &["p"]);
        home.publish(&["a"]);
        crash(&home, &["publish", "a"], moment);
        assert_eq!(verified(&home), (0, 2), "{moment}: the new one stands, the old one is expected no more");
        home.publish(&["a"]);
        assert_eq!((sequences(&home), count_files(&home, "out")), (vec![3], 2), "{moment}");
    }
}

#[test]
fn what_can_t_be_removed_fails_no_publish_and_is_tried_again() {
    let home = home(&keep(FULL, "publishes: 1"));
    people(&home, &["p"]);
    let first = home.publish(&["a"]);
    let stuck = part(&home, "out", &first);
    block(&stuck);
    home.publish(&["a"]);
    let ran = home.run(&["publish", "a"]);
    assert!(ran.status == 0 && ran.stderr.contains("old publishes could not be taken away"), "{ran:?}");
    assert_eq!(sequences(&home), [3]);
    unblock(&stuck);
    std::fs::write(&stuck, "back again").unwrap();
    home.publish(&["a"]);
    assert_eq!((stuck.exists(), count_files(&home, "out")), (false, 2));
}

#[test]
fn a_file_that_stands_still_is_never_taken_away() {
    let files =
        "    files: { overwrite: true, path: all.csv, format: csv, compression: none, keep: { publishes: 1 } }\n";
    let home = home(&(FULL.to_owned() + files));
    people(&home, &["p"]);
    for _ in 0..3 {
        home.publish(&["a"]);
    }
    assert!(home.path("out/all.csv").exists());
    assert_eq!(
        (count_files(&home, "out"), verified(&home)),
        (2, (0, 2)),
        "only the manifests of what was written over went"
    );
}

#[test]
fn check_warns_where_nothing_would_ever_go() {
    let home = home(&keep(CHANGES, "publishes: 3"));
    people(&home, &["p"]);
    let (status, checked) = home.json(&["check"]);
    assert_eq!((status, checked["warnings"][0]["at"].as_str()), (0, Some("activations.a.files.keep")), "{checked:#}");
    home.configure(&crate::publishing::config(&(keep(CHANGES, "publishes: 3") + "    resync: { every: 30d }\n"), ""));
    assert_eq!(home.json(&["check"]).1["warnings"].as_array().unwrap().len(), 0);
}

#[test]
fn what_was_begun_goes_also_once_nothing_has_its_time_any_more() {
    let home = home(&keep(FULL, "publishes: 1"));
    people(&home, &["p"]);
    home.publish(&["a"]);
    crash(&home, &["publish", "a"], "leaving");
    home.configure(&crate::publishing::config(FULL, ""));
    home.publish(&["a"]);
    assert_eq!(sequences(&home), [2, 3]);
}
