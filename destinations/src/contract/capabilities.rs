//! The few facts about a destination that the runner acts on.

/// When a reader of the target sees what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Nothing before [`commit`](super::Destination::commit), everything after it: files.
    AtCommit,
    /// Each batch as it arrives: most platforms behind an HTTP API. What [`write`](super::Publication::write)
    /// answered is acknowledged; of a batch that it failed on nobody knows. Adds and removals may be repeated.
    AtWrite,
}

/// Facts, not switches: a destination never refuses a method of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// When written rows can be seen.
    pub visibility: Visibility,
    /// Most rows in one batch; `None`: any number.
    pub max_rows: Option<usize>,
    /// Publishes to the same target at once; `None`: any number.
    pub parallel: Option<usize>,
    /// Whether a refused row is always named, so that its neighbours need no bisecting. Where rows may be named but
    /// need not, this is false, and those that are named are answered all the same.
    pub names_rejected_rows: bool,
    /// Whether it passes changes on as events, so that batches must say what changed.
    pub change_events: bool,
}
