//! Keys, signatures and the rights they carry.

use bytes::Bytes;
use herald_destinations::{
    conformance::{batch, context, rows_of_batch, rows_of_objects},
    contract::{Account, Config, ErrorKind, Mode, Op, Retry, RetryPolicy},
    files::Store,
};
use serde_json::json;

use super::{
    azurite::{self, blobs, client, sas},
    config, fresh_prefix, object, options, signed, staged, store, with,
};

#[tokio::test]
async fn a_wrong_key_and_a_missing_container_are_told_apart_and_not_tried_again() {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    for (change, kind) in [
        (json!({ "account_key": "d3Jvbmc=" }), ErrorKind::Unauthorized),
        (json!({ "container": "no-such-container" }), ErrorKind::Missing),
    ] {
        let store = store(with(options(port, &prefix), change), RetryPolicy::default());
        let refused = [
            store.probe().await.unwrap_err(),
            staged(&store, &object("a.csv"), b"x").await.unwrap_err(),
            store.put(&object("a.csv"), Bytes::from_static(b"x")).await.unwrap_err(),
            store.stat("a.csv").await.unwrap_err(),
            store.list("").await.unwrap_err(),
            store.remove("a.csv").await.unwrap_err(),
            store.sweep("", uuid::Uuid::now_v7()).await.unwrap_err(),
        ];
        for error in refused {
            assert_eq!((error.kind(), error.retry()), (kind, Retry::Never), "{error}");
        }
    }
}

#[tokio::test]
async fn a_signature_that_only_reads_is_refused_and_the_remedy_named() {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    let store = store(signed(port, &prefix, &sas("rl", true)), RetryPolicy::default());
    for error in [store.probe().await.unwrap_err(), staged(&store, &object("a.csv"), b"x").await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
        assert!(error.to_string().contains("rcwdl"), "{error}");
    }
    assert_eq!(store.list("").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_signature_that_expired_is_refused() {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    let store = store(signed(port, &prefix, &sas("racwdl", false)), RetryPolicy::default());
    let error = store.probe().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthorized, Retry::Never), "{error}");
    assert!(!error.to_string().contains("sig="), "{error}");
}

#[tokio::test]
async fn a_signature_that_only_creates_and_writes_is_enough_to_publish() {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    let config = config(signed(port, &prefix, &sas("cw", true)));
    let destination = config.connect(RetryPolicy::default().into()).await.expect("connect");
    destination.probe().await.expect("probe");
    let (context, rows) = (context(Mode::Full), batch(Op::Add, 0, 50));
    let mut publication = destination.begin(&context).await.expect("begin");
    publication.write(rows.clone()).await.expect("write");
    let account = Account { resolved: 50, added: 50, delivered: 50, ..Account::default() };
    let ticket = publication.seal(account).await.expect("seal");
    destination.commit(&ticket).await.expect("commit");
    assert_eq!(rows_of_objects(&blobs(&client(port), &prefix).await), rows_of_batch(&rows));
    // What stands there is not replaced, though nobody may look at it.
    let store = config.store(RetryPolicy::ONCE).expect("a store");
    let path = store_path(port, &prefix).await;
    let staged = staged(&store, &object(&path), b"another").await.unwrap();
    store.reveal(&staged).await.unwrap_err();
    assert_eq!(rows_of_objects(&blobs(&client(port), &prefix).await), rows_of_batch(&rows));
}

/// Path of a part that stands there.
async fn store_path(port: u16, prefix: &str) -> String {
    let mut paths = blobs(&client(port), prefix).await.into_keys();
    paths.find(|path| path.contains("part-")).expect("a part")
}
