//! A disk that fills up, under the data folder and under the target: small file systems in memory, mounted in a
//! namespace of their own.

use std::process::Command;

use serde_json::{Value, json};

use super::{config, integers, words};
use crate::support::{Home, count, files};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, noise: sha256_hex(id) }
    guards: { max_removed: 100% }
";

/// Publishes with a file system of `size` mounted at `folder`; the receipt.
fn publish_with(home: &Home, folder: &str, size: &str) -> (i32, Value) {
    let mounted = home.path(folder);
    std::fs::create_dir_all(&mounted).unwrap();
    // What stands in the folder already is carried over, and back when all is done.
    let script = r#"set -e
        copy=$(mktemp -d); cp -a "$1/." "$copy"
        mount -t tmpfs -o size="$2" tmpfs "$1"
        cp -a "$copy/." "$1"; rm -rf "$copy"
        shift 2; set +e
        "$@"; status=$?
        exit $status"#;
    let publish = home.command(&["publish", "a", "--json", "--quiet"]);
    // As root a mount namespace suffices; others get one with a user namespace around it.
    let output = Command::new("unshare")
        .args(if is_root() { &["--mount"][..] } else { &["--mount", "--map-root-user"] })
        .args(["sh", "-c", script, "sh"])
        .arg(&mounted)
        .arg(size)
        .arg(publish.get_program())
        .args(publish.get_args())
        .current_dir(publish.get_current_dir().unwrap())
        .output()
        .unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no receipt: {output:?}"));
    (output.status.code().unwrap(), document)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

fn home() -> Home {
    let home = Home::new(&config(ACTIVATION, ""));
    let ids: Vec<String> = (0..60_000).map(|number| format!("member-{number:08}")).collect();
    let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
    home.table("person", vec![("id", words(&refs)), ("at", integers(&vec![1; refs.len()]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
    home
}

fn recovers(home: &Home) {
    let receipt = home.publish(&["a"]);
    assert_eq!(count(&receipt, "added"), 60_000);
    assert_eq!(home.held().len(), 60_000);
}

#[test]
fn a_full_target_is_named_and_the_next_publish_is_right() {
    let home = home();
    let (status, receipt) = publish_with(&home, "out", "1m");
    assert_eq!((status, &receipt["error"]["code"]), (1, &json!("target_full")), "{receipt:#}");
    assert!(files(&home.path("out")).is_empty());
    recovers(&home);
}

#[test]
fn a_full_data_folder_is_named_and_the_next_publish_is_right() {
    let home = home();
    let (status, answer) = publish_with(&home, "herald-data", "2m");
    let code = answer["error"]["code"].as_str().or(answer["code"].as_str());
    assert_eq!((status, code), (1, Some("disk_full")), "{answer:#}");
    assert!(files(&home.path("out")).is_empty(), "nothing is half visible");
    recovers(&home);
}
