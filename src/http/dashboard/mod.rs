//! The dashboard: pages that are whole without scripts, and live with them.

use axum::Router;

use super::Server;

pub(super) fn routes() -> Router<Server> {
    Router::new()
}
