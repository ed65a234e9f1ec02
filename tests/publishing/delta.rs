//! What is sent the second time, and what the receipt says of it.

use serde_json::json;

use super::{booleans, config, floats, integers, words};
use crate::support::{Home, count, files};

const INCREMENTAL: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, name: name, score: score }
    filter: consent
    guards: { max_removed: 100% }
";

fn people(home: &Home, rows: &[(&str, &str, f64, bool)]) {
    home.table(
        "person",
        vec![
            ("id", words(&rows.iter().map(|row| row.0).collect::<Vec<_>>())),
            ("name", words(&rows.iter().map(|row| row.1).collect::<Vec<_>>())),
            ("score", floats(&rows.iter().map(|row| row.2).collect::<Vec<_>>())),
            ("consent", booleans(&rows.iter().map(|row| Some(row.3)).collect::<Vec<_>>())),
            ("at", integers(&vec![1; rows.len()])),
        ],
    );
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

fn counts(receipt: &serde_json::Value) -> [u64; 6] {
    ["resolved", "suppressed", "unchanged", "added", "updated", "removed"].map(|name| count(receipt, name))
}

#[test]
fn only_what_changed_between_records_is_sent() {
    let home = Home::new(&config(INCREMENTAL, ""));
    people(&home, &[("a", "Ann", 1.0, true), ("b", "Bo", 2.0, true), ("c", "Cy", 3.0, true), ("d", "Di", 4.0, false)]);
    let first = home.publish(&["a"]);
    assert_eq!(counts(&first), [4, 1, 0, 3, 0, 0]);
    assert_eq!(first["suppressed_by"], json!({"filter": 1}));
    assert_eq!(first["sequence"], 1);

    // a: no change but in the thirteenth digit; b: another name; c: consent lost; d: consent given; e: new.
    people(
        &home,
        &[
            ("a", "Ann", 1.000_000_000_000_1, true),
            ("b", "Bob", 2.0, true),
            ("c", "Cy", 3.0, false),
            ("d", "Di", 4.0, true),
            ("e", "Ed", 5.0, true),
        ],
    );
    let second = home.publish(&["a"]);
    assert_eq!(counts(&second), [5, 1, 1, 2, 1, 1]);
    assert_eq!(count(&second, "delivered"), 4);
    let held = home.held();
    assert_eq!(held.keys().collect::<Vec<_>>(), ["a", "b", "d", "e"]);
    assert_eq!(held["b"]["name"], "Bob");

    let before = files(&home.path("out"));
    let third = home.publish(&["a"]);
    assert_eq!(counts(&third), [5, 1, 4, 0, 0, 0]);
    assert_eq!(files(&home.path("out")), before, "an empty incremental publish writes nothing");
}

#[test]
fn a_full_publish_replaces_everything_and_deltas_go_on_from_it() {
    let home = Home::new(&config(INCREMENTAL, ""));
    people(&home, &[("a", "Ann", 1.0, true), ("b", "Bo", 2.0, true)]);
    home.publish(&["a"]);
    people(&home, &[("b", "Bo", 2.0, true), ("c", "Cy", 3.0, true)]);
    let full = home.publish(&["a", "--full"]);
    assert_eq!(full["mode"], "full");
    assert_eq!(counts(&full), [2, 0, 0, 2, 0, 0]);
    assert_eq!(home.held().keys().collect::<Vec<_>>(), ["b", "c"]);
    people(&home, &[("c", "Cy", 3.5, true)]);
    assert_eq!(counts(&home.publish(&["a"])), [1, 0, 0, 0, 1, 1]);
    assert_eq!(home.held()["c"]["score"], "3.5");
}

#[test]
fn what_send_leaves_out_is_withheld_and_the_snapshot_keeps_what_the_target_has() {
    let adds_only = INCREMENTAL.to_owned() + "    send: [add]\n";
    let home = Home::new(&config(&adds_only, ""));
    people(&home, &[("a", "Ann", 1.0, true), ("b", "Bo", 2.0, true)]);
    home.publish(&["a"]);
    people(&home, &[("a", "Anna", 1.0, true), ("c", "Cy", 3.0, true)]);
    let second = home.publish(&["a"]);
    assert_eq!(counts(&second), [2, 0, 1, 1, 0, 0]);
    assert_eq!(second["withheld"], json!({"update": 1, "remove": 1}));

    // Once updates and removals are sent again, both are still known to be due.
    home.configure(&config(INCREMENTAL, ""));
    let third = home.publish(&["a"]);
    assert_eq!(counts(&third), [2, 0, 1, 0, 1, 1]);
    assert_eq!(home.held().keys().collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn many_small_publishes_merge_their_layers_and_forget_nothing() {
    let home = Home::new(&config(INCREMENTAL, ""));
    let all: Vec<String> = (0..40).map(|number| format!("m{number:02}")).collect();
    let rows = |from: usize, to: usize| -> Vec<(&str, &str, f64, bool)> {
        (from..to).map(|number| (all[number].as_str(), "x", number as f64, true)).collect()
    };
    people(&home, &rows(0, 20));
    home.publish(&["a"]);
    for step in 1..=12 {
        people(&home, &rows(step, 20 + step));
        let receipt = home.publish(&["a"]);
        assert_eq!(counts(&receipt), [20, 0, 19, 1, 0, 1], "step {step}");
    }
    assert_eq!(home.held().keys().cloned().collect::<Vec<_>>(), all[12..32]);
    let snapshots = files(&home.path("herald-data/snapshots"));
    assert!(snapshots.len() < 10, "layers pile up: {snapshots:?}");
}

#[test]
fn a_guard_blocks_before_anything_is_visible_and_an_override_is_on_record() {
    let guarded = INCREMENTAL.replace("100%", "50%");
    let home = Home::new(&config(&guarded, ""));
    people(&home, &[("a", "A", 1.0, true), ("b", "B", 1.0, true), ("c", "C", 1.0, true)]);
    home.publish(&["a"]);
    let before = files(&home.path("out"));
    people(&home, &[("a", "A", 1.0, true)]);
    let (status, plan) = home.json(&["plan", "a"]);
    assert_eq!(status, 4);
    let tripped: Vec<_> = plan["guards"].as_array().unwrap().iter().filter(|guard| guard["trips"] == true).collect();
    assert_eq!(tripped.len(), 1);
    assert_eq!(tripped[0]["name"], "max_removed");
    let (status, blocked) = home.json(&["publish", "a"]);
    assert_eq!(status, 4);
    assert_eq!(blocked["status"], "blocked");
    assert_eq!(blocked["error"]["code"], "guard_max_removed");
    assert_eq!(count(&blocked, "owed"), 2);
    assert_eq!(files(&home.path("out")), before);
    let forced = home.publish(&["a", "--override", "spring cleaning"]);
    assert_eq!(forced["override"], "spring cleaning");
    assert_eq!(count(&forced, "removed"), 2);
}

#[test]
fn a_lost_key_is_never_a_silent_first_publish() {
    let home = Home::new(&config(INCREMENTAL, ""));
    people(&home, &[("a", "Ann", 1.0, true)]);
    home.publish(&["a"]);
    std::fs::remove_file(home.path("herald-data/key")).unwrap();
    let ran = home.run(&["publish", "a"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("snapshot_unreadable"), "{ran:?}");
    std::fs::write(home.path("herald-data/key"), [9; 32]).unwrap();
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_eq!(status, 1);
    assert_eq!(receipt["error"]["code"], "snapshot_unreadable");
}

#[test]
fn a_lost_state_beside_delivered_publishes_blocks_until_everything_is_sent_anew() {
    let home = Home::new(&config(INCREMENTAL, ""));
    for score in [1.0, 2.0, 3.0, 4.0] {
        people(&home, &[("a", "Ann", score, true)]);
        home.publish(&["a"]);
    }
    std::fs::remove_dir_all(home.path("herald-data")).unwrap();
    people(&home, &[("b", "Bo", 1.0, true)]);
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_eq!((status, &receipt["error"]["code"]), (4, &json!("snapshot_missing")));
    let full = home.publish(&["a", "--full"]);
    assert_eq!(full["sequence"], 5, "consumers go on from what they have seen");
    people(&home, &[("b", "Bo", 2.0, true)]);
    assert_eq!(count(&home.publish(&["a"]), "updated"), 1);
    let held = home.held();
    assert_eq!((held.len(), held["b"]["score"].as_str()), (1, "2.0"));
}

#[test]
fn a_field_whose_type_changed_under_it_stops_the_publish() {
    let home = Home::new(&config(INCREMENTAL, ""));
    people(&home, &[("a", "Ann", 1.0, true)]);
    home.publish(&["a"]);
    home.table(
        "person",
        vec![
            ("id", words(&["a"])),
            ("name", words(&["Ann"])),
            ("score", words(&["1.0"])),
            ("consent", booleans(&[Some(true)])),
            ("at", integers(&[1])),
        ],
    );
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_eq!((status, &receipt["error"]["code"]), (1, &json!("schema_changed")));
    home.publish(&["a", "--full"]);
    assert_eq!(count(&home.publish(&["a"]), "unchanged"), 1);
}

#[test]
fn going_back_to_a_former_target_is_blocked_until_everything_is_sent_anew() {
    let home = Home::new(&config(INCREMENTAL, ""));
    people(&home, &[("a", "Ann", 1.0, true), ("b", "Bo", 2.0, true)]);
    home.publish(&["a"]);
    home.configure(&config(INCREMENTAL, "").replace("./out", "./elsewhere"));
    people(&home, &[("a", "Ann", 1.0, true)]);
    assert_eq!(counts(&home.publish(&["a"])), [1, 0, 0, 1, 0, 0]);
    home.configure(&config(INCREMENTAL, ""));
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_eq!((status, &receipt["error"]["code"]), (4, &json!("snapshot_missing")), "b still stands there");
    home.publish(&["a", "--full"]);
    assert_eq!(home.held().keys().collect::<Vec<_>>(), ["a"]);
}
