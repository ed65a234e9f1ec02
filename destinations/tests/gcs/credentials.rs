//! Who Herald is to Google: keys, federated identities, users, the metadata server, nobody.

use std::{fs, path::Path};

use herald_destinations::{
    contract::{ErrorKind, RetryPolicy},
    files::Store,
};
use serde_json::{Value, json};

use super::{
    Place, config, options,
    server::{REFRESH, SUBJECT, WRITER, key_file, stolen_key_file},
    with,
};
use crate::support::{free_ports, tls};

#[tokio::test]
async fn a_key_that_is_not_the_accounts_is_unauthorized_and_no_key_is_shown() {
    let place = Place::new();
    let secret = stolen_key_file(&place.folder.path().join("stolen.json"), WRITER);
    let store = place.store_with(json!({ "service_account": "stolen.json" }), RetryPolicy::default()).await;
    let error = store.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.to_string().contains("401 authError"), "{error}");
    assert!(!format!("{error} {error:?} {store:?}").contains(&secret));
}

#[tokio::test]
async fn a_file_that_holds_no_credentials_is_named_and_not_quoted() {
    let place = Place::new();
    let file = place.folder.path().join("odd.json");
    key_file(&file, WRITER);
    let key: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut nameless = key.clone();
    nameless.as_object_mut().unwrap().remove("client_email");
    for (text, why) in [
        (None, "No such file"),
        (Some("canary-secret".to_owned()), "no JSON"),
        (Some("{\"private_key\": \"canary-secret\"}".to_owned()), "`type`"),
        (Some(json!({ "type": "canary-secret" }).to_string()), "`type`"),
        (Some(with(nameless, json!({ "private_key": "canary-secret" })).to_string()), "missing field `client_email`"),
        (Some(with(key.clone(), json!({ "private_key": ["canary-secret"] })).to_string()), "not as Google writes"),
        (Some(json!({ "type": "external_account", "audience": "canary-secret" }).to_string()), "missing field"),
    ] {
        let _ = fs::remove_file(&file);
        if let Some(text) = &text {
            fs::write(&file, text).unwrap();
        }
        let error = place.config(json!({ "service_account": "odd.json" })).store(RetryPolicy::ONCE).await.unwrap_err();
        let words = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{words}");
        assert!(words.contains(why) && words.contains("odd.json") && !words.contains("canary"), "{why}: {words}");
    }
    // A key that is none is found out when it signs.
    fs::write(&file, with(key, json!({ "private_key": "canary-secret" })).to_string()).unwrap();
    let store = place.store_with(json!({ "service_account": "odd.json" }), RetryPolicy::default()).await;
    let error = store.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}

#[tokio::test]
async fn nobody_in_particular_shows_no_token() {
    let place = Place::new();
    let mut options = with(options(place.server.port), json!({ "anonymous": true }));
    options.as_object_mut().unwrap().remove("service_account");
    let store = config(options, place.folder.path()).store(RetryPolicy::ONCE).await.unwrap();
    let error = store.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.to_string().contains("401 required: Anonymous caller"), "{error}");
}

/// Set in the process that a test starts itself in, with an environment of its own.
const CHILD: &str = "HERALD_TEST_CHILD";

