//! Objects on SeaweedFS, written by the store and looked at by a client of the tests' own.

use std::time::Duration;

use bytes::Bytes;
use herald_destinations::{
    contract::{ErrorKind, Retry, RetryPolicy},
    files::Store,
    s3::S3Store,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{fresh_prefix, object, options, read, staged, store, with};
use crate::support::{
    free_ports,
    seaweed::{self, BUCKET, READER, READER_SECRET, client, objects, open_uploads},
};

async fn seaweed_store() -> (S3Store, u16, String) {
    let (port, prefix) = (seaweed::port().await, fresh_prefix());
    (store(options(port, &prefix), RetryPolicy::default()).await, port, prefix)
}

/// Bytes that differ from place to place, so that parts in a wrong order are seen.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_several_parts_arrives_whole_and_only_when_revealed() {
    let (store, port, prefix) = seaweed_store().await;
    let object = object("a/part-00000.csv");
    let content = content((8 << 20) * 3 + 12_345);
    let mut upload = store.stage(&object, &CancellationToken::new()).await.unwrap();
    // Pieces that meet no boundary of a part, and one that spans several.
    for piece in [&content[..1_000_003], &content[1_000_003..20 << 20], &content[20 << 20..]] {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let staged = upload.finish().await.unwrap();
    assert_eq!(staged.bytes, content.len() as u64);
    assert_eq!(staged.handle["parts"].as_array().unwrap().len(), 4);
    assert!(staged.handle["parts"][0]["c"].is_string(), "a checksum travelled with the part: {}", staged.handle);
    assert_eq!(store.stat("a/part-00000.csv").await.unwrap(), None);

    // From another process.
    let other = super::store(options(port, &prefix), RetryPolicy::default()).await;
    other.reveal(&staged).await.unwrap();
    assert_eq!(store.stat("a/part-00000.csv").await.unwrap().unwrap().bytes, content.len() as u64);
    assert!(read(&store, "a/part-00000.csv").await == content, "the content differs");
    assert_eq!(open_uploads(&client(port), &prefix).await, Vec::<String>::new());

    let head = client(port).head_object().bucket(BUCKET).key(format!("{prefix}a/part-00000.csv")).send().await.unwrap();
    assert_eq!(head.content_type(), Some("text/csv"));
    assert_eq!(head.metadata().unwrap()["herald-publish"], object.publish.to_string());
}

#[tokio::test]
async fn an_empty_object_can_be_staged() {
    let (store, _, _) = seaweed_store().await;
    let staged = store.stage(&object("empty.csv"), &CancellationToken::new()).await.unwrap().finish().await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert_eq!(store.stat("empty.csv").await.unwrap().unwrap().bytes, 0);
}

#[tokio::test]
async fn an_object_revealed_twice_is_one_success() {
    let (store, port, prefix) = seaweed_store().await;
    let staged = staged(&store, &object("a.csv"), b"once").await.unwrap();
    store.reveal(&staged).await.unwrap();
    store.reveal(&staged).await.unwrap();
    super::store(options(port, &prefix), RetryPolicy::ONCE).await.reveal(&staged).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"once");
}

