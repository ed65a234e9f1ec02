//! Activations that go elsewhere than before.

use herald::publish::crash::REMOVALS;
use serde_json::json;

use super::{CHANGES, block, count_files, crash, home, meddle, part, people, state, teardowns, unblock, verified};
use crate::{
    publishing::config,
    support::{Home, count, replay},
};

const PURGE: &str = "    on_delete: purge\n";

fn moved(home: &Home, to: &str, more: &str) {
    home.configure(&config(&(CHANGES.to_owned() + more), "").replace("./out", to));
}

#[test]
fn one_that_goes_elsewhere_takes_back_what_it_put_there_before() {
    let home = home(&(CHANGES.to_owned() + PURGE));
    people(&home, &["p", "q"]);
    home.publish(&["a"]);
    // What counts is what it was published with.
    moved(&home, "./there", "");
    assert_eq!(count(&home.publish(&["a"]), "added"), 2);
    assert_eq!((count_files(&home, "out"), count_files(&home, "there")), (0, 2));
    let removed = json!({ "removed": 2, "shared": 0, "left": 0, "left_paths": [] });
    assert_eq!(teardowns(&home), [("succeeded".to_owned(), removed)]);
    people(&home, &["p"]);
    assert_eq!(count(&home.publish(&["a"]), "removed"), 1, "it goes on at the new place");
    assert_eq!(verified(&home), (0, 4));
}

#[test]
fn one_that_goes_elsewhere_leaves_what_it_is_told_to_keep() {
    let home = home(CHANGES);
    people(&home, &["p", "q"]);
    home.publish(&["a"]);
    moved(&home, "./there", PURGE);
    assert_eq!(verified(&home), (0, 2), "read where it was published to");
    assert_eq!(count(&home.publish(&["a"]), "added"), 2);
    assert_eq!((count_files(&home, "out"), count_files(&home, "there")), (2, 2));
    assert_eq!(teardowns(&home).len(), 1);
    assert_eq!(verified(&home), (0, 2), "nobody vouches for what was left");
    home.json(&["delete", "a"]);
    assert_eq!((count_files(&home, "out"), count_files(&home, "there")), (2, 0));
}

#[test]
fn a_former_place_that_can_t_be_torn_down_stays_on_record_until_it_is() {
    let home = home(&(CHANGES.to_owned() + PURGE));
    people(&home, &["p"]);
    let first = home.publish(&["a"]);
    block(&part(&home, "out", &first));
    moved(&home, "./there", PURGE);
    assert_eq!(count(&home.publish(&["a"]), "added"), 1, "the new place does not wait for it");
    assert_eq!(count(&home.publish(&["a"]), "unchanged"), 1);
    assert_eq!(teardowns(&home).len(), 1, "it is not tried each time");
    assert_eq!(teardowns(&home)[0].0, "failed");
    let (_, plan) = home.json(&["delete", "a", "--plan"]);
    assert_eq!(plan["elsewhere"][0]["paths"].as_array().unwrap().len(), 2, "{plan:#}");
    unblock(&part(&home, "out", &first));
    meddle(&home, "UPDATE places SET tried = '2020-01-01T00:00:00.000000Z' WHERE tried IS NOT NULL");
    home.publish(&["a"]);
    assert_eq!(teardowns(&home)[0].0, "succeeded");
    assert_eq!(home.json(&["delete", "a", "--plan"]).1.get("elsewhere"), None);
    assert_eq!((count_files(&home, "out"), count_files(&home, "there")), (0, 2));
}

#[test]
fn a_slip_in_the_new_place_costs_nothing_at_the_former() {
    let home = home(&(CHANGES.to_owned() + PURGE));
    people(&home, &["p"]);
    home.publish(&["a"]);
    std::fs::write(home.path("slip"), "a file").unwrap();
    moved(&home, "./slip", PURGE);
    assert_eq!(home.run(&["publish", "a"]).status, 1);
    assert_eq!((count_files(&home, "out"), teardowns(&home).len()), (2, 0));
    moved(&home, "./there", PURGE);
    home.publish(&["a"]);
    assert_eq!((count_files(&home, "out"), teardowns(&home).len()), (0, 1));
}

