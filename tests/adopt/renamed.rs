//! An activation that got another name.

use std::fs;

use serde_json::{Value, json};

use super::{INCREMENTAL, adopt, counts, home, lose_state, manifest, people};
use crate::{publishing::config, support::Home};

fn renamed(extra: &str) -> String {
    config(INCREMENTAL, "").replace("\n  a:\n", &format!("\n  b:\n{extra}"))
}

fn status(home: &Home, name: &str) -> Value {
    let (status, document) = home.json(&["status", name]);
    assert_eq!(status, 0, "{document:#}");
    document
}

const WAS: &str = "    was: a\n";

#[test]
fn a_renamed_activation_goes_on_where_its_former_name_stopped() {
    let home = home(INCREMENTAL);
    people(&home, &[("p", "Ann"), ("q", "Bo")]);
    home.publish(&["a"]);
    home.run(&["pause", "a"]);
    home.configure(&renamed(WAS));
    people(&home, &[("p", "Ann"), ("q", "Bea"), ("r", "Cy")]);

    let (_, plan) = home.json(&["plan", "b"]);
    assert_eq!(counts(&plan), [1, 1, 0, 1], "what is planned is the difference to the former name's snapshot");
    assert_eq!((&status(&home, "a")["state"], &status(&home, "b")["members"]), (&json!("paused"), &json!(0)));

    let receipt = home.publish(&["b"]);
    assert_eq!(counts(&receipt), [1, 1, 0, 1], "nobody is sent again");
    let manifest = manifest(&home.path("out"), &receipt);
    assert_eq!(
        (&manifest["sequence"], &manifest["previous"], &manifest["activation"]),
        (&2.into(), &1.into(), &"b".into())
    );
    let (before, now) = (status(&home, "a"), status(&home, "b"));
    assert_eq!((&before["state"], &before["members"]), (&json!("deleted"), &json!(0)));
    assert_eq!((&now["state"], &now["members"]), (&json!("paused"), &json!(3)));
    assert!(!home.path("herald-data/snapshots/a").exists());
    assert!(home.run(&["audit"]).stdout.contains("took over `a`"));
    assert_eq!(counts(&home.publish(&["b"])), [0, 0, 0, 3]);
    assert_eq!(home.held().len(), 3, "one who applied all manifests holds everybody once");
}

#[test]
fn what_a_crash_left_of_the_former_name_is_settled_before_it_is_taken_over() {
    let home = home(INCREMENTAL);
    people(&home, &[("p", "Ann"), ("q", "Bo")]);
    home.publish(&["a"]);
    people(&home, &[("p", "Ann"), ("q", "Bo"), ("r", "Cy")]);
    let crashed = home.command(&["publish", "a"]).env("HERALD_CRASH_AT", "seal_stored").output().unwrap();
    assert!(!crashed.status.success());
    home.configure(&renamed(WAS));
    assert_eq!(counts(&home.publish(&["b"])), [0, 0, 0, 3], "what was sealed was committed, under the former name");
    assert_eq!(home.held().len(), 3);
}

#[test]
fn crashes_around_taking_over_lose_nothing_and_leave_nothing() {
    let home = home(INCREMENTAL);
    people(&home, &[("p", "Ann"), ("q", "Bo")]);
    home.publish(&["a"]);
    home.configure(&renamed(WAS));
    // The files of the former name, which a crash may leave.
    let left = fs::read_dir(home.path("herald-data/snapshots/a")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&left).unwrap();
    // And one of the new name that no pointer names, as a crash before taking over leaves.
    let early = home.path("herald-data/snapshots/b/early-renamed.parquet");
    fs::create_dir_all(early.parent().unwrap()).unwrap();
    fs::write(&early, "cut short").unwrap();
    let crashed = home.command(&["publish", "b"]).env("HERALD_CRASH_AT", "queued").output().unwrap();
    assert!(!crashed.status.success());
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, bytes).unwrap();
    people(&home, &[("p", "Ann")]);
    assert_eq!(counts(&home.publish(&["b"])), [0, 0, 1, 1]);
    assert!(!home.path("herald-data/snapshots/a").exists(), "what served the former name is gone");
    assert!(!early.exists());
}

#[test]
fn one_that_has_published_before_takes_nothing_over() {
    let home = home(INCREMENTAL);
    people(&home, &[("p", "Ann")]);
    home.publish(&["a"]);
    home.configure(&renamed(""));
    home.publish(&["b"]);
    people(&home, &[]);
    home.configure(&renamed(WAS));
    home.publish(&["b"]);
    assert_eq!(status(&home, "a")["members"], 1);
    assert_eq!(status(&home, "b")["members"], 0);
}

#[test]
fn renamed_and_moved_to_another_place_it_begins_anew() {
    let home = home(INCREMENTAL);
    people(&home, &[("p", "Ann")]);
    home.publish(&["a"]);
    home.configure(&renamed(WAS).replace("./out", "./elsewhere"));
    assert_eq!(counts(&home.publish(&["b"])), [1, 0, 0, 0]);
    assert_eq!(status(&home, "a")["members"], 1, "what is held at the former place is still known");
}

#[test]
fn a_purge_takes_back_what_was_delivered_under_either_name() {
    for publish_first in [true, false] {
        let home = home(INCREMENTAL);
        people(&home, &[("p", "Ann")]);
        home.publish(&["a"]);
        home.configure(&renamed(WAS));
        people(&home, &[("p", "Ann"), ("q", "Bo")]);
        if publish_first {
            home.publish(&["b"]);
        }
        let objects = crate::support::files(&home.path("out")).len();
        let (_, withdrawal) = home.json(&["delete", "b", "--purge", "--plan"]);
        assert_eq!(withdrawal["paths"].as_array().unwrap().len(), objects);
        home.run(&["delete", "b", "--purge"]);
        assert!(crate::support::files(&home.path("out")).is_empty());
        assert_eq!(
            (&status(&home, "a")["state"], &status(&home, "b")["state"]),
            (&json!("deleted"), &json!("deleted"))
        );
    }
}

#[test]
fn the_former_name_used_again_is_an_activation_of_its_own() {
    let home = home(INCREMENTAL);
    people(&home, &[("p", "Ann")]);
    home.publish(&["a"]);
    home.configure(&renamed(WAS));
    home.publish(&["b"]);
    let both = config(INCREMENTAL, "") + "\n  b:\n    target: out\n    refresh: { manual: true }\n" + INCREMENTAL;
    home.configure(&both);
    assert_eq!(home.run(&["publish", "a"]).status, 1, "it was deleted");
    home.run(&["recreate", "a"]);
    let again = home.publish(&["a", "--full"]);
    assert_eq!((counts(&again), &again["sequence"]), ([1, 0, 0, 0], &json!(2)));
    assert_eq!(counts(&home.publish(&["b"])), [0, 0, 0, 1]);
}

#[test]
fn a_state_lost_after_a_rename_is_rebuilt_from_the_manifests_of_both_names() {
    let home = home(INCREMENTAL);
    people(&home, &[("p", "Ann"), ("q", "Bo")]);
    home.publish(&["a"]);
    home.configure(&renamed(WAS));
    people(&home, &[("p", "Ann"), ("r", "Cy")]);
    home.publish(&["b"]);
    lose_state(&home);
    let adopted = adopt(&home, &["b"]);
    assert_eq!((&adopted["members"], &adopted["sequence"]), (&2.into(), &2.into()));
    assert_eq!(counts(&home.publish(&["b"])), [0, 2, 0, 0]);
}
