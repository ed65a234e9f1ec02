//! Who is told when something goes wrong, and when it is over.
//!
//! ```text
//! receipts, standings, reloads ─▶ judge ─▶ notices ─▶ one worker an alert: message ─▶ post, with retries
//!                                 what fires
//! ```
//!
//! Nothing here ever waits for a publish, and no publish for anything here.

mod judge;
mod message;
mod post;

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::Utc;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use self::judge::{Judge, Notice, Turn};
use self::post::Poster;
use crate::{
    config::Alert,
    control::Control,
    fleet,
    publish::{Event, Observer, Receipt, Status},
    telemetry::Metrics,
};

/// Receipts that may wait to be judged.
const WAITING: usize = 4_096;
/// Notices that may wait to be posted to one place.
const POSTS: usize = 256;
/// Between two looks at how activations stand.
const LOOK: Duration = Duration::from_secs(1);
/// What a stopping service gives posts under way.
const PARTING: Duration = Duration::from_secs(3);

/// Passes on receipts that have ended.
#[derive(Debug)]
struct Ended(mpsc::Sender<Box<Receipt>>);

impl Observer for Ended {
    fn notice(&self, event: &Event<'_>) {
        if let Event::Receipt(receipt) = event
            && !matches!(receipt.status, Status::Queued | Status::Running)
            && self.0.try_send(Box::new((*receipt).clone())).is_err()
        {
            tracing::warn!("too many publishes end at once: an alert may be missing");
        }
    }
}

/// Watches the service until `stop`, and posts what its config asks for.
pub fn start(control: Control, metrics: Metrics, stop: CancellationToken) -> JoinHandle<()> {
    let (ended, receipts) = mpsc::channel(WAITING);
    control.publisher().state().observers().add(Arc::new(Ended(ended)));
    let posts = Posts { workers: HashMap::new(), metrics };
    tokio::spawn(watch(control, receipts, posts, stop))
}

async fn watch(
    control: Control,
    mut receipts: mpsc::Receiver<Box<Receipt>>,
    mut posts: Posts,
    stop: CancellationToken,
) {
    let (mut judge, mut reloads) = (Judge::default(), control.reloads());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let notices = tokio::select! {
            () = stop.cancelled() => break,
            Some(receipt) = receipts.recv() => judge.ended(&receipt, Utc::now()),
            Ok(()) = reloads.changed() => judge.reloaded(!reloads.borrow_and_update().last_refused, Utc::now()),
            _ = look.tick() => {
                let publisher = control.publisher();
                match fleet::all(publisher.config(), publisher.state()).await {
                    Ok(standings) => judge.standings(&standings, publisher.config(), Utc::now()),
                    // It is read again within a second, and others tell of it.
                    Err(_) => Vec::new(),
                }
            }
        };
        for notice in notices {
            tracing::warn!(
                event = notice.event.as_str(),
                state = notice.turn.as_str(),
                activation = notice.activation,
                "{}",
                notice.message
            );
            posts.post(&control.publisher().config().service.alerts, &Arc::new(notice));
        }
    }
    posts.end().await;
}

/// A worker for each place that something is posted to, so that one that is down holds up no other.
struct Posts {
    workers: HashMap<[u8; 32], (mpsc::Sender<Arc<Notice>>, JoinHandle<()>)>,
    metrics: Metrics,
}

impl Posts {
    fn post(&mut self, alerts: &[Alert], notice: &Arc<Notice>) {
        for alert in alerts.iter().filter(|alert| alert.when.contains(&notice.event)) {
            let metrics = &self.metrics;
            let (worker, _) = self.workers.entry(place(alert)).or_insert_with(|| worker(alert, metrics));
            if worker.try_send(Arc::clone(notice)).is_err() {
                self.metrics.alert(alert.format.as_str(), "dropped");
                tracing::error!(format = alert.format.as_str(), "an alert was dropped: too many wait to be posted");
            }
        }
    }

    async fn end(self) {
        let tasks = self.workers.into_values().map(|(sender, task)| {
            drop(sender);
            task
        });
        let _ = tokio::time::timeout(PARTING, futures::future::join_all(tasks)).await;
    }
}

fn worker(alert: &Alert, metrics: &Metrics) -> (mpsc::Sender<Arc<Notice>>, JoinHandle<()>) {
    let (sender, mut notices) = mpsc::channel::<Arc<Notice>>(POSTS);
    let (alert, metrics) = (alert.clone(), metrics.clone());
    let task = tokio::spawn(async move {
        let poster = Poster::new();
        while let Some(notice) = notices.recv().await {
            let sent = poster.post(&alert, &notice).await;
            if let Err(why) = &sent {
                tracing::error!(format = alert.format.as_str(), event = notice.event.as_str(), %why, "an alert could not be posted");
            }
            metrics.alert(alert.format.as_str(), if sent.is_ok() { "sent" } else { "failed" });
        }
    });
    (sender, task)
}

/// Tells places apart without keeping their secrets as keys.
fn place(alert: &Alert) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(alert.format.as_str());
    digest.update(alert.url.expose_secret());
    digest.update(alert.key.as_ref().map_or("", ExposeSecret::expose_secret));
    digest.finalize().into()
}
