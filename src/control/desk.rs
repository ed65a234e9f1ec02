//! Where triggers are put on record: what arrives together is written together, so that ten thousand a second are a few
//! transactions, and each is on disk before it is answered.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use super::{Refusal, Refused};
use crate::{
    publish::{Publisher, Receipt},
    schedule::{self, Scheduler},
    state::{ActivationState, Ask, Asked},
};

/// What arrives within this is written together. Well below what anybody notices of a publish.
const TOGETHER: Duration = Duration::from_millis(3);
/// Most that are written together.
const MOST: usize = 2_048;
/// As many may wait to be written; the next ones wait to be taken.
const WAITING: usize = 4_096;

type Answer = oneshot::Sender<Result<Receipt, Refusal>>;

/// Takes triggers.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    asks: mpsc::Sender<(Ask, Answer)>,
}

impl Desk {
    /// Opens a desk. It closes with its last handle.
    pub(super) fn open(publisher: Arc<ArcSwap<Publisher>>, scheduler: Scheduler) -> Self {
        let (asks, asked) = mpsc::channel(WAITING);
        tokio::spawn(serve(publisher, scheduler, asked));
        Self { asks }
    }

    /// Puts a trigger on record, and lets it run.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Receipt, Refusal> {
        let stopping = || Refusal::new(Refused::Stopping, "the service stops").remedy("ask again in a while");
        let (answer, answered) = oneshot::channel();
        self.asks.send((ask, answer)).await.map_err(|_| stopping())?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }
}

async fn serve(publisher: Arc<ArcSwap<Publisher>>, scheduler: Scheduler, mut asked: mpsc::Receiver<(Ask, Answer)>) {
    let mut batch = Vec::with_capacity(MOST);
    while let Some(first) = asked.recv().await {
        batch.push(first);
        tokio::time::sleep(TOGETHER).await;
        while batch.len() < MOST
            && let Ok(next) = asked.try_recv()
        {
            batch.push(next);
        }
        let (asks, answers): (Vec<Ask>, Vec<Answer>) = batch.drain(..).unzip();
        let state = publisher.load_full().state().clone();
        match state.ask(asks).await {
            Ok(became) => {
                let mut told = Vec::new();
                for (became, answer) in became.into_iter().zip(answers) {
                    if let Asked::Queued(receipt, _) = &became
                        && !told.contains(&receipt.id)
                    {
                        told.push(receipt.id);
                        let (activation, kind) = (receipt.activation.clone(), receipt.kind);
                        scheduler.tell(schedule::Trigger { activation, kind, receipt: receipt.id });
                    }
                    // Who asked may have gone away.
                    let _ = answer.send(say(became));
                }
            }
            Err(error) => {
                let refusal = Refusal::from(error);
                for answer in answers {
                    let _ = answer.send(Err(refusal.clone()));
                }
            }
        }
    }
}

fn say(became: Asked) -> Result<Receipt, Refusal> {
    match became {
        Asked::Queued(receipt, _) | Asked::Before(receipt) => Ok(*receipt),
        Asked::Reused => Err(Refusal::new(Refused::Unfit, "the idempotency key was used for another request")
            .code("idempotency_key_reused")
            .remedy("give each request a key of its own")),
        Asked::Deleted(state) => Err(super::gone(state == ActivationState::Deleting)),
        Asked::Full => Err(Refusal::new(Refused::Stopping, "too many members are named by the publish that waits")
            .code("too_many_members")
            .remedy("ask again once it runs, or publish all that was touched, without naming members")),
    }
}
