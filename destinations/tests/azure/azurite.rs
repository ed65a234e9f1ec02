//! Azurite: Microsoft's emulator of Azure Storage. It checks signatures, both kinds, and the rights they carry.

use std::{collections::BTreeMap, process::Command, sync::OnceLock, time::Duration};

use aws_lc_rs::hmac;
use azure_storage_blob::{
    BlobContainerClient,
    models::{BlobContainerClientListBlobsOptions, BlobItem, BlockListType, ListBlobsIncludeItem},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use chrono::Utc;
use futures::TryStreamExt;

use crate::support::{
    cache, free_ports,
    shared::{Facts, Shared, Start, shared},
    tls,
};

/// The emulator's account, and its key, which is public.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
pub(crate) const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The container that all tests share, each below a prefix of its own.
pub(crate) const CONTAINER: &str = "partner";

/// The server's port.
pub(crate) async fn port() -> u16 {
    static SERVER: OnceLock<Shared> = OnceLock::new();
    let port = tokio::task::spawn_blocking(|| {
        tls();
        SERVER.get_or_init(|| shared("azurite", start)).facts["port"].parse().expect("a port")
    });
    let port = port.await.expect("the server");
    let container = client(port);
    // Another test may be faster.
    if let Err(error) = container.create(None).await {
        assert_eq!(error.http_status().map(u16::from), Some(409), "{error}");
    }
    port
}

fn start(data: &std::path::Path) -> Start {
    let [port] = free_ports();
    let program = cache().join("azurite-3.35.0/node_modules/azurite/dist/src/blob/main.js");
    assert!(program.is_file(), "{} is missing: run tests/setup.sh", program.display());
    let mut command = Command::new("node");
    command.arg(program).args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
    command.args(["--inMemoryPersistence", "--disableTelemetry", "--silent", "--skipApiVersionCheck"]);
    command.env("HOME", data);
    Start { command, port, facts: Facts::new() }
}

/// Where the emulator's account answers.
pub(crate) fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}/{ACCOUNT}")
}

/// A signature of the account that carries these rights for an hour, or ended an hour ago.
pub(crate) fn sas(rights: &str, good: bool) -> String {
    let hour = Duration::from_secs(3600);
    let end = if good { Utc::now() + hour } else { Utc::now() - hour };
    let end = end.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let version = "2019-12-12";
    let text = format!("{ACCOUNT}\n{rights}\nb\nco\n\n{end}\n\n\n{version}\n");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(KEY).expect("base64"));
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()).as_ref());
    let encoded =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    format!("sv={version}&ss=b&srt=co&sp={rights}&se={}&sig={}", encoded(&end), encoded(&signature))
}

/// A client of the tests' own, for the back door.
pub(crate) fn client(port: u16) -> BlobContainerClient {
    let url = format!("{}/{CONTAINER}?{}", endpoint(port), sas("racwdl", true));
    BlobContainerClient::new(url.parse().expect("an address"), None, None).expect("a client")
}

async fn listed(client: &BlobContainerClient, prefix: &str, staged: bool) -> Vec<BlobItem> {
    let include = staged.then(|| vec![ListBlobsIncludeItem::UncommittedBlobs]);
    let options = BlobContainerClientListBlobsOptions {
        include,
        prefix: Some(prefix.to_owned()),
        ..BlobContainerClientListBlobsOptions::default()
    };
    client.list_blobs(Some(options)).expect("a listing").try_collect().await.expect("list")
}

/// Every blob below a prefix.
pub(crate) async fn blobs(client: &BlobContainerClient, prefix: &str) -> BTreeMap<String, Bytes> {
    let mut blobs = BTreeMap::new();
    for item in listed(client, prefix, false).await {
        let name = item.name.expect("a name");
        let body = client.blob_client(&name).download(None).await.expect("get").body;
        let path = name.strip_prefix(prefix).expect("below the prefix").to_owned();
        blobs.insert(path, body.collect().await.expect("content"));
    }
    blobs
}

/// Puts a blob of somebody else's, or another content in the place of one.
pub(crate) async fn put(client: &BlobContainerClient, name: &str, content: &[u8]) {
    client.blob_client(name).upload(Bytes::copy_from_slice(content).into(), None).await.expect("put");
}

/// Blocks below a prefix that wait to be committed: the blob's name, and how many bytes each holds.
pub(crate) async fn waiting(client: &BlobContainerClient, prefix: &str) -> Vec<(String, i64)> {
    let mut blocks = Vec::new();
    for item in listed(client, prefix, true).await {
        let name = item.name.expect("a name");
        let blob = client.blob_client(&name).block_blob_client();
        let list = blob.get_block_list(BlockListType::Uncommitted, None).await.expect("blocks");
        let list = list.into_model().expect("a list").uncommitted_blocks.unwrap_or_default();
        blocks.extend(list.into_iter().map(|block| (name.clone(), block.size.expect("a size"))));
    }
    blocks
}

/// Names of blobs below a prefix for which content waits to be committed. A block of one byte holds none.
pub(crate) async fn unfinished(client: &BlobContainerClient, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> =
        waiting(client, prefix).await.into_iter().filter(|(_, bytes)| *bytes > 1).map(|(name, _)| name).collect();
    names.dedup();
    names
}
