//! A lost data folder, and a target that still holds what was published.

use std::{collections::BTreeMap, fs};

use serde_json::json;

use super::{INCREMENTAL, adopt, counts, home, lose_state, manifest, parts, people, refused};
use crate::support::Home;

fn published() -> Home {
    let home = home(INCREMENTAL);
    people(&home, &[("a", "Ann"), ("b", "Bo"), ("c", "Cy"), ("d", "Di")]);
    home.publish(&["a"]);
    people(&home, &[("a", "Ann"), ("b", "Bea"), ("c", "Cy"), ("e", "Eve")]);
    home.publish(&["a"]);
    home
}

fn names(home: &Home) -> BTreeMap<String, String> {
    home.held().into_iter().map(|(id, record)| (id, record["name"].clone())).collect()
}

#[test]
fn after_adopting_the_next_publish_sends_and_removes_exactly_what_it_must() {
    let home = published();
    lose_state(&home);
    people(&home, &[("a", "Ann"), ("b", "Ben"), ("e", "Eve"), ("f", "Flo")]);
    let (status, blocked) = home.json(&["publish", "a"]);
    assert_eq!((status, &blocked["error"]["code"]), (4, &json!("snapshot_missing")));
    assert!(blocked["error"]["remedy"].as_str().unwrap().contains("herald adopt a"), "{blocked:#}");

    let adopted = adopt(&home, &["a"]);
    assert_eq!(adopted, json!({ "activation": "a", "members": 4, "sequence": 2, "from": "manifests" }));
    let (_, recovery) = home.json(&["receipts", "a", "--limit", "1"]);
    assert_eq!((&recovery["kind"], &recovery["status"]), (&json!("recovery"), &json!("succeeded")));
    assert_eq!(counts(&recovery), [0, 0, 0, 0]);
    assert!(home.run(&["audit"]).stdout.contains("adopt"));
    let (_, status) = home.json(&["status", "a"]);
    assert_eq!(status["members"], 4);

    let next = home.publish(&["a"]);
    assert_eq!(counts(&next), [1, 3, 1, 0], "who is wanted is sent once more, whatever record is there");
    let manifest = manifest(&home.path("out"), &next);
    assert_eq!(manifest["previous"], 2);
    assert!(manifest["sequence"].as_u64().unwrap() > 2, "consumers go on from what they have seen");
    let truth = [("a", "Ann"), ("b", "Ben"), ("e", "Eve"), ("f", "Flo")];
    assert_eq!(names(&home), truth.map(|(id, name)| (id.to_owned(), name.to_owned())).into());
    assert_eq!(counts(&home.publish(&["a"])), [0, 0, 0, 4]);
}

#[test]
fn a_snapshot_whose_files_are_gone_is_rebuilt_though_it_is_on_record() {
    let home = published();
    assert!(refused(&home, &["a"]).1.contains("has a snapshot"), "it can be read");
    fs::remove_dir_all(home.path("herald-data/snapshots")).unwrap();
    let (status, failed) = home.json(&["publish", "a"]);
    assert_eq!((status, &failed["error"]["code"]), (1, &json!("snapshot_unreadable")), "{failed:#}");
    assert!(failed["error"]["remedy"].as_str().unwrap().contains("herald adopt"), "{failed:#}");
    assert_eq!(adopt(&home, &["a"])["members"], 4);
    assert_eq!(counts(&home.publish(&["a"])), [0, 4, 0, 0]);
    assert_eq!(counts(&home.publish(&["a"])), [0, 0, 0, 4]);
}

#[test]
fn the_newest_full_publish_and_what_followed_count() {
    let home = published();
    people(&home, &[("a", "Ann"), ("x", "Xi")]);
    home.publish(&["a", "--full"]);
    people(&home, &[("x", "Xi"), ("y", "Yo")]);
    home.publish(&["a"]);
    lose_state(&home);
    assert_eq!(adopt(&home, &["a"])["members"], 2);
    assert_eq!(counts(&home.publish(&["a"])), [0, 2, 0, 0]);
    assert_eq!(home.held().into_keys().collect::<Vec<_>>(), ["x", "y"]);
}

