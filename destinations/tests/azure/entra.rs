//! Tokens of Entra ID. The SDK asks for and sends them over https alone, so the service that gives them is played within
//! the process: it hands out a token, and passes on to Azurite what comes with it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, Body, HttpClient, Request, StatusCode, Url,
    headers::{HeaderName, Headers},
};
use bytes::Bytes;
use herald_destinations::{
    contract::{ErrorKind, Retry, RetryPolicy},
    files::Store,
};
use serde_json::json;

use super::{
    azurite::{self, ACCOUNT, CONTAINER, sas},
    config, fresh_prefix, object, read, staged,
};

/// Entra ID, and Azurite as an account that takes its tokens.
#[derive(Debug)]
struct Entra {
    azurite: reqwest::Client,
    port: u16,
    /// Status and body of the first answers; then there is a token.
    refusals: Mutex<Vec<(u16, String)>>,
    asked: AtomicU32,
    forms: Mutex<Vec<String>>,
}

impl Entra {
    async fn new(refusals: Vec<(u16, String)>) -> Arc<Self> {
        let port = azurite::port().await;
        Arc::new(Self {
            azurite: reqwest::Client::new(),
            port,
            refusals: Mutex::new(refusals),
            asked: AtomicU32::new(0),
            forms: Mutex::new(Vec::new()),
        })
    }

    /// What an application asks for, and what a machine does.
    fn token(&self, request: &Request) -> AsyncRawResponse {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let form = match (request.url().path(), request.body()) {
            ("/contoso.example/oauth2/v2.0/token", Body::Bytes(form)) => String::from_utf8(form.to_vec()).unwrap(),
            ("/metadata/identity/oauth2/token", _) => request.url().query().unwrap().to_owned(),
            other => panic!("a request for {other:?}"),
        };
        self.forms.lock().unwrap().push(form);
        let expires = (chrono::Utc::now().timestamp() + 3600).to_string();
        let mut refusals = self.refusals.lock().unwrap();
        let (status, body) = match refusals.is_empty() {
            true => {
                (200, json!({ "token_type": "Bearer", "expires_in": 3600, "expires_on": expires, "resource": "storage", "access_token": "canary-token" }).to_string())
            }
            false => refusals.remove(0),
        };
        AsyncRawResponse::from_bytes(StatusCode::from(status), Headers::new(), body)
    }
}

#[async_trait]
impl HttpClient for Entra {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        match request.url().host_str() {
            Some("login.microsoftonline.com" | "169.254.169.254") => return Ok(self.token(request)),
            Some("acc.blob.core.windows.net") => {}
            other => panic!("a request to {other:?}"),
        }
        assert_eq!(request.url().scheme(), "https");
        let bearer = request.headers().get_optional_str(&HeaderName::from_static("authorization"));
        assert_eq!(bearer, Some("Bearer canary-token"));
        let mut url = request.url().clone();
        let query = url.query().map(|query| format!("{query}&")).unwrap_or_default();
        let local = format!("http://127.0.0.1:{}/{ACCOUNT}{}", self.port, url.path());
        url = Url::parse(&local).unwrap();
        url.set_query(Some(&format!("{query}{}", sas("racwdl", true))));
        let mut passed = Request::new(url, request.method());
        for (name, value) in request.headers().iter().filter(|(name, _)| name.as_str() != "authorization") {
            passed.insert_header(name.clone(), value.clone());
        }
        passed.set_body(request.body().clone());
        self.azurite.execute_request(&passed).await
    }
}

fn application() -> serde_json::Value {
    json!({
        "account": "acc", "container": CONTAINER, "prefix": fresh_prefix(),
        "tenant_id": "contoso.example", "client_id": "herald-app", "client_secret": "canary-secret"
    })
}

