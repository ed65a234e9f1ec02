//! The kind `sftp`, against OpenSSH and against a server with the faults of others.

mod cuts;
mod folder;
mod login;
mod quirks;
mod suite;

use std::{collections::BTreeMap, fs, path::Path};

use bytes::Bytes;
use futures::TryStreamExt;
use herald_destinations::{
    contract::{Error, RetryPolicy},
    files::{NewObject, Staged, Store},
    sftp::{SftpConfig, SftpStore},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::sshd::{Server, quirky, user};

/// Options of a target in a folder, on OpenSSH.
fn options(server: &Server, root: &Path) -> Value {
    json!({
        "host": "127.0.0.1", "port": server.port, "user": user(), "path": root,
        "private_key": server.key("ed25519"), "host_key": server.fingerprint("ed25519")
    })
}

/// The same on the server with faults.
fn faulty(quirk: &str, times: &str, root: &Path) -> Value {
    let user = format!("{quirk}.{times}.{}", Uuid::now_v7().simple());
    with(options(&quirky(), root), json!({ "user": user }))
}

/// The options with some of them set anew, or, where null, left out.
fn with(mut options: Value, changes: Value) -> Value {
    let options_map = options.as_object_mut().expect("an object");
    for (key, value) in changes.as_object().expect("an object") {
        match value.is_null() {
            true => drop(options_map.remove(key)),
            false => drop(options_map.insert(key.clone(), value.clone())),
        }
    }
    options
}

fn config(options: Value) -> SftpConfig {
    SftpConfig::parse(options, Path::new("/")).expect("options")
}

fn store(options: Value) -> SftpStore {
    config(options).store(RetryPolicy::default())
}

/// A store that tries nothing twice.
fn once(options: Value) -> SftpStore {
    config(options).store(RetryPolicy::ONCE)
}

fn object(path: &str) -> NewObject {
    NewObject { path: path.to_owned(), publish: Uuid::now_v7(), content_type: "text/csv".to_owned(), replace: false }
}

async fn staged(store: &SftpStore, object: &NewObject, bytes: &[u8]) -> Result<Staged, Error> {
    let mut upload = store.stage(object, &CancellationToken::new()).await?;
    upload.write(Bytes::copy_from_slice(bytes)).await?;
    upload.finish().await
}

async fn read(store: &SftpStore, path: &str) -> Vec<u8> {
    let chunks = store.read(path).await.expect("a file");
    chunks.try_collect::<Vec<Bytes>>().await.expect("content").concat()
}

/// Everything below a folder: files with their content, and, in the second, folders that hold nothing.
fn tree(root: &Path) -> (BTreeMap<String, Bytes>, Vec<String>) {
    fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, Bytes>, empty: &mut Vec<String>) {
        let mut count = 0;
        for entry in fs::read_dir(folder).expect("a folder") {
            count += 1;
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
            if path.is_dir() {
                walk(root, &path, files, empty);
            } else {
                files.insert(name, fs::read(&path).unwrap_or_default().into());
            }
        }
        if count == 0 && folder != root {
            empty.push(folder.display().to_string());
        }
    }
    let (mut files, mut empty) = (BTreeMap::new(), Vec::new());
    walk(root, root, &mut files, &mut empty);
    (files, empty)
}

fn names(root: &Path) -> Vec<String> {
    tree(root).0.into_keys().collect()
}
