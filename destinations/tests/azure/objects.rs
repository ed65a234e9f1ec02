//! Blobs on Azurite, written by the store and looked at by a client of the tests' own.

use std::time::Duration;

use azure_storage_blob::models::BlobClientGetPropertiesResultHeaders;
use bytes::Bytes;
use herald_destinations::{
    azure_blob::{AzureBlobStore, BlockSizes},
    contract::{ErrorKind, Retry, RetryPolicy},
    files::{NewObject, Store},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    azurite::{self, KEY, blobs, client, put, unfinished, waiting},
    config, content, fresh_prefix, object, options, read, staged, store, with,
};
use crate::support::{
    free_ports,
    proxy::{Rule, Spoil, proxy},
};

async fn azurite_store() -> (AzureBlobStore, u16, String) {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    (store(options(port, &prefix), RetryPolicy::default()), port, prefix)
}

/// With blocks of 256 KiB.
fn small(port: u16, prefix: &str) -> AzureBlobStore {
    let config = config(options(port, prefix)).with_blocks(BlockSizes::starting_at(256 << 10));
    config.store(RetryPolicy::default()).expect("a store")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_of_hundreds_of_blocks_arrives_whole_and_only_when_revealed() {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    let store = small(port, &prefix);
    let object = object("a/part 00000+é%.csv");
    let content = content((70 << 20) + 12_345);
    let mut upload = store.stage(&object, &CancellationToken::new()).await.unwrap();
    // Pieces that meet no boundary of a block, and one that spans many.
    for piece in [&content[..1_000_003], &content[1_000_003..60 << 20], &content[60 << 20..]] {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let staged = upload.finish().await.unwrap();
    assert_eq!(staged.bytes, content.len() as u64);
    assert_eq!(staged.handle["blocks"], 281);
    assert_eq!(store.stat(&object.path).await.unwrap(), None);
    assert_eq!(store.list("").await.unwrap(), [""; 0]);

    // From another process.
    let other = super::store(options(port, &prefix), RetryPolicy::default());
    other.reveal(&staged).await.unwrap();
    let stat = store.stat(&object.path).await.unwrap().unwrap();
    assert_eq!(stat.bytes, content.len() as u64);
    assert!(stat.checksum.unwrap().starts_with("etag:0x"));
    assert!(read(&other, &object.path).await == content, "the content differs");
    for prefix in ["a/", "a/part 00000+é%"] {
        assert_eq!(store.list(prefix).await.unwrap(), [object.path.as_str()], "{prefix}");
    }
    assert_eq!(waiting(&client(port), &prefix).await, []);

    let found = client(port).blob_client(&format!("{prefix}{}", object.path)).get_properties(None).await.unwrap();
    assert_eq!(found.content_type().unwrap().as_deref(), Some("text/csv"));
    assert_eq!(found.metadata().unwrap()["herald_publish"], object.publish.to_string());
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_not_waited_for_with_more_than_a_few_blocks_in_memory() {
    let port = azurite::port().await;
    let hang = Spoil::Hang(Duration::from_secs(60));
    let (behind, _) = proxy(port, Rule { method: "PUT ", target: "blockid=", spoil: hang, times: u32::MAX }).await;
    let store = small(behind, &fresh_prefix());
    let mut upload = store.stage(&object("a.csv"), &CancellationToken::new()).await.unwrap();
    let piece = Bytes::from(vec![7; 64 << 10]);
    let mut taken = 0;
    while tokio::time::timeout(Duration::from_millis(500), upload.write(piece.clone())).await.is_ok() {
        taken += piece.len();
    }
    assert!(taken >= 4 * (256 << 10), "only {taken} bytes were taken");
    assert!(taken <= 8 * (256 << 10), "{taken} bytes were taken that nobody has");
}

#[tokio::test]
async fn an_empty_blob_can_be_staged() {
    let (store, _, _) = azurite_store().await;
    let staged = store.stage(&object("empty.csv"), &CancellationToken::new()).await.unwrap().finish().await.unwrap();
    store.reveal(&staged).await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert_eq!(store.stat("empty.csv").await.unwrap().unwrap().bytes, 0);
    assert_eq!(read(&store, "empty.csv").await, b"");
}

#[tokio::test]
async fn a_blob_revealed_twice_is_one_success() {
    let (store, port, prefix) = azurite_store().await;
    let staged = staged(&store, &object("a.csv"), b"once").await.unwrap();
    store.reveal(&staged).await.unwrap();
    store.reveal(&staged).await.unwrap();
    super::store(options(port, &prefix), RetryPolicy::ONCE).reveal(&staged).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"once");
}

#[tokio::test]
async fn a_blob_staged_anew_after_it_was_revealed_leaves_no_content() {
    let (store, port, prefix) = azurite_store().await;
    let object = object("a.csv");
    for _ in 0..2 {
        let staged = staged(&store, &object, b"same").await.unwrap();
        store.reveal(&staged).await.unwrap();
    }
    assert_eq!(read(&store, "a.csv").await, b"same");
    assert_eq!(unfinished(&client(port), &prefix).await, [""; 0]);
}

#[tokio::test]
async fn what_stands_in_the_way_survives_unless_it_may_be_replaced() {
    let (store, port, prefix) = azurite_store().await;
    put(&client(port), &format!("{prefix}a.csv"), b"theirs").await;

    let first = staged(&store, &object("a.csv"), b"ours!!").await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"theirs", "while blocks wait below its name");
    let error = store.reveal(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(read(&store, "a.csv").await, b"theirs");
    // From another process: the blob that stands there is another's, and still its blocks are found.
    super::store(options(port, &prefix), RetryPolicy::ONCE).sweep("a.csv", first.object.publish).await.unwrap();
    assert_eq!(unfinished(&client(port), &prefix).await, [""; 0]);
    assert_eq!(read(&store, "a.csv").await, b"theirs");

    let replacing = NewObject { replace: true, ..object("a.csv") };
    let second = staged(&store, &replacing, b"ours").await.unwrap();
    store.reveal(&second).await.unwrap();
    store.reveal(&second).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"ours");
    assert_eq!(waiting(&client(port), &prefix).await, []);
}

#[tokio::test]
async fn two_publishes_below_one_name_do_not_mix() {
    let (store, port, prefix) = azurite_store().await;
    let (one, two) = (object("a.csv"), object("a.csv"));
    let first = staged(&store, &one, b"first").await.unwrap();
    let second = staged(&store, &two, b"second").await.unwrap();
    // Discarding one leaves the other's blocks alone.
    store.sweep("", one.publish).await.unwrap();
    store.reveal(&second).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"second");
    assert_eq!(store.reveal(&first).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(waiting(&client(port), &prefix).await, []);
}

#[tokio::test]
async fn a_small_blob_is_written_once_whatever_is_repeated() {
    let (store, _, _) = azurite_store().await;
    let manifest = object("manifest.json");
    store.put(&manifest, Bytes::from_static(b"{}")).await.unwrap();
    store.put(&manifest, Bytes::from_static(b"{}")).await.unwrap();
    for other in ["[]", "{} and more"] {
        let error = store.put(&manifest, Bytes::from_static(other.as_bytes())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert_eq!(read(&store, "manifest.json").await, b"{}");
    let marker = object("_SUCCESS");
    store.put(&marker, Bytes::new()).await.unwrap();
    store.put(&marker, Bytes::new()).await.unwrap();
    let replacing = NewObject { replace: true, ..manifest };
    store.put(&replacing, Bytes::from_static(b"[]")).await.unwrap();
    assert_eq!(read(&store, "manifest.json").await, b"[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_dropped_on_its_way_is_emptied_by_another_process_and_never_visible() {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    let store = small(port, &prefix);
    let publish = Uuid::now_v7();
    for part in 0..2 {
        let object = NewObject { publish, ..object(&format!("x/{publish}/part-{part}.csv")) };
        let mut upload = store.stage(&object, &CancellationToken::new()).await.unwrap();
        upload.write(content(2 << 20).into()).await.unwrap();
        drop(upload);
    }
    let other = object(&format!("x/{}/part-0.csv", Uuid::now_v7()));
    let kept = staged(&store, &other, b"another publish").await.unwrap();

    let fresh = super::store(options(port, &prefix), RetryPolicy::default());
    fresh.sweep("x/", publish).await.unwrap();
    assert_eq!(unfinished(&client(port), &prefix).await, [format!("{prefix}{}", other.path)]);
    assert!(blobs(&client(port), &prefix).await.is_empty(), "nothing shows, not for a moment");
    fresh.sweep("x/", publish).await.unwrap();
    store.reveal(&kept).await.unwrap();
    fresh.sweep("x/", other.publish).await.unwrap();
    assert_eq!(read(&store, &other.path).await, b"another publish");
}

#[tokio::test]
async fn an_upload_swept_before_it_is_revealed_is_refused() {
    let (store, port, prefix) = azurite_store().await;
    for replace in [false, true] {
        let object = NewObject { replace, ..object("a.csv") };
        let staged = staged(&store, &object, b"late").await.unwrap();
        super::store(options(port, &prefix), RetryPolicy::ONCE).sweep("a.csv", object.publish).await.unwrap();
        let error = store.reveal(&staged).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert_eq!(store.stat("a.csv").await.unwrap(), None);
    }
}

#[tokio::test]
async fn blobs_are_listed_and_removed_by_path() {
    let (store, port, prefix) = azurite_store().await;
    for path in ["a/1.csv", "a/2.csv", "b/1.csv"] {
        store.put(&object(path), Bytes::from_static(b"x")).await.unwrap();
    }
    put(&client(port), &format!("{prefix}a/"), b"").await;
    assert_eq!(store.list("a/").await.unwrap(), ["a/1.csv", "a/2.csv"]);
    store.remove("a/1.csv").await.unwrap();
    store.remove("a/1.csv").await.unwrap();
    assert_eq!(store.list("").await.unwrap().len(), 2);
    let error = store.read("a/1.csv").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Missing, "{error}");
}

#[tokio::test]
async fn a_probe_leaves_nothing_not_even_a_block() {
    let (store, port, prefix) = azurite_store().await;
    store.probe().await.unwrap();
    assert!(blobs(&client(port), &prefix).await.is_empty());
    assert_eq!(waiting(&client(port), &prefix).await, []);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    crate::support::tls();
    let [port] = free_ports();
    let error = store(options(port, "x"), RetryPolicy::ONCE).probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert_eq!(error.retry(), Retry::Backoff, "{error}");

    let two = RetryPolicy { attempts: 2, max_elapsed: Duration::from_secs(60) };
    let unknown = json!({ "endpoint": "http://no-such-host.invalid:9000/acc" });
    let error = store(with(options(port, "x"), unknown), two).probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn a_connection_string_reaches_the_same_account() {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    let text = format!("AccountName={};AccountKey={KEY};BlobEndpoint={}/;", azurite::ACCOUNT, azurite::endpoint(port));
    let store =
        store(json!({ "container": "partner", "prefix": prefix, "connection_string": text }), RetryPolicy::ONCE);
    store.put(&object("a.csv"), Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(store.list("").await.unwrap(), ["a.csv"]);
}

#[tokio::test]
async fn a_cancelled_upload_stops() {
    let (store, _, _) = azurite_store().await;
    let cancel = CancellationToken::new();
    let object = object("a.csv");
    let mut upload = store.stage(&object, &cancel).await.unwrap();
    cancel.cancel();
    assert_eq!(upload.write(Bytes::from_static(b"x")).await.unwrap_err().kind(), ErrorKind::Cancelled);
    let error = store.stage(&object, &cancel).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    store.sweep("a.csv", object.publish).await.unwrap();
}
