//! The API, the dashboard and the metrics of the running service.
//!
//! ```text
//! frame ─▶ panics ─▶ admit ─▶ route ─▶ Control, State
//! id, log, caught    who he   handler
//! time,              is, his
//! problems           scope
//! ```

mod activations;
mod auth;
mod body;
mod cache;
mod connection;
mod dashboard;
mod events;
mod frame;
mod openapi;
mod probes;
mod problem;
mod publishes;
mod query;
mod serve;
mod session;
mod spot;
mod view;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, middleware};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

pub use self::{events::Hub, openapi::openapi, probes::Scrape, serve::serve, spot::Spot};
use crate::{
    control::{Caller, Control},
    publish::Failure,
};

/// What all handlers share.
#[derive(Debug, Clone)]
pub struct Server {
    /// The running service.
    pub control: Control,
    /// Who is told of events as they happen.
    pub hub: Hub,
    scrape: Scrape,
    guard: Arc<auth::Guard>,
    cache: Arc<cache::Cache>,
    /// The service stops, and still answers.
    stop: CancellationToken,
    /// Nothing is answered any more.
    close: CancellationToken,
    /// Whether browsers ask it over TLS.
    secure: bool,
    limits: connection::Limits,
}

impl Server {
    /// A server of a service that stops at `stop`. It answers until it is closed: who watches a publish that is ending sees
    /// it end.
    ///
    /// # Errors
    /// A system that gives no random bytes.
    pub fn new(control: Control, hub: Hub, scrape: Scrape, stop: CancellationToken) -> Result<Self, Failure> {
        let cache = Arc::new(cache::Cache::default());
        let publisher = control.publisher();
        publisher.state().observers().add(cache.clone());
        let http = &publisher.config().service.http;
        let secure = http.tls.is_some() || http.url.as_deref().is_some_and(|url| url.starts_with("https://"));
        let (guard, limits) = (Arc::new(auth::Guard::new()?), connection::Limits::default());
        let close = CancellationToken::new();
        Ok(Self { control, hub, scrape, guard, cache, stop, close, secure, limits })
    }

    /// Answers nothing new, and ends what listeners hear.
    pub fn close(&self) {
        self.hub.close();
        self.close.cancel();
    }

    /// With other times after which connections are closed that are idle, and whose answers are not read.
    #[must_use]
    pub fn closing_after(mut self, idle: Duration, stalled: Duration) -> Self {
        self.limits = connection::Limits { idle, stalled, ..self.limits };
        self
    }
}

/// Who sent a request; put into its extensions before any handler sees it.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who, and what he may.
    pub caller: Caller,
    /// Of a browser that is logged in by cookie, or that needs no login: what it sends back as `X-CSRF-Token` with every
    /// change.
    pub csrf: Option<String>,
    pass: auth::Pass,
}

/// All routes.
pub fn routes(server: Server) -> Router {
    let (described, _) = openapi::described().split_for_parts();
    let routes = Router::new()
        .merge(described)
        .merge(dashboard::routes())
        .fallback(async || axum::http::StatusCode::NOT_FOUND)
        .layer(DefaultBodyLimit::max(auth::LARGEST_BODY))
        .layer(middleware::from_fn_with_state(server.clone(), auth::admit))
        .layer(CatchPanicLayer::custom(frame::panicked))
        .layer(middleware::from_fn(body::read_the_rest))
        .layer(middleware::from_fn_with_state(server.clone(), frame::frame))
        .with_state(server);
    Router::new().fallback_service(routes).layer(middleware::map_response(frame::without_methods))
}
