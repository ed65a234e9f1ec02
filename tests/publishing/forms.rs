//! Forms of files: encrypted, with side files, replaced.

use std::fs;

use herald_destinations::conformance::{decrypted, public_key};

use super::{config, integers, words};
use crate::support::{Home, files};

fn home(activation: &str) -> Home {
    let home = Home::new(&config(activation, ""));
    people(&home, &["a", "b", "c"]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
    home
}

fn people(home: &Home, ids: &[&str]) {
    home.table("person", vec![("id", words(ids)), ("name", words(ids)), ("at", integers(&vec![1; ids.len()]))]);
}

const FULL: &str = "    segment: everyone
    attributes: { id: id, name: name }
    mode: full
";

/// Names below the folder of the target, in order.
fn names(home: &Home) -> Vec<String> {
    let out = home.path("out");
    let mut names: Vec<String> =
        files(&out).iter().map(|path| path.strip_prefix(&out).unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_encrypted_publish_has_all_its_files_in_the_receipt_is_verified_and_purged() {
    let home = home(&format!(
        "{FULL}    files: {{ format: csv, encrypt: {{ pgp: [keys/partner.pgp] }}, checksums: true, marker: _SUCCESS }}\n"
    ));
    fs::create_dir_all(home.path("keys")).unwrap();
    fs::write(home.path("keys/partner.pgp"), public_key()).unwrap();
    let receipt = home.publish(&["a"]);
    let part = receipt["files"][0]["path"].as_str().unwrap();
    assert!(part.ends_with("/part-00000.csv.gz.pgp"), "{part}");
    let folder = part.rsplit_once('/').unwrap().0;
    let extras: Vec<&str> =
        receipt["extras"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
    let beside = |name: &str| format!("{folder}/{name}");
    let expected = [beside("part-00000.csv.gz.pgp.sha256"), beside("manifest.json"), beside("_SUCCESS")];
    assert_eq!(extras, expected);
    let sealed = fs::read(home.path("out").join(part)).unwrap();
    assert_eq!(receipt["files"][0]["bytes"], sealed.len());
    let mut text = String::new();
    let plain = decrypted(&sealed);
    std::io::Read::read_to_string(&mut flate2_reader(&plain), &mut text).unwrap();
    assert_eq!(text, "id,name\na,a\nb,b\nc,c\n");
    assert_eq!(home.json(&["verify", "a"]).0, 0);
    // Only the recipient can read its members back.
    assert_eq!(home.json(&["delete", "a", "--purge"]).0, 0);
    assert_eq!(names(&home), Vec::<String>::new());
}

fn flate2_reader(bytes: &[u8]) -> impl std::io::Read {
    let kind = datafusion::datasource::file_format::file_compression_type::FileCompressionType::GZIP;
    kind.convert_read(std::io::Cursor::new(bytes.to_vec())).unwrap()
}

#[test]
fn a_replaced_file_stands_with_the_newest_manifest_alone_and_is_verified() {
    let home = home(&format!(
        "{FULL}    files: {{ format: csv, compression: none, path: customers.csv, overwrite: true, marker: _SUCCESS }}\n"
    ));
    home.publish(&["a"]);
    people(&home, &["a", "b", "z"]);
    let receipt = home.publish(&["a"]);
    let id = receipt["id"].as_str().unwrap();
    let mut expected = ["customers.csv".to_owned(), format!("{id}.manifest.json"), format!("{id}._SUCCESS")];
    expected.sort();
    assert_eq!(names(&home), expected);
    assert_eq!(fs::read_to_string(home.path("out/customers.csv")).unwrap(), "id,name\na,a\nb,b\nz,z\n");
    let (status, verified) = home.json(&["verify", "a"]);
    assert_eq!(status, 0, "{verified}");
    assert_eq!(home.json(&["delete", "a", "--purge"]).0, 0);
    assert_eq!(names(&home), Vec::<String>::new());
}