#[test]
fn what_was_sealed_is_committed_where_it_was_staged() {
    for (more, left) in [("", 2), (PURGE, 0)] {
        let home = home(&(CHANGES.to_owned() + more));
        people(&home, &["p", "q"]);
        crash(&home, &["publish", "a"], "seal_stored");
        moved(&home, "./there", "");
        assert_eq!(count(&home.publish(&["a"]), "added"), 2);
        assert_eq!((count_files(&home, "out"), count_files(&home, "there")), (left, 2));
        let at_once = if left > 0 { replay(&home.path("out")).len() } else { 2 };
        assert_eq!((at_once, replay(&home.path("there")).len()), (2, 2), "committed whole");
    }
}

#[test]
fn a_teardown_of_a_former_place_that_is_killed_is_done_by_the_next_publish() {
    for moment in REMOVALS {
        let home = home(&(CHANGES.to_owned() + PURGE));
        people(&home, &["p"]);
        home.publish(&["a"]);
        moved(&home, "./there", PURGE);
        crash(&home, &["publish", "a"], moment);
        assert_eq!(count(&home.publish(&["a"]), "unchanged"), 1, "{moment}");
        assert_eq!((count_files(&home, "out"), count_files(&home, "there")), (0, 2), "{moment}");
        assert_eq!(teardowns(&home)[0].0, "succeeded", "{moment}");
    }
}

#[test]
fn what_can_t_be_reached_any_more_is_unverifiable_and_never_forgotten() {
    let home = home(&(CHANGES.to_owned() + PURGE));
    people(&home, &["p"]);
    home.publish(&["a"]);
    meddle(&home, "UPDATE places SET definition = x'00'");
    moved(&home, "./there", PURGE);
    let (status, found) = home.json(&["verify", "a"]);
    assert_eq!((status, &found["parts"][0]["state"]), (0, &json!("unverifiable")), "{found:#}");
    home.publish(&["a"]);
    assert_eq!(teardowns(&home)[0].0, "failed");
    let (status, receipt) = home.json(&["delete", "a", "--purge"]);
    assert_eq!((status, &receipt["taken_back"]["left"]), (1, &json!(2)), "{receipt:#}");
    assert_eq!(home.json(&["delete", "a", "--keep"]).0, 0, "somebody decides to let it be");
}

#[test]
fn credentials_of_a_place_are_kept_encrypted() {
    let home = home(CHANGES);
    people(&home, &["p"]);
    let text = config(CHANGES, "").replace(
        "type: local, path: ./out",
        "type: s3, bucket: nowhere, region: x, endpoint: \"http://127.0.0.1:9\", access_key_id: canary-id, \
         secret_access_key: canary-secret",
    );
    home.configure(&(text + "    retry: { attempts: 1, max_elapsed: 1s }\n"));
    assert_eq!(home.run(&["publish", "a"]).status, 1);
    for file in crate::support::files(&home.path("herald-data")) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"), "{file:?}");
    }
}

#[test]
fn what_is_adopted_at_a_new_place_leaves_the_former_one_to_be_torn_down() {
    let home = home(&(CHANGES.to_owned() + PURGE));
    people(&home, &["p", "q"]);
    home.publish(&["a"]);
    moved(&home, "./there", PURGE);
    std::fs::write(home.path("keys.txt"), "p\nz\n").unwrap();
    assert_eq!(home.json(&["adopt", "a", "--keys", "keys.txt"]).0, 0);
    let receipt = home.publish(&["a"]);
    assert_eq!(["added", "updated", "removed"].map(|name| count(&receipt, name)), [1, 1, 1], "{receipt:#}");
    assert_eq!((count_files(&home, "out"), teardowns(&home)[0].0.as_str()), (0, "succeeded"));
}

