//! SeaweedFS: a real server that checks signatures and checksums.

use std::{collections::BTreeMap, fs, process::Command, sync::OnceLock, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use bytes::Bytes;
use serde_json::json;

use super::{
    free_ports,
    shared::{Facts, Shared, Start, shared},
    tls, tool,
};

/// May do all.
pub(crate) const KEY: &str = "HERALDCANARYKEY01";
/// Its secret.
pub(crate) const SECRET: &str = "herald-canary-secret-7f3a";
/// May only read and list.
pub(crate) const READER: &str = "HERALDREADER00001";
/// Its secret.
pub(crate) const READER_SECRET: &str = "herald-reader-secret";
/// The bucket that all tests share, each below a prefix of its own.
pub(crate) const BUCKET: &str = "partner";

/// The server's port.
pub(crate) async fn port() -> u16 {
    static SERVER: OnceLock<Shared> = OnceLock::new();
    let port = tokio::task::spawn_blocking(|| {
        tls();
        SERVER.get_or_init(|| shared("seaweedfs", start)).facts["port"].parse().expect("a port")
    });
    let port = port.await.expect("the server");
    create_bucket(port).await;
    port
}

fn start(data: &std::path::Path) -> Start {
    let identity = |name: &str, key: &str, secret: &str, actions: &[&str]| json!({ "name": name, "credentials": [{ "accessKey": key, "secretKey": secret }], "actions": actions });
    let all = ["Admin", "Read", "Write", "List", "Tagging"];
    let identities =
        [identity("herald", KEY, SECRET, &all), identity("reader", READER, READER_SECRET, &["Read", "List"])];
    let config = data.join("s3.json");
    fs::write(&config, json!({ "identities": identities }).to_string()).expect("a config");
    let [s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc] = free_ports();
    let mut command = Command::new(tool("weed"));
    command
        .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-master.telemetry=false"])
        .args(["-volume.max=100", "-master.volumeSizeLimitMB=256", "-volume.preStopSeconds=0"])
        // A bucket that is not there must stay so.
        .args(["-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0"])
        .arg(format!("-dir={}", data.display()))
        .arg(format!("-s3.config={}", config.display()));
    let ports = [
        ("s3.port", s3),
        ("s3.port.grpc", s3_grpc),
        ("master.port", master),
        ("master.port.grpc", master_grpc),
        ("volume.port", volume),
        ("volume.port.grpc", volume_grpc),
        ("filer.port", filer),
        ("filer.port.grpc", filer_grpc),
    ];
    command.args(ports.map(|(flag, port)| format!("-{flag}={port}")));
    Start { command, port: s3, facts: Facts::new() }
}

/// A client of the tests' own, for the back door.
pub(crate) fn client(port: u16) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new(KEY, SECRET, None, None, "test"))
        .force_path_style(true)
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .build();
    Client::from_conf(config)
}

/// The gateway answers before the rest of the server does, so the first write may have to wait.
async fn create_bucket(port: u16) {
    let client = client(port);
    for _ in 0..120 {
        if client.head_bucket().bucket(BUCKET).send().await.is_ok() {
            return;
        }
        let _ = client.create_bucket().bucket(BUCKET).send().await;
        let key = format!("ready/{}", std::process::id());
        let written = client.put_object().bucket(BUCKET).key(&key).body(Bytes::from_static(b"x").into()).send().await;
        if written.is_ok() {
            client.delete_object().bucket(BUCKET).key(&key).send().await.expect("delete");
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("SeaweedFS takes no objects");
}

/// Every object below a prefix.
pub(crate) async fn objects(client: &Client, prefix: &str) -> BTreeMap<String, Bytes> {
    let mut objects = BTreeMap::new();
    let listed = client.list_objects_v2().bucket(BUCKET).prefix(prefix).send().await.expect("list");
    assert_ne!(listed.is_truncated(), Some(true), "more objects than a test makes");
    for object in listed.contents() {
        let key = object.key().expect("a key");
        let body = client.get_object().bucket(BUCKET).key(key).send().await.expect("get").body;
        let path = key.strip_prefix(prefix).expect("below the prefix").to_owned();
        objects.insert(path, body.collect().await.expect("content").into_bytes());
    }
    objects
}

/// Keys of every upload below a prefix that was begun and not ended.
pub(crate) async fn open_uploads(client: &Client, prefix: &str) -> Vec<String> {
    let listed = client.list_multipart_uploads().bucket(BUCKET).prefix(prefix).send().await.expect("list uploads");
    listed
        .uploads()
        .iter()
        .filter_map(|upload| upload.key())
        .filter(|key| key.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}
