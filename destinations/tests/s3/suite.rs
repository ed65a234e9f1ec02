//! The suite that every destination passes, on SeaweedFS; what the server can't be made to do, a proxy in front of
//! it does.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use herald_destinations::{
    conformance::{Arranged, Canary, Harness, OCCUPIED, Outcome, Poison, Row, Trouble, Whole, rows_of_objects},
    contract::{Config, Destination, ErrorKind, RetryPolicy},
    kind,
    s3::{Deadlines, S3Config},
};
use serde_json::{Value, json};

use super::{fresh_prefix, options, with};
use crate::support::{
    proxy::{Rule, Spoil, answer, proxy},
    seaweed::{self, BUCKET, KEY, SECRET, client, objects, open_uploads},
};

struct S3Harness {
    port: u16,
    prefix: String,
    client: Client,
}

impl S3Harness {
    fn config(&self, changes: Value) -> S3Config {
        S3Config::parse(with(options(self.port, &self.prefix), changes)).expect("options")
    }

    async fn connected(&self, changes: Value) -> Arc<dyn Destination> {
        self.config(changes).connect(RetryPolicy::default().into()).await.expect("connect")
    }

    /// The same target behind a proxy that spoils some requests.
    async fn behind(&self, method: &'static str, target: &'static str, spoil: Spoil, times: u32) -> Value {
        let (port, _) = proxy(self.port, Rule { method, target, spoil, times }).await;
        json!({ "endpoint": format!("http://127.0.0.1:{port}") })
    }
}

/// A request that completes an upload, not one that begins one: the first has a value, the second has `uploads`.
const COMPLETE: (&str, &str) = ("POST ", "uploadId=");
const BEGIN: (&str, &str) = ("POST ", "uploads");
const PART: (&str, &str) = ("PUT ", "partNumber=");

#[async_trait]
impl Harness for S3Harness {
    async fn fresh() -> Self {
        let port = seaweed::port().await;
        Self { port, prefix: fresh_prefix(), client: client(port) }
    }

    async fn destination(&self) -> Arc<dyn Destination> {
        let options = options(self.port, &self.prefix);
        let config = kind("s3").expect("the kind").parse(options, ".".as_ref()).expect("options");
        config.connect(RetryPolicy::default().into()).await.expect("connect")
    }

    async fn visible(&self) -> Vec<Row> {
        rows_of_objects(&objects(&self.client, &self.prefix).await)
    }

    fn reads_json(&self) -> bool {
        false
    }

    async fn residue(&self) -> Vec<String> {
        open_uploads(&self.client, &self.prefix).await
    }

    async fn damage(&self, path: &str) -> bool {
        let key = format!("{}{path}", self.prefix);
        let found = self.client.get_object().bucket(BUCKET).key(&key).send().await.expect("get");
        let mut content = found.body.collect().await.expect("content").to_vec();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        let put = self.client.put_object().bucket(BUCKET).key(&key).body(content.into());
        put.send().await.expect("a changed part");
        true
    }

    async fn arrange(&self, trouble: Trouble) -> Arranged {
        let none = Duration::ZERO;
        let (destination, outcome, at_least, means) = match trouble {
            Trouble::WrongCredentials => (
                self.connected(json!({ "secret_access_key": "not-the-secret" })).await,
                Outcome::Fails(ErrorKind::Unauthorized),
                none,
                "a secret that does not fit its key",
            ),
            Trouble::MissingTarget => (
                self.connected(json!({ "bucket": "no-such-bucket" })).await,
                Outcome::Fails(ErrorKind::Missing),
                none,
                "a bucket that nobody made",
            ),
            Trouble::FullTarget => {
                let full = answer("507 Insufficient Storage", "", "InsufficientStorage");
                let changes = self.behind(PART.0, PART.1, full, u32::MAX).await;
                let means = "parts are refused for want of space, by a proxy: the server's disk can't be filled";
                (self.connected(changes).await, Outcome::Fails(ErrorKind::Full), none, means)
            }
            Trouble::Occupied => {
                let key = format!("{}{OCCUPIED}", self.prefix);
                let theirs = Bytes::from_static(b"not of this publish");
                self.client.put_object().bucket(BUCKET).key(key).body(theirs.into()).send().await.expect("put");
                let means = "an object has the name of the first part";
                (self.connected(json!({})).await, Outcome::Fails(ErrorKind::Conflict), none, means)
            }
            Trouble::Throttled => {
                let slow = answer("503 Slow Down", "Retry-After: 1\r\n", "SlowDown");
                let changes = self.behind(PART.0, PART.1, slow, 2).await;
                let means = "two parts are answered by SlowDown and a pause of a second";
                (self.connected(changes).await, Outcome::Passes, Duration::from_secs(2), means)
            }
            Trouble::ServerError => {
                let broken = answer("500 Internal Server Error", "", "InternalError");
                let changes = self.behind(BEGIN.0, BEGIN.1, broken, 2).await;
                (self.connected(changes).await, Outcome::Passes, none, "uploads can't be begun, twice")
            }
            Trouble::CutConnection => {
                let changes = self.behind(PART.0, PART.1, Spoil::Cut, 2).await;
                (self.connected(changes).await, Outcome::Passes, none, "the connection is cut while a part is sent")
            }
            Trouble::AnswerLost => {
                let changes = self.behind(COMPLETE.0, COMPLETE.1, Spoil::LoseAnswer, 1).await;
                (self.connected(changes).await, Outcome::Passes, none, "an upload is completed, the answer lost")
            }
            Trouble::Deadline => {
                let changes = self.behind(PART.0, PART.1, Spoil::Hang(Duration::from_secs(60)), 1).await;
                let deadlines = Deadlines { request: Duration::from_secs(4), ..Deadlines::default() };
                let config = self.config(changes).with_deadlines(deadlines);
                let destination = config.connect(RetryPolicy::ONCE.into()).await.expect("connect");
                let means = "a part is not answered before the deadline, and the destination may not repeat it";
                (destination, Outcome::PassesOnRepeat(ErrorKind::TimedOut), Duration::from_secs(4), means)
            }
            Trouble::RightsWithdrawn => {
                let denied = answer("403 Forbidden", "", "AccessDenied");
                let changes = self.behind(COMPLETE.0, COMPLETE.1, denied, u32::MAX).await;
                let means = "parts are taken, but uploads may no longer be completed, says a proxy";
                (self.connected(changes).await, Outcome::Fails(ErrorKind::Unauthorized), none, means)
            }
            Trouble::SlowServer => {
                let changes = self.behind("", "", Spoil::Delay(Duration::from_millis(200)), u32::MAX).await;
                let means = "every request waits for a fifth of a second";
                (self.connected(changes).await, Outcome::Passes, Duration::from_millis(600), means)
            }
            Trouble::WrongClock => {
                let skewed = answer("403 Forbidden", "", "RequestTimeTooSkewed");
                let changes = self.behind("", "", skewed, u32::MAX).await;
                let means = "every request is too old or too new, says a proxy: this server does not mind";
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
        let options = with(options(self.port, &self.prefix), json!({ "session_token": "canary-session-token" }));
        let config = kind("s3").expect("the kind").parse(options, ".".as_ref()).expect("options");
        let secrets = [KEY, SECRET, "canary-session-token", "not-the-secret"];
        Canary { config, secrets: secrets.map(str::to_owned).to_vec() }
    }
}

herald_destinations::conformance_suite!(conformance, S3Harness);
