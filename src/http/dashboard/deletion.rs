//! What deleting an activation would take back, for the dialog that asks.

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use maud::{Markup, html};
use serde::Deserialize;

use super::{NoPage, respond, words};
use crate::{
    config::OnDelete,
    http::{Server, Visitor},
    publish::Withdrawal,
    withheld::without,
};

/// Paths that are shown; the rest is counted.
const SHOWN: usize = 8;

/// What the dialog asks with.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    data: String,
}

pub(super) async fn fragment(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let data = match asked.data.as_str() {
        "keep" => Some(OnDelete::Keep),
        "purge" => Some(OnDelete::Purge),
        _ => None,
    };
    match server.control.publisher().plan_delete(&name, data).await {
        Ok(plan) => respond(StatusCode::OK, render(&plan)),
        Err(error) => NoPage::from(error).respond(&visitor),
    }
}

fn render(plan: &Withdrawal) -> Markup {
    let nothing = plan.paths.is_empty() && plan.members == 0 && plan.elsewhere.is_empty();
    html! {
        @if nothing {
            p { @if plan.data == "keep" { "Nothing is taken back: what was delivered stays." } @else { "There is nothing to take back." } }
        }
        @if plan.members > 0 { p { strong { (words::count(plan.members)) } " members are removed from the target." } }
        (objects("Removed at the target", &plan.paths))
        @for former in &plan.elsewhere {
            @if former.members > 0 {
                p { strong { (words::count(former.members)) } " members are removed from the former target " code { (former.target) } "." }
            }
            (objects(&format!("Removed at the former target {}", former.target), &former.paths))
        }
    }
}

fn objects(title: &str, paths: &[String]) -> Markup {
    html! {
        @if !paths.is_empty() {
            p { (title) ": " strong { (words::count(paths.len() as u64)) " object" @if paths.len() != 1 { "s" } } }
            ul .paths {
                @for path in paths.iter().take(SHOWN) { li { code { (without(path)) } } }
                @if paths.len() > SHOWN { li { "and " (words::count((paths.len() - SHOWN) as u64)) " more" } }
            }
        }
    }
}
