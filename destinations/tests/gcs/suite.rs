//! The suite that every destination passes, on the strict server; what the server can't be made to do, a proxy in
//! front of it does.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use herald_destinations::{
    conformance::{Arranged, Canary, Harness, OCCUPIED, Outcome, Poison, Row, Trouble, Whole, rows_of_objects},
    contract::{Config, Destination, ErrorKind, RetryPolicy},
    gcs::Deadlines,
    kind,
};
use serde_json::{Value, json};

use super::{
    PREFIX, Place, at, no,
    server::{WRITER, stolen_key_file},
    with,
};
use crate::support::proxy::{Rule, Spoil, proxy};

/// A chunk of an upload.
const CHUNK: (&str, &str) = ("PUT ", "upload_id=");
const BEGIN: (&str, &str) = ("POST ", "uploadType=resumable");
const REWRITE: (&str, &str) = ("POST ", "/rewriteTo/");

impl Place {
    async fn connected(&self, changes: Value) -> Arc<dyn Destination> {
        self.config(changes).connect(RetryPolicy::default().into()).await.expect("connect")
    }

    /// The same target behind a proxy that spoils some requests.
    async fn behind(&self, (method, target): (&'static str, &'static str), spoil: Spoil, times: u32) -> Value {
        let (port, _) = proxy(self.server.port, Rule { method, target, spoil, times }).await;
        at(port)
    }

    fn parsed(&self) -> Box<dyn Config> {
        kind("gcs").expect("the kind").parse(self.options(), self.folder.path()).expect("options")
    }
}

#[async_trait]
impl Harness for Place {
    async fn fresh() -> Self {
        Self::new()
    }

    async fn destination(&self) -> Arc<dyn Destination> {
        self.parsed().connect(RetryPolicy::default().into()).await.expect("connect")
    }

    async fn visible(&self) -> Vec<Row> {
        rows_of_objects(&self.server.below(PREFIX))
    }

    fn reads_json(&self) -> bool {
        false
    }

    async fn residue(&self) -> Vec<String> {
        // Whatever stands beside the prefix is not meant for readers.
        self.server.objects().into_keys().filter(|name| !name.starts_with(PREFIX)).collect()
    }

    async fn damage(&self, path: &str) -> bool {
        let name = format!("{PREFIX}{path}");
        let mut content = self.server.objects()[&name].bytes.to_vec();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        self.server.write(&name, content);
        true
    }

    async fn arrange(&self, trouble: Trouble) -> Arranged {
        let none = Duration::ZERO;
        let (destination, outcome, at_least, means) = match trouble {
            Trouble::WrongCredentials => {
                stolen_key_file(&self.folder.path().join("stolen.json"), WRITER);
                let destination = self.connected(json!({ "service_account": "stolen.json" })).await;
                (destination, Outcome::Fails(ErrorKind::Unauthorized), none, "a key that is not the account's")
            }
            Trouble::MissingTarget => {
                let destination = self.connected(json!({ "bucket": "no-such-bucket" })).await;
                (destination, Outcome::Fails(ErrorKind::Missing), none, "a bucket that nobody made")
            }
            Trouble::FullTarget => {
                let changes = self.behind(CHUNK, no("403 Forbidden", "", "quotaExceeded"), u32::MAX).await;
                let means = "chunks are refused for want of quota, by a proxy: the server has no end";
                (self.connected(changes).await, Outcome::Fails(ErrorKind::Full), none, means)
            }
            Trouble::Occupied => {
                self.server.write(&format!("{PREFIX}{OCCUPIED}"), "not of this publish");
                let means = "an object has the name of the first part";
                (self.connected(json!({})).await, Outcome::Fails(ErrorKind::Conflict), none, means)
            }
            Trouble::Throttled => {
                let slow = no("429 Too Many Requests", "Retry-After: 1\r\n", "rateLimitExceeded");
                let changes = self.behind(CHUNK, slow, 2).await;
                let means = "two chunks are answered by 429 and a pause of a second";
                (self.connected(changes).await, Outcome::Passes, Duration::from_secs(2), means)
            }
            Trouble::ServerError => {
                let changes = self.behind(BEGIN, no("503 Service Unavailable", "", "backendError"), 2).await;
                (self.connected(changes).await, Outcome::Passes, none, "uploads can't be begun, twice")
            }
            Trouble::CutConnection => {
                let changes = self.behind(CHUNK, Spoil::Cut, 2).await;
                (self.connected(changes).await, Outcome::Passes, none, "the connection is cut while a chunk is sent")
            }
            Trouble::AnswerLost => {
                let changes = self.behind(REWRITE, Spoil::LoseAnswer, 1).await;
                (self.connected(changes).await, Outcome::Passes, none, "an object is rewritten, the answer lost")
            }
            Trouble::Deadline => {
                let changes = self.behind(CHUNK, Spoil::Hang(Duration::from_secs(60)), 1).await;
                let deadlines = Deadlines { request: Duration::from_secs(2), ..Deadlines::default() };
                let config = self.config(changes).with_deadlines(deadlines);
                let destination = config.connect(RetryPolicy::ONCE.into()).await.expect("connect");
                let means = "a chunk is not answered before the deadline, and the destination may not repeat it";
                (destination, Outcome::PassesOnRepeat(ErrorKind::TimedOut), Duration::from_secs(2), means)
            }
            Trouble::RightsWithdrawn => {
                let changes = self.behind(REWRITE, no("403 Forbidden", "", "forbidden"), u32::MAX).await;
                let means = "objects are taken, but may no longer be rewritten, says a proxy";
                (self.connected(changes).await, Outcome::Fails(ErrorKind::Unauthorized), none, means)
            }
            Trouble::SlowServer => {
                let slow = Spoil::Delay(Duration::from_millis(200));
                let changes = self.behind(("", ""), slow, u32::MAX).await;
                let means = "every request waits for a fifth of a second";
                (self.connected(changes).await, Outcome::Passes, Duration::from_millis(600), means)
            }
            Trouble::WrongClock => {
                let changes = self.behind(("", ""), no("401 Unauthorized", "", "authError"), u32::MAX).await;
                let means =
                    "what the key signs is an hour old to the server, says a proxy, which refuses every request";
                (self.connected(changes).await, Outcome::Fails(ErrorKind::Unauthorized), none, means)
            }
        };
        Arranged { destination, outcome, at_least, means }
    }

    fn poison(&self) -> Poison {
        Poison::None { why: "a file takes any record of its columns" }
    }

    async fn refuse_whole(&self, _: usize) -> Whole {
        Whole::Never { why: "a file takes any record of its columns" }
    }

    fn canary(&self) -> Canary {
        // Addresses of uploads and tokens are as good as keys while they last.
        let secrets = [self.secret.as_str(), "canary-upload", "Bearer", "eyJ"];
        let options = with(self.options(), json!({ "prefix": "elsewhere/" }));
        let config = kind("gcs").expect("the kind").parse(options, self.folder.path()).expect("options");
        Canary { config, secrets: secrets.map(str::to_owned).to_vec() }
    }
}

herald_destinations::conformance_suite!(conformance, Place);
