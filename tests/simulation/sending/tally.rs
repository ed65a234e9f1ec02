//! What happened in a history, to tell one that tests something from one that does not.

/// What happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Publishes on record, recoveries left out.
    pub(crate) publishes: u64,
    pub(crate) succeeded: u64,
    pub(crate) partial: u64,
    pub(crate) blocked: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    /// Processes that died while they published.
    pub(crate) died: u64,
    /// Publishes of dead processes that were settled by themselves.
    pub(crate) recovered: u64,
    pub(crate) purged: u64,
    /// Records of which the target got to hear, by what became of them.
    pub(crate) delivered: u64,
    pub(crate) rejected: u64,
    pub(crate) owed: u64,
    /// Records to be sent.
    pub(crate) sent: u64,
    /// Members in doubt, over all publishes.
    pub(crate) doubted: u64,
    /// Records held back, because they were refused so often.
    pub(crate) quarantined: u64,
    /// Members that returned.
    pub(crate) returned: u64,
}

impl Tally {
    /// Both.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            publishes: self.publishes + other.publishes,
            succeeded: self.succeeded + other.succeeded,
            partial: self.partial + other.partial,
            blocked: self.blocked + other.blocked,
            failed: self.failed + other.failed,
            cancelled: self.cancelled + other.cancelled,
            died: self.died + other.died,
            recovered: self.recovered + other.recovered,
            purged: self.purged + other.purged,
            delivered: self.delivered + other.delivered,
            rejected: self.rejected + other.rejected,
            owed: self.owed + other.owed,
            sent: self.sent + other.sent,
            doubted: self.doubted + other.doubted,
            quarantined: self.quarantined + other.quarantined,
            returned: self.returned + other.returned,
        }
    }
}
