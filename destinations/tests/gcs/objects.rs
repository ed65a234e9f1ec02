//! Objects on the strict server, written by the store and looked at by the back door.

use bytes::Bytes;
use herald_destinations::{
    contract::{ErrorKind, RetryPolicy},
    files::{NewObject, Store},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    PREFIX, Place, content, object, read,
    server::{READER, key_file},
    staged,
};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_several_chunks_arrives_whole_and_only_when_revealed() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    let object = object("a/part-00000.csv");
    let content = content(17 * MIB + 12_345);
    let mut upload = store.stage(&object, &CancellationToken::new()).await.unwrap();
    // Pieces that meet no boundary of a chunk, and one that spans several.
    for piece in [&content[..1_000_003], &content[1_000_003..17 * MIB], &content[17 * MIB..]] {
        upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let staged = upload.finish().await.unwrap();
    assert_eq!(staged.bytes, content.len() as u64);
    assert_eq!(store.stat("a/part-00000.csv").await.unwrap(), None);
    assert!(place.server.below(PREFIX).is_empty(), "readers of the prefix see nothing of it");
    let temporary = format!("in.herald/{}/a/part-00000.csv", object.publish);
    assert_eq!(place.server.temporaries(PREFIX), [temporary]);

    // From another process.
    place.store(RetryPolicy::ONCE).await.reveal(&staged).await.unwrap();
    assert!(read(&store, "a/part-00000.csv").await == content, "the content differs");
    assert!(place.server.temporaries(PREFIX).is_empty());

    let stored = &place.server.objects()["in/a/part-00000.csv"];
    assert_eq!(stored.content_type, "text/csv");
    assert_eq!(stored.metadata["herald-publish"], object.publish.to_string());
    let stat = store.stat("a/part-00000.csv").await.unwrap().unwrap();
    assert_eq!((stat.bytes, stat.checksum), (content.len() as u64, Some(format!("crc32c:{}", stored.crc32c()))));
}

#[tokio::test]
async fn objects_of_no_bytes_and_of_whole_chunks_can_be_staged() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    for length in [0, 1, 256 << 10, 8 * MIB, 16 * MIB] {
        let path = format!("{length}.csv");
        let content = content(length);
        let staged = staged(&store, &object(&path), &content).await.unwrap();
        store.reveal(&staged).await.unwrap();
        assert!(read(&store, &path).await == content, "{length}");
    }
}

#[tokio::test]
async fn an_object_revealed_twice_is_one_success() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    let staged = staged(&store, &object("a.csv"), b"once").await.unwrap();
    store.reveal(&staged).await.unwrap();
    store.reveal(&staged).await.unwrap();
    place.store(RetryPolicy::ONCE).await.reveal(&staged).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"once");
}

#[tokio::test]
async fn an_object_staged_anew_after_it_was_revealed_leaves_no_temporary() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    let object = object("a.csv");
    for _ in 0..2 {
        let staged = staged(&store, &object, b"same").await.unwrap();
        store.reveal(&staged).await.unwrap();
    }
    assert_eq!(read(&store, "a.csv").await, b"same");
    assert!(place.server.temporaries(PREFIX).is_empty());
}

#[tokio::test]
async fn a_ticket_reveals_what_was_staged_for_it_and_nothing_later() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    let object = object("a.csv");
    let first = staged(&store, &object, b"first").await.unwrap();
    let second = staged(&store, &object, b"later").await.unwrap();
    let error = store.reveal(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(place.server.below(PREFIX).is_empty());
    store.reveal(&second).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"later");
}

#[tokio::test]
async fn what_stands_in_the_way_survives_unless_it_may_be_replaced() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    place.server.write("in/a.csv", "theirs");
    let first = staged(&store, &object("a.csv"), b"ours!!").await.unwrap();
    let error = store.reveal(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(read(&store, "a.csv").await, b"theirs");
    store.sweep("a.csv", first.object.publish).await.unwrap();

    let replacing = NewObject { replace: true, ..object("a.csv") };
    let second = staged(&store, &replacing, b"ours").await.unwrap();
    store.reveal(&second).await.unwrap();
    store.reveal(&second).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"ours");
    assert!(place.server.temporaries(PREFIX).is_empty());
}

