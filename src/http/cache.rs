//! Answers to questions that many ask again and again: kept until something happens, and never for longer than a second.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::HeaderValue;
use bytes::Bytes;

use crate::publish::{Event, Observer};

/// Other processes may change the state, too, and nobody tells of that.
const FRESH: Duration = Duration::from_secs(1);
/// Questions that are kept at once.
const MOST: usize = 256;
/// Bytes of answers that are kept at once.
const MOST_BYTES: usize = 16 << 20;

/// An answer, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) body: Bytes,
    pub(super) link: Option<HeaderValue>,
}

/// Answers by question. It is told of receipts as an observer.
#[derive(Debug, Default)]
pub(super) struct Cache {
    generation: AtomicU64,
    answers: Mutex<HashMap<String, (u64, Instant, Kept)>>,
    /// One asks the state at a time; who waited finds the answer.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Cache {
    /// What was true up to now may not be so any more.
    pub(super) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// To be read before the state is, and given with what was found there.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn get(&self, question: &str) -> Option<Kept> {
        let now = self.generation();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, at, kept) = answers.get(question)?;
        (*generation == now && at.elapsed() < FRESH).then(|| kept.clone())
    }

    pub(super) fn put(&self, question: String, generation: u64, kept: Kept) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, (_, at, _)| at.elapsed() < FRESH);
        let bytes: usize = answers.values().map(|(.., kept)| kept.body.len()).sum();
        if kept.body.len() > MOST_BYTES {
            return;
        }
        if answers.len() >= MOST || bytes + kept.body.len() > MOST_BYTES {
            answers.clear();
        }
        answers.insert(question, (generation, Instant::now(), kept));
    }
}

impl Observer for Cache {
    fn notice(&self, event: &Event<'_>) {
        if matches!(event, Event::Receipt(_)) {
            self.forget();
        }
    }
}
