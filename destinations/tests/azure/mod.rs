//! The kind `azure_blob`, against Azurite, and against what no server gives on demand.

mod access;
mod azurite;
mod cuts;
mod entra;
mod faults;
mod objects;
mod suite;

use bytes::Bytes;
use futures::TryStreamExt;
use herald_destinations::{
    azure_blob::{AzureBlobConfig, AzureBlobStore},
    contract::{Error, RetryPolicy},
    files::{NewObject, Staged, Store},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::azurite::{ACCOUNT, CONTAINER, KEY, endpoint};
use crate::support::proxy::Spoil;

/// Options of a target on a port of this machine, below a prefix that nobody else uses.
fn options(port: u16, prefix: &str) -> Value {
    json!({
        "account": ACCOUNT, "container": CONTAINER, "prefix": prefix, "endpoint": endpoint(port), "account_key": KEY
    })
}

/// The options with a signature in place of the key.
fn signed(port: u16, prefix: &str, sas: &str) -> Value {
    json!({ "container": CONTAINER, "prefix": prefix, "endpoint": endpoint(port), "sas": sas })
}

/// The options with some of them set anew.
fn with(mut options: Value, changes: Value) -> Value {
    let changes = changes.as_object().expect("an object").clone();
    options.as_object_mut().expect("an object").extend(changes);
    options
}

fn fresh_prefix() -> String {
    format!("{}/", Uuid::now_v7())
}

fn config(options: Value) -> AzureBlobConfig {
    AzureBlobConfig::parse(options).expect("options")
}

fn store(options: Value, retry: RetryPolicy) -> AzureBlobStore {
    config(options).store(retry).expect("a store")
}

fn object(path: &str) -> NewObject {
    NewObject { path: path.to_owned(), publish: Uuid::now_v7(), content_type: "text/csv".to_owned(), replace: false }
}

async fn staged(store: &AzureBlobStore, object: &NewObject, bytes: &[u8]) -> Result<Staged, Error> {
    let mut upload = store.stage(object, &CancellationToken::new()).await?;
    upload.write(Bytes::copy_from_slice(bytes)).await?;
    upload.finish().await
}

async fn read(store: &AzureBlobStore, path: &str) -> Vec<u8> {
    let chunks = store.read(path).await.expect("a blob");
    chunks.try_collect::<Vec<Bytes>>().await.expect("content").concat()
}

/// Bytes that differ from place to place, so that blocks in a wrong order are seen.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// What the service answers to a request whose date is past what it allows.
fn too_old() -> Spoil {
    let body = "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code>\
                <Message>Server failed to authenticate the request.\nRequestId:1</Message><AuthenticationErrorDetail>\
                Request date header too old: 'Fri, 01 Jan 2021 00:00:00 GMT'</AuthenticationErrorDetail></Error>";
    let length = body.len();
    Spoil::Answer(format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}
