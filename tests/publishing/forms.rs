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

/// A key of `gpg`, made at a time, that lasts so many days.
fn key(made: Option<&str>, days: u32) -> Vec<u8> {
    // The agent's socket is in it: its path must be short.
    let ring = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").unwrap();
    let gpg = |words: &[&str]| {
        let mut command = std::process::Command::new("gpg");
        command.arg("--homedir").arg(ring.path()).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
        command.args(made.iter().flat_map(|time| ["--faked-system-time", time])).args(["--passphrase", ""]);
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    gpg(&["--quick-generate-key", "partner", "future-default", "default", &format!("{days}d")]);
    let exported = gpg(&["--export", "partner"]);
    let _ = std::process::Command::new("gpgconf").arg("--homedir").arg(ring.path()).args(["--kill", "all"]).output();
    exported
}

#[test]
fn a_key_that_has_expired_stops_its_own_activation_alone() {
    let home = home(&format!("{FULL}    files: {{ encrypt: {{ pgp: [keys/partner.pgp] }} }}\n"));
    fs::create_dir_all(home.path("keys")).unwrap();
    fs::write(home.path("keys/partner.pgp"), key(None, 10)).unwrap();
    let (status, checked) = home.json(&["check"]);
    assert_eq!((status, checked["warnings"].as_array().map(Vec::len)), (0, Some(1)), "{checked:#}");
    assert_eq!(checked["warnings"][0]["at"], "activations.a.files.encrypt.pgp");
    let warning = checked["warnings"][0]["message"].as_str().unwrap();
    assert!(warning.contains("`keys/partner.pgp`: the key ") && warning.contains(" expires on 20"), "{warning}");
    home.publish(&["a"]);
    let standing = names(&home);

    fs::write(home.path("keys/partner.pgp"), key(Some("20200101T000000"), 2)).unwrap();
    let ran = home.run(&["check"]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.stderr.contains("activations.a.files.encrypt.pgp: `keys/partner.pgp`: the key "), "{ran:?}");
    assert!(ran.stderr.contains("expired on 2020-01-03"), "{ran:?}");
    for command in [&["status"][..], &["verify"], &["plan", "a"]] {
        let ran = home.run(command);
        assert_eq!(ran.status, 0, "{command:?}: {ran:?}");
    }
    let ran = home.run(&["publish", "a"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stderr.contains("target_refused") && ran.stderr.contains("2020-01-03"), "{ran:?}");
    assert!(ran.stderr.contains("replace the key in `files.encrypt`"), "{ran:?}");
    assert_eq!(names(&home), standing);
}

#[test]
fn check_warns_of_nulls_that_readers_skip() {
    let one = |rest: &str| format!("    segment: everyone\n    attributes: {{ name: name }}\n{rest}");
    for (activation, warned) in [
        (one("    mode: full\n    files: { format: csv }\n"), true),
        (one("    resync: { every: 30d }\n    files: { format: csv }\n"), true),
        (one("    files: { format: csv }\n"), false),
        (one("    mode: full\n    files: { format: ndjson }\n"), false),
        (one("    mode: full\n    require: [name]\n    files: { format: csv }\n"), false),
        (one("    mode: full\n    files: { format: csv, csv: { null: \"NULL\" } }\n"), false),
        (format!("{FULL}    files: {{ format: csv }}\n"), false),
    ] {
        let (status, checked) = home(&activation).json(&["check"]);
        let at: Vec<&str> =
            checked["warnings"].as_array().unwrap().iter().map(|warning| warning["at"].as_str().unwrap()).collect();
        let expected: &[&str] = if warned { &["activations.a.files.csv.null"] } else { &[] };
        assert_eq!((status, &at[..]), (0, expected), "{activation}");
    }
}
