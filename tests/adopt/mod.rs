//! Lost snapshots, rebuilt; and snapshots that go on under another name.

mod formats;
mod keys;
mod lost;
mod renamed;

use std::{
    fs,
    path::{Path, PathBuf},
};

use arrow::array::ArrayRef;
use serde_json::Value;

use crate::{
    publishing::{config, integers, words},
    support::{Home, files},
};

const INCREMENTAL: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, name: name }
    guards: { max_removed: 100%, min_members: 0 }
";

fn home(activation: &str) -> Home {
    Home::new(&config(activation, ""))
}

/// Members and their names.
fn people(home: &Home, people: &[(&str, &str)]) {
    let ids: Vec<&str> = people.iter().map(|(id, _)| *id).collect();
    keyed(home, words(&ids), &people.iter().map(|(_, name)| *name).collect::<Vec<_>>());
}

/// Members by keys of any type.
fn keyed(home: &Home, ids: ArrayRef, names: &[&str]) {
    home.table("person", vec![("id", ids), ("name", words(names)), ("at", integers(&vec![1; names.len()]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

fn lose_state(home: &Home) {
    fs::remove_dir_all(home.path("herald-data")).unwrap();
}

/// Adopts; it must not fail.
fn adopt(home: &Home, arguments: &[&str]) -> Value {
    let (status, adopted) = home.json(&[&["adopt"], arguments].concat());
    assert_eq!(status, 0, "{adopted:#}");
    adopted
}

/// Adopts in vain: exit status, and the error as text.
fn refused(home: &Home, arguments: &[&str]) -> (i32, String) {
    let (status, answer) = home.json(&[&["adopt"], arguments].concat());
    assert_eq!(answer["error"]["retryable"], false, "{answer:#}");
    (status, format!("{}: {}; {}", answer["error"]["code"], answer["error"]["message"], answer["error"]["remedy"]))
}

/// Added, updated, removed, unchanged.
fn counts(receipt: &Value) -> [u64; 4] {
    ["added", "updated", "removed", "unchanged"].map(|name| receipt["counts"][name].as_u64().unwrap())
}

/// The manifest of a publish.
fn manifest(folder: &Path, receipt: &Value) -> Value {
    let id = receipt["id"].as_str().unwrap();
    let all = files(folder).into_iter().filter(|path| path.ends_with("manifest.json"));
    let mut manifests = all.map(|path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap());
    manifests.find(|manifest| manifest["id"] == id).unwrap_or_else(|| panic!("no manifest of {id}"))
}

/// The delivered parts.
fn parts(home: &Home) -> Vec<PathBuf> {
    files(&home.path("out")).into_iter().filter(|path| !path.ends_with("manifest.json")).collect()
}
