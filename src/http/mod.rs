//! The API, the dashboard and the metrics of the running service.

mod dashboard;
mod events;

use axum::Router;

pub use self::events::Hub;
use crate::control::{Caller, Control};

/// What all handlers share.
#[derive(Debug, Clone)]
pub struct Server {
    /// The running service.
    pub control: Control,
    /// Who is told of events as they happen.
    pub hub: Hub,
}

/// Who sent a request; put into its extensions before any handler sees it.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who, and what he may.
    pub caller: Caller,
    /// Of a browser that is logged in by cookie, or that needs no login: what it sends back as `X-CSRF-Token` with every
    /// change.
    pub csrf: Option<String>,
}

/// All routes.
pub fn routes(server: Server) -> Router {
    Router::new().merge(dashboard::routes()).merge(events::routes()).with_state(server)
}
