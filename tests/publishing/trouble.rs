//! Bad input, bad luck: a named code, the exit status of the contract, nothing half-visible, and a next publish that
//! is right.

use std::fs;

use serde_json::json;

use super::{config, floats, integers, words};
use crate::support::{Home, count, files};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, score: score }
    guards: { max_removed: 100% }
";

fn people(home: &Home, ids: &[&str]) {
    let scores = vec![1.0; ids.len()];
    home.table("person", vec![("id", words(ids)), ("score", floats(&scores)), ("at", integers(&vec![1; ids.len()]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

fn home() -> Home {
    let home = Home::new(&config(ACTIVATION, ""));
    people(&home, &["a", "b"]);
    home
}

/// Publishes with a source spoiled; then with the source back.
fn refused(home: &Home, code: &str) {
    let before = files(&home.path("out"));
    for command in ["check", "publish"] {
        let arguments: &[&str] = if command == "check" { &["check"] } else { &["publish", "a"] };
        let ran = home.run(arguments);
        assert_eq!(ran.status, 2, "{ran:?}");
        let first = ran.stderr.lines().next().unwrap();
        assert!(first.starts_with("herald.yaml:6:") && first.contains(&format!(": {code}: ")), "{first}");
    }
    assert_eq!(files(&home.path("out")), before);
    people(home, &["b", "c"]);
    let receipt = home.publish(&["a"]);
    assert_eq!((count(&receipt, "added"), count(&receipt, "removed")), (1, 1));
}

#[test]
fn a_missing_file_is_named_and_harms_nothing() {
    let home = home();
    home.publish(&["a"]);
    fs::remove_file(home.path("lake/person.parquet")).unwrap();
    refused(&home, "missing_file");
}

#[test]
fn an_empty_file_is_named_and_harms_nothing() {
    let home = home();
    home.publish(&["a"]);
    fs::write(home.path("lake/person.parquet"), b"").unwrap();
    refused(&home, "source_unreadable");
}

#[test]
fn a_truncated_file_is_named_and_harms_nothing() {
    let home = home();
    home.publish(&["a"]);
    let bytes = fs::read(home.path("lake/person.parquet")).unwrap();
    fs::write(home.path("lake/person.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    refused(&home, "source_unreadable");
}

#[test]
fn a_file_of_another_format_is_named_and_harms_nothing() {
    let home = home();
    home.publish(&["a"]);
    fs::write(home.path("lake/person.parquet"), "id,score,at\na,1,1\n").unwrap();
    refused(&home, "source_unreadable");
}

#[test]
fn a_glob_that_matches_nothing_is_named() {
    let home = Home::new(&config(ACTIVATION, "").replace("lake/person.parquet", "lake/person-*.parquet"));
    people(&home, &["a"]);
    let ran = home.run(&["publish", "a"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("missing_file"), "{ran:?}");
}

#[test]
fn a_file_whose_data_is_damaged_fails_the_publish_and_the_next_is_right() {
    let home = home();
    home.publish(&["a"]);
    let path = home.path("lake/person.parquet");
    let mut bytes = fs::read(&path).unwrap();
    // Past the magic, within the first column's pages; the footer stays whole.
    bytes[6..40].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_eq!((status, &receipt["status"]), (1, &json!("failed")), "{receipt:#}");
    assert_eq!(receipt["error"]["code"], "source_unreadable");
    people(&home, &["a", "b", "c"]);
    assert_eq!(count(&home.publish(&["a"]), "added"), 1);
}

#[test]
fn an_empty_source_is_stopped_by_the_guard_and_removes_nobody() {
    let home = home();
    home.publish(&["a"]);
    people(&home, &[]);
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_eq!((status, &receipt["error"]["code"]), (4, &json!("guard_min_members")));
    assert_eq!(home.held().len(), 2);
}

#[test]
fn a_target_that_may_not_be_written_is_unauthorized() {
    let home = home();
    // A folder's permissions do not stop root; a file where the folder should be stops everybody.
    fs::write(home.path("out"), "a file").unwrap();
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_eq!(status, 1);
    let code = receipt["error"]["code"].as_str().unwrap();
    assert!(["target_refused", "target_missing", "target_unauthorized"].contains(&code), "{receipt:#}");
    fs::remove_file(home.path("out")).unwrap();
    assert_eq!(count(&home.publish(&["a"]), "added"), 2);
}

#[test]
fn a_newer_data_folder_is_refused_and_left_alone() {
    let home = home();
    home.publish(&["a"]);
    let url = format!("sqlite://{}", home.path("herald-data/state.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'later', 1, x'00', 0)";
        sqlx::query(later).execute(&pool).await.unwrap();
        pool.close().await;
    });
    let ran = home.run(&["publish", "a"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stderr.contains("state_newer"), "{ran:?}");
}
