//! What was delivered before: taken back, left behind, kept for a while, read back.

mod former;
mod migration;
mod retention;
mod teardown;
mod verify;

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{
    publishing::{config, integers, words},
    support::{Home, files},
};

const FULL: &str = "
    segment: everyone
    mode: full
    attributes: { id: id, name: name }
    guards: { min_members: 0 }
";

const CHANGES: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, name: name }
    guards: { min_members: 0, max_removed: 100% }
";

fn home(activation: &str) -> Home {
    Home::new(&config(activation, ""))
}

fn people(home: &Home, ids: &[&str]) {
    home.table("person", vec![("id", words(ids)), ("name", words(ids)), ("at", integers(&vec![1; ids.len()]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

/// Runs up to a moment, where the process must abort.
fn crash(home: &Home, arguments: &[&str], moment: &str) {
    let ran = home.command(arguments).env("HERALD_CRASH_AT", moment).output().unwrap();
    assert!(ran.status.code().is_none(), "{arguments:?} did not come by {moment}: {ran:?}");
}

/// A part of a receipt, as it stands in the folder `out`.
fn part(home: &Home, out: &str, receipt: &Value) -> PathBuf {
    home.path(out).join(receipt["files"][0]["path"].as_str().unwrap())
}

/// Puts a folder in a part's place, which can't be removed as a file can. What it held comes back.
fn block(part: &PathBuf) -> Vec<u8> {
    let content = fs::read(part).unwrap();
    fs::remove_file(part).unwrap();
    fs::create_dir(part).unwrap();
    fs::write(part.join("x"), "somebody else's").unwrap();
    content
}

fn unblock(part: &PathBuf) {
    fs::remove_dir_all(part).unwrap();
}

/// Receipts of teardowns, newest first: status and what became of objects.
fn teardowns(home: &Home) -> Vec<(String, Value)> {
    let ran = home.run(&["receipts", "a", "--json"]);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|receipt| receipt["kind"] == "teardown")
        .map(|receipt| (receipt["status"].as_str().unwrap().to_owned(), receipt["taken_back"].clone()))
        .collect()
}

/// Whether all that receipts name reads back as it should, and how many objects were read.
fn verified(home: &Home) -> (i32, usize) {
    let (status, found) = home.json(&["verify", "a"]);
    (status, found["parts"].as_array().unwrap().len())
}

fn state(home: &Home) -> String {
    home.json(&["status", "a"]).1["state"].as_str().unwrap().to_owned()
}

/// Changes the state behind Herald's back.
fn meddle(home: &Home, sql: &'static str) {
    let url = format!("sqlite://{}", home.path("herald-data/state.db").display());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        sqlx::query(sql).execute(&pool).await.unwrap();
        pool.close().await;
    });
}

fn count_files(home: &Home, out: &str) -> usize {
    files(&home.path(out)).len()
}
