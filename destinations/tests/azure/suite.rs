//! The suite that every destination passes, on Azurite; what the server can't be made to do, a proxy in front of it
//! does.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_storage_blob::BlobContainerClient;
use herald_destinations::{
    azure_blob::Deadlines,
    conformance::{Arranged, Canary, Harness, OCCUPIED, Outcome, Poison, Row, Trouble, Whole, rows_of_objects},
    contract::{Config, Destination, ErrorKind, RetryPolicy},
    kind,
};
use serde_json::{Value, json};

use super::{
    azurite::{self, KEY, blobs, client, endpoint, put, sas, unfinished},
    config, fresh_prefix, options, signed, too_old, with,
};
use crate::support::proxy::{Rule, Spoil, answer, proxy};

struct AzureHarness {
    port: u16,
    prefix: String,
    client: BlobContainerClient,
}

/// Of another account, as far as the server is concerned.
const WRONG_KEY: &str = "bm90LXRoZS1rZXktb2YtdGhlLWFjY291bnQ=";

const BLOCK: (&str, &str) = ("PUT ", "blockid=");
const COMMIT: (&str, &str) = ("PUT ", "comp=blocklist");

impl AzureHarness {
    async fn connected(options: Value) -> Arc<dyn Destination> {
        config(options).connect(RetryPolicy::default().into()).await.expect("connect")
    }

    fn options(&self, changes: Value) -> Value {
        with(options(self.port, &self.prefix), changes)
    }

    /// The same target behind a proxy that spoils some requests.
    async fn behind(&self, (method, target): (&'static str, &'static str), spoil: Spoil, times: u32) -> Value {
        let (port, _) = proxy(self.port, Rule { method, target, spoil, times }).await;
        self.options(json!({ "endpoint": endpoint(port) }))
    }
}

#[async_trait]
impl Harness for AzureHarness {
    async fn fresh() -> Self {
        let port = azurite::port().await;
        Self { port, prefix: fresh_prefix(), client: client(port) }
    }

    async fn destination(&self) -> Arc<dyn Destination> {
        let options = options(self.port, &self.prefix);
        let config = kind("azure_blob").expect("the kind").parse(options, ".".as_ref()).expect("options");
        config.connect(RetryPolicy::default().into()).await.expect("connect")
    }

    async fn visible(&self) -> Vec<Row> {
        rows_of_objects(&blobs(&self.client, &self.prefix).await)
    }

    fn reads_json(&self) -> bool {
        false
    }

    /// Content that waits to be committed. The names of blobs whose blocks were emptied stay until the service drops them.
    async fn residue(&self) -> Vec<String> {
        unfinished(&self.client, &self.prefix).await
    }

    async fn damage(&self, path: &str) -> bool {
        let name = format!("{}{path}", self.prefix);
        let found = self.client.blob_client(&name).download(None).await.expect("get");
        let mut content = found.body.collect().await.expect("content").to_vec();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        put(&self.client, &name, &content).await;
        true
    }

