//! Snapshots written, layered, merged and read back.

use std::{sync::Arc, thread};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, FixedSizeBinaryArray, StringArray, UInt8Array, UInt32Array,
        new_null_array,
    },
    datatypes::DataType,
};
use uuid::Uuid;

use super::{Answers, Columns, Holding, Keys, Pointer, Range, Rows, Sent, SnapshotStore, hashes, partition};
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

/// Rows that are about to be sent: an add, or the removal, of each member.
fn sending(store: &SnapshotStore, keys: &[String], sent: Sent, partitions: u32) -> super::Layer {
    let columns = Columns { fields: true, sent: true, ..Columns::of(DataType::Utf8) };
    let mut writer = store.layer("a", Uuid::from_u128(1), "sending", &columns).unwrap();
    let encoder = writer.encoder();
    let array: ArrayRef = Arc::new(StringArray::from(keys.to_vec()));
    let hashes = hashes(&array, store.keys());
    for number in 0..partitions as usize {
        let here = keys.iter().zip(&hashes).filter(|(_, hash)| partition(**hash, partitions) == number);
        let mut here: Vec<String> = here.map(|(key, _)| key.clone()).collect();
        here.sort();
        let keys: ArrayRef = Arc::new(StringArray::from(here));
        let length = keys.len();
        let rows = if sent == Sent::Remove {
            Rows::unknown(keys, Holding::Gone, 2, true).unwrap()
        } else {
            let prints = FixedSizeBinaryArray::try_from_sparse_iter_with_size((0..length).map(|_| Some([1; 16])), 16);
            let fields = BinaryArray::from_iter_values((0..length).map(|_| b"twelve bytes"));
            Rows::held(keys, prints.unwrap(), 1, Some(fields)).unwrap()
        };
        let rows = rows.sending(UInt8Array::from_value(sent as u8, length)).unwrap();
        writer.append(encoder.encode(number, &rows).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

fn answered(op: usize, records: u64) -> Answers {
    let mut answers = Answers::default();
    answers.ranges[op] = Range { done: records, begun: records };
    answers
}

#[test]
fn who_was_removed_is_known_after_the_snapshot_was_cut_finer_and_merged_twice_in_one_publish() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1);
    let (publish, now) = (("a", Uuid::from_u128(1)), chrono::Utc::now());
    let pointer = store.empty(2);
    let adds = sending(&store, &names(0..100), Sent::Add, 2);
    let added = store.settle(publish, &pointer, &adds, &answered(0, 100), now).unwrap();
    assert_eq!((added.delivered, added.owed, added.pointer.members), (100, 0, 100));
    let removals = sending(&store, &names(0..40), Sent::Remove, 2);
    let removed = store.settle(publish, &added.pointer, &removals, &answered(2, 30), now).unwrap();
    assert_eq!((removed.delivered, removed.owed, removed.pointer.members), (30, 10, 70));
    let finer = store.compact("a", publish.1, &removed.pointer, 16).unwrap();
    let merged = store.compact("a", publish.1, &finer, 16).unwrap();
    assert_eq!(held(&store, &merged, 16).len(), 70);
    let gone = store.gone("a", &merged).unwrap();
    let remembered: usize = (0..16).map(|number| gone.partition(number, 16).unwrap().len()).sum();
    assert_eq!(remembered, 30, "each where its key belongs");
    // Settled over the finer snapshot, they are remembered still, but for who is back.
    let back = sending(&store, &names(0..5), Sent::Add, 16);
    let returned = store.settle(publish, &merged, &back, &answered(0, 5), now).unwrap();
    let gone = store.gone("a", &returned.pointer).unwrap();
    let counted: usize = (0..16).map(|number| gone.partition(number, 16).unwrap().len()).sum();
    assert!((25..30).contains(&counted), "{counted}");
}
