//! Reading back, against receipts alone.

use std::fs;

use serde_json::{Value, json};

use super::{CHANGES, FULL, home, meddle, people};
use crate::support::Home;

/// State by the last part of the path.
fn states(home: &Home, arguments: &[&str]) -> (i32, Vec<(String, Value)>) {
    let (status, found) = home.json(&[&["verify", "a"], arguments].concat());
    let parts = found["parts"].as_array().unwrap().iter();
    let name = |part: &Value| part["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    (status, parts.map(|part| (name(part), part["state"].clone())).collect())
}

#[test]
fn rows_are_counted_in_every_format() {
    for files in [
        "format: parquet",
        "format: csv",
        "format: csv, compression: none, csv: { header: false, quote: all }",
        "format: csv, compression: zstd",
        "format: ndjson, compression: bzip2",
        "format: ndjson",
    ] {
        let home = home(&format!("{FULL}    files: {{ {files} }}\n"));
        people(&home, &["p", "q \"x\"\nand more", "r"]);
        home.publish(&["a"]);
        assert_eq!(states(&home, &[]).0, 0, "{files}");
        // A count that the bytes do not bear out, whatever their hash.
        meddle(&home, "UPDATE publishes SET receipt = json_set(receipt, '$.files[0].rows', 17)");
        let (status, found) = states(&home, &[]);
        assert_eq!((status, &found[0].1, &found[1].1), (1, &json!("differs"), &json!("differs")), "{files}: {found:?}");
        assert_eq!(states(&home, &["--quick"]).0, 0, "{files}: nothing is read then");
    }
}

#[test]
fn a_manifest_that_says_something_else_differs() {
    let home = home(CHANGES);
    people(&home, &["p"]);
    let receipt = home.publish(&["a"]);
    let path = home.path("out").join(receipt["extras"][0]["path"].as_str().unwrap());
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"rows\": 1", "\"rows\": 2")).unwrap();
    let (status, found) = states(&home, &[]);
    assert_eq!(status, 1);
    assert_eq!(found[1], ("manifest.json".to_owned(), json!("differs")), "{found:?}");
    fs::write(&path, " ".repeat(text.len())).unwrap();
    assert_eq!(states(&home, &[]).1[1].1, json!("differs"));
    fs::remove_file(&path).unwrap();
    assert_eq!(states(&home, &[]).1[1].1, json!("missing"));
}
