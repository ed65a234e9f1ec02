//! Roles and keys, on moto and on a scripted token service.

use herald_destinations::{
    contract::{ErrorKind, RetryPolicy},
    files::Store,
};
use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string_contains, method},
};

use super::{fresh_prefix, object, options, staged, store, with};
use crate::support::{free_ports, moto, seaweed, tls};

const ROLE: &str = "arn:aws:iam::123456789012:role/drop";

async fn moto_bucket() -> u16 {
    let port = moto::port().await;
    // Others may have made it.
    let _ = seaweed::client(port).create_bucket().bucket(seaweed::BUCKET).send().await;
    port
}

#[tokio::test]
async fn objects_are_written_with_a_role_and_a_key() {
    let (port, prefix) = (moto_bucket().await, fresh_prefix());
    let change = json!({
        "assume_role": { "arn": ROLE, "external_id": "herald-4711", "endpoint": format!("http://127.0.0.1:{port}") },
        "sse": { "kms_key": "alias/partner" }
    });
    let store = store(with(options(port, &prefix), change), RetryPolicy::ONCE).await;
    let staged = staged(&store, &object("a.csv"), b"x").await.unwrap();
    store.reveal(&staged).await.unwrap();
    let head =
        seaweed::client(port).head_object().bucket(seaweed::BUCKET).key(format!("{prefix}a.csv")).send().await.unwrap();
    assert_eq!(head.server_side_encryption().map(|sse| sse.as_str()), Some("aws:kms"));
    assert_eq!(head.ssekms_key_id(), Some("alias/partner"));
}

#[tokio::test]
async fn a_role_is_asked_for_with_its_external_id_and_its_credentials_are_used() {
    tls();
    let (tokens, bucket) = (MockServer::start().await, MockServer::start().await);
    let answer = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
        <AccessKeyId>ASSUMEDKEY</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey>\
        <SessionToken>assumed-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
        </AssumeRoleResult></AssumeRoleResponse>";
    Mock::given(method("POST"))
        .and(body_string_contains("Action=AssumeRole"))
        .and(body_string_contains("ExternalId=herald-4711"))
        .and(body_string_contains("RoleSessionName=nightly"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(answer, "text/xml"))
        .expect(1)
        .mount(&tokens)
        .await;
    Mock::given(method("HEAD")).respond_with(ResponseTemplate::new(404)).mount(&bucket).await;
    let change = json!({
        "assume_role": { "arn": ROLE, "external_id": "herald-4711", "session_name": "nightly", "endpoint": tokens.uri() }
    });
    let store = store(with(options(bucket.address().port(), "in"), change), RetryPolicy::ONCE).await;
    assert_eq!(store.size("a.csv").await.unwrap(), None);
    assert_eq!(store.size("b.csv").await.unwrap(), None);
    for request in bucket.received_requests().await.unwrap() {
        assert_eq!(request.headers["x-amz-security-token"], "assumed-token");
        assert!(request.headers["authorization"].to_str().unwrap().contains("Credential=ASSUMEDKEY/"));
    }
}

#[tokio::test]
async fn a_role_that_is_refused_is_unauthorized_and_a_silent_token_service_unreachable() {
    tls();
    let tokens = MockServer::start().await;
    let answer = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
        <Message>not authorized to perform: sts:AssumeRole</Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(403).set_body_raw(answer, "text/xml"))
        .mount(&tokens)
        .await;
    let [nobody] = free_ports();
    let role = |endpoint: String| json!({ "assume_role": { "arn": ROLE, "endpoint": endpoint } });
    let refused = store(with(options(nobody, "in"), role(tokens.uri())), RetryPolicy::ONCE).await;
    let error = refused.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.to_string().contains("sts:AssumeRole"), "{error}");
    let silent =
        store(with(options(nobody, "in"), role(format!("http://127.0.0.1:{nobody}"))), RetryPolicy::ONCE).await;
    let error = silent.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}
