//! Servers that do less than OpenSSH, or otherwise.

use std::{fs, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use herald_destinations::{
    contract::{ErrorKind, RetryPolicy},
    files::{NewObject, Store},
    sftp::Deadlines,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{config, faulty, names, object, once, read, staged, store, with};
use crate::support::{
    relay::{Plan, relay},
    sshd::quirky,
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_server_without_extensions_that_refuses_attributes_is_enough() {
    let root = folder();
    let store = store(faulty("plain", "all", root.path()));
    let content = vec![b'x'; 700_001];
    let object = object("a/x.csv");
    let done = staged(&store, &object, &content).await.unwrap();
    store.reveal(&done).await.unwrap();
    store
        .put(&NewObject { path: "a/manifest.json".to_owned(), ..object.clone() }, Bytes::from_static(b"{}"))
        .await
        .unwrap();
    assert!(read(&store, "a/x.csv").await == content);
    store.probe().await.unwrap();
    assert_eq!(names(root.path()), ["a/manifest.json", "a/x.csv"]);
    let other = self::object("a/x.csv");
    let other = staged(&store, &other, b"other").await.unwrap();
    assert_eq!(store.reveal(&other).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_file_is_not_replaced_where_that_takes_two_steps_and_nothing_is_sent() {
    let root = folder();
    fs::write(root.path().join("customers.csv"), "old").unwrap();
    let store = once(faulty("plain", "all", root.path()));
    let object = NewObject { replace: true, ..object("customers.csv") };
    let error = store.stage(&object, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("posix-rename@openssh.com"), "{error}");
    assert_eq!(names(root.path()), ["customers.csv"]);
}

#[tokio::test]
async fn a_server_that_can_t_rename_is_named_with_what_to_set() {
    let root = folder();
    let options = faulty("no_rename", "all", root.path());
    let renaming = once(options.clone());
    let part = staged(&renaming, &object("x.csv"), b"one").await.unwrap();
    let error = renaming.reveal(&part).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("temp_name: none"), "{error}");
    renaming.sweep("", part.object.publish).await.unwrap();
    let in_place = once(with(options, json!({ "temp_name": "none" })));
    let part = staged(&in_place, &object("x.csv"), b"one").await.unwrap();
    in_place.reveal(&part).await.unwrap();
    assert_eq!(names(root.path()), ["x.csv"]);
}

#[tokio::test]
async fn a_rename_whose_answer_was_lost_counts_whichever_it_is() {
    for (quirk, replace) in [("lose_rename", false), ("lose_replace", true)] {
        let root = folder();
        let store = store(faulty(quirk, "1", root.path()));
        let part = staged(&store, &NewObject { replace, ..object("x.csv") }, b"one").await.unwrap();
        store.reveal(&part).await.unwrap();
        assert_eq!(names(root.path()), ["x.csv"], "{quirk}");
    }
}

#[tokio::test]
async fn no_space_and_no_quota_are_full() {
    for quirk in ["full", "quota"] {
        let root = folder();
        let store = once(faulty(quirk, "all", root.path()));
        let error = staged(&store, &object("x.csv"), b"one").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{quirk}: {error}");
        let error = store.put(&object("y.csv"), Bytes::from_static(b"y")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{quirk}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_keeps_less_than_it_was_given_is_found_out() {
    let root = folder();
    let store = once(faulty("short", "1", root.path()));
    let error = staged(&store, &object("x.csv"), b"one").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("3 bytes were sent, and the server has 2"), "{error}");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_passed_over() {
    let root = folder();
    fs::write(root.path().join("x"), "x").unwrap();
    let store = once(faulty("traversal", "all", root.path()));
    assert_eq!(store.list("").await.unwrap(), ["x"]);
    store.sweep("", uuid::Uuid::now_v7()).await.unwrap();
    assert_eq!(names(root.path()), ["x"]);
}

#[tokio::test]
async fn a_right_that_ends_half_way_is_named() {
    let root = folder();
    let store = once(faulty("denied", "all", root.path()));
    let part = staged(&store, &object("x.csv"), b"one").await.unwrap();
    assert_eq!(store.reveal(&part).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    store.sweep("", part.object.publish).await.unwrap();
    assert_eq!(names(root.path()), [""; 0]);
}

#[tokio::test]
async fn late_answers_are_answers() {
    let root = folder();
    let store = once(faulty("late", "all", root.path()));
    let part = staged(&store, &object("x.csv"), &vec![b'x'; 600_000]).await.unwrap();
    store.reveal(&part).await.unwrap();
    assert!(read(&store, "x.csv").await == vec![b'x'; 600_000]);
}

#[tokio::test]
async fn a_cancel_ends_an_upload_that_the_server_does_not_answer() {
    let root = folder();
    let deadlines = Deadlines { answer: Duration::from_secs(3), ..Deadlines::default() };
    let store = config(faulty("hang", "1", root.path())).with_deadlines(deadlines).store(RetryPolicy::default());
    let cancel = CancellationToken::new();
    let mut upload = store.stage(&object("x.csv"), &cancel).await.unwrap();
    upload.write(Bytes::from_static(b"one")).await.unwrap();
    let finished = tokio::spawn(upload.finish());
    cancel.cancel();
    let error = finished.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
}

#[tokio::test]
async fn many_files_at_once_share_few_connections() {
    let root = folder();
    let relay = relay(quirky().port, |_| Plan::default());
    let store = store(with(faulty("none", "all", root.path()), json!({ "port": relay.port })));
    let puts = (0..24).map(|number| {
        let store = store.clone();
        async move { store.put(&object(&format!("a/{number}.csv")), Bytes::from_static(b"x")).await }
    });
    join_all(puts).await.into_iter().collect::<Result<Vec<()>, _>>().unwrap();
    let removes = (0..24).map(|number| {
        let store = store.clone();
        async move { store.remove(&format!("a/{number}.csv")).await }
    });
    join_all(removes).await.into_iter().collect::<Result<Vec<()>, _>>().unwrap();
    assert_eq!(names(root.path()), [""; 0]);
    assert!((1..=4).contains(&relay.connections()), "{} connections", relay.connections());
}