#[test]
fn guards_judge_the_next_publish_against_what_was_adopted() {
    let home = published();
    home.configure(&crate::publishing::config(&INCREMENTAL.replace("max_removed: 100%", "max_removed: 50%"), ""));
    lose_state(&home);
    adopt(&home, &["a"]);
    people(&home, &[("a", "Ann")]);
    let (status, blocked) = home.json(&["publish", "a"]);
    assert_eq!((status, &blocked["error"]["code"]), (4, &json!("guard_max_removed")));
}

#[test]
fn a_part_that_is_another_than_its_manifest_says_adopts_nothing() {
    for meddle in [
        (|path| fs::write(path, "not what was delivered").unwrap()) as fn(&std::path::Path),
        |path| fs::remove_file(path).unwrap(),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        },
    ] {
        let home = published();
        lose_state(&home);
        let part = parts(&home).pop().unwrap();
        meddle(&part);
        let (status, error) = refused(&home, &["a"]);
        assert_eq!(status, 1, "{error}");
        let name = part.strip_prefix(home.path("out")).unwrap().to_str().unwrap();
        assert!(error.contains("not_adoptable") && error.contains(name) && error.contains("--keys"), "{error}");
        let (status, blocked) = home.json(&["publish", "a"]);
        assert_eq!((status, &blocked["error"]["code"]), (4, &json!("snapshot_missing")));
    }
}

#[test]
fn a_manifest_that_is_missing_in_between_is_noticed() {
    let home = published();
    people(&home, &[("z", "Zoe")]);
    let third = home.publish(&["a"]);
    assert_eq!(manifest(&home.path("out"), &third)["previous"], 2);
    let is_second = |path: &std::path::PathBuf| {
        path.ends_with("manifest.json") && fs::read_to_string(path).unwrap().contains("\"sequence\": 2")
    };
    let second = crate::support::files(&home.path("out")).into_iter().find(is_second).unwrap();
    fs::remove_file(second).unwrap();
    lose_state(&home);
    let (status, error) = refused(&home, &["a"]);
    assert!(status == 1 && error.contains("manifest 3") && error.contains("number 2"), "{error}");
}

#[test]
fn there_must_be_something_to_adopt_and_no_snapshot() {
    let home = home(INCREMENTAL);
    people(&home, &[("a", "Ann")]);
    let (status, error) = refused(&home, &["a"]);
    assert!(status == 1 && error.contains("no manifest"), "{error}");
    home.publish(&["a"]);
    let (status, error) = refused(&home, &["a"]);
    assert!(status == 1 && error.contains("has a snapshot"), "{error}");
    assert_eq!(counts(&home.publish(&["a"])), [0, 0, 0, 1]);
    assert_eq!(home.run(&["adopt", "b"]).status, 2);
}

#[test]
fn an_adoption_that_is_killed_holds_or_can_be_done_again() {
    let home = published();
    lose_state(&home);
    let crashed = home.command(&["adopt", "a"]).env("HERALD_CRASH_AT", "acknowledged").output().unwrap();
    assert!(!crashed.status.success());
    assert!(refused(&home, &["a"]).1.contains("has a snapshot"));
    assert_eq!(counts(&home.publish(&["a"])), [0, 4, 0, 0]);
}

#[test]
fn what_is_known_of_an_adopted_member_is_explained() {
    let home = published();
    lose_state(&home);
    adopt(&home, &["a"]);
    let ran = home.run(&["explain", "a", "b", "--json"]);
    let explained: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(explained["held"], "yes", "{explained:#}");
    assert!(ran.stdout.contains("rebuilt the snapshot"), "{explained:#}");
}

#[test]
fn a_deleted_activation_is_not_adopted() {
    let home = published();
    home.run(&["delete", "a", "--keep"]);
    let (status, error) = refused(&home, &["a"]);
    assert!(status == 1 && error.contains("recreate"), "{error}");
    home.run(&["recreate", "a"]);
    assert_eq!(adopt(&home, &["a"])["members"], 4);
}
