//! What a publish tells whoever watches it.

/// Where a publish is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waits for another publish of the activation.
    Waiting,
    /// Reads the sources.
    Resolving,
    /// Compares records with the snapshot and hands over what differs.
    Delivering,
    /// Makes it visible.
    Committing,
    /// Takes back what was delivered; counts objects.
    Removing,
    /// Reads back what was delivered; counts objects.
    Verifying,
}

/// Watches a publish. Called from any thread, often: it only notes.
pub trait Progress: Send + Sync + std::fmt::Debug {
    /// A phase begins; `total` is how many rows, or objects, it has, as far as is known.
    fn phase(&self, phase: Phase, total: Option<u64>);
    /// So many more rows, or objects, of the phase are done.
    fn advance(&self, rows: u64);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _: Phase, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
}