    async fn arrange(&self, trouble: Trouble) -> Arranged {
        let none = Duration::ZERO;
        let (options, outcome, at_least, means) = match trouble {
            Trouble::WrongCredentials => (
                self.options(json!({ "account_key": WRONG_KEY })),
                Outcome::Fails(ErrorKind::Unauthorized),
                none,
                "a key of another account",
            ),
            Trouble::MissingTarget => (
                self.options(json!({ "container": "no-such-container" })),
                Outcome::Fails(ErrorKind::Missing),
                none,
                "a container that nobody made",
            ),
            Trouble::FullTarget => {
                let full = answer("507 Insufficient Storage", "", "InsufficientStorage");
                let means = "blocks are refused for want of space, by a proxy: the server's memory can't be filled";
                let options = self.behind(BLOCK, full, u32::MAX).await;
                (options, Outcome::Fails(ErrorKind::Full), none, means)
            }
            Trouble::Occupied => {
                put(&self.client, &format!("{}{OCCUPIED}", self.prefix), b"not of this publish").await;
                let means = "a blob has the name of the first part";
                (self.options(json!({})), Outcome::Fails(ErrorKind::Conflict), none, means)
            }
            Trouble::Throttled => {
                let slow = answer("503 Server Busy", "Retry-After: 1\r\n", "ServerBusy");
                let means = "two blocks are answered by ServerBusy and a pause of a second";
                (self.behind(BLOCK, slow, 2).await, Outcome::Passes, Duration::from_secs(2), means)
            }
            Trouble::ServerError => {
                let broken = answer("500 Internal Server Error", "", "InternalError");
                (self.behind(COMMIT, broken, 2).await, Outcome::Passes, none, "blocks can't be committed, twice")
            }
            Trouble::CutConnection => {
                // With a signature in the address, which errors of the connection like to show.
                let (port, _) =
                    proxy(self.port, Rule { method: BLOCK.0, target: BLOCK.1, spoil: Spoil::Cut, times: 2 }).await;
                let means = "the connection is cut while a block is sent";
                (signed(port, &self.prefix, &sas("racwdl", true)), Outcome::Passes, none, means)
            }
            Trouble::AnswerLost => {
                let means = "the blocks are committed, the answer lost";
                (self.behind(COMMIT, Spoil::LoseAnswer, 1).await, Outcome::Passes, none, means)
            }
            Trouble::Deadline => {
                let options = self.behind(BLOCK, Spoil::Hang(Duration::from_secs(60)), 1).await;
                let deadlines = Deadlines { request: Duration::from_secs(4), ..Deadlines::default() };
                let config = config(options).with_deadlines(deadlines);
                let destination = config.connect(RetryPolicy::ONCE.into()).await.expect("connect");
                let means = "a block is not answered before the deadline, and the destination may not repeat it";
                let outcome = Outcome::PassesOnRepeat(ErrorKind::TimedOut);
                return Arranged { destination, outcome, at_least: Duration::from_secs(4), means };
            }
            Trouble::RightsWithdrawn => {
                let denied = answer("403 Forbidden", "", "AuthorizationPermissionMismatch");
                let means = "blocks are taken, but may no longer be committed, says a proxy";
                let options = self.behind(COMMIT, denied, u32::MAX).await;
                (options, Outcome::Fails(ErrorKind::Unauthorized), none, means)
            }
            Trouble::SlowServer => {
                let options = self.behind(("", ""), Spoil::Delay(Duration::from_millis(200)), u32::MAX).await;
                let means = "every request waits for a fifth of a second";
                (options, Outcome::Passes, Duration::from_millis(600), means)
            }
            Trouble::WrongClock => {
                let options = self.behind(("", ""), too_old(), u32::MAX).await;
                let means = "every request is too old, says a proxy: this server does not mind";
                (options, Outcome::Fails(ErrorKind::Unauthorized), none, means)
            }
        };
        Arranged { destination: Self::connected(options).await, outcome, at_least, means }
    }

    fn poison(&self) -> Poison {
        Poison::None { why: "a file takes any record of its columns" }
    }

    async fn refuse_whole(&self, _: usize) -> Whole {
        Whole::Never { why: "a file takes any record of its columns" }
    }

    fn canary(&self) -> Canary {
        let sas = sas("racwdl", true);
        let signature = sas.split_once("&sig=").expect("a signature").1.to_owned();
        let options = signed(self.port, &self.prefix, &sas);
        let config = kind("azure_blob").expect("the kind").parse(options, ".".as_ref()).expect("options");
        let secrets = vec![KEY.to_owned(), WRONG_KEY.to_owned(), "&sig=".to_owned(), signature, sas];
        Canary { config, secrets }
    }
}

herald_destinations::conformance_suite!(conformance, AzureHarness);
