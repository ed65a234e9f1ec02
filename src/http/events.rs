//! `GET /v1/events`: what happens, as server-sent events.

use axum::Router;
use tokio::sync::broadcast;

use super::Server;
use crate::publish::{Event, Observer};

/// Passes on what happens to all who listen.
#[derive(Debug, Clone)]
pub struct Hub {
    events: broadcast::Sender<String>,
}

/// Events that a slow listener may be behind; what it misses it is told to read anew.
const BEHIND: usize = 1024;

impl Hub {
    /// A hub that nobody listens to yet.
    pub fn new() -> Self {
        Self { events: broadcast::channel(BEHIND).0 }
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Hub {
    fn notice(&self, _: &Event<'_>) {}
}

pub(super) fn routes() -> Router<Server> {
    Router::new()
}
