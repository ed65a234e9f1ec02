//! Tells people, by webhook, Slack or PagerDuty, what went wrong with publishes and when it is over.
//!
//! ```text
//! receipts, standings, reloads ─▶ judge ─▶ message ─▶ one queue an alert ─▶ post
//!                                 what is   what it    bounded               retried
//!                                 the case  looks like
//! ```

mod judge;
mod memory;
mod message;
mod post;

use std::{collections::HashMap, path::PathBuf, time::Duration};

use chrono::Utc;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::{judge::Judge, post::Posts};
use crate::{
    config::{Alert, Config},
    control::Control,
    fleet,
    publish::{Event, Observer, Receipt, Status},
    state,
    telemetry::Metrics,
};

/// Receipts that may wait to be judged.
const RECEIPTS: usize = 4_096;
/// Between two looks at how activations stand.
const LOOK: Duration = Duration::from_secs(2);
/// What the last alerts of a stopping service get to arrive.
const GRACE: Duration = Duration::from_secs(5);
/// What is firing, and who was told: below `service.data_dir`.
const MEMORY: &str = "alerts.json";

/// The alerts of a running service.
#[derive(Debug)]
pub struct Alerts {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Begins to watch over all publishes of the service. The alerts of the config that is in force get what they ask for.
pub fn start(control: &Control, metrics: &Metrics) -> Alerts {
    let (sender, receipts) = mpsc::channel(RECEIPTS);
    let publisher = control.publisher();
    publisher.state().observers().add(std::sync::Arc::new(Noting { sender, metrics: metrics.clone() }));
    let memory = publisher.config().service.data_dir.join(MEMORY);
    let stop = CancellationToken::new();
    let watch = Watch {
        control: control.clone(),
        others: None,
        posts: Posts::new(metrics.clone()),
        memory,
        judge: Judge::default(),
    };
    let task = tokio::spawn(watch.run(receipts, stop.clone()));
    Alerts { stop, task }
}

impl Alerts {
    /// Ends it, once no publish runs any more: what is known by now is posted, if that takes no longer than seconds.
    pub async fn end(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

/// Passes on what ended.
#[derive(Debug)]
struct Noting {
    sender: mpsc::Sender<Box<Receipt>>,
    metrics: Metrics,
}

impl Observer for Noting {
    fn notice(&self, event: &Event<'_>) {
        let Event::Receipt(receipt) = event else { return };
        if matches!(receipt.status, Status::Queued | Status::Running | Status::Cancelled) {
            return;
        }
        let told = Receipt { files: Vec::new(), extras: Vec::new(), ..(*receipt).clone() };
        if self.sender.try_send(Box::new(told)).is_err() {
            tracing::warn!(publish = %receipt.id, "too many publishes wait to be judged: none is alerted of this one");
            self.metrics.alert("any", "dropped");
        }
    }
}

struct Watch {
    control: Control,
    /// Sees what commands publish beside the service.
    others: Option<state::Watch>,
    posts: Posts,
    memory: PathBuf,
    judge: Judge,
}

impl Watch {
    async fn run(mut self, mut receipts: mpsc::Receiver<Box<Receipt>>, stop: CancellationToken) {
        self.judge = Judge::remembering(memory::read(&self.memory));
        match self.control.publisher().state().watch().await {
            Ok(watch) => self.others = Some(watch),
            Err(error) => tracing::warn!(%error, "alerts do not see what commands publish beside the service"),
        }
        self.look(true).await;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(receipt) = receipts.recv() => {
                    self.judge.ended(&receipt);
                    self.tell();
                }
                () = tokio::time::sleep(LOOK) => self.look(false).await,
            }
        }
        while let Ok(receipt) = receipts.try_recv() {
            self.judge.ended(&receipt);
            self.tell();
        }
        self.posts.end(GRACE).await;
    }

    /// How activations stand now. The first look sees their last publishes too, which nobody told of.
    async fn look(&mut self, first: bool) {
        let publisher = self.control.publisher();
        match fleet::all(publisher.config(), publisher.state()).await {
            Ok(standings) => {
                if first {
                    standings
                        .iter()
                        .filter_map(|standing| standing.last.as_ref())
                        .for_each(|last| self.judge.ended(last));
                }
                self.judge.stand(&standings, Utc::now());
            }
            Err(error) => tracing::warn!(%error, "alerts could not see how activations stand"),
        }
        if let Some(others) = &mut self.others {
            // Those of the service itself are among them: judged again in their order, they change nothing.
            match others.news().await {
                Ok(news) => news.receipts.iter().for_each(|receipt| self.judge.ended(receipt)),
                Err(error) => tracing::warn!(%error, "alerts could not see what else was published"),
            }
        }
        let refused = self.control.reloads().borrow().last_refused;
        self.judge.reloads(refused, Utc::now());
        self.tell();
    }

    /// Queues what is due now, and puts on record that it was.
    fn tell(&mut self) {
        let publisher = self.control.publisher();
        let config: &Config = publisher.config();
        let alerts: HashMap<String, &Alert> = config.service.alerts.iter().map(|alert| (id(alert), alert)).collect();
        let due = self.judge.due(alerts.iter().map(|(id, alert)| (id.as_str(), alert.when.as_slice())), Utc::now());
        for (alert, notice) in &due {
            if let Some(configured) = alerts.get(alert) {
                self.posts.post(
                    alert,
                    configured,
                    message::body(configured, notice, config.service.http.url.as_deref()),
                );
            }
        }
        if self.judge.changed()
            && let Err(error) = memory::write(&self.memory, &self.judge.memory())
        {
            tracing::warn!(%error, "what is alerted of could not be put on record: a restart may tell it again");
        }
    }
}

/// Tells alerts apart, across reloads and restarts, without showing their secrets.
fn id(alert: &Alert) -> String {
    let mut digest = Sha256::new();
    digest.update(alert.format.as_str());
    digest.update([0]);
    digest.update(alert.url.expose_secret());
    digest.update([0]);
    digest.update(alert.key.as_ref().map_or("", |key| key.expose_secret()));
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
