//! Teardowns, whole and cut short.

use std::fs;

use serde_json::json;

use super::{CHANGES, FULL, block, count_files, crash, home, part, people, state, teardowns, unblock, verified};
use crate::{publishing::config, support::Home};

fn published(times: usize) -> Home {
    let home = home(CHANGES);
    for time in 0..times {
        people(&home, &["p", "q", "r", "s", "t", "u"][..=time]);
        home.publish(&["a"]);
    }
    home
}

#[test]
fn a_purge_takes_back_what_receipts_name_and_nothing_else() {
    let home = published(3);
    let first = home.json(&["receipts", "a", "--limit", "1"]).1;
    let beside = part(&home, "out", &first).with_file_name("not-ours.parquet");
    fs::write(&beside, "somebody else's").unwrap();
    let (_, plan) = home.json(&["delete", "a", "--purge", "--plan"]);
    assert_eq!(plan["paths"].as_array().unwrap().len(), 6);
    let (status, receipt) = home.json(&["delete", "a", "--purge"]);
    assert_eq!((status, &receipt["status"]), (0, &json!("succeeded")), "{receipt:#}");
    assert_eq!(receipt["taken_back"], json!({ "removed": 6, "shared": 0, "left": 0, "left_paths": [] }));
    assert_eq!((count_files(&home, "out"), beside.exists()), (1, true));
    assert_eq!(verified(&home), (0, 0));
}

#[test]
fn a_purge_that_is_killed_anywhere_goes_on_when_it_is_asked_again() {
    for moment in ["leaving", "removing", "removed", "removing:2", "removed:2"] {
        let home = published(3);
        crash(&home, &["delete", "a", "--purge"], moment);
        assert_eq!(state(&home), "deleting", "{moment}");
        assert_eq!(verified(&home), (0, 0), "{moment}: what is about to go is expected no more");
        assert_eq!(home.run(&["publish", "a"]).status, 1, "{moment}");
        assert_eq!(home.run(&["recreate", "a"]).status, 1, "{moment}");
        let (status, receipt) = home.json(&["delete", "a", "--purge"]);
        assert_eq!((status, count_files(&home, "out")), (0, 0), "{moment}: {receipt:#}");
        assert_eq!(state(&home), "deleted");
    }
}

#[test]
fn a_purge_that_can_t_remove_an_object_says_which_and_ends_once_it_can() {
    let home = published(3);
    let last = home.json(&["receipts", "a", "--limit", "1"]).1;
    let stuck = part(&home, "out", &last);
    block(&stuck);
    let (status, receipt) = home.json(&["delete", "a", "--purge"]);
    assert_eq!((status, &receipt["status"]), (1, &json!("failed")), "{receipt:#}");
    assert_eq!(receipt["taken_back"]["left"], 1);
    assert_eq!(receipt["taken_back"]["left_paths"], json!([last["files"][0]["path"]]));
    let message = receipt["error"]["message"].as_str().unwrap();
    assert!(message.contains("1 of 6 objects") && message.contains("part-00000"), "{message}");
    assert_eq!((state(&home).as_str(), count_files(&home, "out")), ("deleting", 1), "all else is gone");
    unblock(&stuck);
    assert_eq!(home.json(&["delete", "a", "--purge"]).0, 0);
    assert_eq!(state(&home), "deleted");
    let statuses: Vec<String> = teardowns(&home).into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, ["succeeded", "failed"]);
}

#[test]
fn no_manifest_promises_what_is_gone() {
    let home = published(2);
    let last = home.json(&["receipts", "a", "--limit", "1"]).1;
    let manifest = home.path("out").join(last["extras"][0]["path"].as_str().unwrap());
    block(&manifest);
    assert_eq!(home.json(&["delete", "a", "--purge"]).0, 1);
    assert!(part(&home, "out", &last).exists(), "its manifest could not be removed");
    unblock(&manifest);
    assert_eq!(home.json(&["delete", "a", "--purge"]).0, 0);
    assert_eq!(count_files(&home, "out"), 0);
}

