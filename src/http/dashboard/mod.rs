//! The dashboard: pages that are whole without scripts, and live with them.
//!
//! A page is rendered by the server alone. The script listens to `/v1/events`, asks for the same page again when something
//! happened that it shows, and swaps the parts that differ (`data-part`), so that there is one way to render anything.

mod actions;
mod activation;
mod assets;
mod charts;
mod definition;
mod deletion;
pub(super) mod fleet;
mod funnel;
mod health;
mod layout;
mod publish;
mod words;

use axum::{
    Router,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use maud::{Markup, html};

use super::{Server, Visitor};
use crate::{publish::PublishError, state::StateError, withheld::without};

pub(super) fn routes() -> Router<Server> {
    Router::new()
        .route("/activations/{name}", get(activation::page))
        .route("/activations/{name}/deletion", get(deletion::fragment))
        .route("/publishes/{id}", get(publish::page))
        .route("/assets/{name}", get(assets::file))
}

/// Pages need nothing from elsewhere, and nothing in them is a script or a style.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A page, never kept by a browser: it is out of date at once.
fn respond(status: StatusCode, markup: Markup) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (status, headers, Html(markup.into_string())).into_response()
}

/// Why there is no page.
#[derive(Debug)]
struct NoPage {
    status: StatusCode,
    title: &'static str,
    message: String,
}

impl NoPage {
    fn unknown(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, title: "Not found", message: message.into() }
    }
}

impl From<StateError> for NoPage {
    fn from(error: StateError) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "The state can't be read",
            message: format!("{error}. Check the disk of service.data_dir, then load this page again."),
        }
    }
}

impl From<PublishError> for NoPage {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Unknown(message) => Self::unknown(message),
            other => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "That can't be said now",
                message: other.to_string(),
            },
        }
    }
}

impl NoPage {
    fn respond(self, visitor: &Visitor) -> Response {
        let content = html! {
            section .card .empty {
                h1 { (self.title) }
                p { (without(&self.message)) }
                p { a href="/" { "All activations" } }
            }
        };
        respond(self.status, layout::page(visitor, &layout::Head::titled(self.title), &content))
    }
}
