//! How others speak to the running service.

use tokio::sync::{mpsc, oneshot};

use super::Lane;
use crate::publish::PublishKind;

/// A publish that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Name of the activation.
    pub activation: String,
    /// In the rapid lane, as a rapid publish; else as one by hand.
    pub rapid: bool,
    /// Everything anew, whatever the activation's mode.
    pub full: bool,
    /// Why guards may be passed.
    pub override_reason: Option<String>,
}

impl Trigger {
    pub(super) fn lane(&self) -> Lane {
        if self.rapid { Lane::Rapid } else { Lane::Standard }
    }

    pub(super) fn kind(&self) -> PublishKind {
        if self.rapid { PublishKind::Rapid } else { PublishKind::Manual }
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
    Pause(String, bool),
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

    async fn wish(&self, message: Message) -> Asked {
        let (answer, answered) = oneshot::channel();
        if self.wishes.send((message, answer)).await.is_err() {
            return Asked::Stopping;
        }
        answered.await.unwrap_or(Asked::Stopping)
    }
}