#[test]
fn what_another_activation_published_in_its_place_stays() {
    let overwrite =
        FULL.to_owned() + "    files: { overwrite: true, path: customers.csv, format: csv, compression: none }\n";
    let both = config(&overwrite, "") + "\n  b:\n    target: out\n    refresh: { manual: true }\n" + &overwrite;
    let home = Home::new(&both);
    people(&home, &["p"]);
    home.publish(&["a"]);
    people(&home, &["q"]);
    home.publish(&["b"]);
    let (status, receipt) = home.json(&["delete", "a", "--purge"]);
    assert_eq!(status, 0, "{receipt:#}");
    assert_eq!((&receipt["taken_back"]["removed"], &receipt["taken_back"]["shared"]), (&json!(1), &json!(1)));
    assert!(fs::read_to_string(home.path("out/customers.csv")).unwrap().contains('q'));
    assert_eq!(home.json(&["verify", "b"]).0, 0);
    assert_eq!(home.json(&["delete", "b", "--purge"]).1["taken_back"]["removed"], 2);
    assert_eq!(count_files(&home, "out"), 0);
}

#[test]
fn a_purge_knows_what_was_delivered_under_former_names() {
    let home = published(2);
    let renamed = |was: &str| config(CHANGES, "").replace("\n  a:\n", &format!("\n  b:\n{was}"));
    home.configure(&renamed("    was: a\n"));
    home.publish(&["b"]);
    home.configure(&renamed(""));
    let (status, found) = home.json(&["verify", "b"]);
    assert_eq!((status, found["parts"].as_array().unwrap().len()), (0, 4), "{found:#}");
    assert_eq!(home.json(&["delete", "b", "--purge"]).1["taken_back"]["removed"], 4);
    assert_eq!(count_files(&home, "out"), 0);
}

#[test]
fn a_purge_and_a_verify_know_what_was_adopted() {
    let home = published(2);
    fs::remove_dir_all(home.path("herald-data")).unwrap();
    assert_eq!(home.json(&["adopt", "a"]).0, 0);
    assert_eq!(verified(&home), (0, 4));
    assert_eq!(home.json(&["delete", "a", "--purge"]).1["taken_back"]["removed"], 4);
    assert_eq!(count_files(&home, "out"), 0);
}

#[test]
fn a_purge_that_has_begun_stays_one_until_it_is_done_or_somebody_says_keep() {
    for (how, left) in [(&["delete", "a"][..], 0), (&["delete", "a", "--keep"][..], 6)] {
        let home = published(3);
        crash(&home, &["delete", "a", "--purge"], "leaving");
        assert_eq!(home.json(&["delete", "a", "--plan"]).1["data"], "purge");
        let (status, receipt) = home.json(how);
        assert_eq!((status, count_files(&home, "out")), (0, left), "{how:?}: {receipt:#}");
        assert_eq!(receipt["taken_back"]["left"], json!(left), "{receipt:#}");
        assert_eq!(receipt["taken_back"]["left_paths"].as_array().unwrap().len(), left);
        assert_eq!(state(&home), "deleted");
    }
}

#[test]
fn what_a_manifest_promises_that_could_not_be_removed_stays_whoever_names_it() {
    let overwrite =
        FULL.to_owned() + "    files: { overwrite: true, path: customers.csv, format: csv, compression: none }\n";
    let home = home(&overwrite);
    people(&home, &["p"]);
    let first = home.publish(&["a"]);
    home.publish(&["a"]);
    let manifest = home.path("out").join(first["extras"][0]["path"].as_str().unwrap());
    let _ = fs::remove_file(&manifest);
    fs::create_dir_all(manifest.join("x")).unwrap();
    let (status, receipt) = home.json(&["delete", "a", "--purge"]);
    assert_eq!((status, &receipt["taken_back"]["left"]), (1, &json!(2)), "each counts once: {receipt:#}");
    assert!(home.path("out/customers.csv").exists());
    fs::remove_dir_all(&manifest).unwrap();
    assert_eq!(home.json(&["delete", "a"]).0, 0);
    assert_eq!(count_files(&home, "out"), 0);
}
