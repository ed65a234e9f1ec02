//! The kind `gcs`, against a strict server of the tests' own and against an emulator of others'.

mod credentials;
mod cuts;
mod emulator;
mod objects;
mod refusals;
mod server;
mod suite;

use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt;
use herald_destinations::{
    contract::{Error, Retries},
    files::{NewObject, Staged, Store},
    gcs::{GcsConfig, GcsStore},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::server::{BUCKET, Server, WRITER, key_file};
use crate::support::proxy::Spoil;

/// The folder below which tests write.
const PREFIX: &str = "in/";

/// A server, and the key of an account that may write there.
struct Place {
    server: Server,
    folder: TempDir,
    /// A line of the key.
    secret: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = key_file(&folder.path().join("key.json"), WRITER);
        Self { server: Server::start(), folder, secret }
    }

    fn options(&self) -> Value {
        options(self.server.port)
    }

    fn config(&self, changes: Value) -> GcsConfig {
        config(with(self.options(), changes), self.folder.path())
    }

    async fn store(&self, retries: impl Into<Retries>) -> GcsStore {
        self.store_with(json!({}), retries).await
    }

    async fn store_with(&self, changes: Value, retries: impl Into<Retries>) -> GcsStore {
        self.config(changes).store(retries).await.expect("a store")
    }
}

fn config(options: Value, folder: &Path) -> GcsConfig {
    GcsConfig::parse(options, folder).expect("options")
}

fn options(port: u16) -> Value {
    json!({
        "bucket": BUCKET, "prefix": PREFIX, "service_account": "key.json", "endpoint": format!("http://127.0.0.1:{port}")
    })
}

/// The options with some of them set anew.
fn with(mut options: Value, changes: Value) -> Value {
    let changes = changes.as_object().expect("an object").clone();
    options.as_object_mut().expect("an object").extend(changes);
    options
}

fn at(port: u16) -> Value {
    json!({ "endpoint": format!("http://127.0.0.1:{port}") })
}

fn object(path: &str) -> NewObject {
    NewObject { path: path.to_owned(), publish: Uuid::now_v7(), content_type: "text/csv".to_owned(), replace: false }
}

async fn staged(store: &GcsStore, object: &NewObject, bytes: &[u8]) -> Result<Staged, Error> {
    let mut upload = store.stage(object, &CancellationToken::new()).await?;
    upload.write(Bytes::copy_from_slice(bytes)).await?;
    upload.finish().await
}

async fn read(store: &GcsStore, path: &str) -> Vec<u8> {
    let chunks = store.read(path).await.expect("an object");
    chunks.try_collect::<Vec<Bytes>>().await.expect("content").concat()
}

/// Bytes that differ from place to place, so that chunks in a wrong order are seen.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A no in Google's form, from a proxy.
fn no(status: &str, headers: &str, reason: &str) -> Spoil {
    let code = status.split(' ').next().expect("a number");
    let errors = json!([{ "message": "spoiled", "domain": "global", "reason": reason }]);
    let body = json!({ "error": { "code": code, "message": "spoiled", "errors": errors } }).to_string();
    let length = body.len();
    Spoil::Answer(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    ))
}
