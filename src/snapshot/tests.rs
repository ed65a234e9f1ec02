//! Snapshots written, layered, merged and read back.

use std::{sync::Arc, thread};

use arrow::{
    array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, StringArray, UInt8Array, UInt32Array, new_null_array},
    datatypes::DataType,
};
use uuid::Uuid;

use super::{Columns, Holding, Keys, Pointer, Rows, SnapshotStore, hashes, partition};
use crate::config::Key;

const PARTITIONS: u32 = 16;

fn store(folder: &std::path::Path, key: u8) -> SnapshotStore {
    SnapshotStore::new(folder, Keys::derive(&Key([key; 32])))
}

/// Keys by partition, sorted.
fn placed(keys: &[String], secret: &Keys) -> Vec<Vec<String>> {
    let array: ArrayRef = Arc::new(StringArray::from(keys.to_vec()));
    let mut partitions = vec![Vec::new(); PARTITIONS as usize];
    for (key, hash) in keys.iter().zip(hashes(&array, secret)) {
        partitions[partition(hash, PARTITIONS)].push(key.clone());
    }
    partitions.iter_mut().for_each(|keys| keys.sort());
    partitions
}

fn rows(keys: Vec<String>, print: Option<u8>) -> Rows {
    let fingerprints = match print {
        Some(byte) => FixedSizeBinaryArray::try_from_iter(keys.iter().map(|_| [byte; 16])).ok(),
        None => None,
    };
    let none = || new_null_array(&DataType::FixedSizeBinary(16), keys.len()).as_fixed_size_binary().clone();
    let sequences = UInt32Array::from_value(u32::from(print.unwrap_or(0)), keys.len());
    let state = if print.is_some() { Holding::Held } else { Holding::Gone };
    let states = UInt8Array::from_value(state as u8, keys.len());
    let fingerprints = fingerprints.unwrap_or_else(none);
    Rows::new(Arc::new(StringArray::from(keys)), fingerprints, sequences, states, None).unwrap()
}

fn write(store: &SnapshotStore, name: &str, keys: &[String], print: Option<u8>) -> super::Layer {
    let mut writer = store.layer("a", Uuid::from_u128(1), name, &Columns::of(DataType::Utf8)).unwrap();
    let encoder = writer.encoder();
    for (number, keys) in placed(keys, store.keys()).into_iter().enumerate() {
        writer.append(encoder.encode(number, &rows(keys, print)).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

fn names(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("member-{number:05}")).collect()
}

fn held(store: &SnapshotStore, pointer: &Pointer, partitions: u32) -> Vec<(String, u8)> {
    let snapshot = store.open("a", pointer).unwrap();
    let mut all: Vec<(String, u8)> = (0..partitions as usize)
        .flat_map(|number| {
            let held = snapshot.partition(number, partitions).unwrap().unwrap();
            let keys = held.keys().as_string::<i32>().clone();
            (0..keys.len())
                .map(|row| (keys.value(row).to_owned(), held.fingerprints().value(row)[0]))
                .collect::<Vec<_>>()
        })
        .collect();
    all.sort();
    all
}

#[test]
fn the_newest_layer_counts_also_after_merging_and_splitting() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1);
    let layers = vec![
        write(&store, "base", &names(0..500), Some(1)),
        write(&store, "updated", &names(100..200), Some(2)),
        write(&store, "removed", &names(150..160), None),
        write(&store, "added", &names(500..510), Some(3)),
    ];
    let pointer = Pointer { layers, members: 500, ..store.empty(PARTITIONS) };
    let expected: Vec<(String, u8)> = names(0..510)
        .into_iter()
        .enumerate()
        .filter(|(number, _)| !(150..160).contains(number))
        .map(|(number, name)| (name, if number >= 500 { 3 } else { 1 + u8::from((100..200).contains(&number)) }))
        .collect();
    assert_eq!(held(&store, &pointer, PARTITIONS), expected);
    assert_eq!(held(&store, &pointer, PARTITIONS * 4), expected, "read as finer partitions");
    let compacted = store.compact("a", Uuid::from_u128(2), &pointer, PARTITIONS).unwrap();
    assert_eq!(compacted.layers.len(), 1);
    assert_eq!(held(&store, &compacted, PARTITIONS), expected);
    store.sweep("a", &[&compacted]).unwrap();
    assert_eq!(held(&store, &compacted, PARTITIONS), expected, "what is needed is not swept away");
    assert!(store.open("a", &pointer).is_err(), "what is not needed is");
}

#[test]
fn threads_that_read_side_by_side_read_their_own_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1);
    let pointer =
        Pointer { layers: vec![write(&store, "base", &names(0..20_000), Some(1))], ..store.empty(PARTITIONS) };
    let snapshot = store.open("a", &pointer).unwrap();
    thread::scope(|scope| {
        for offset in 0..4 {
            let snapshot = &snapshot;
            scope.spawn(move || {
                for round in 0..40 {
                    let number = (offset * 4 + round) % PARTITIONS as usize;
                    let held = snapshot.partition(number, PARTITIONS).unwrap().unwrap();
                    assert!(held.len() > 1_000, "{number}: {}", held.len());
                }
            });
        }
    });
}

#[test]
fn another_key_or_a_file_in_anothers_place_is_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let right = store(folder.path(), 1);
    let pointer = Pointer { layers: vec![write(&right, "base", &names(0..50), Some(1))], ..right.empty(PARTITIONS) };
    let wrong = store(folder.path(), 2);
    assert_eq!(wrong.open("a", &pointer).unwrap_err().code, "snapshot_unreadable");
    let forged = Pointer { key_check: wrong.keys().check(), ..pointer.clone() };
    assert_eq!(wrong.open("a", &forged).unwrap_err().code, "snapshot_unreadable");
    std::fs::create_dir_all(folder.path().join("snapshots/b")).unwrap();
    let name = &pointer.layers[0].file;
    std::fs::copy(folder.path().join("snapshots/a").join(name), folder.path().join("snapshots/b").join(name)).unwrap();
    assert_eq!(right.open("b", &pointer).unwrap_err().code, "snapshot_unreadable");
}
