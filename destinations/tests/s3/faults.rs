//! A scripted store: answers that no real one gives on demand.

use std::time::{Duration, Instant};

use bytes::Bytes;
use herald_destinations::{
    contract::{ErrorKind, Retry, RetryPolicy},
    files::Store,
    s3::{Deadlines, S3Config},
};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{header, header_exists, method, query_param, query_param_is_missing},
};

use super::{object, options, staged, store, with};
use crate::support::{seaweed::BUCKET, tls};

const UPLOAD: &str = "upload-1";

fn xml(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(format!("<?xml version=\"1.0\"?>\n{body}"), "application/xml")
}

fn refusal(status: u16, code: &str, message: &str) -> ResponseTemplate {
    xml(status, &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

fn created() -> ResponseTemplate {
    let body = format!(
        "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>k</Key><UploadId>{UPLOAD}</UploadId></InitiateMultipartUploadResult>"
    );
    xml(200, &body)
}

fn completed() -> ResponseTemplate {
    xml(200, "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>")
}

/// A store that takes uploads; completing them and looking at objects is left to the test.
async fn scripted() -> (MockServer, Value) {
    tls();
    let server = MockServer::start().await;
    let options = with(options(server.address().port(), "in"), json!({}));
    Mock::given(method("POST"))
        .and(query_param_is_missing("uploadId"))
        .respond_with(created())
        .with_priority(10)
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .and(query_param("uploadId", UPLOAD))
        .respond_with(ResponseTemplate::new(200).insert_header("etag", "\"e\""))
        .with_priority(10)
        .mount(&server)
        .await;
    (server, options)
}

/// Answers to completing an upload, the last one for good.
async fn completing(server: &MockServer, answers: impl IntoIterator<Item = ResponseTemplate>) {
    for answer in answers {
        Mock::given(method("POST"))
            .and(query_param("uploadId", UPLOAD))
            .respond_with(answer)
            .up_to_n_times(1)
            .mount(server)
            .await;
    }
}

/// Answers to looking at the object: first these, then that it is not there.
async fn looking(server: &MockServer, answers: impl IntoIterator<Item = ResponseTemplate>) {
    for answer in answers {
        Mock::given(method("HEAD")).respond_with(answer).up_to_n_times(1).mount(server).await;
    }
    Mock::given(method("HEAD")).respond_with(ResponseTemplate::new(404)).with_priority(10).mount(server).await;
}

fn head(bytes: usize, publish: uuid::Uuid) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("x-amz-meta-herald-publish", publish.to_string())
        .set_body_raw(vec![b'x'; bytes], "text/csv")
}

async fn requests(server: &MockServer, fits: impl Fn(&Request) -> bool) -> Vec<Request> {
    server.received_requests().await.expect("recording").into_iter().filter(fits).collect()
}

#[tokio::test]
async fn an_error_in_the_body_of_a_200_is_an_error() {
    let (server, options) = scripted().await;
    looking(&server, []).await;
    completing(&server, [refusal(200, "InternalError", "We encountered an internal error."), completed()]).await;
    let once = store(options.clone(), RetryPolicy::ONCE).await;
    let staged = staged(&once, &object("a.csv"), b"x").await.unwrap();
    let error = once.reveal(&staged).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("InternalError"), "{error}");
    store(options, RetryPolicy::ONCE).await.reveal(&staged).await.unwrap();
}

#[tokio::test]
async fn a_request_for_a_slower_pace_is_obeyed() {
    let (server, options) = scripted().await;
    Mock::given(method("POST"))
        .and(query_param_is_missing("uploadId"))
        .respond_with(refusal(503, "SlowDown", "Please reduce your request rate.").insert_header("retry-after", "1"))
        .up_to_n_times(2)
        .with_priority(1)
        .mount(&server)
        .await;
    let started = Instant::now();
    staged(&store(options.clone(), RetryPolicy::default()).await, &object("a.csv"), b"x").await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());

    Mock::given(method("POST"))
        .respond_with(refusal(429, "TooManyRequests", "").insert_header("retry-after", "7"))
        .with_priority(1)
        .mount(&server)
        .await;
    let error = store(options, RetryPolicy::ONCE).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled, "{error}");
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(7)));
}

