//! The whole way on fake-gcs-server, which others wrote: an emulator on a port, without credentials.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use herald_destinations::{
    conformance::{batch, context, rows_of_batch, rows_of_objects},
    contract::{Account, Config, Depth, Destination, ErrorKind, Mode, Op, PartState, RetryPolicy},
    files::Store,
    gcs::GcsConfig,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{config, content, object, read, server::BUCKET, staged};
use crate::support::fake_gcs;

struct Emulator {
    port: u16,
    prefix: String,
}

impl Emulator {
    async fn new() -> Self {
        let port = fake_gcs::port().await;
        let bucket = reqwest::Client::new()
            .post(format!("http://127.0.0.1:{port}/storage/v1/b?project=herald"))
            .header("content-type", "application/json")
            .body(json!({ "name": BUCKET }).to_string());
        // Another test may have made it.
        assert!(matches!(bucket.send().await.unwrap().status().as_u16(), 200 | 409), "no bucket");
        Self { port, prefix: format!("{}/", Uuid::now_v7()) }
    }

    fn config(&self) -> GcsConfig {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let options = json!({ "bucket": BUCKET, "prefix": self.prefix, "anonymous": true, "endpoint": endpoint });
        config(options, ".".as_ref())
    }

    async fn connect(&self) -> Arc<dyn Destination> {
        self.config().connect(RetryPolicy::default().into()).await.unwrap()
    }

    /// The objects below a prefix of the bucket, read by a client of the tests' own.
    async fn objects(&self, prefix: &str) -> BTreeMap<String, Bytes> {
        let base = format!("http://127.0.0.1:{}/storage/v1/b/{BUCKET}/o", self.port);
        let get =
            async |url: String| reqwest::get(url).await.unwrap().error_for_status().unwrap().bytes().await.unwrap();
        let listed: Value = serde_json::from_slice(&get(format!("{base}?prefix={prefix}")).await).unwrap();
        let mut objects = BTreeMap::new();
        for item in listed["items"].as_array().into_iter().flatten() {
            let name = item["name"].as_str().unwrap();
            let bytes = get(format!("{base}/{}?alt=media", name.replace('/', "%2F"))).await;
            objects.insert(name.strip_prefix(prefix).unwrap().to_owned(), bytes);
        }
        objects
    }

    async fn temporaries(&self) -> usize {
        self.objects(&format!("{}.herald/", self.prefix.trim_end_matches('/'))).await.len()
    }
}

#[tokio::test]
async fn a_publish_goes_all_the_way_and_its_rows_come_back() {
    let place = Emulator::new().await;
    let destination = place.connect().await;
    destination.probe().await.unwrap();
    let mut context = context(Mode::Full);
    context.files.max_rows = 300;
    let rows = batch(Op::Add, 0, 1_000);
    let mut publication = destination.begin(&context).await.unwrap();
    publication.write(rows.clone()).await.unwrap();
    let account = Account { resolved: 1_000, added: 1_000, delivered: 1_000, ..Account::default() };
    let ticket = publication.seal(account).await.unwrap();
    assert!(place.objects(&place.prefix).await.is_empty(), "nothing is visible before commit");
    assert_eq!(place.temporaries().await, 4);

    let delivered = place.connect().await.commit(&ticket).await.unwrap();
    assert_eq!(place.connect().await.commit(&ticket).await.unwrap(), delivered);
    assert_eq!(rows_of_objects(&place.objects(&place.prefix).await), rows_of_batch(&rows));
    assert_eq!(place.temporaries().await, 0);
    assert_eq!(delivered.files.len(), 4);
    assert!(delivered.files.iter().all(|file| file.checksum.as_ref().unwrap().starts_with("crc32c:")));
    for depth in [Depth::Quick, Depth::Whole] {
        let parts = destination.verify(&delivered.files, &delivered.extras, depth).await.unwrap();
        assert!(parts.iter().all(|part| part.state == PartState::Ok), "{parts:?}");
    }
    assert_eq!(destination.manifests(&context).await.unwrap().len(), 1);
    let paths: Vec<String> = delivered.files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(destination.remove(&paths).await.unwrap(), paths);
    assert_eq!(place.objects(&place.prefix).await.len(), 1, "the manifest is left");
}

#[tokio::test]
async fn a_publish_given_up_leaves_nothing() {
    let place = Emulator::new().await;
    let destination = place.connect().await;
    let context = context(Mode::Full);
    let ticket = destination.ticket(&context);
    let mut publication = destination.begin(&context).await.unwrap();
    publication.write(batch(Op::Add, 0, 100)).await.unwrap();
    publication.seal(Account::default()).await.unwrap();
    assert_eq!(place.temporaries().await, 1);
    destination.discard(&ticket).await.unwrap();
    assert_eq!(place.temporaries().await, 0);
    assert!(place.objects(&place.prefix).await.is_empty());
}

#[tokio::test]
async fn an_object_of_several_chunks_passes_through_an_emulator_on_a_port() {
    let place = Emulator::new().await;
    let store = place.config().store(RetryPolicy::ONCE).await.unwrap();
    let content = content((16 << 20) + 77);
    let mut upload = store.stage(&object("a.csv"), &CancellationToken::new()).await.unwrap();
    upload.write(content.clone().into()).await.unwrap();
    let staged = upload.finish().await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert!(read(&store, "a.csv").await == content, "the content differs");
    let empty = super::staged(&store, &object("empty.csv"), b"").await.unwrap();
    store.reveal(&empty).await.unwrap();
    assert_eq!(store.stat("empty.csv").await.unwrap().unwrap().bytes, 0);
}

#[tokio::test]
async fn what_stands_in_the_way_survives_though_the_emulator_overlooks_preconditions() {
    let place = Emulator::new().await;
    let store = place.config().store(RetryPolicy::ONCE).await.unwrap();
    let theirs = staged(&store, &object("a.csv"), b"theirs").await.unwrap();
    store.reveal(&theirs).await.unwrap();
    let ours = staged(&store, &object("a.csv"), b"ours!!").await.unwrap();
    assert_eq!(store.reveal(&ours).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(read(&store, "a.csv").await, b"theirs");
    store.sweep("", ours.object.publish).await.unwrap();
    assert_eq!(place.temporaries().await, 0);
}
