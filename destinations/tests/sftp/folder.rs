//! What is done in a folder, on OpenSSH.

use std::{fs, os::unix::fs::symlink, path::Path};

use bytes::Bytes;
use herald_destinations::{
    contract::ErrorKind,
    files::{NewObject, Staged, Store},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{names, object, once, options, read, staged, store, tree, with};
use crate::support::sshd::sshd;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_part_stands_beside_its_place_until_it_is_whole() {
    let root = folder();
    let store = store(options(&sshd(), root.path()));
    let object = object("a/b/x.csv");
    let staged = staged(&store, &object, b"one").await.unwrap();
    assert_eq!(names(root.path()), [format!("a/b/x.csv.part-{}", object.publish)]);
    assert_eq!(store.stat("a/b/x.csv").await.unwrap(), None);
    assert_eq!(store.list("").await.unwrap(), [""; 0]);
    for _ in 0..2 {
        store.reveal(&staged).await.unwrap();
        assert_eq!(names(root.path()), ["a/b/x.csv"]);
    }
    assert_eq!(store.stat("a/b/x.csv").await.unwrap().map(|stat| stat.bytes), Some(3));
    store.remove("a/b/x.csv").await.unwrap();
    store.remove("a/b/x.csv").await.unwrap();
    assert_eq!(names(root.path()), [""; 0]);
}

#[tokio::test]
async fn an_empty_folder_goes_only_if_its_name_is_a_publishs() {
    let root = folder();
    let store = store(options(&sshd(), root.path()));
    for kept in ["drop", "deletions", "2025"] {
        fs::create_dir_all(root.path().join(kept)).unwrap();
    }
    let of_publish = uuid::Uuid::now_v7();
    let path = format!("drop/in/2026-11-22/{of_publish}/x.csv");
    let object = NewObject { publish: of_publish, ..object(&path) };
    for prefix in ["drop/x", "deletions/", "2025/"] {
        store.sweep(prefix, object.publish).await.unwrap();
    }
    drop(store.stage(&object, &CancellationToken::new()).await.unwrap());
    store.sweep(&path, object.publish).await.unwrap();
    store.put(&object, Bytes::from_static(b"one")).await.unwrap();
    store.remove(&path).await.unwrap();
    let mut left = tree(root.path()).1;
    left.sort();
    assert_eq!(left, ["2025", "deletions", "drop"].map(|kept| root.path().join(kept).display().to_string()));
}

#[tokio::test]
async fn a_folder_of_its_own_keeps_what_is_not_whole_from_those_that_take_all() {
    let root = folder();
    let store = store(with(options(&sshd(), root.path()), json!({ "temp_name": "folder" })));
    let object = object("audience/x.csv");
    let staged = staged(&store, &object, b"one").await.unwrap();
    let found = names(root.path());
    assert!(found.len() == 1 && found[0].starts_with("herald-tmp/"), "{found:?}");
    store.reveal(&staged).await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert_eq!(tree(root.path()).0.into_keys().collect::<Vec<_>>(), ["audience/x.csv"]);
    assert_eq!(tree(root.path()).1, [""; 0], "the folder goes when it is empty");
    let other = self::object("audience/y.csv");
    drop(store.stage(&other, &CancellationToken::new()).await.unwrap());
    store.sweep("audience/", other.publish).await.unwrap();
    store.probe().await.unwrap();
    assert_eq!(names(root.path()), ["audience/x.csv"]);
}

#[tokio::test]
async fn without_a_rename_a_part_is_written_in_its_place_and_a_sweep_knows_which_are_not_whole() {
    let root = folder();
    let store = store(with(options(&sshd(), root.path()), json!({ "rename": "none" })));
    let (whole, begun) = (object("a/x.csv"), object("a/y.csv"));
    let done = staged(&store, &whole, b"one").await.unwrap();
    store.reveal(&done).await.unwrap();
    store.reveal(&done).await.unwrap();
    let mut upload = store.stage(&begun, &CancellationToken::new()).await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    drop(upload);
    assert!(root.path().join("a/y.csv").exists(), "it can be seen while it is written");
    for publish in [whole.publish, begun.publish] {
        store.sweep("a/", publish).await.unwrap();
    }
    assert_eq!(tree(root.path()).0.into_keys().collect::<Vec<_>>(), ["a/x.csv"]);
    assert_eq!(tree(root.path()).1, [""; 0]);
    for _ in 0..2 {
        store.put(&whole_manifest(&whole), Bytes::from_static(b"{}")).await.unwrap();
    }
    let error = staged(&store, &object("a/x.csv"), b"two").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(read(&store, "a/x.csv").await, b"one");
    assert_eq!(names(root.path()), ["a/manifest.json", "a/x.csv"]);
}

fn whole_manifest(of: &NewObject) -> NewObject {
    NewObject { path: "a/manifest.json".to_owned(), ..of.clone() }
}

#[tokio::test]
async fn a_file_is_replaced_in_one_step() {
    let root = folder();
    let store = store(options(&sshd(), root.path()));
    fs::write(root.path().join("customers.csv"), "old").unwrap();
    let object = NewObject { replace: true, ..object("customers.csv") };
    let new = staged(&store, &object, b"newer").await.unwrap();
    assert_eq!(read(&store, "customers.csv").await, b"old");
    for _ in 0..2 {
        store.reveal(&new).await.unwrap();
        assert_eq!(read(&store, "customers.csv").await, b"newer");
    }
    store.put(&object, Bytes::from_static(b"newest")).await.unwrap();
    assert_eq!(tree(root.path()).0.into_values().collect::<Vec<_>>(), ["newest"]);
    for (changes, said) in [(json!({ "rename": "plain" }), "rename: auto"), (json!({ "temp_name": "none" }), "half")] {
        let store = once(with(options(&sshd(), root.path()), changes));
        let error = store.stage(&object, &CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_stays() {
    let root = folder();
    let store = store(options(&sshd(), root.path()));
    fs::write(root.path().join("same size"), "two").unwrap();
    fs::create_dir(root.path().join("folder")).unwrap();
    symlink("same size", root.path().join("link")).unwrap();
    for path in ["same size", "folder", "link", "same size/below"] {
        let object = object(path);
        let revealed = match staged(&store, &object, b"one").await {
            Ok(staged) => store.reveal(&staged).await,
            Err(error) => Err(error),
        };
        assert_eq!(revealed.unwrap_err().kind(), ErrorKind::Conflict, "{path}");
        let put = store.put(&object, Bytes::from_static(b"one")).await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::Conflict, "{path}");
        store.sweep("", object.publish).await.unwrap();
    }
    assert_eq!(names(root.path()), ["link", "same size"]);
    assert_eq!(fs::read(root.path().join("same size")).unwrap(), b"two");
}

#[tokio::test]
async fn a_rename_that_was_broken_off_between_its_two_steps_is_ended() {
    let root = folder();
    let store = store(options(&sshd(), root.path()));
    let object = object("x.csv");
    let staged = staged(&store, &object, b"one").await.unwrap();
    // OpenSSH links the new name, then removes the old one.
    let temporary = root.path().join(&names(root.path())[0]);
    fs::hard_link(&temporary, root.path().join("x.csv")).unwrap();
    store.reveal(&staged).await.unwrap();
    assert_eq!(names(root.path()), ["x.csv"]);
}

#[tokio::test]
async fn a_part_that_somebody_removed_is_named() {
    let root = folder();
    let store = store(options(&sshd(), root.path()));
    let staged = staged(&store, &object("x.csv"), b"one").await.unwrap();
    fs::remove_file(root.path().join(&names(root.path())[0])).unwrap();
    let error = store.reveal(&staged).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}

#[tokio::test]
async fn a_file_of_the_same_size_is_not_taken_for_the_one_that_should_replace_it() {
    let root = folder();
    let store = store(options(&sshd(), root.path()));
    fs::write(root.path().join("x.csv"), "old").unwrap();
    let object = NewObject { replace: true, ..object("x.csv") };
    let staged = staged(&store, &object, b"new").await.unwrap();
    store.sweep("", object.publish).await.unwrap();
    let error = store.reveal(&staged).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(read(&store, "x.csv").await, b"old");
}

#[tokio::test]
async fn no_path_leaves_the_target_whoever_names_it() {
    let root = folder();
    let store = once(options(&sshd(), &root.path().join("in")));
    fs::create_dir(root.path().join("in")).unwrap();
    fs::write(root.path().join("secret"), "x").unwrap();
    for path in ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", "a\0b", "", "a//b"] {
        let object = object(path);
        assert_eq!(staged(&store, &object, b"x").await.unwrap_err().kind(), ErrorKind::Refused, "{path:?}");
        let handle = json!({ "at": "../secret", "crc32c": 0 });
        let forged = Staged { object: self::object("x"), bytes: 1, handle };
        assert_eq!(store.reveal(&forged).await.unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(store.stat(path).await.unwrap_err().kind(), ErrorKind::Refused, "{path:?}");
        assert_eq!(store.read(path).await.err().map(|error| error.kind()), Some(ErrorKind::Refused), "{path:?}");
        assert_eq!(store.remove(path).await.unwrap_err().kind(), ErrorKind::Refused, "{path:?}");
    }
    store.sweep("../", Uuid::now_v7()).await.unwrap_err();
    store.list("../").await.unwrap_err();
    assert_eq!(names(root.path()), ["secret"]);
}

#[tokio::test]
async fn links_are_not_followed_when_files_are_listed() {
    let root = folder();
    fs::create_dir_all(root.path().join("in/a")).unwrap();
    fs::create_dir(root.path().join("other")).unwrap();
    for path in ["in/a/x", "in/a/y.part-1", "in/b", "other/secret"] {
        fs::write(root.path().join(path), "x").unwrap();
    }
    symlink(root.path().join("other"), root.path().join("in/link")).unwrap();
    let store = once(options(&sshd(), &root.path().join("in")));
    assert_eq!(store.list("").await.unwrap(), ["a/x", "a/y.part-1", "b"]);
    assert_eq!(store.list("a/x").await.unwrap(), ["a/x"]);
    assert_eq!(store.list("none/").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_user_who_may_only_read_is_told_so() {
    let root = folder();
    fs::write(root.path().join("x"), "x").unwrap();
    let store = once(with(options(&sshd(), root.path()), json!({ "port": sshd().read_only })));
    assert_eq!(store.probe().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(staged(&store, &object("a/y"), b"y").await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(store.remove("x").await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(read(&store, "x").await, b"x");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_not_made() {
    let root = folder();
    let store = once(options(&sshd(), &root.path().join("in")));
    assert_eq!(store.probe().await.unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(staged(&store, &object("a/x"), b"x").await.unwrap_err().kind(), ErrorKind::Missing);
    store.sweep("a/", Uuid::now_v7()).await.unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_large_file_arrives_and_comes_back_as_it_was() {
    let root = folder();
    let store = store(options(&sshd(), root.path()));
    // Not a multiple of anything.
    let content: Vec<u8> = (0..9_000_001_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let object = object("large.bin");
    let mut upload = store.stage(&object, &CancellationToken::new()).await.unwrap();
    for piece in content.chunks(777_777) {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    store.reveal(&upload.finish().await.unwrap()).await.unwrap();
    assert!(read(&store, "large.bin").await == content);
    assert!(fs::read(root.path().join("large.bin")).unwrap() == content);
}

#[tokio::test]
async fn a_root_without_a_slash_is_where_the_user_logs_into() {
    let home = Path::new(&std::env::var("HOME").expect("HOME")).to_owned();
    let root = tempfile::tempdir_in(&home).expect("a folder");
    let relative = root.path().strip_prefix(&home).unwrap();
    let store = once(options(&sshd(), relative));
    let staged = staged(&store, &object("x"), b"one").await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert_eq!(names(root.path()), ["x"]);
}
