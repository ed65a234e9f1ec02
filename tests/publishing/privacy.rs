//! No key, address or secret in logs, errors, receipts or what is kept between publishes.

use std::fs;

use super::{config, integers, words};
use crate::support::{Home, files};

const ADDRESS: &str = "canary.person@example.com";
const SECRET: &str = "canary-secret-7f3a";
const KEY: &str = "canary-key-0001";

fn assert_silent(what: &str, bytes: &[u8]) {
    for canary in [ADDRESS, SECRET] {
        let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        assert!(!found, "{what} holds `{canary}`");
    }
}

#[test]
fn an_address_and_a_secret_stand_nowhere_but_at_the_target() {
    let activation = "
    segment: everyone
    mode: incremental
    attributes: { id: id, mail: mail, bad: CAST(amount AS BIGINT) }
    guards: { max_removed: 100% }
";
    let elsewhere = "
  elsewhere:
    type: s3
    bucket: b
    region: eu-central-1
    endpoint: http://127.0.0.1:9
    access_key_id: someone
    secret_access_key: \"${CANARY}\"
activations:";
    let home = Home::new(&config(activation, "").replacen("activations:", elsewhere.trim_start_matches('\n'), 1));
    let lake = |mail: &str, amount: &str| {
        home.table(
            "person",
            vec![("id", words(&[KEY])), ("mail", words(&[mail])), ("amount", words(&[amount])), ("at", integers(&[1]))],
        );
        home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
    };
    let run = |arguments: &[&str]| {
        let output = home.command(arguments).env("CANARY", SECRET).env("HERALD_LOG", "trace").output().unwrap();
        assert_silent(&format!("stdout of {arguments:?}"), &output.stdout);
        assert_silent(&format!("stderr of {arguments:?}"), &output.stderr);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!log.contains(KEY), "{arguments:?} logs a member's key: {log}");
        output.status.code().unwrap()
    };
    lake(ADDRESS, "1");
    for arguments in
        [&["check"][..], &["plan", "a", "--sample", "5"], &["publish", "a"], &["receipts"], &["verify"], &["status"]]
    {
        assert_eq!(run(arguments), 0, "{arguments:?}");
    }
    // A value that can't be cast is an error that must not quote it.
    lake(ADDRESS, ADDRESS);
    assert_eq!(run(&["publish", "a"]), 1);
    assert_eq!(run(&["check", "--connect"]), 1, "nobody listens there");
    for path in files(&home.path("herald-data")) {
        assert_silent(path.to_str().unwrap(), &fs::read(&path).unwrap());
    }
    assert!(files(&home.path("out")).iter().any(|path| path.extension().unwrap() == "parquet"));
}
