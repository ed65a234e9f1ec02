//! Members read back from parts of every format, with keys of every type.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int32Array, StringArray, TimestampMicrosecondArray, UInt64Array,
};

use super::{INCREMENTAL, adopt, counts, home, keyed, lose_state, refused};
use crate::{
    publishing::{config, integers, words},
    support::Home,
};

const FORMATS: [&str; 7] = [
    "{ format: parquet }",
    "{ format: csv }",
    "{ format: csv, compression: bzip2, csv: { delimiter: ';', header: false, quote: all } }",
    "{ format: ndjson }",
    "{ format: ndjson, compression: zstd }",
    "{ format: csv, compression: none, path: '{activation}/{publish_id}-{part}' }",
    "{ format: csv, csv: { delimiter: ¦, formula_guard: true, bom: true, quote: text }, layout: data_cloud, marker: DONE }",
];

fn keys() -> Vec<ArrayRef> {
    vec![
        Arc::new(StringArray::from(vec!["a", "with, comma", "with \"quotes\"", "two\nlines", "", " spaced ", "'=ä;¦"])),
        Arc::new(Int32Array::from(vec![0, -1, 7, i32::MAX, 12, 13, 14])),
        Arc::new(UInt64Array::from(vec![0, 1, u64::MAX, 9_007_199_254_740_993, 12, 13, 14])),
        Arc::new(Date32Array::from(vec![0, -1, 20_000, 20_001, 20_002, 20_003, 20_004])),
        Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 1_700_000_000_123_456, 4, 5, 6, 7])),
        Arc::new(Decimal128Array::from(vec![0, 150, -250, 4, 5, 6, 7]).with_precision_and_scale(12, 2).unwrap()),
    ]
}

#[test]
fn every_format_names_every_key_as_the_table_does() {
    for (number, keys) in keys().into_iter().enumerate() {
        // All types once, all formats once, and text in each.
        for format in FORMATS.iter().enumerate().filter(|(at, _)| number == 0 || at % 3 == number % 3).map(|(_, it)| it)
        {
            let home = home(&format!("{INCREMENTAL}    files: {format}\n"));
            let names = ["1", "2", "3", "4", "5", "6", "7"];
            keyed(&home, Arc::clone(&keys), &names);
            home.publish(&["a"]);
            // The first one goes, the second changes.
            keyed(&home, keys.slice(1, 6), &["22", "3", "4", "5", "6", "7"]);
            home.publish(&["a"]);
            lose_state(&home);
            let what = format!("{format} {}", keys.data_type());
            assert_eq!(adopt(&home, &["a"])["members"], 6, "{what}");
            assert_eq!(counts(&home.publish(&["a"])), [0, 6, 0, 0], "{what}: each key is known again");
            home.publish(&["a", "--full"]);
            lose_state(&home);
            assert_eq!(adopt(&home, &["a"])["members"], 6, "{what}, full");
            assert_eq!(counts(&home.publish(&["a"])), [0, 6, 0, 0], "{what}: each key is known from its attribute");
        }
    }
}

fn composite(home: &Home, ids: &[&str], numbers: ArrayRef) {
    home.table(
        "person",
        vec![("id", words(ids)), ("kq", numbers), ("name", words(ids)), ("at", integers(&vec![1; ids.len()]))],
    );
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[])), ("kq", words(&[]))]);
}

fn composite_config(files: &str, attributes: &str) -> String {
    let activation = INCREMENTAL.replace("{ id: id, name: name }", attributes) + "    files: " + files + "\n";
    config(&activation, "").replace("key: id,", "key: [id, kq],").replace("member: person", "member: [person, kq]")
}

#[test]
fn composite_keys_come_back_from_changes_and_from_the_attributes_that_hold_them() {
    for format in ["{ format: parquet }", "{ format: csv }", "{ format: ndjson }"] {
        let home = Home::new(&composite_config(format, "{ kq: kq, name: name, id: id }"));
        composite(&home, &["a", "b|b", "c"], integers(&[1, 2, 3]));
        home.publish(&["a"]);
        composite(&home, &["a", "b|b"], integers(&[1, 2]));
        home.publish(&["a"]);
        lose_state(&home);
        assert_eq!(adopt(&home, &["a"])["members"], 2, "{format}");
        assert_eq!(counts(&home.publish(&["a"])), [0, 2, 0, 0], "{format}");
        home.publish(&["a", "--full"]);
        lose_state(&home);
        assert_eq!(adopt(&home, &["a"])["members"], 2, "{format}, full");
        assert_eq!(counts(&home.publish(&["a"])), [0, 2, 0, 0], "{format}, full");
    }
}

#[test]
fn a_composite_key_that_reads_in_two_ways_is_not_guessed() {
    let home = Home::new(&composite_config("{ format: parquet }", "{ name: name }"));
    composite(&home, &["a|b", "c"], words(&["c", "d"]));
    home.publish(&["a"]);
    lose_state(&home);
    let (status, error) = refused(&home, &["a"]);
    assert!(status == 1 && error.contains("several keys") && !error.contains("a|b"), "{error}");
}

#[test]
fn a_full_publish_without_the_key_among_its_attributes_asks_for_a_file_of_keys() {
    let home = home(&INCREMENTAL.replace("{ id: id, name: name }", "{ upper: upper(id), name: name }"));
    keyed(&home, words(&["a", "b"]), &["Ann", "Bo"]);
    home.publish(&["a", "--full"]);
    lose_state(&home);
    let (status, error) = refused(&home, &["a"]);
    assert!(status == 1 && error.contains("just the key") && error.contains("--keys FILE"), "{error}");
    std::fs::write(home.path("keys.txt"), "b\na\n").unwrap();
    let adopted = adopt(&home, &["a", "--keys", "keys.txt"]);
    assert_eq!((&adopted["members"], &adopted["sequence"], &adopted["from"]), (&2.into(), &1.into(), &"keys".into()));
    let next = home.publish(&["a"]);
    assert_eq!(counts(&next), [0, 2, 0, 0]);
    assert_eq!(super::manifest(&home.path("out"), &next)["previous"], 1);
}