#[tokio::test]
async fn a_small_object_is_written_once_whatever_is_repeated() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    let manifest = object("manifest.json");
    store.put(&manifest, Bytes::from_static(b"{}")).await.unwrap();
    store.put(&manifest, Bytes::from_static(b"{}")).await.unwrap();
    for other in ["[]", "{} and more"] {
        let error = store.put(&manifest, Bytes::from_static(other.as_bytes())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert_eq!(read(&store, "manifest.json").await, b"{}");
    let replacing = NewObject { replace: true, ..manifest };
    store.put(&replacing, Bytes::from_static(b"[]")).await.unwrap();
    assert_eq!(read(&store, "manifest.json").await, b"[]");
}

#[tokio::test]
async fn a_sweep_takes_one_publish_below_one_path_and_nothing_else() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    let publish = Uuid::now_v7();
    let named = |path: &str| NewObject { publish, ..object(path) };
    for path in ["x/0.csv", "x/1.csv", "y/0.csv"] {
        staged(&store, &named(path), b"x").await.unwrap();
    }
    let mut open = store.stage(&named("x/2.csv"), &CancellationToken::new()).await.unwrap();
    open.write(content(9 * MIB).into()).await.unwrap();
    drop(open);
    let other = object("x/0.csv");
    let kept = staged(&store, &other, b"another publish").await.unwrap();
    place.server.write("in/x/0.parquet", "visible");

    let fresh = place.store(RetryPolicy::ONCE).await;
    for _ in 0..2 {
        fresh.sweep("x/", publish).await.unwrap();
        let mut left = [format!("in.herald/{publish}/y/0.csv"), format!("in.herald/{}/x/0.csv", other.publish)];
        left.sort();
        assert_eq!(place.server.temporaries(PREFIX), left);
    }
    store.reveal(&kept).await.unwrap();
    fresh.sweep("x/", other.publish).await.unwrap();
    assert_eq!(read(&store, "x/0.csv").await, b"another publish");
    assert_eq!(read(&store, "x/0.parquet").await, b"visible");
}

#[tokio::test]
async fn an_object_swept_before_it_is_revealed_is_refused() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    let staged = staged(&store, &object("a.csv"), b"late").await.unwrap();
    store.sweep("a.csv", staged.object.publish).await.unwrap();
    let error = store.reveal(&staged).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("publish again"), "{error}");
}

#[tokio::test]
async fn a_large_object_is_rewritten_in_as_many_steps_as_the_server_likes() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    place.server.knobs(|knobs| knobs.step = 100);
    let staged = staged(&store, &object("a.csv"), &content(1_050)).await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, content(1_050));
}

#[tokio::test]
async fn every_page_is_listed_and_nothing_that_is_on_its_way() {
    let place = Place::new();
    place.server.knobs(|knobs| knobs.page = 2);
    for name in ["in/", "in/a.csv", "in/b/c.csv", "in/d.csv", "in/é ü+&#?%.csv", "inside.csv", "other/a.csv"] {
        place.server.write(name, "x");
    }
    for (prefix, paths) in [
        ("in/", &["a.csv", "b/c.csv", "d.csv", "é ü+&#?%.csv"][..]),
        ("", &["in/a.csv", "in/b/c.csv", "in/d.csv", "in/é ü+&#?%.csv", "inside.csv", "other/a.csv"]),
    ] {
        let store = place.store_with(json!({ "prefix": prefix }), RetryPolicy::ONCE).await;
        staged(&store, &object("z.csv"), b"x").await.unwrap();
        let found: Vec<String> = store.list("").await.unwrap();
        let found: Vec<&String> = found.iter().filter(|path| !path.starts_with("in.herald/")).collect();
        assert_eq!(found, paths, "{prefix}");
    }
    let store = place.store(RetryPolicy::ONCE).await;
    assert_eq!(store.list("b/").await.unwrap(), ["b/c.csv"]);
    assert_eq!(read(&store, "é ü+&#?%.csv").await, b"x");
    store.remove("é ü+&#?%.csv").await.unwrap();
    store.remove("é ü+&#?%.csv").await.unwrap();
    assert_eq!(store.stat("é ü+&#?%.csv").await.unwrap(), None);
}

#[tokio::test]
async fn a_probe_proves_the_right_to_write_and_leaves_nothing() {
    let place = Place::new();
    place.store(RetryPolicy::ONCE).await.probe().await.unwrap();
    assert!(place.server.objects().is_empty());

    key_file(&place.folder.path().join("reader.json"), READER);
    let reader = place.store_with(json!({ "service_account": "reader.json" }), RetryPolicy::default()).await;
    let error = reader.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    let words = error.to_string();
    assert!(words.contains("403 forbidden: … does not have storage.objects.create access"), "{error}");
}

#[tokio::test]
async fn a_cancelled_upload_gives_up() {
    let place = Place::new();
    let store = place.store(RetryPolicy::default()).await;
    let cancel = CancellationToken::new();
    let object = object("a.csv");
    let mut upload = store.stage(&object, &cancel).await.unwrap();
    cancel.cancel();
    assert_eq!(upload.write(Bytes::from_static(b"x")).await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(upload.finish().await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(store.stage(&object, &cancel).await.err().unwrap().kind(), ErrorKind::Cancelled);
    assert!(place.server.objects().is_empty());
}