#[tokio::test]
async fn an_object_staged_anew_after_it_was_revealed_leaves_no_upload() {
    let (store, port, prefix) = seaweed_store().await;
    let object = object("a.csv");
    for _ in 0..2 {
        let staged = staged(&store, &object, b"same").await.unwrap();
        store.reveal(&staged).await.unwrap();
    }
    assert_eq!(read(&store, "a.csv").await, b"same");
    assert_eq!(open_uploads(&client(port), &prefix).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_stands_in_the_way_survives_unless_it_may_be_replaced() {
    let (store, port, prefix) = seaweed_store().await;
    let key = format!("{prefix}a.csv");
    let theirs = Bytes::from_static(b"theirs");
    client(port).put_object().bucket(BUCKET).key(&key).body(theirs.into()).send().await.unwrap();

    let first = staged(&store, &object("a.csv"), b"ours!!").await.unwrap();
    let error = store.reveal(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(read(&store, "a.csv").await, b"theirs");
    store.sweep("a.csv", first.object.publish).await.unwrap();

    let replacing = herald_destinations::files::NewObject { replace: true, ..object("a.csv") };
    let second = staged(&store, &replacing, b"ours").await.unwrap();
    store.reveal(&second).await.unwrap();
    store.reveal(&second).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"ours");
    assert_eq!(open_uploads(&client(port), &prefix).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_small_object_is_written_once_whatever_is_repeated() {
    let (store, _, _) = seaweed_store().await;
    let manifest = object("manifest.json");
    store.put(&manifest, Bytes::from_static(b"{}")).await.unwrap();
    store.put(&manifest, Bytes::from_static(b"{}")).await.unwrap();
    let error = store.put(&manifest, Bytes::from_static(b"[]")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let error = store.put(&manifest, Bytes::from_static(b"{} and more")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(read(&store, "manifest.json").await, b"{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_dropped_on_its_way_is_swept_by_another_process() {
    let (store, port, prefix) = seaweed_store().await;
    let publish = Uuid::now_v7();
    let named = |path: String| herald_destinations::files::NewObject { publish, ..object(&path) };
    for part in 0..2 {
        let object = named(format!("x/{publish}/part-{part}.csv"));
        let mut upload = store.stage(&object, &CancellationToken::new()).await.unwrap();
        upload.write(content(20 << 20).into()).await.unwrap();
        drop(upload);
    }
    let other = object(&format!("x/{}/part-0.csv", Uuid::now_v7()));
    let kept = staged(&store, &other, b"another publish").await.unwrap();

    let fresh = super::store(options(port, &prefix), RetryPolicy::default()).await;
    fresh.sweep("x/", publish).await.unwrap();
    assert_eq!(open_uploads(&client(port), &prefix).await, [format!("{prefix}{}", other.path)]);
    fresh.sweep("x/", publish).await.unwrap();
    store.reveal(&kept).await.unwrap();
    fresh.sweep("x/", other.publish).await.unwrap();
    assert_eq!(read(&store, &other.path).await, b"another publish");
}

#[tokio::test]
async fn an_upload_swept_before_it_is_revealed_is_refused() {
    let (store, _, _) = seaweed_store().await;
    let staged = staged(&store, &object("a.csv"), b"late").await.unwrap();
    store.sweep("a.csv", staged.object.publish).await.unwrap();
    let error = store.reveal(&staged).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(store.stat("a.csv").await.unwrap(), None);
}

#[tokio::test]
async fn objects_are_listed_and_removed_by_path() {
    let (store, _, _) = seaweed_store().await;
    for path in ["a/1.csv", "a/2.csv", "b/1.csv"] {
        store.put(&object(path), Bytes::from_static(b"x")).await.unwrap();
    }
    let mut listed = store.list("a/").await.unwrap();
    listed.sort();
    assert_eq!(listed, ["a/1.csv", "a/2.csv"]);
    store.remove("a/1.csv").await.unwrap();
    store.remove("a/1.csv").await.unwrap();
    assert_eq!(store.list("").await.unwrap().len(), 2);
    let error = store.read("a/1.csv").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Missing, "{error}");
}

#[tokio::test]
async fn a_probe_proves_the_right_to_write_and_leaves_nothing() {
    let (store, port, prefix) = seaweed_store().await;
    store.probe().await.unwrap();
    assert!(objects(&client(port), &prefix).await.is_empty());
    assert_eq!(open_uploads(&client(port), &prefix).await, Vec::<String>::new());

    let reader = json!({ "access_key_id": READER, "secret_access_key": READER_SECRET });
    let error = super::store(with(options(port, &prefix), reader), RetryPolicy::ONCE).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
}

#[tokio::test]
async fn wrong_credentials_and_a_missing_bucket_are_told_apart() {
    let (_, port, prefix) = seaweed_store().await;
    for (change, kind) in [
        (json!({ "secret_access_key": "wrong" }), ErrorKind::Unauthorized),
        (json!({ "access_key_id": "NOBODY" }), ErrorKind::Unauthorized),
        (json!({ "bucket": "no-such-bucket" }), ErrorKind::Missing),
    ] {
        let store = super::store(with(options(port, &prefix), change), RetryPolicy::default()).await;
        let error = store.probe().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.retry(), Retry::Never, "{error}");
        let error = store.stage(&object("a.csv"), &CancellationToken::new()).await.err().unwrap();
        assert_eq!(error.kind(), kind, "{error}");
        let error = store.put(&object("a.csv"), Bytes::from_static(b"x")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    crate::support::tls();
    let [port] = free_ports();
    let error = store(options(port, "x"), RetryPolicy::ONCE).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert_eq!(error.retry(), Retry::Backoff, "{error}");

    let two = RetryPolicy { attempts: 2, max_elapsed: Duration::from_secs(60) };
    let unknown = json!({ "endpoint": "http://no-such-host.invalid:9000" });
    let error = store(with(options(port, "x"), unknown), two).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn a_store_works_without_checksums_too() {
    let (port, prefix) = (seaweed::port().await, fresh_prefix());
    for checksum in ["off", "required"] {
        let store = store(with(options(port, &prefix), json!({ "checksum": checksum })), RetryPolicy::ONCE).await;
        let staged = staged(&store, &object(&format!("{checksum}.csv")), b"x").await.unwrap();
        assert_eq!(staged.handle["parts"][0]["c"].is_string(), checksum == "required", "{}", staged.handle);
        store.reveal(&staged).await.unwrap();
        store.put(&object(&format!("{checksum}.json")), Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(read(&store, &format!("{checksum}.csv")).await, b"x");
    }
}

#[tokio::test]
async fn a_cancelled_upload_stops() {
    let (store, _, _) = seaweed_store().await;
    let cancel = CancellationToken::new();
    let object = object("a.csv");
    let mut upload = store.stage(&object, &cancel).await.unwrap();
    cancel.cancel();
    assert_eq!(upload.write(Bytes::from_static(b"x")).await.unwrap_err().kind(), ErrorKind::Cancelled);
    let error = store.stage(&object, &cancel).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    store.sweep("a.csv", object.publish).await.unwrap();
}
