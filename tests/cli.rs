//! The command line as a user and a script see it.

use std::{
    path::Path,
    process::{Command, Output},
};

use chrono::Utc;
use herald::{
    publish::{PublishKind, Receipt, Status},
    sample,
    state::{NewPublish, State},
};
use herald_destinations::contract::Mode;
use serde_json::Value;

/// Runs the program in a folder, its environment empty of ours.
pub(crate) fn herald(dir: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_herald"))
        .args(line.split_whitespace())
        .current_dir(dir)
        .env_remove("HERALD_CONFIG")
        .env_remove("HERALD_LOG")
        .env_remove("HERALD_KEY")
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The one document on stdout.
pub(crate) fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error} in stdout {:?}, stderr {:?}", stdout(output), stderr(output));
    })
}

/// The documents on stdout, one a line.
pub(crate) fn lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The sample in a folder of its own.
pub(crate) fn sampled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    sample::write(dir.path()).unwrap();
    dir
}

async fn published(dir: &Path, activation: &str, status: Status) -> Receipt {
    let state = State::open(&dir.join("herald-data")).await.unwrap();
    let asked = NewPublish {
        activation: activation.to_owned(),
        segment: "s".to_owned(),
        target: "partner".to_owned(),
        kind: PublishKind::Manual,
        mode: Mode::Full,
        queued_at: Utc::now(),
        override_reason: None,
    };
    let mut receipt = state.queue(asked).await.unwrap();
    receipt.status = status;
    receipt.started_at = Some(receipt.queued_at);
    receipt.finished_at = Some(Utc::now());
    state.finish(&receipt).await.unwrap();
    receipt
}

#[test]
fn a_usage_error_is_status_2_and_a_document_for_programs() {
    let dir = tempfile::tempdir().unwrap();
    for line in ["frobnicate", "publish", "plan x --sample 1001", "receipt nonsense", ""] {
        assert_eq!(herald(dir.path(), line).status.code(), Some(2), "{line}");
    }
    let output = herald(dir.path(), "--json frobnicate");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(document(&output)["error"]["code"], "usage");
    assert!(stderr(&output).contains("frobnicate"));
}

#[test]
fn version_and_help_go_to_stdout() {
    let dir = tempfile::tempdir().unwrap();
    let version = herald(dir.path(), "--version");
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(stdout(&version), format!("herald {}\n", env!("CARGO_PKG_VERSION")));
    assert!(stdout(&herald(dir.path(), "publish --help")).contains("--no-wait"));
}

#[test]
fn a_config_that_does_not_load_is_status_2_with_all_its_problems() {
    let dir = tempfile::tempdir().unwrap();
    let missing = herald(dir.path(), "status --config nowhere.yaml --json");
    assert_eq!(missing.status.code(), Some(2));
    assert_eq!(document(&missing)["error"]["code"], "config_invalid");

    std::fs::write(dir.path().join("bad.yaml"), "activations:\n  A: {}\nsegmentz: {}\n").unwrap();
    let bad = herald(dir.path(), "status --config bad.yaml --json");
    assert_eq!(bad.status.code(), Some(2));
    let problems = document(&bad)["problems"].as_array().unwrap().len();
    assert!(problems >= 2, "{}", stdout(&bad));
    assert!(stderr(&bad).lines().next().unwrap().contains("bad.yaml:"), "{}", stderr(&bad));
}

#[test]
fn init_writes_once_and_never_over_something() {
    let dir = tempfile::tempdir().unwrap();
    let first = herald(dir.path(), "init demo --json");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert!(dir.path().join("demo/config/herald.yaml").is_file());
    assert!(document(&first)["files"].as_array().unwrap().iter().any(|file| file == "config/herald.yaml"));
    let second = herald(dir.path(), "init demo");
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains("config/herald.yaml"), "{}", stderr(&second));
}

