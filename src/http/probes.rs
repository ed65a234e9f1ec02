//! Whether the service lives and is ready, its metrics, and the description of all this.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Server, openapi, problem::Problem};

/// Writes the metrics as Prometheus reads them.
#[derive(Clone)]
pub struct Scrape {
    render: Arc<dyn Fn() -> String + Send + Sync>,
    count: Option<Arc<Count>>,
}

/// Is told of a request: the pattern of its route, its method, the status of its answer, and how long that took.
type Count = dyn Fn(&str, &str, u16, Duration) + Send + Sync;

impl Scrape {
    /// What writes them.
    pub fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { render: Arc::new(render), count: None }
    }

    /// What is told of each request that was answered: route, method, status, time.
    #[must_use]
    pub fn counting(self, count: impl Fn(&str, &str, u16, Duration) + Send + Sync + 'static) -> Self {
        Self { count: Some(Arc::new(count)), ..self }
    }

    pub(super) fn count(&self, route: &str, method: &str, status: u16, took: Duration) {
        if let Some(count) = &self.count {
            count(route, method, status, took);
        }
    }
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape(…)")
    }
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, description = "It does.",
    body = ref("#/components/schemas/Health"), content_type = "application/json")))]
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether the service can do its work: its state can be read, and it does not stop.
#[utoipa::path(get, path = "/readyz", tag = "service", responses((status = 200, description = "It can.",
    body = ref("#/components/schemas/Health"), content_type = "application/json")))]
pub(super) async fn readyz(State(server): State<Server>) -> Result<Json<Value>, Problem> {
    if server.stop.is_cancelled() || server.control.publisher().state().halted().await.is_err() {
        return Err(Problem::stopping());
    }
    Ok(Json(json!({ "status": "ok" })))
}

/// Metrics, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, description = "Metrics.", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(server): State<Server>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    ([(header::CONTENT_TYPE, kind)], (server.scrape.render)()).into_response()
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object, content_type = "application/json")))]
pub(super) async fn description() -> Json<Value> {
    Json(openapi())
}
