//! Posting: one queue and one worker an alert, so that a receiver that is down holds up nobody else.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use herald_destinations::contract::{Error, ErrorKind, Retries, RetryPolicy};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Alert, AlertFormat},
    telemetry::Metrics,
};

/// Messages that may wait for one receiver.
const QUEUE: usize = 256;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);
/// A receiver that is down so long misses a message.
const POLICY: RetryPolicy = RetryPolicy { attempts: 100, max_elapsed: Duration::from_secs(3_600) };
/// No pause that a receiver asks for counts as longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// All receivers.
pub(super) struct Posts {
    metrics: Metrics,
    queues: HashMap<String, mpsc::Sender<Value>>,
    workers: JoinSet<()>,
    cancel: CancellationToken,
}

impl Posts {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, queues: HashMap::new(), workers: JoinSet::new(), cancel: CancellationToken::new() }
    }

    /// Queues a message for an alert. Never waits: where too many wait already, it is dropped.
    pub(super) fn post(&mut self, id: &str, alert: &Alert, body: Value) {
        while self.workers.try_join_next().is_some() {}
        let queue = self.queues.entry(id.to_owned()).or_insert_with(|| {
            let (sender, messages) = mpsc::channel(QUEUE);
            let worker = Worker {
                format: alert.format,
                url: alert.url.clone(),
                metrics: self.metrics.clone(),
                cancel: self.cancel.clone(),
            };
            self.workers.spawn(worker.run(messages));
            sender
        });
        if queue.try_send(body).is_err() {
            let format = alert.format.as_str();
            tracing::warn!(format, "too many messages wait for this alert: one is dropped");
            self.metrics.alert(format, "dropped");
        }
    }

    /// Gives what is queued so long to arrive.
    pub(super) async fn end(mut self, grace: Duration) {
        self.queues.clear();
        let all = async { while self.workers.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            self.cancel.cancel();
            while self.workers.join_next().await.is_some() {}
        }
    }
}

struct Worker {
    format: AlertFormat,
    url: SecretString,
    metrics: Metrics,
    cancel: CancellationToken,
}

impl Worker {
    async fn run(self, mut messages: mpsc::Receiver<Value>) {
        let format = self.format.as_str();
        let client = reqwest::Client::builder()
            .user_agent(concat!("herald/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build();
        while let Some(message) = messages.recv().await {
            let sent = match &client {
                Ok(client) => {
                    let body = message.to_string();
                    Retries::from(POLICY).run(&self.cancel, || self.send(client, body.clone())).await
                }
                Err(_) => Err(Error::new(ErrorKind::Internal, "make an HTTP client")),
            };
            match sent {
                Ok(()) => self.metrics.alert(format, "sent"),
                Err(error) => {
                    tracing::warn!(format, %error, "an alert could not be posted");
                    self.metrics.alert(format, "failed");
                }
            }
        }
    }

    /// One try. Errors don't say where: the URL is a secret.
    async fn send(&self, client: &reqwest::Client, body: String) -> Result<(), Error> {
        let wrong = |kind| Error::new(kind, "post an alert").with("format", self.format.as_str());
        let request = client.post(self.url.expose_secret()).header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(|error| {
            wrong(if error.is_timeout() {
                ErrorKind::TimedOut
            } else if error.is_builder() {
                ErrorKind::Refused
            } else {
                ErrorKind::Unreachable
            })
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let kind = match status.as_u16() {
            401 | 403 => ErrorKind::Unauthorized,
            404 | 410 => ErrorKind::Missing,
            408 => ErrorKind::TimedOut,
            425 => ErrorKind::Unavailable,
            429 => ErrorKind::Throttled,
            501 | 505 => ErrorKind::Refused,
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(pause);
        Err(wrong(kind).with("status", status.as_u16()).after(asked))
    }
}

/// The pause of a `Retry-After` header: seconds, or a date as HTTP writes it.
fn pause(header: &str) -> Option<Duration> {
    let asked = match header.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = DateTime::parse_from_rfc2822(header.trim()).ok()?;
            (date.with_timezone(&Utc) - Utc::now()).to_std().unwrap_or_default()
        }
    };
    Some(asked.min(LONGEST_PAUSE))
}
