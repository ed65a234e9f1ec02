//! The command line as a user and a script see it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output},
};

use chrono::Utc;
use herald::{
    publish::{PublishKind, Receipt, Status},
    sample,
    state::{ActivationLock, NewPublish, State},
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

#[test]
fn a_plan_sends_nothing_and_shows_nobody() {
    let dir = sampled();
    let planned = herald(dir.path(), "plan best_to_partner --sample 5 --json --quiet");
    assert_eq!(planned.status.code(), Some(0), "{}", stderr(&planned));
    let plan = document(&planned);
    let counts = &plan["counts"];
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(count("resolved"), count("suppressed") + count("unchanged") + count("added") + count("updated"));
    assert!(count("added") > 0);
    let suppressed: u64 = plan["suppressed_by"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(suppressed, count("suppressed"));
    let guard = plan["guards"].as_array().unwrap().iter().find(|guard| guard["name"] == "min_members").unwrap();
    assert_eq!((guard["limit"].as_f64(), guard["trips"].as_bool()), (Some(1.0), Some(false)));

    let masked = plan["sample"].as_array().unwrap();
    assert_eq!(masked.len(), 5);
    let revealed = document(&herald(dir.path(), "plan best_to_partner --sample 5 --reveal --json --quiet"));
    let revealed = revealed["sample"].as_array().unwrap();
    assert!(revealed.iter().all(|row| row["email"].as_str().unwrap().contains('@')));
    for row in revealed {
        for name in ["_member", "full_name", "email", "email_sha256"] {
            let value = row[name].to_string();
            assert!(!stdout(&planned).contains(value.trim_matches('"')), "{name} shows through the mask");
        }
    }
    assert!(!dir.path().join("out").exists(), "a plan writes nothing at the target");
    assert!(lines(&herald(dir.path(), "receipts --json")).is_empty());
}

#[test]
fn a_publish_a_delta_and_what_is_read_back() {
    let dir = sampled();
    let first = herald(dir.path(), "publish best_to_partner --json --quiet");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let first = document(&first);
    assert_eq!((first["status"].as_str(), first["sequence"].as_u64()), (Some("succeeded"), Some(1)));
    let file = dir.path().join("out").join(first["files"][0]["path"].as_str().unwrap());
    assert_eq!(file.metadata().unwrap().len(), first["bytes"].as_u64().unwrap());

    herald(dir.path(), "init . --generation 1");
    let second = herald(dir.path(), "publish best_to_partner --quiet");
    assert!(stdout(&second).starts_with("succeeded  best_to_partner #2"), "{}", stdout(&second));

    let verified = herald(dir.path(), "verify --json");
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    assert_eq!(document(&verified)["parts"].as_array().unwrap().len(), 4);
    std::fs::remove_file(&file).unwrap();
    let missing = herald(dir.path(), "verify best_to_partner --quick --json");
    assert_eq!(missing.status.code(), Some(1));
    let parts = document(&missing)["parts"].clone();
    let gone = parts.as_array().unwrap().iter().filter(|part| part["state"] == "missing").count();
    assert_eq!(gone, 1, "{parts}");

    let audit = lines(&herald(dir.path(), "audit --json"));
    assert_eq!(audit.iter().filter(|line| line["what"] == "publish").count(), 2);
    let status = document(&herald(dir.path(), "status best_to_partner --json"));
    assert!(status["members"].as_u64().unwrap() > 0);
}

#[test]
fn a_guard_blocks_with_status_4_until_overridden_on_record() {
    let dir = sampled();
    let path = dir.path().join("config/herald.yaml");
    let config = std::fs::read_to_string(&path).unwrap().replace("min_members: 1,", "min_members: 100000,");
    std::fs::write(&path, config).unwrap();
    let planned = herald(dir.path(), "plan best_to_partner --quiet");
    assert_eq!(planned.status.code(), Some(4), "{}", stderr(&planned));
    assert!(stdout(&planned).contains("trips"), "{}", stdout(&planned));

    let blocked = herald(dir.path(), "publish best_to_partner --json --quiet");
    assert_eq!(blocked.status.code(), Some(4));
    assert_eq!(document(&blocked)["error"]["code"], "guard_min_members");
    assert!(!dir.path().join("out/best_to_partner").exists(), "nothing was sent");

    let passed = herald(dir.path(), "publish best_to_partner --override=planned --json --quiet");
    assert_eq!(passed.status.code(), Some(0), "{}", stderr(&passed));
    assert_eq!(document(&passed)["override"], "planned");
    let audit = lines(&herald(dir.path(), "audit --json"));
    assert!(audit.iter().any(|line| line["what"] == "override" && line["detail"] == "planned"));
}

#[tokio::test]
async fn a_busy_activation_is_refused_or_waited_for_and_waiting_can_be_interrupted() {
    let dir = sampled();
    State::open(&dir.path().join("herald-data")).await.unwrap();
    let held = ActivationLock::acquire(&dir.path().join("herald-data"), "best_to_partner", false).await.unwrap();
    let busy = herald(dir.path(), "publish best_to_partner --no-wait --json");
    assert_eq!(busy.status.code(), Some(1), "{}", stderr(&busy));
    assert_eq!(document(&busy)["error"]["code"], "busy");
    assert_eq!(herald(dir.path(), "status best_to_partner").status.code(), Some(0), "reading always works");

    let mut waiting = Command::new(env!("CARGO_BIN_EXE_herald"))
        .args(["publish", "best_to_partner"])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("waiting"), "{line}");
    let stopped = Command::new("kill").args(["-INT", &waiting.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
    drop(held);
}

#[test]
fn a_deleted_activation_gives_back_what_it_put_there_and_stays_deleted_until_recreated() {
    let dir = sampled();
    assert_eq!(herald(dir.path(), "publish best_to_partner --quiet").status.code(), Some(0));
    let planned = document(&herald(dir.path(), "delete best_to_partner --purge --plan --json"));
    assert_eq!(planned["paths"].as_array().unwrap().len(), 2, "{planned}");
    assert_eq!(
        document(&herald(dir.path(), "status best_to_partner --json"))["state"],
        "active",
        "a plan changes nothing"
    );

    let deleted = herald(dir.path(), "delete best_to_partner --purge --json");
    assert_eq!(deleted.status.code(), Some(0), "{}", stderr(&deleted));
    assert_eq!(document(&deleted)["kind"], "teardown");
    for path in planned["paths"].as_array().unwrap() {
        assert!(!dir.path().join("out").join(path.as_str().unwrap()).exists(), "{path}");
    }
    let status = document(&herald(dir.path(), "status best_to_partner --json"));
    assert_eq!((status["state"].as_str(), status["members"].as_u64()), (Some("deleted"), Some(0)));
    assert_eq!(herald(dir.path(), "verify best_to_partner").status.code(), Some(0), "nothing left to vouch for");
    assert_eq!(herald(dir.path(), "publish best_to_partner --quiet").status.code(), Some(1));

    assert_eq!(herald(dir.path(), "recreate best_to_partner").status.code(), Some(0));
    let again = herald(dir.path(), "publish best_to_partner --json --quiet");
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(document(&again)["counts"]["added"].as_u64().unwrap() > 0);
}

#[test]
fn a_check_reaches_targets_and_leaves_nothing_behind() {
    let dir = sampled();
    let checked = herald(dir.path(), "check --json");
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    assert_eq!(document(&checked)["ok"], true);
    let reached = document(&herald(dir.path(), "check --connect --json"));
    assert_eq!(reached["connections"][0]["target"], "partner");
    assert_eq!(reached["connections"][0]["ok"], true);
    assert!(!dir.path().join("herald-data").exists());

    let path = dir.path().join("config/herald.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("loyalty_tier IN", "loyalty_tir IN")).unwrap();
    let wrong = herald(dir.path(), "check --json");
    assert_eq!(wrong.status.code(), Some(2));
    assert_eq!(document(&wrong)["problems"][0]["code"], "invalid_sql");
    let first = stderr(&wrong).lines().next().unwrap().to_owned();
    assert!(first.starts_with("config/herald.yaml:") && first.contains("segments.gold_de.where"), "{first}");

    std::fs::remove_file(dir.path().join("lake/phone.parquet")).unwrap();
    let missing = herald(dir.path(), "check");
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("tables.phone"), "{}", stderr(&missing));
}
