//! The kind `s3`, against real servers and scripted ones.

mod cuts;
mod faults;
mod objects;
mod roles;
mod suite;

use bytes::Bytes;
use futures::TryStreamExt;
use herald_destinations::{
    contract::{Error, RetryPolicy},
    files::{NewObject, Staged, Store},
    s3::{S3Config, S3Store},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::seaweed::{BUCKET, KEY, SECRET};

/// Options of a target on a server of the tests, below a prefix that nobody else uses.
pub(crate) fn options(port: u16, prefix: &str) -> Value {
    json!({
        "bucket": BUCKET, "prefix": prefix, "region": "us-east-1", "endpoint": format!("http://127.0.0.1:{port}"),
        "path_style": true, "access_key_id": KEY, "secret_access_key": SECRET
    })
}

/// The options with some of them set anew.
pub(crate) fn with(mut options: Value, changes: Value) -> Value {
    let changes = changes.as_object().expect("an object").clone();
    options.as_object_mut().expect("an object").extend(changes);
    options
}

pub(crate) fn fresh_prefix() -> String {
    format!("{}/", Uuid::now_v7())
}

async fn store(options: Value, retry: RetryPolicy) -> S3Store {
    S3Config::parse(options).expect("options").store(retry).await.expect("a store")
}

fn object(path: &str) -> NewObject {
    NewObject { path: path.to_owned(), publish: Uuid::now_v7(), content_type: "text/csv".to_owned(), replace: false }
}

async fn staged(store: &S3Store, object: &NewObject, bytes: &[u8]) -> Result<Staged, Error> {
    let mut upload = store.stage(object, &CancellationToken::new()).await?;
    upload.write(Bytes::copy_from_slice(bytes)).await?;
    upload.finish().await
}

async fn read(store: &S3Store, path: &str) -> Vec<u8> {
    let chunks = store.read(path).await.expect("an object");
    chunks.try_collect::<Vec<Bytes>>().await.expect("content").concat()
}
