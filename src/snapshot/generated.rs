//! Random layers and deltas against an ordered map; damaged files.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, FixedSizeBinaryArray, Int64Array, UInt32Array},
    datatypes::{DataType, Int64Type},
};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::Index,
};
use uuid::Uuid;

use super::{Columns, Holding, Keys, Layer, Pointer, Rows, SnapshotStore, delta, hashes, partition};
use crate::config::Key;

/// Key to fingerprint, of which every byte is the same.
type Held = BTreeMap<i64, u8>;
/// What a layer says: a fingerprint, or gone.
type Changes = BTreeMap<i64, Option<u8>>;

fn store(folder: &std::path::Path) -> SnapshotStore {
    SnapshotStore::new(folder, Keys::derive(&Key([3; 32])))
}

fn keys(of: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(of))
}

fn prints(of: impl Iterator<Item = Option<u8>>) -> FixedSizeBinaryArray {
    FixedSizeBinaryArray::try_from_sparse_iter_with_size(of.map(|print| print.map(|print| [print; 16])), 16).unwrap()
}

fn write(store: &SnapshotStore, number: usize, partitions: u32, changes: &Changes) -> Layer {
    let mut writer = store.layer("a", Uuid::from_u128(1), &number.to_string(), &Columns::of(DataType::Int64)).unwrap();
    let encoder = writer.encoder();
    for wanted in 0..partitions as usize {
        let here = |key: &i64| partition(hashes(&keys([*key]), store.keys())[0], partitions) == wanted;
        let rows: Vec<(i64, Option<u8>)> =
            changes.iter().filter(|(key, _)| here(key)).map(|(key, print)| (*key, *print)).collect();
        let state = |print: &Option<u8>| if print.is_some() { Holding::Held } else { Holding::Gone } as u8;
        let rows = Rows::new(
            keys(rows.iter().map(|(key, _)| *key)),
            prints(rows.iter().map(|(_, print)| *print)),
            UInt32Array::from_value(number as u32, rows.len()),
            rows.iter().map(|(_, print)| state(print)).collect::<Vec<_>>().into(),
            None,
        )
        .unwrap();
        writer.append(encoder.encode(wanted, &rows).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

/// All that a snapshot holds, read as so many partitions; each key where it belongs, in order.
fn read(store: &SnapshotStore, pointer: &Pointer, partitions: u32) -> Held {
    let snapshot = store.open("a", pointer).unwrap();
    let mut held = Held::new();
    for number in 0..partitions as usize {
        let rows = snapshot.partition(number, partitions).unwrap().unwrap();
        let keys = rows.keys().as_primitive::<Int64Type>();
        assert!(keys.values().is_sorted());
        assert!(hashes(rows.keys(), store.keys()).iter().all(|hash| partition(*hash, partitions) == number));
        for row in 0..rows.len() {
            assert_eq!(held.insert(keys.value(row), rows.fingerprints().value(row)[15]), None);
        }
    }
    held
}

fn changes() -> impl Strategy<Value = Changes> {
    btree_map(-20..60_i64, option::weighted(0.7, any::<u8>()), 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layers_over_layers_read_as_a_map_that_was_changed_in_order(
        layers in vec((changes(), prop::bool::weighted(0.2)), 1..12),
        (coarse, finer) in (0..4_u32, 0..3_u32),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let partitions = 1 << coarse;
        let mut pointer = store.empty(partitions);
        let mut held = Held::new();
        for (number, (changes, compact)) in layers.iter().enumerate() {
            pointer.layers.push(write(&store, number, partitions, changes));
            for (key, print) in changes {
                match print {
                    Some(print) => drop(held.insert(*key, *print)),
                    None => drop(held.remove(key)),
                }
            }
            if *compact {
                pointer = store.compact("a", Uuid::from_u128(2 + number as u128), &pointer, partitions).unwrap();
                prop_assert_eq!(pointer.layers.len(), 1);
                prop_assert_eq!(pointer.layers[0].rows, held.len() as u64);
            }
        }
        prop_assert_eq!(&read(&store, &pointer, partitions), &held);
        prop_assert_eq!(&read(&store, &pointer, partitions << finer), &held);
    }

    #[test]
    fn a_delta_is_what_two_maps_differ_in(
        wanted in btree_map(0..40_i64, 0..3_u8, 0..40),
        held in option::weighted(0.9, btree_map(0..40_i64, 0..3_u8, 0..40)),
    ) {
        let side = |map: &BTreeMap<i64, u8>| {
            (keys(map.keys().copied()), prints(map.values().copied().map(Some)))
        };
        let (wanted_keys, wanted_prints) = side(&wanted);
        let there = held.as_ref().map(|held| {
            let (keys, fingerprints) = side(held);
            Rows::held(keys, fingerprints, 1, None).unwrap()
        });
        let found = delta(&wanted_keys, &wanted_prints, there.as_ref()).unwrap();

        let held = held.unwrap_or_default();
        let of = |rows: &UInt32Array, map: &BTreeMap<i64, u8>| -> Vec<i64> {
            let keys: Vec<i64> = map.keys().copied().collect();
            rows.values().iter().map(|row| keys[*row as usize]).collect()
        };
        let those = |keep: &dyn Fn(&i64, &u8) -> bool| -> Vec<i64> {
            wanted.iter().filter(|(key, print)| keep(key, print)).map(|(key, _)| *key).collect()
        };
        prop_assert_eq!(of(&found.added, &wanted), those(&|key, _| !held.contains_key(key)));
        prop_assert_eq!(of(&found.updated, &wanted), those(&|key, print| held.get(key).is_some_and(|there| there != print)));
        prop_assert_eq!(of(&found.unchanged, &wanted), those(&|key, print| held.get(key) == Some(print)));
        let gone: Vec<i64> = held.keys().filter(|key| !wanted.contains_key(key)).copied().collect();
        prop_assert_eq!(of(&found.removed, &held), gone);
    }

    #[test]
    fn a_damaged_file_is_unreadable_or_reads_as_before(
        changes in changes(),
        damage in vec((any::<Index>(), 1..=255_u8), 0..3),
        cut in option::of(any::<Index>()),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let changes: Changes = changes.into_iter().map(|(key, print)| (key, Some(print.unwrap_or(0)))).collect();
        let pointer = Pointer { layers: vec![write(&store, 0, 2, &changes)], ..store.empty(2) };
        let whole = read(&store, &pointer, 2);
        let path = folder.path().join("snapshots/a").join(&pointer.layers[0].file);
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, by) in &damage {
            let at = at.index(bytes.len());
            bytes[at] ^= by;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, bytes).unwrap();
        let read = store.open("a", &pointer).and_then(|snapshot| {
            let mut held = Held::new();
            for number in 0..2 {
                let rows = snapshot.partition(number, 2)?.unwrap();
                let keys = rows.keys().as_primitive::<Int64Type>();
                held.extend((0..keys.len()).map(|row| (keys.value(row), rows.fingerprints().value(row)[0])));
            }
            Ok(held)
        });
        match read {
            Ok(held) => prop_assert_eq!(held, whole),
            Err(failure) => prop_assert_eq!(failure.code, "snapshot_unreadable"),
        }
    }
}
