//! Roles and keys, on moto and on a scripted token service.

use herald_destinations::{
    contract::{ErrorKind, RetryPolicy},
    files::Store,
};
use serde_json::{Value, json};
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
    assert_eq!(store.stat("a.csv").await.unwrap(), None);
    assert_eq!(store.stat("b.csv").await.unwrap(), None);
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

/// Set in the process that a test starts itself in, with an environment of its own.
const CHILD: &str = "HERALD_TEST_CHILD";

/// Runs the test `name` again, without anything that could hold credentials but `variables`.
async fn alone(name: &str, options: &Value, variables: &[(&str, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", &format!("s3::roles::{name}"), "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(CHILD, options.to_string())
        .envs(variables.iter().copied());
    let output = child.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

fn child_options() -> Option<Value> {
    Some(serde_json::from_str(&std::env::var(CHILD).ok()?).unwrap())
}

fn without_keys(port: u16) -> Value {
    with(options(port, &fresh_prefix()), json!({ "access_key_id": "", "secret_access_key": "" }))
}

#[tokio::test]
async fn without_keys_the_environment_is_asked() {
    match child_options() {
        Some(options) => {
            tls();
            store(options, RetryPolicy::ONCE).await.probe().await.unwrap();
        }
        None => {
            let options = without_keys(seaweed::port().await);
            let variables = [("AWS_ACCESS_KEY_ID", seaweed::KEY), ("AWS_SECRET_ACCESS_KEY", seaweed::SECRET)];
            alone("without_keys_the_environment_is_asked", &options, &variables).await;
        }
    }
}

#[tokio::test]
async fn without_keys_anywhere_nobody_is_authorized() {
    match child_options() {
        Some(options) => {
            tls();
            let error = store(options, RetryPolicy::default()).await.probe().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
        }
        None => alone("without_keys_anywhere_nobody_is_authorized", &without_keys(seaweed::port().await), &[]).await,
    }
}

#[tokio::test]
async fn without_a_region_anywhere_amazon_cant_be_found() {
    match child_options() {
        Some(options) => {
            let config = herald_destinations::s3::S3Config::parse(options).unwrap();
            let error = config.store(RetryPolicy::ONCE).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
            assert!(error.to_string().contains("set `region`"), "{error}");
        }
        None => alone("without_a_region_anywhere_amazon_cant_be_found", &json!({ "bucket": "partner" }), &[]).await,
    }
}