#[tokio::test]
async fn an_upload_completed_without_an_answer_counts_as_revealed() {
    let (server, options) = scripted().await;
    let object = object("a.csv");
    looking(&server, [ResponseTemplate::new(404), ResponseTemplate::new(404), head(1, object.publish)]).await;
    completing(
        &server,
        [ResponseTemplate::new(500), refusal(404, "NoSuchUpload", "The specified upload does not exist.")],
    )
    .await;
    let store = store(options, RetryPolicy::default()).await;
    let staged = staged(&store, &object, b"x").await.unwrap();
    store.reveal(&staged).await.unwrap();
    let complete = |request: &Request| {
        request.method.as_str() == "POST" && request.url.query().is_some_and(|query| query.contains("uploadId"))
    };
    let complete = requests(&server, complete).await;
    assert_eq!(complete.len(), 2);
    assert!(complete.iter().all(|request| request.headers["if-none-match"] == "*"), "every try is conditional");
}

#[tokio::test]
async fn an_upload_that_is_gone_beside_an_object_of_others_is_a_conflict() {
    let (server, options) = scripted().await;
    let object = object("a.csv");
    looking(&server, [ResponseTemplate::new(404), head(1, uuid::Uuid::now_v7())]).await;
    completing(&server, [refusal(404, "NoSuchUpload", "gone")]).await;
    let store = store(options, RetryPolicy::default()).await;
    let staged = staged(&store, &object, b"x").await.unwrap();
    assert_eq!(store.reveal(&staged).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn two_writers_that_meet_are_asked_to_try_again() {
    let (server, options) = scripted().await;
    looking(&server, []).await;
    completing(&server, [refusal(409, "ConditionalRequestConflict", "meanwhile"), completed()]).await;
    let store = store(options, RetryPolicy::default()).await;
    let staged = staged(&store, &object("a.csv"), b"x").await.unwrap();
    store.reveal(&staged).await.unwrap();
}

#[tokio::test]
async fn a_store_without_conditions_is_asked_without() {
    let (server, options) = scripted().await;
    looking(&server, []).await;
    Mock::given(method("POST"))
        .and(query_param("uploadId", UPLOAD))
        .and(header("if-none-match", "*"))
        .respond_with(refusal(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
        ))
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(method("POST")).and(query_param("uploadId", UPLOAD)).respond_with(completed()).mount(&server).await;
    let store = store(options, RetryPolicy::ONCE).await;
    for path in ["a.csv", "b.csv"] {
        let staged = staged(&store, &object(path), b"x").await.unwrap();
        store.reveal(&staged).await.unwrap();
    }
    let conditional = |request: &Request| request.headers.contains_key("if-none-match");
    assert_eq!(requests(&server, conditional).await.len(), 1, "it is asked once");
}

#[tokio::test]
async fn a_store_without_checksums_is_written_to_without_unless_they_are_required() {
    let (server, options) = scripted().await;
    Mock::given(method("PUT"))
        .and(header_exists("x-amz-checksum-crc32"))
        .respond_with(refusal(501, "NotImplemented", "Header 'x-amz-checksum-crc32' is not implemented."))
        .with_priority(1)
        .mount(&server)
        .await;
    let lenient = store(options.clone(), RetryPolicy::ONCE).await;
    let staged_object = staged(&lenient, &object("a.csv"), b"x").await.unwrap();
    assert!(staged_object.handle["parts"][0].get("c").is_none());
    staged(&lenient, &object("b.csv"), b"x").await.unwrap();
    let checked = |request: &Request| request.headers.contains_key("x-amz-checksum-crc32");
    assert_eq!(requests(&server, checked).await.len(), 1, "it is asked once");

    let strict = store(with(options, json!({ "checksum": "required" })), RetryPolicy::ONCE).await;
    let error = staged(&strict, &object("c.csv"), b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named_with_it() {
    let (server, options) = scripted().await;
    let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong</Message><Region>eu-west-1</Region></Error>";
    Mock::given(method("POST")).respond_with(xml(400, body)).with_priority(1).mount(&server).await;
    let error = store(options, RetryPolicy::default()).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("set `region: eu-west-1`"), "{error}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let (server, options) = scripted().await;
    let answer = refusal(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    );
    Mock::given(method("POST")).respond_with(answer).with_priority(1).mount(&server).await;
    let error = store(options, RetryPolicy::default()).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.to_string().contains("clock"), "{error}");
}

#[tokio::test]
async fn a_full_store_is_named() {
    let (server, options) = scripted().await;
    Mock::given(method("PUT")).respond_with(refusal(403, "QuotaExceeded", "")).with_priority(1).mount(&server).await;
    let error = staged(&store(options, RetryPolicy::default()).await, &object("a.csv"), b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_meets_the_deadline() {
    let (server, options) = scripted().await;
    Mock::given(method("POST"))
        .respond_with(created().set_delay(Duration::from_secs(30)))
        .with_priority(1)
        .mount(&server)
        .await;
    let deadlines = Deadlines { request: Duration::from_millis(200), ..Deadlines::default() };
    let config = S3Config::parse(options).unwrap().with_deadlines(deadlines);
    let error = config.store(RetryPolicy::ONCE).await.unwrap().probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert_eq!(error.retry(), Retry::Backoff);
}

#[tokio::test]
async fn options_travel_with_every_object() {
    let (server, options) = scripted().await;
    looking(&server, []).await;
    Mock::given(method("PUT"))
        .and(query_param_is_missing("uploadId"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    completing(&server, [completed()]).await;
    let change = json!({
        "sse": { "kms_key": "alias/partner", "bucket_key": true }, "acl": "bucket-owner-full-control",
        "requester_pays": true, "session_token": "canary-token"
    });
    let store = store(with(options, change), RetryPolicy::ONCE).await;
    let staged = staged(&store, &object("a.csv"), b"x").await.unwrap();
    store.reveal(&staged).await.unwrap();
    store.put(&object("manifest.json"), Bytes::from_static(b"{}")).await.unwrap();
    let all = requests(&server, |_| true).await;
    assert!(all.iter().all(|request| request.headers["x-amz-request-payer"] == "requester"), "requester pays");
    assert!(all.iter().all(|request| request.headers["x-amz-security-token"] == "canary-token"));
    let creating = |request: &&Request| {
        !request.url.query().unwrap_or_default().contains("uploadId") && request.method.as_str() != "HEAD"
    };
    let creating: Vec<_> = all.iter().filter(creating).collect();
    assert_eq!(creating.len(), 2);
    for request in creating {
        assert_eq!(request.headers["x-amz-server-side-encryption"], "aws:kms");
        assert_eq!(request.headers["x-amz-server-side-encryption-aws-kms-key-id"], "alias/partner");
        assert_eq!(request.headers["x-amz-server-side-encryption-bucket-key-enabled"], "true");
        assert_eq!(request.headers["x-amz-acl"], "bucket-owner-full-control");
    }
}

#[tokio::test]
async fn no_secret_is_repeated_from_an_answer() {
    let (server, options) = scripted().await;
    let keys =
        json!({ "access_key_id": "CANARYID", "secret_access_key": "canary-secret", "session_token": "canary-token" });
    let message = "no such key: CANARYID, canary-secret, canary-token";
    Mock::given(method("POST"))
        .respond_with(refusal(403, "InvalidAccessKeyId", message))
        .with_priority(1)
        .mount(&server)
        .await;
    let store = store(with(options, keys), RetryPolicy::ONCE).await;
    let error = store.probe().await.unwrap_err();
    let shown = format!("{error} {error:?} {store:?}");
    assert!(shown.contains("no such key"), "{shown}");
    assert!(!shown.to_lowercase().contains("canary"), "{shown}");
}
