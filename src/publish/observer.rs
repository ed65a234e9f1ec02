//! Who is told of publishes as they happen: metrics, alerts, and whoever looks at the dashboard.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{Phase, Progress, Receipt};

/// Something that happened in this process.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A receipt is on record as it stands now: queued, running or ended.
    Receipt(&'a Receipt),
    /// A publish is in a phase, with so many of its rows or objects done, of so many as far as is known.
    Progress {
        /// Of the publish; `None` before it is on record.
        publish: Option<Uuid>,
        /// Name of the activation.
        activation: &'a str,
        /// The phase.
        phase: Phase,
        /// Rows or objects done.
        done: u64,
        /// Of so many.
        total: Option<u64>,
    },
    /// A phase of a publish is over.
    Phase {
        /// Name of the activation.
        activation: &'a str,
        /// The phase.
        phase: Phase,
        /// How long it took.
        took: Duration,
    },
    /// Requests of a publish that ends were made again.
    Retried {
        /// Name of the target.
        target: &'a str,
        /// What had gone wrong: a word of [`ErrorKind::as_str`](herald_destinations::contract::ErrorKind::as_str).
        reason: &'static str,
        /// How often.
        times: u64,
    },
}

/// Is told of publishes. Called from any thread, sometimes often: it only notes.
pub trait Observer: Debug + Send + Sync {
    /// Something happened.
    fn notice(&self, event: &Event<'_>);
}

/// All who are told. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Observers(Arc<RwLock<Vec<Arc<dyn Observer>>>>);

impl Observers {
    /// Tells one more from now on.
    pub fn add(&self, observer: Arc<dyn Observer>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(observer);
    }

    /// Tells all.
    pub fn tell(&self, event: &Event<'_>) {
        for observer in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            observer.notice(event);
        }
    }
}

/// Tells observers of the phases of one publish, and passes them on.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    progress: &'a dyn Progress,
    observers: &'a Observers,
    activation: &'a str,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    publish: Option<Uuid>,
    phase: Option<(Phase, Instant)>,
    done: u64,
    total: Option<u64>,
    told: Option<Instant>,
}

/// Between two words on how far a phase is.
const PAUSE: Duration = Duration::from_millis(250);

impl<'a> Watched<'a> {
    pub(super) fn new(progress: &'a dyn Progress, observers: &'a Observers, activation: &'a str) -> Self {
        Self { progress, observers, activation, now: Mutex::default() }
    }

    /// The publish is on record by now.
    pub(super) fn is(&self, publish: Uuid) {
        self.now().publish = Some(publish);
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, phase: Option<(Phase, Instant)>) {
        if let Some((phase, since)) = phase {
            self.observers.tell(&Event::Phase { activation: self.activation, phase, took: since.elapsed() });
        }
    }

    fn tell(&self, now: &Now) {
        if let Some((phase, _)) = now.phase {
            let (publish, activation) = (now.publish, self.activation);
            let (done, total) = (now.done, now.total);
            self.observers.tell(&Event::Progress { publish, activation, phase, done, total });
        }
    }
}

impl Progress for Watched<'_> {
    fn phase(&self, phase: Phase, total: Option<u64>) {
        self.progress.phase(phase, total);
        let mut now = self.now();
        let before = now.phase.replace((phase, Instant::now()));
        (now.done, now.total, now.told) = (0, total, Some(Instant::now()));
        self.tell(&now);
        drop(now);
        self.end(before);
    }

    fn advance(&self, rows: u64) {
        self.progress.advance(rows);
        let mut now = self.now();
        now.done += rows;
        if now.told.is_none_or(|told| told.elapsed() >= PAUSE) {
            now.told = Some(Instant::now());
            self.tell(&now);
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let last = self.now().phase.take();
        self.end(last);
    }
}
