//! Lanes: workers that never wait for those of the other lane.

/// Who publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The regular cadence, resyncs, and what somebody asked for.
    Standard,
    /// The faster cadence, and its triggers.
    Rapid,
}

/// Workers of each lane, and how many of them are busy.
#[derive(Debug)]
pub(super) struct Lanes {
    workers: [usize; 2],
    busy: [usize; 2],
}

impl Lanes {
    /// `concurrency` workers for standard publishes; half as many, but at least two, for rapid ones, so that one that
    /// hangs does not hold up the next.
    pub(super) fn new(concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        Self { workers: [concurrency, (concurrency / 2).max(2)], busy: [0; 2] }
    }

    pub(super) fn has_room(&self, lane: Lane) -> bool {
        self.busy[lane as usize] < self.workers[lane as usize]
    }

    pub(super) fn take(&mut self, lane: Lane) {
        self.busy[lane as usize] += 1;
    }

    pub(super) fn give_back(&mut self, lane: Lane) {
        self.busy[lane as usize] = self.busy[lane as usize].saturating_sub(1);
    }
}
