//! Named moments at which a test may end a publish as a crash would.
//!
//! In a build without debug assertions nothing of it is left.

use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::Notify;

/// All moments, in the order of a publish; the last ones of a settling.
pub const MOMENTS: [&str; 16] = [
    QUEUED,
    SPOOLED,
    TICKET_STORED,
    BEGUN,
    WRITTEN,
    SEALED,
    SEAL_STORED,
    COMMITTED,
    SENDING_STORED,
    BATCH_BEGUN,
    BATCH_SENT,
    ALL_SENT,
    SETTLED,
    ACKNOWLEDGED,
    SETTLING,
    RECOVERED,
];

/// Moments of taking objects back, which is no part of delivering.
pub const REMOVALS: [&str; 3] = [LEAVING, REMOVING, REMOVED];

/// It is on record that objects are about to go.
pub(super) const LEAVING: &str = "leaving";
/// Some objects are about to be removed.
pub(super) const REMOVING: &str = "removing";
/// They are removed, and only this process knows.
pub(super) const REMOVED: &str = "removed";
/// The publish is on record.
pub(super) const QUEUED: &str = "queued";
/// All sources are read.
pub(super) const SPOOLED: &str = "spooled";
/// The ticket is stored, nothing is at the target.
pub(super) const TICKET_STORED: &str = "ticket_stored";
/// The target knows of the publish.
pub(super) const BEGUN: &str = "begun";
/// A batch is staged.
pub(super) const WRITTEN: &str = "written";
/// All is staged, and only this process knows.
pub(super) const SEALED: &str = "sealed";
/// All is staged, and the sealed ticket is stored.
pub(super) const SEAL_STORED: &str = "seal_stored";
/// The target shows it, and only this process knows.
pub(super) const COMMITTED: &str = "committed";
/// What is about to be sent is on record.
pub(super) const SENDING_STORED: &str = "sending_stored";
/// A batch is about to be sent, which is on record.
pub(super) const BATCH_BEGUN: &str = "batch_begun";
/// A batch was answered, and only this process knows.
pub(super) const BATCH_SENT: &str = "batch_sent";
/// Everything was answered.
pub(super) const ALL_SENT: &str = "all_sent";
/// The snapshot's new file is written, and not in force.
pub(super) const SETTLED: &str = "settled";
/// Receipt and snapshot are stored, and what they replaced is not swept away.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
/// What a crash left is about to be settled.
pub(super) const SETTLING: &str = "settling";
/// What a crash left is settled, and not on record.
pub(super) const RECOVERED: &str = "recovered";

/// Names the moment at which the process aborts, `name` or, for its third time, `name:3`. Debug builds only.
const VARIABLE: &str = "HERALD_CRASH_AT";

#[derive(Debug)]
struct Cut {
    at: String,
    left: AtomicU32,
    reached: Notify,
}

tokio::task_local! {
    static CUT: Arc<Cut>;
}

/// Runs a future up to a moment, the `time`-th time that it comes by (from 1), and drops it there. `None`: it was cut.
pub async fn cut<T>(at: &str, time: u32, future: impl Future<Output = T>) -> Option<T> {
    let cut = Arc::new(Cut { at: at.to_owned(), left: AtomicU32::new(time), reached: Notify::new() });
    let running = CUT.scope(Arc::clone(&cut), future);
    tokio::select! {
        done = running => Some(done),
        () = cut.reached.notified() => None,
    }
}

/// A moment of a publish.
pub(super) async fn point(name: &'static str) {
    if !cfg!(debug_assertions) {
        return;
    }
    abort_at(name);
    let reached =
        |cut: &Arc<Cut>| (cut.at == name && cut.left.fetch_sub(1, Ordering::Relaxed) == 1).then(|| Arc::clone(cut));
    if let Ok(Some(cut)) = CUT.try_with(reached) {
        cut.reached.notify_one();
        pending::<()>().await;
    }
}

fn abort_at(name: &str) {
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var(VARIABLE) else { return };
    let (at, time) = wanted.split_once(':').map_or((wanted.as_str(), 1), |(at, time)| (at, time.parse().unwrap_or(1)));
    if at == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == time {
        std::process::abort();
    }
}
