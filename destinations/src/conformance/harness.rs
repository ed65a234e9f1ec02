//! What a destination's tests must provide.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::Row;
use crate::contract::{Batch, Config, Destination, ErrorKind};

/// A fresh, private target and all that a test may do to it by the back door.
#[async_trait]
pub trait Harness: Sized + Send + Sync + 'static {
    /// An empty target that nobody else uses.
    async fn fresh() -> Self;

    /// Connects anew. Two of them share nothing in memory, as two processes would.
    async fn destination(&self) -> Arc<dyn Destination>;

    /// Every row that a reader of the target sees now, in any order, whether or not a manifest names it.
    /// File targets hand their objects to [`rows_of_objects`](super::rows_of_objects); a target that shows members as
    /// they arrive has an `add` for each one that it holds.
    async fn visible(&self) -> Vec<Row>;

    /// Whether a reader sees values as JSON has them, and not as text.
    fn reads_json(&self) -> bool;

    /// Names of what stands at the target and is not meant for a reader: temporary files, open uploads, folders
    /// without content. Empty when all is clean.
    async fn residue(&self) -> Vec<String>;

    /// Changes a visible object behind the destination's back, its size kept.
    /// `false`: readers of this target can't be fed a changed object, so there is nothing to find.
    async fn damage(&self, path: &str) -> bool;

    /// Arranges trouble, or the nearest thing that can happen to this destination.
    async fn arrange(&self, trouble: Trouble) -> Arranged;

    /// A row that this target refuses for good.
    fn poison(&self) -> Poison;

    /// Arranges that a batch with the sample's member of this number is refused whole, without a word on rows.
    async fn refuse_whole(&self, member: usize) -> Whole;

    /// A config that holds secrets, as a user would write it.
    fn canary(&self) -> Canary;
}

/// What may go wrong between Herald and a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Credentials that the target does not accept, or that lack the right to write.
    WrongCredentials,
    /// The bucket, container, folder or audience does not exist.
    MissingTarget,
    /// No space or quota left, met while writing.
    FullTarget,
    /// Another object, not of this publish, stands at [`OCCUPIED`], where the first part must go, and survives. Its
    /// content is up to the harness; a reader may not take it for rows.
    Occupied,
    /// 429 with a `Retry-After`, a few times, then all is well.
    Throttled,
    /// 5xx a few times.
    ServerError,
    /// The connection is cut in the middle of a request.
    CutConnection,
    /// The request that makes the publish visible is applied, its answer lost.
    AnswerLost,
    /// No answer before the deadline.
    Deadline,
    /// The right to write is withdrawn while a publish is under way: what was staged can't be made visible.
    RightsWithdrawn,
    /// Every answer comes late, though in time.
    SlowServer,
    /// The target's clock is an hour off.
    WrongClock,
}

/// Where the first part of a publish goes when its path is [`Trouble::Occupied`].
pub const OCCUPIED: &str = "1/part-00000.bin";

/// A destination that will meet trouble.
#[derive(Debug)]
pub struct Arranged {
    /// Connected to the trouble; the same target as [`Harness::destination`] unless the trouble is that it is another.
    pub destination: Arc<dyn Destination>,
    /// What must come of it.
    pub outcome: Outcome,
    /// The publish may not take less, such as the pause that a `Retry-After` asked for.
    pub at_least: Duration,
    /// What was arranged, in words; where it stands in for trouble that can't happen here, why.
    pub means: &'static str,
}

/// What must come of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The destination gets through by itself.
    Passes,
    /// One stage fails, of this kind, which [passes](ErrorKind::passes); repeating the stage (a commit), or
    /// discarding and publishing anew, succeeds.
    PassesOnRepeat(ErrorKind),
    /// The publish fails, and nothing of it is visible.
    Fails(ErrorKind),
}

/// Whether a target can refuse a single row.
#[derive(Debug)]
pub enum Poison {
    /// It never looks at rows: `why` says so. The case then checks that strange rows arrive as they are.
    None {
        /// Why no row is refused.
        why: &'static str,
    },
    /// It refuses these rows of the batch.
    Rows {
        /// The batch, in the schema of the sample.
        batch: Batch,
        /// Indices of the rows that must be rejected.
        rejected: Vec<usize>,
    },
}

/// Whether a target can refuse a batch without naming rows.
#[derive(Debug)]
pub enum Whole {
    /// It never looks at rows, or always names them: `why` says so. The case then checks that the batch arrives.
    Never {
        /// Why no batch is refused whole.
        why: &'static str,
    },
    /// It does.
    Arranged {
        /// Connected to the target that does.
        destination: Arc<dyn Destination>,
    },
}

/// A config whose secrets must never be seen.
#[derive(Debug)]
pub struct Canary {
    /// Parsed by the kind, secrets within.
    pub config: Box<dyn Config>,
    /// The secrets. Empty where the kind has none to hold.
    pub secrets: Vec<String>,
}
