//! Teardowns that the service runs: asked for, resumed after a restart, or of what vanished from the config. Each is tried
//! until it is done.

use std::{collections::HashSet, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    config::OnDelete,
    publish::{PublishError, Publisher, Silent, Status},
    state::ActivationState,
};

/// After a failure the next try waits this long, and twice as long each further time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// A teardown that is on record.
#[derive(Debug)]
pub(super) struct Order {
    /// Name of the activation.
    pub(super) activation: String,
    /// What was asked for; `None`: what it began as, or as the activation is defined.
    pub(super) on_delete: Option<OnDelete>,
}

/// Runs teardowns, one at a time of an activation, until `stop`. Returns when none runs any more.
pub(super) async fn run(
    publisher: Arc<ArcSwap<Publisher>>,
    mut orders: mpsc::Receiver<Order>,
    stop: CancellationToken,
) {
    let mut running = HashSet::new();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Ok(name) = ended {
                    running.remove(&name);
                }
            }
            order = orders.recv() => match order {
                Some(order) if running.insert(order.activation.clone()) => {
                    tasks.spawn(until_done(Arc::clone(&publisher), order, stop.clone()));
                }
                Some(_) => {}
                None => break,
            },
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Tears an activation down, again and again until it is. Its name.
async fn until_done(publisher: Arc<ArcSwap<Publisher>>, order: Order, stop: CancellationToken) -> String {
    let Order { activation, on_delete } = order;
    let mut pause = FIRST_PAUSE;
    loop {
        let publisher = publisher.load_full();
        match Box::pin(publisher.tear_down(&activation, on_delete, &Silent, &stop)).await {
            Ok(receipt) if receipt.status == Status::Succeeded => {
                tracing::info!(activation, publish = %receipt.id, "torn down");
                break;
            }
            Ok(receipt) => {
                if let Some(failure) = &receipt.error {
                    tracing::error!(
                        activation,
                        publish = %receipt.id,
                        code = failure.code,
                        error = failure.message,
                        remedy = failure.remedy,
                        "a teardown failed; it is tried again"
                    );
                }
            }
            Err(PublishError::Unknown(_)) => break,
            Err(error) => tracing::error!(activation, %error, "a teardown could not begin; it is tried again"),
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        // Somebody may have brought it to its end, or let it be, by command.
        let state = publisher.state().activation_state(&activation).await;
        if state.is_ok_and(|state| state != ActivationState::Deleting) {
            break;
        }
    }
    activation
}
