//! How others speak to the running service.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use uuid::Uuid;

use super::Lane;
use crate::{config::Config, publish::PublishKind, state::History};

/// A publish that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Name of the activation.
    pub activation: String,
    /// Why: rapid ones have a lane of their own.
    pub kind: PublishKind,
    /// The publish on record that waits; what it is to do stands there.
    pub receipt: Uuid,
}

impl Trigger {
    pub(super) fn lane(&self) -> Lane {
        if self.kind == PublishKind::Rapid { Lane::Rapid } else { Lane::Standard }
    }
}

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It is done, or waits for a worker.
    Accepted,
    /// It joined another one that waits for a worker.
    Folded,
    /// The service knows no such activation, or it is torn down.
    Unknown,
    /// Nothing of it runs.
    Idle,
    /// The service stops.
    Stopping,
}

#[derive(Debug)]
pub(super) enum Message {
    Publish(Trigger),
    Cancel(String),
    Drop(String, Uuid),
    Pause(String, bool),
    Reload(Box<Reloaded>),
}

/// A config that takes the place of the one before.
#[derive(Debug)]
pub(super) struct Reloaded {
    pub(super) config: Arc<Config>,
    /// What activations that are new to the board did last.
    pub(super) histories: HashMap<String, History>,
}

pub(super) type Wish = (Message, oneshot::Sender<Asked>);

/// A handle to the running service; clones speak to the same.
#[derive(Debug, Clone)]
pub struct Scheduler {
    wishes: mpsc::Sender<Wish>,
}

impl Scheduler {
    /// As many wishes may wait to be heard; the next ones wait to be taken.
    const WAITING: usize = 64;

    pub(super) fn new() -> (Self, mpsc::Receiver<Wish>) {
        let (wishes, heard) = mpsc::channel(Self::WAITING);
        (Self { wishes }, heard)
    }

    /// Asks for a publish. One that waits already stands for both.
    pub async fn publish(&self, trigger: Trigger) -> Asked {
        self.wish(Message::Publish(trigger)).await
    }

    /// Stops the publish of an activation that runs, where nothing is lost.
    pub async fn cancel(&self, activation: &str) -> Asked {
        self.wish(Message::Cancel(activation.to_owned())).await
    }

    /// Lets a pause or its end, already written to the state, take effect at once.
    pub async fn pause(&self, activation: &str, paused: bool) -> Asked {
        self.wish(Message::Pause(activation.to_owned(), paused)).await
    }

    /// Takes another config in force: what it names no more is stopped, what it defines otherwise follows the new definition
    /// from its next publish on. `histories`: what activations that are new did last.
    pub async fn reload(&self, config: Arc<Config>, histories: HashMap<String, History>) -> Asked {
        self.wish(Message::Reload(Box::new(Reloaded { config, histories }))).await
    }

    /// Tells of a publish that waits on record, without waiting until it is heard. Where too much is to be heard, the
    /// service finds it by itself within its next look at the state.
    pub fn tell(&self, trigger: Trigger) {
        let _ = self.wishes.try_send((Message::Publish(trigger), oneshot::channel().0));
    }

    /// A publish that waited is cancelled on record.
    pub async fn drop_waiting(&self, activation: &str, receipt: Uuid) -> Asked {
        self.wish(Message::Drop(activation.to_owned(), receipt)).await
    }

    async fn wish(&self, message: Message) -> Asked {
        let (answer, answered) = oneshot::channel();
        if self.wishes.send((message, answer)).await.is_err() {
            return Asked::Stopping;
        }
        answered.await.unwrap_or(Asked::Stopping)
    }
}
