//! Answers that no server gives on demand, from a proxy.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use herald_destinations::{
    contract::{ErrorKind, Retry, RetryPolicy},
    files::Store,
    gcs::Deadlines,
};
use serde_json::json;

use super::{Place, at, no, object, staged};
use crate::support::{
    free_ports,
    proxy::{Rule, Spoil, proxy},
};

const ANY: &str = "/storage/v1/b/";

#[tokio::test]
async fn a_refusal_is_told_by_its_reason_and_repeated_only_where_it_can_pass() {
    let place = Place::new();
    for (status, reason, kind) in [
        ("400 Bad Request", "invalid", ErrorKind::Refused),
        ("401 Unauthorized", "authError", ErrorKind::Unauthorized),
        ("403 Forbidden", "forbidden", ErrorKind::Unauthorized),
        ("403 Forbidden", "quotaExceeded", ErrorKind::Full),
        ("403 Forbidden", "retentionPolicyNotMet", ErrorKind::Refused),
        ("501 Not Implemented", "", ErrorKind::Refused),
    ] {
        let rule = Rule { method: "POST ", target: "uploadType=", spoil: no(status, "", reason), times: u32::MAX };
        let (port, spoiled) = proxy(place.server.port, rule).await;
        let store = place.store_with(at(port), RetryPolicy::default()).await;
        let error = store.put(&object("a.csv"), "x".into()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(spoiled.load(Ordering::SeqCst), 1, "{status} {reason} is not repeated");
    }
    for (status, reason) in [
        ("403 Forbidden", "rateLimitExceeded"),
        ("403 Forbidden", "userRateLimitExceeded"),
        ("408 Request Timeout", ""),
        ("500 Internal Server Error", "internalError"),
        ("503 Service Unavailable", "backendError"),
    ] {
        let rule = Rule { method: "GET ", target: ANY, spoil: no(status, "", reason), times: 1 };
        let (port, spoiled) = proxy(place.server.port, rule).await;
        let store = place.store_with(at(port), RetryPolicy::default()).await;
        assert_eq!(store.stat("a.csv").await.unwrap(), None, "{status} {reason} passes");
        assert_eq!(spoiled.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_request_for_a_slower_pace_is_obeyed() {
    let place = Place::new();
    let slow = |pause: u32| no("429 Too Many Requests", &format!("Retry-After: {pause}\r\n"), "rateLimitExceeded");
    let (port, _) = proxy(place.server.port, Rule { method: "GET ", target: ANY, spoil: slow(1), times: 1 }).await;
    let started = Instant::now();
    place.store_with(at(port), RetryPolicy::default()).await.stat("a.csv").await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());

    let (port, _) = proxy(place.server.port, Rule { method: "GET ", target: ANY, spoil: slow(7), times: 1 }).await;
    let error = place.store_with(at(port), RetryPolicy::ONCE).await.stat("a.csv").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled, "{error}");
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(7)));
}

#[tokio::test]
async fn silence_ends_with_the_deadline_and_nobody_there_is_unreachable() {
    let place = Place::new();
    let rule = Rule { method: "GET ", target: ANY, spoil: Spoil::Hang(Duration::from_secs(30)), times: 1 };
    let (port, _) = proxy(place.server.port, rule).await;
    let deadlines = Deadlines { request: Duration::from_millis(300), ..Deadlines::default() };
    let store = place.config(at(port)).with_deadlines(deadlines).store(RetryPolicy::ONCE).await.unwrap();
    let error = store.stat("a.csv").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");

    let [nobody] = free_ports();
    let error = place.store_with(at(nobody), RetryPolicy::ONCE).await.stat("a.csv").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn an_answer_that_is_no_answer_of_the_api_is_not_taken_for_one() {
    let place = Place::new();
    let page =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>";
    let rule = Rule { method: "GET ", target: ANY, spoil: Spoil::Answer(page.to_owned()), times: 1 };
    let (port, _) = proxy(place.server.port, rule).await;
    let error = place.store_with(at(port), RetryPolicy::ONCE).await.stat("a.csv").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");

    let elsewhere = no("302 Found", "Location: https://elsewhere.invalid/\r\n", "");
    let (port, _) = proxy(place.server.port, Rule { method: "GET ", target: ANY, spoil: elsewhere, times: 1 }).await;
    let error = place.store_with(at(port), RetryPolicy::ONCE).await.stat("a.csv").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "a token is sent to nobody else: {error}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_from_an_object_that_is_not() {
    let place = Place::new();
    let store = place.store_with(json!({ "bucket": "nobodys" }), RetryPolicy::ONCE).await;
    assert_eq!(store.stat("a.csv").await.unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(store.remove("a.csv").await.unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(store.probe().await.unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(staged(&store, &object("a.csv"), b"x").await.unwrap_err().kind(), ErrorKind::Missing);
    let store = place.store(RetryPolicy::ONCE).await;
    assert_eq!(store.stat("a.csv").await.unwrap(), None);
    assert_eq!(store.read("a.csv").await.err().unwrap().kind(), ErrorKind::Missing);
}

#[tokio::test]
async fn a_part_that_the_owner_removed_in_between_is_revealed_on_the_next_try() {
    let place = Place::new();
    let rule = Rule {
        method: "POST ",
        target: "/rewriteTo/",
        spoil: no("412 Precondition Failed", "", "conditionNotMet"),
        times: 1,
    };
    let (port, spoiled) = proxy(place.server.port, rule).await;
    let store = place.store_with(at(port), RetryPolicy::default()).await;
    let staged = staged(&store, &object("a.csv"), b"x").await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert_eq!(spoiled.load(Ordering::SeqCst), 1);
    assert_eq!(place.server.below(super::PREFIX).len(), 1);
}
