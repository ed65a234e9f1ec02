//! Passes on what happens to all who listen.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use uuid::Uuid;

use super::message::{Message, Moved, Published, Stage, ended, word};
use crate::{
    publish::{Event, Observer, Receipt, Status},
    state::{State, StateError, Watch},
};

/// Events that a slow listener may be behind; what it misses it is told to read anew.
const BEHIND: usize = 1024;
/// Listeners at once: each is a connection that stays.
const LISTENERS: usize = 128;
/// Between two looks at what other processes did.
const LOOK: Duration = Duration::from_secs(1);
/// Publishes that have ended and are remembered, so that the watch does not tell of them again.
const REMEMBERED: usize = 1024;

/// Passes on what happens to all who listen.
#[derive(Debug, Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    events: broadcast::Sender<Arc<Message>>,
    number: AtomicU64,
    places: Arc<Semaphore>,
    watched: AtomicBool,
    told: Mutex<Told>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Told {
    /// How publishes stood when listeners were last told, the oldest first in `order`.
    statuses: HashMap<Uuid, Status>,
    order: VecDeque<Uuid>,
    /// How far publishes of this process are, by activation.
    stages: HashMap<String, Stage>,
}

/// Events to come, and a place among the listeners.
pub(super) type Listening = (broadcast::Receiver<Arc<Message>>, OwnedSemaphorePermit);

impl Hub {
    /// A hub that nobody listens to yet.
    pub fn new() -> Self {
        let shared = Shared {
            events: broadcast::channel(BEHIND).0,
            number: AtomicU64::new(0),
            places: Arc::new(Semaphore::new(LISTENERS)),
            watched: AtomicBool::new(false),
            told: Mutex::default(),
            stop: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Ends what listeners hear: the service stops.
    pub fn close(&self) {
        self.shared.stop.cancel();
    }

    pub(super) fn closed(&self) -> WaitForCancellationFutureOwned {
        self.shared.stop.clone().cancelled_owned()
    }

    /// Listens from now on; `None`: too many do.
    pub(super) fn listen(&self, state: &State) -> Option<Listening> {
        let place = Arc::clone(&self.shared.places).try_acquire_owned().ok()?;
        let events = self.shared.events.subscribe();
        if !self.shared.watched.swap(true, Ordering::SeqCst) {
            tokio::spawn(watch(self.clone(), state.clone()));
        }
        Some((events, place))
    }

    /// How far the publish of an activation is that runs in this process.
    pub(in crate::http) fn stage(&self, activation: &str) -> Option<Stage> {
        self.told().stages.get(activation).cloned()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, name: &'static str, data: &impl Serialize) {
        if self.shared.events.receiver_count() == 0 {
            return;
        }
        // Nothing that is sent can fail to be JSON.
        let Ok(data) = serde_json::to_string(data) else { return };
        let id = self.shared.number.fetch_add(1, Ordering::Relaxed);
        // Fails only when nobody listens any more.
        let _ = self.shared.events.send(Arc::new(Message { id, name, data }));
    }

    fn publish(&self, receipt: &Receipt, only_news: bool) {
        let mut told = self.told();
        if told.knows(receipt) && (only_news || ended(receipt.status)) {
            return;
        }
        told.note(receipt);
        drop(told);
        self.send("publish", &Published::of(receipt));
    }
}

impl Told {
    fn knows(&self, receipt: &Receipt) -> bool {
        self.statuses.get(&receipt.id) == Some(&receipt.status)
    }

    fn note(&mut self, receipt: &Receipt) {
        if ended(receipt.status) {
            self.stages.remove(&receipt.activation);
        }
        if self.statuses.insert(receipt.id, receipt.status).is_none() {
            self.order.push_back(receipt.id);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.statuses.remove(&oldest);
            }
        }
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Hub {
    fn notice(&self, event: &Event<'_>) {
        match event {
            Event::Receipt(receipt) => self.publish(receipt, false),
            Event::Progress { publish, activation, phase, done, total } => {
                let stage = Stage {
                    publish: *publish,
                    activation: (*activation).to_owned(),
                    phase: word(*phase),
                    done: *done,
                    total: *total,
                };
                self.told().stages.insert(stage.activation.clone(), stage.clone());
                self.send(super::PROGRESS, &stage);
            }
            Event::Phase { .. } | Event::Retried { .. } => {}
        }
    }
}

/// Tells listeners what other processes do, as long as there are any.
async fn watch(hub: Hub, state: State) {
    loop {
        if let Err(error) = listen_to_others(&hub, &state).await {
            tracing::warn!(%error, "could not see what other processes publish; trying again");
            tokio::time::sleep(LOOK).await;
        }
        hub.shared.watched.store(false, Ordering::SeqCst);
        // Somebody may have come between the last look and here.
        let left = hub.shared.events.receiver_count() == 0 || hub.shared.stop.is_cancelled();
        if left || hub.shared.watched.swap(true, Ordering::SeqCst) {
            return;
        }
    }
}

async fn listen_to_others(hub: &Hub, state: &State) -> Result<(), StateError> {
    let mut watch: Watch = state.watch().await?;
    while hub.shared.events.receiver_count() > 0 && !hub.shared.stop.is_cancelled() {
        tokio::time::sleep(LOOK).await;
        let news = watch.news().await?;
        for receipt in &news.receipts {
            hub.publish(receipt, true);
        }
        for (name, state) in &news.activations {
            hub.send("activation", &Moved { name, state });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use herald_destinations::contract::Mode;
    use serde_json::Value;

    use super::Hub;
    use crate::{
        publish::{Event, Observer, Phase, PublishKind, Status},
        state::{NewPublish, State},
    };

    #[tokio::test]
    async fn listeners_hear_of_each_step_of_a_publish_once_whoever_runs_it() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (State::open(folder.path()).await.unwrap(), State::open(folder.path()).await.unwrap());
        let hub = Hub::new();
        here.observers().add(std::sync::Arc::new(hub.clone()));
        let (mut events, _place) = hub.listen(&here).unwrap();
        for state in [&here, &there] {
            // The watch begins with the first look.
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let new = NewPublish {
                activation: "gold".to_owned(),
                segment: "s".to_owned(),
                target: "t".to_owned(),
                kind: PublishKind::Manual,
                mode: Mode::Full,
                queued_at: Utc::now(),
                override_reason: None,
            };
            let mut receipt = state.queue(new).await.unwrap();
            receipt.status = Status::Failed;
            state.finish(&receipt).await.unwrap();
            loop {
                let message = events.recv().await.unwrap();
                let data: Value = serde_json::from_str(&message.data).unwrap();
                assert_eq!((message.name, data["id"].as_str().unwrap()), ("publish", receipt.id.to_string().as_str()));
                if data["status"] == "failed" {
                    assert_eq!(data["receipt"]["status"], "failed", "the whole account once it has ended");
                    break;
                }
                assert!(data.get("receipt").is_none());
            }
        }
        let quiet = tokio::time::timeout(super::LOOK * 2, events.recv()).await;
        assert!(quiet.is_err(), "told twice: {quiet:?}");
    }

    #[tokio::test]
    async fn a_page_can_ask_how_far_a_publish_is() {
        let hub = Hub::new();
        let told =
            Event::Progress { publish: None, activation: "gold", phase: Phase::Delivering, done: 3, total: Some(9) };
        hub.notice(&told);
        let stage = hub.stage("gold").unwrap();
        assert_eq!((stage.phase, stage.done, stage.total), ("delivering", 3, Some(9)));
    }
}