#[test]
fn an_unknown_activation_is_status_2_with_the_nearest_name() {
    let dir = sampled();
    for line in
        ["status buyers_cvs", "receipts buyers_cvs", "rejects buyers_cvs", "pause buyers_cvs", "verify buyers_cvs"]
    {
        let output = herald(dir.path(), line);
        assert_eq!(output.status.code(), Some(2), "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains("did you mean `buyers_csv`?"), "{line}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn receipts_are_listed_newest_first_and_shown_one_by_one() {
    let dir = sampled();
    assert!(stdout(&herald(dir.path(), "receipts")).contains("nothing published yet"));
    let old = published(dir.path(), "buyers_csv", Status::Succeeded).await;
    let new = published(dir.path(), "buyers_csv", Status::Failed).await;
    published(dir.path(), "best_to_partner", Status::Blocked).await;

    let listed = lines(&herald(dir.path(), "receipts buyers_csv --json"));
    assert_eq!(listed, [serde_json::to_value(&new).unwrap(), serde_json::to_value(&old).unwrap()]);
    assert_eq!(lines(&herald(dir.path(), "receipts --json")).len(), 3);
    assert_eq!(lines(&herald(dir.path(), "receipts --json --limit 1"))[0]["activation"], "best_to_partner");

    let one = herald(dir.path(), &format!("receipt {} --json", old.id));
    assert_eq!(document(&one), serde_json::to_value(&old).unwrap());
    let shown = stdout(&herald(dir.path(), &format!("receipt {}", old.id)));
    assert!(shown.starts_with("succeeded  buyers_csv #1"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colours off a terminal");

    let unknown = herald(dir.path(), "receipt 019aaa00-0000-7000-8000-000000000001");
    assert_eq!(unknown.status.code(), Some(2));
}

#[tokio::test]
async fn status_shows_every_activation_and_how_it_stands() {
    let dir = sampled();
    let receipt = published(dir.path(), "buyers_csv", Status::Succeeded).await;
    published(dir.path(), "of_old", Status::Succeeded).await;
    assert_eq!(herald(dir.path(), "pause best_to_partner").status.code(), Some(0));

    let all = lines(&herald(dir.path(), "status --json"));
    let one = |name: &str| all.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(one("best_to_partner")["state"], "paused");
    assert_eq!(one("best_to_partner")["last"], Value::Null);
    assert_eq!(one("best_to_partner")["lag_seconds"], Value::Null);
    assert_eq!(one("buyers_csv")["state"], "active");
    assert_eq!(one("buyers_csv")["last"]["id"], receipt.id.to_string());
    assert!(one("buyers_csv")["lag_seconds"].as_u64().unwrap() < 3600);
    assert_eq!(one("of_old")["state"], "active", "gone from the config, but on record");
    for key in ["name", "state", "last", "next", "lag_seconds", "members", "dead_letters"] {
        assert!(all.iter().all(|one| one.get(key).is_some()), "{key}");
    }

    let alone = document(&herald(dir.path(), "status buyers_csv --json"));
    assert_eq!(alone["name"], "buyers_csv");
    assert_eq!(herald(dir.path(), "resume best_to_partner").status.code(), Some(0));
    assert_eq!(document(&herald(dir.path(), "status best_to_partner --json"))["state"], "active");

    let audit = lines(&herald(dir.path(), "audit --json"));
    assert_eq!(audit.iter().map(|line| line["what"].as_str().unwrap()).collect::<Vec<_>>(), ["resume", "pause"]);
}

#[test]
fn a_state_of_a_newer_version_is_refused_by_name() {
    let dir = sampled();
    assert_eq!(herald(dir.path(), "status").status.code(), Some(0));
    let made_newer = Command::new("python3")
        .args(["-c", "import sqlite3; db = sqlite3.connect('herald-data/state.db'); db.execute(\"INSERT INTO \
               _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, '', 1, x'00', 0)\"); \
               db.commit()"])
        .current_dir(dir.path())
        .status()
        .unwrap();
    assert!(made_newer.success());
    let refused = herald(dir.path(), "status --json");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(document(&refused)["error"]["code"], "state_newer");
}

#[tokio::test]
async fn a_reader_that_has_read_enough_is_no_error() {
    let dir = sampled();
    for _ in 0..3 {
        published(dir.path(), "buyers_csv", Status::Succeeded).await;
    }
    let mut running = Command::new(env!("CARGO_BIN_EXE_herald"))
        .args(["receipts", "--json"])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(running.stdout.take());
    let output = running.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}