#[test]
fn a_slip_that_is_put_right_goes_on_from_where_it_was() {
    let home = home(&(CHANGES.to_owned() + PURGE));
    people(&home, &["p", "q"]);
    home.publish(&["a"]);
    // A guard stops it at the new place.
    let strict = CHANGES.replace("min_members: 0", "min_members: 9") + PURGE;
    home.configure(&config(&strict, "").replace("./out", "./there"));
    assert_eq!(home.run(&["publish", "a"]).status, 4);
    assert_eq!((count_files(&home, "out"), teardowns(&home).len()), (2, 0));
    moved(&home, "./out", PURGE);
    people(&home, &["p"]);
    let back = home.publish(&["a"]);
    assert_eq!(["added", "unchanged", "removed"].map(|name| count(&back, name)), [0, 1, 1], "{back:#}");
    assert_eq!((teardowns(&home).len(), replay(&home.path("out")).len()), (0, 1));
}

#[test]
fn a_place_that_was_begun_to_be_taken_back_is_emptied_before_it_is_published_to_again() {
    let home = home(&(CHANGES.to_owned() + PURGE));
    people(&home, &["p"]);
    let first = home.publish(&["a"]);
    block(&part(&home, "out", &first));
    moved(&home, "./there", PURGE);
    home.publish(&["a"]);
    moved(&home, "./out", PURGE);
    assert_eq!(home.run(&["publish", "a"]).status, 1, "who is there is not known");
    assert_eq!(home.json(&["adopt", "a"]).0, 1);
    unblock(&part(&home, "out", &first));
    assert_eq!(count(&home.publish(&["a"]), "added"), 1);
    assert_eq!((count_files(&home, "out"), count_files(&home, "there")), (2, 0));
}

#[test]
fn what_was_sealed_at_a_former_place_that_does_not_answer_is_not_forgotten() {
    for come_back in [false, true] {
        let home = home(&(CHANGES.to_owned() + PURGE));
        people(&home, &["p", "q"]);
        crash(&home, &["publish", "a"], "seal_stored");
        meddle(&home, "CREATE TABLE kept AS SELECT identity, definition FROM places");
        meddle(&home, "UPDATE places SET definition = x'00'");
        moved(&home, "./there", PURGE);
        assert_eq!(count(&home.publish(&["a"]), "added"), 2, "the new place does not wait for it");
        let (status, receipt) = home.json(&["delete", "a", "--purge"]);
        assert_eq!((status, state(&home).as_str()), (1, "deleting"), "{receipt:#}");
        assert!(receipt["error"]["message"].as_str().unwrap().contains("former place"), "{receipt:#}");
        if come_back {
            meddle(
                &home,
                "UPDATE places SET definition = kept.definition FROM kept WHERE kept.identity = places.identity",
            );
            assert_eq!(home.json(&["delete", "a"]).0, 0);
            assert_eq!(count_files(&home, "out"), 0);
        } else {
            assert_eq!(home.json(&["delete", "a", "--keep"]).0, 0, "somebody decides to let it be");
        }
        assert_eq!(state(&home), "deleted");
    }
}

#[test]
fn another_table_at_the_same_place_takes_nothing_of_its_own_back() {
    let files = "    files: { overwrite: true, path: all.csv, format: csv, compression: none }\n";
    let activation = super::FULL.to_owned() + files + PURGE;
    let home = home(&activation);
    people(&home, &["p"]);
    home.publish(&["a"]);
    // The same rows by another table: the place is another by name alone.
    let other = config(&activation, "")
        .replace("      contact:", "      other: { path: lake/person.parquet, key: id }\n      contact:");
    home.configure(&other.replace("from: person,", "from: other,"));
    home.publish(&["a", "--full"]);
    assert_eq!(teardowns(&home).len(), 1);
    assert!(home.path("out/all.csv").exists(), "{:?}", teardowns(&home));
    assert_eq!(verified(&home).0, 0);
}
