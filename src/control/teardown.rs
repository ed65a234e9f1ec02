//! Teardowns that the service runs: asked for, resumed after a restart, or of what vanished from the config. Each is tried
//! until it is done.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{
    sync::{mpsc, watch},
    task::{Id, JoinSet},
    time::error::Elapsed,
};
use tokio_util::sync::CancellationToken;

use crate::{
    publish::{PublishError, Publisher, Receipt, Silent, Status, code},
    state::ActivationState,
};

/// After a failure the next try waits this long, and twice as long each further time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// What a try gets to stop by itself: it does not between two requests of a target that does not answer.
const GRACE: Duration = Duration::from_secs(10);

/// A teardown that is on record.
#[derive(Debug)]
pub(super) struct Order {
    /// Name of the activation.
    pub(super) activation: String,
    /// Whether it is to be tried anew at once: it does something else by now, or waits after a failure. A try that runs stops.
    pub(super) anew: bool,
}

/// A teardown under way.
struct Running {
    task: Id,
    /// Counts the decisions; the task ends only when it has seen the last one.
    decisions: watch::Sender<u64>,
}

/// Runs teardowns, one at a time of an activation, until `stop`. Returns when none runs any more.
pub(super) async fn run(
    publisher: Arc<ArcSwap<Publisher>>,
    mut orders: mpsc::Receiver<Order>,
    stop: CancellationToken,
) {
    let mut running: HashMap<String, Running> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(panicked) => panicked.id(),
                };
                running.retain(|_, one| one.task != id);
            }
            order = orders.recv() => {
                let Some(Order { activation, anew }) = order else { break };
                if let Some(one) = running.get(&activation).filter(|one| one.decisions.receiver_count() > 0) {
                    if anew {
                        one.decisions.send_modify(|number| *number += 1);
                    }
                    continue;
                }
                let decisions = watch::Sender::new(0);
                let task = until_done(Arc::clone(&publisher), activation.clone(), decisions.subscribe(), stop.clone());
                let task = tasks.spawn(task).id();
                running.insert(activation, Running { task, decisions });
            }
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Tears an activation down, again and again until it is.
async fn until_done(
    publisher: Arc<ArcSwap<Publisher>>,
    activation: String,
    mut decisions: watch::Receiver<u64>,
    stop: CancellationToken,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        decisions.mark_unchanged();
        let publisher = publisher.load_full();
        // Somebody may have brought it to its end, or let it be; then it lives, or will, and is nobody's to take back.
        let state = publisher.state().activation_state(&activation).await;
        if state.is_ok_and(|state| state != ActivationState::Deleting) {
            break;
        }
        let this_try = stop.child_token();
        let mut trying = Box::pin(publisher.tear_down(&activation, None, &Silent, &this_try));
        let ended = tokio::select! {
            ended = &mut trying => ended,
            () = stop.cancelled() => tokio::time::timeout(GRACE, &mut trying).await.unwrap_or_else(cut_short),
            _ = decisions.changed() => {
                this_try.cancel();
                tokio::time::timeout(GRACE, &mut trying).await.unwrap_or_else(cut_short)
            }
        };
        // One that was cut short gives its lock back; what it left is settled as that of a process that died.
        drop(trying);
        match ended {
            Ok(receipt) if receipt.status == Status::Succeeded => {
                tracing::info!(activation, publish = %receipt.id, "torn down");
                break;
            }
            Ok(receipt) => {
                if let Some(failure) = receipt.error.as_ref().filter(|_| !this_try.is_cancelled()) {
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
            Err(_) if this_try.is_cancelled() => {}
            Err(error) => tracing::error!(activation, %error, "a teardown could not begin; it is tried again"),
        }
        if this_try.is_cancelled() && !stop.is_cancelled() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            _ = decisions.changed() => continue,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn cut_short(_: Elapsed) -> Result<Receipt, PublishError> {
    Err(PublishError::Failed(code::interrupted()))
}
