//! The fuzzers' corpus, replayed: what once was found stays fixed, and the corpus can't rot.

use std::{fs, path::PathBuf};

#[path = "../fuzz/src/entries.rs"]
#[allow(unreachable_pub, reason = "the fuzz targets' own crate shows them")]
mod entries;

/// What a fuzz target calls.
type Entry = fn(&[u8]);

/// Every file of a target's corpus, by its entry function; how many there are.
fn replay(target: &str, entry: Entry) -> usize {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let entered = std::panic::catch_unwind(|| entry(&bytes));
        assert!(entered.is_ok(), "{path:?} breaks a promise");
        count += 1;
    }
    count
}

#[test]
fn the_corpus_of_every_fuzz_target_breaks_no_promise() {
    let targets: [(&str, Entry); 4] = [
        ("config", entries::config),
        ("manifest", entries::manifest),
        ("ticket", entries::ticket),
        ("pending", entries::pending),
    ];
    for (target, entry) in targets {
        assert!(replay(target, entry) >= 4, "{target} has hardly any corpus");
        assert!(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/fuzz_targets/{target}.rs")).is_file());
    }
}
