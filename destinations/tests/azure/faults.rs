//! Answers that no server gives on demand, and answers that get lost.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use bytes::Bytes;
use herald_destinations::{
    contract::{ErrorKind, Retry, RetryPolicy},
    files::{NewObject, Store},
};
use serde_json::json;

use super::{
    azurite::{self, client, endpoint, put},
    content, fresh_prefix, object, options, read, staged, store, too_old, with,
};
use crate::support::proxy::{Rule, Spoil, answer, proxy};

const COMMIT: (&str, &str) = ("PUT ", "comp=blocklist");

/// A proxy in front of Azurite, and a prefix.
async fn spoiled(
    (method, target): (&'static str, &'static str),
    spoil: Spoil,
    times: u32,
) -> (u16, std::sync::Arc<std::sync::atomic::AtomicU32>, u16, String) {
    let port = azurite::port().await;
    let (behind, count) = proxy(port, Rule { method, target, spoil, times }).await;
    (behind, count, port, fresh_prefix())
}

#[tokio::test]
async fn a_commit_without_an_answer_counts_as_revealed() {
    for replace in [false, true] {
        let (behind, count, port, prefix) = spoiled(COMMIT, Spoil::LoseAnswer, 1).await;
        if replace {
            put(&client(port), &format!("{prefix}a.csv"), b"the one before").await;
        }
        let store = store(options(behind, &prefix), RetryPolicy::default());
        let object = NewObject { replace, ..object("a.csv") };
        let staged = staged(&store, &object, b"ours").await.unwrap();
        store.reveal(&staged).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert_eq!(read(&store, "a.csv").await, b"ours");
        store.reveal(&staged).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_whose_blocks_went_meanwhile_is_told_by_what_stands_there() {
    // The service is asked what waits, and answers from before the commit: only the condition can tell.
    let (behind, _, port, prefix) = spoiled(COMMIT, answer("412 Precondition Failed", "", "ConditionNotMet"), 1).await;
    let store = store(options(behind, &prefix), RetryPolicy::ONCE);
    let first = staged(&store, &object("a.csv"), b"ours").await.unwrap();
    let error = store.reveal(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "something stands there, and then nothing does: {error}");
    store.reveal(&first).await.unwrap();

    let (behind, _, _, prefix) = spoiled(COMMIT, answer("400 Bad Request", "", "InvalidBlockList"), 1).await;
    let other = super::store(options(behind, &prefix), RetryPolicy::ONCE);
    put(&client(port), &format!("{prefix}b.csv"), b"theirs").await;
    let second = staged(&other, &object("b.csv"), b"ours").await.unwrap();
    assert_eq!(other.reveal(&second).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_small_blob_written_without_an_answer_counts_as_written() {
    let (behind, count, _, prefix) = spoiled(("PUT ", "manifest.json"), Spoil::LoseAnswer, 1).await;
    let store = store(options(behind, &prefix), RetryPolicy::default());
    store.put(&object("manifest.json"), Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_for_a_slower_pace_is_obeyed_once_and_not_by_the_sdk_too() {
    let slow = answer("503 Server Busy", "Retry-After: 1\r\n", "ServerBusy");
    let (behind, count, _, prefix) = spoiled(COMMIT, slow, 2).await;
    let started = Instant::now();
    store(options(behind, &prefix), RetryPolicy::default()).probe().await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(count.load(Ordering::SeqCst), 2);

    let slow = answer("429 Too Many Requests", "Retry-After: 7\r\n", "TooManyRequests");
    let (behind, count, _, prefix) = spoiled(COMMIT, slow, 9).await;
    let error = store(options(behind, &prefix), RetryPolicy::ONCE).probe().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Throttled, Retry::After(Duration::from_secs(7))), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 1, "tried once");
}

#[tokio::test]
async fn states_that_pass_are_waited_for_and_others_are_not() {
    for (status, code, kind) in [
        ("409 Conflict", "ContainerBeingDeleted", ErrorKind::Unavailable),
        ("409 Conflict", "AccountBeingCreated", ErrorKind::Unavailable),
        ("500 Internal Server Error", "OperationTimedOut", ErrorKind::TimedOut),
        ("403 Forbidden", "InsufficientAccountPermissions", ErrorKind::Unauthorized),
        ("403 Forbidden", "AuthorizationFailure", ErrorKind::Unauthorized),
        ("400 Bad Request", "InvalidHeaderValue", ErrorKind::Refused),
        ("409 Conflict", "BlobImmutableDueToPolicy", ErrorKind::Conflict),
    ] {
        let (behind, _, _, prefix) = spoiled(COMMIT, answer(status, "", code), 1).await;
        let error = store(options(behind, &prefix), RetryPolicy::ONCE).probe().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(code), "{error}");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_said_to_be() {
    let (behind, _, _, prefix) = spoiled(COMMIT, too_old(), 9).await;
    let error = store(options(behind, &prefix), RetryPolicy::default()).probe().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthorized, Retry::Never), "{error}");
    assert!(error.to_string().contains("clock is wrong: set it"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_otherwise_is_not_taken_for_the_service() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let (behind, _, _, prefix) = spoiled(("", ""), Spoil::Answer(page.to_owned()), u32::MAX).await;
    let store = store(options(behind, &prefix), RetryPolicy::ONCE);
    store.probe().await.unwrap_err();
    store.list("").await.unwrap_err();
    staged(&store, &object("a.csv"), b"x").await.unwrap_err();
}

#[tokio::test]
async fn a_blob_is_read_on_from_where_it_broke_off() {
    let (behind, count, port, prefix) = spoiled(("GET ", "a.csv"), Spoil::Cut, 2).await;
    let content = content((8 << 20) + 500);
    put(&client(port), &format!("{prefix}a.csv"), &content).await;
    let store = store(options(behind, &prefix), RetryPolicy::default());
    assert!(read(&store, "a.csv").await == content, "the content differs");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_blob_replaced_while_it_is_read_is_an_error_and_no_mixture() {
    use futures::TryStreamExt;
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    let name = format!("{prefix}a.csv");
    put(&client(port), &name, &content((8 << 20) + 500)).await;
    let store = store(options(port, &prefix), RetryPolicy::default());
    let mut pieces = store.read("a.csv").await.unwrap();
    assert_eq!(pieces.try_next().await.unwrap().unwrap().len(), 8 << 20);
    put(&client(port), &name, &content((8 << 20) + 600)).await;
    let error = pieces.try_next().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("replaced while it was read"), "{error}");
}

#[tokio::test]
async fn every_page_is_read() {
    let (port, prefix) = (azurite::port().await, fresh_prefix());
    let page = |name: &str, next: &str| {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"x\" ContainerName=\"partner\"><Blobs><Blob><Name>{prefix}{name}</Name><Properties><Content-Length>1</Content-Length></Properties></Blob></Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
        );
        let length = body.len();
        Spoil::Answer(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    };
    let first = Rule { method: "GET ", target: "comp=list", spoil: page("a.csv", "page-2"), times: 1 };
    let (inner, _) = proxy(port, Rule { target: "marker=page-2", spoil: page("b.csv", ""), ..first.clone() }).await;
    let (outer, _) = proxy(inner, first).await;
    let store = store(with(options(port, &prefix), json!({ "endpoint": endpoint(outer) })), RetryPolicy::ONCE);
    assert_eq!(store.list("").await.unwrap(), ["a.csv", "b.csv"]);
}