#[tokio::test]
async fn an_application_publishes_with_one_token_for_all_its_requests() {
    let entra = Entra::new(Vec::new()).await;
    let store = config(application()).with_http(entra.clone()).store(RetryPolicy::ONCE).unwrap();
    store.probe().await.unwrap();
    let staged = staged(&store, &object("a.csv"), b"by token").await.unwrap();
    store.reveal(&staged).await.unwrap();
    store.put(&object("manifest.json"), Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"by token");
    assert_eq!(store.list("").await.unwrap(), ["a.csv", "manifest.json"]);
    assert_eq!(entra.asked.load(Ordering::SeqCst), 1);
    let forms = entra.forms.lock().unwrap();
    for part in ["client_id=herald-app", "client_secret=canary-secret", "storage.azure.com", "client_credentials"] {
        assert!(forms[0].contains(part), "{part}");
    }
}

#[tokio::test]
async fn a_secret_that_expired_is_said_to_be_refused_and_not_shown() {
    let words = "AADSTS7000222: The provided client secret keys for app 'herald-app' are expired.\r\nTrace ID: 1";
    let body = json!({ "error": "invalid_client", "error_codes": [7_000_222], "error_description": words }).to_string();
    let entra = Entra::new(vec![(401, body); 9]).await;
    let store = config(application()).with_http(entra.clone()).store(RetryPolicy::default()).unwrap();
    let error = store.probe().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthorized, Retry::Never), "{error}");
    let shown = format!("{error} {error:?} {store:?}");
    assert!(shown.contains("AADSTS7000222") && !shown.contains("canary"), "{shown}");
    assert_eq!(entra.asked.load(Ordering::SeqCst), 1, "asked once");
}

#[tokio::test]
async fn the_machines_identity_is_used_where_nothing_else_is_given() {
    for client_id in ["", "herald-identity"] {
        let entra = Entra::new(Vec::new()).await;
        let options =
            json!({ "account": "acc", "container": CONTAINER, "prefix": fresh_prefix(), "client_id": client_id });
        let store = config(options).with_http(entra.clone()).store(RetryPolicy::ONCE).unwrap();
        store.put(&object("a.csv"), Bytes::from_static(b"by identity")).await.unwrap();
        assert_eq!(read(&store, "a.csv").await, b"by identity");
        let forms = entra.forms.lock().unwrap();
        assert!(forms[0].contains("storage.azure.com"), "{forms:?}");
        assert_eq!(forms[0].contains("client_id=herald-identity"), !client_id.is_empty(), "{forms:?}");
    }
}

#[tokio::test]
async fn a_machine_without_that_identity_is_said_to_be_refused() {
    let entra = Entra::new(vec![(400, json!({ "error": "invalid_request" }).to_string()); 9]).await;
    let options = json!({ "account": "acc", "container": CONTAINER });
    let store = config(options).with_http(entra).store(RetryPolicy::default()).unwrap();
    let error = store.probe().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthorized, Retry::Never), "{error}");
    assert!(error.to_string().contains("not been assigned"), "{error}");
}

#[tokio::test]
async fn a_token_service_that_is_busy_is_asked_again() {
    let body =
        json!({ "error": "temporarily_unavailable", "error_codes": [90_033], "error_description": "busy" }).to_string();
    let entra = Entra::new(vec![(503, body.clone()), (429, body)]).await;
    let store = config(application()).with_http(entra.clone()).store(RetryPolicy::default()).unwrap();
    store.probe().await.unwrap();
    assert_eq!(entra.asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_signature_goes_in_the_clear_to_this_machine_only() {
    let parsed = |host: &str| {
        let endpoint = format!("http://{host}:10000/acc");
        let options =
            json!({ "container": CONTAINER, "endpoint": endpoint, "sas": "sv=2025-01-05&sp=rcwdl&sig=canary" });
        herald_destinations::kind("azure_blob").unwrap().parse(options, std::path::Path::new("/"))
    };
    for here in ["localhost", "127.0.0.1", "[::1]"] {
        assert!(parsed(here).is_ok(), "{here}");
    }
    let error = parsed("azurite").expect_err("in the clear");
    assert!(error.key == "endpoint" && !error.message.contains("canary"), "{}", error.message);
}