/// Runs the test `name` again, without anything that could hold credentials but `variables`.
async fn alone(name: &str, place: &Place, variables: &[(&str, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let mut options = place.options();
    options.as_object_mut().unwrap().remove("service_account");
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", &format!("gcs::credentials::{name}"), "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .env(CHILD, options.to_string())
        .envs(variables.iter().copied());
    let output = child.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// In the child: the result of a probe by default credentials.
async fn probed() -> Option<Result<(), herald_destinations::contract::Error>> {
    let options: Value = serde_json::from_str(&std::env::var(CHILD).ok()?).unwrap();
    tls();
    let store = config(options, Path::new("/")).store(RetryPolicy::ONCE).await.expect("a store");
    Some(store.probe().await)
}

fn variable(place: &Place, file: &str, credentials: &Value) -> String {
    let path = place.folder.path().join(file);
    fs::write(&path, credentials.to_string()).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn the_environment_may_name_a_key() {
    if let Some(probed) = probed().await {
        return probed.unwrap();
    }
    let place = Place::new();
    let file = place.folder.path().join("key.json").display().to_string();
    alone("the_environment_may_name_a_key", &place, &[("GOOGLE_APPLICATION_CREDENTIALS", &file)]).await;
}

fn federated(place: &Place, subject: &str) -> Value {
    let token = place.folder.path().join("subject");
    fs::write(&token, subject).unwrap();
    json!({
        "type": "external_account", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "token_url": format!("http://127.0.0.1:{}/sts", place.server.port),
        "credential_source": { "file": token, "format": { "type": "text" } }
    })
}

#[tokio::test]
async fn a_federated_identity_is_exchanged_for_a_token() {
    if let Some(probed) = probed().await {
        return probed.unwrap();
    }
    let place = Place::new();
    let file = variable(&place, "federated.json", &federated(&place, SUBJECT));
    let name = "a_federated_identity_is_exchanged_for_a_token";
    alone(name, &place, &[("GOOGLE_APPLICATION_CREDENTIALS", &file)]).await;
    // And so it is where the target names the file.
    place.store_with(json!({ "service_account": "federated.json" }), RetryPolicy::ONCE).await.probe().await.unwrap();
}

#[tokio::test]
async fn a_federated_identity_that_is_refused_is_unauthorized_and_a_silent_service_unreachable() {
    let place = Place::new();
    variable(&place, "federated.json", &federated(&place, "canary-of-others"));
    let changes = json!({ "service_account": "federated.json" });
    let error = place.store_with(changes.clone(), RetryPolicy::default()).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    let words = error.to_string();
    assert!(words.contains("invalid_grant: The given credential is rejected.: status 400"), "{words}");
    assert!(!words.contains("canary") && !words.contains("127.0.0.1"), "{words}");

    let [nobody] = free_ports();
    let silent = with(federated(&place, SUBJECT), json!({ "token_url": format!("http://127.0.0.1:{nobody}/sts") }));
    variable(&place, "federated.json", &silent);
    let error = place.store_with(changes, RetryPolicy::ONCE).await.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn a_silent_service_is_unreachable_where_the_environment_names_the_identity_too() {
    if let Some(probed) = probed().await {
        let error = probed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        return;
    }
    let place = Place::new();
    let [nobody] = free_ports();
    let silent = with(federated(&place, SUBJECT), json!({ "token_url": format!("http://127.0.0.1:{nobody}/sts") }));
    let file = variable(&place, "silent.json", &silent);
    let name = "a_silent_service_is_unreachable_where_the_environment_names_the_identity_too";
    alone(name, &place, &[("GOOGLE_APPLICATION_CREDENTIALS", &file)]).await;
}

#[tokio::test]
async fn a_users_grant_is_renewed() {
    if let Some(probed) = probed().await {
        return probed.unwrap();
    }
    let place = Place::new();
    let grant = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "canary-client", "refresh_token": REFRESH,
        "token_uri": format!("http://127.0.0.1:{}/oauth", place.server.port)
    });
    let file = variable(&place, "user.json", &grant);
    alone("a_users_grant_is_renewed", &place, &[("GOOGLE_APPLICATION_CREDENTIALS", &file)]).await;
    variable(&place, "user.json", &with(grant, json!({ "refresh_token": "canary-expired" })));
    let store = place.store_with(json!({ "service_account": "user.json" }), RetryPolicy::default()).await;
    let error = store.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    let words = error.to_string();
    assert!(words.contains("expired or revoked") && !words.contains("canary"), "{words}");
}

#[tokio::test]
async fn a_machine_of_googles_asks_its_metadata_server() {
    if let Some(probed) = probed().await {
        return probed.unwrap();
    }
    let place = Place::new();
    let host = format!("127.0.0.1:{}", place.server.port);
    alone("a_machine_of_googles_asks_its_metadata_server", &place, &[("GCE_METADATA_HOST", &host)]).await;
}

#[tokio::test]
async fn a_metadata_server_that_is_not_there_is_unreachable_with_what_to_set() {
    if let Some(probed) = probed().await {
        let error = probed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(error.to_string().contains("set `service_account`"), "{error}");
        return;
    }
    let place = Place::new();
    let [nobody] = free_ports();
    let host = format!("127.0.0.1:{nobody}");
    alone(
        "a_metadata_server_that_is_not_there_is_unreachable_with_what_to_set",
        &place,
        &[("GCE_METADATA_HOST", &host)],
    )
    .await;
}

#[test]
fn a_key_in_place_of_its_path_is_refused_and_never_shown() {
    for key in ["eyJ0eXBlIjoiY2FuYXJ5In0=".to_owned(), "x".repeat(2_000)] {
        let options = json!({ "bucket": "partner", "service_account": key });
        let parsed = herald_destinations::kind("gcs").unwrap().parse(options, Path::new("/"));
        let error = parsed.expect_err("a key is no path");
        assert!(error.key == "service_account" && !error.message.contains(&key), "{}", error.message);
    }
}
