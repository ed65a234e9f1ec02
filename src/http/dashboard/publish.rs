//! `/publishes/{id}`: one publish, and live while it runs.

use axum::{
    Extension,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::{NoPage, actions, activation, funnel, layout, respond, words};
use crate::{
    http::{Server, Visitor},
    publish::{Receipt, Status},
    withheld::without,
};

/// Files that are listed; the receipt has them all.
const SHOWN: usize = 100;

pub(super) async fn page(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Response {
    match render(&server, &visitor, &id).await {
        Ok(markup) => respond(StatusCode::OK, markup),
        Err(error) => error.respond(&visitor),
    }
}

async fn render(server: &Server, visitor: &Visitor, id: &str) -> Result<Markup, NoPage> {
    let publisher = server.control.publisher();
    let state = publisher.state();
    let unknown = || NoPage::unknown(format!("There is no publish “{id}”."));
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let receipt = state.receipt(id).await?.ok_or_else(unknown)?;
    let (before, after) = state.neighbours(id).await?;
    let now = Utc::now();
    let title = format!("{} #{}", receipt.activation, receipt.sequence);
    let head = layout::Head {
        title: title.clone(),
        shows: "publish",
        activation: receipt.activation.clone(),
        publish: id.to_string(),
    };
    let neighbour = |id: Option<Uuid>, label: &str| {
        html! { @if let Some(id) = id { a href=(format!("/publishes/{id}")) { (label) } } @else { span .z { (label) } } }
    };
    let content = html! {
        nav .crumbs aria-label="Path" { a href="/" { "Activations" } " / " a href=(format!("/activations/{}", receipt.activation)) { (receipt.activation) } }
        div .title data-part="title" {
            h1 { "#" (receipt.sequence) " " span .z { (words::kind(receipt.kind)) } (words::status_badge(receipt.status)) }
            (actions::publish(visitor, &receipt))
        }
        div data-part="error" {
            @if let Some(error) = &receipt.error { (activation::failure(error)) }
            @if let Some(reason) = &receipt.override_reason { div .alert .warn { strong { "Guards were passed on purpose" } p { (reason) } } }
        }
        section .card data-part="timeline" aria-labelledby="timeline-title" {
            h2 #timeline-title { "How it went" }
            (timeline(&receipt, now))
            @if receipt.status == Status::Running { (progress(server, &receipt)) }
        }
        section .card data-part="funnel" aria-labelledby="funnel-title" {
            h2 #funnel-title { "Where the members went" small { @if receipt.mode == herald_destinations::contract::Mode::Full { "full" } @else { "incremental" } } }
            (funnel::render(&receipt))
        }
        (files(&receipt))
        nav .pages aria-label="Neighbouring publishes" data-part="pages" {
            (neighbour(before, "← Previous")) a href=(format!("/v1/publishes/{id}")) { "Receipt as JSON" } (neighbour(after, "Next →"))
        }
    };
    Ok(layout::page(visitor, &head, &content))
}

fn timeline(receipt: &Receipt, now: DateTime<Utc>) -> Markup {
    let between = |from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>| {
        from.zip(to).and_then(|(from, to)| (to - from).to_std().ok()).map(words::duration)
    };
    let waited = between(Some(receipt.queued_at), receipt.started_at);
    let took = between(receipt.started_at, receipt.finished_at);
    let stop = |label: &str, at: Option<DateTime<Utc>>, note: Option<String>| {
        html! { li .done[at.is_some()] {
            strong { (label) }
            @if let Some(at) = at { span { (words::exact(at)) } small { (words::when(at, now)) @if let Some(note) = &note { " · " (note) } } }
            @else { span .z { "not yet" } }
        } }
    };
    html! {
        ol .timeline {
            (stop("Queued", Some(receipt.queued_at), None))
            (stop("Started", receipt.started_at, waited.map(|time| format!("waited {time}"))))
            (stop("Finished", receipt.finished_at, took.map(|time| format!("took {time}"))))
        }
        @if receipt.attempts > 1 { p .z { "A request took up to " (receipt.attempts) " attempts." } }
    }
}

/// The script keeps it true; without it, it is how far the publish was when the page was made.
fn progress(server: &Server, receipt: &Receipt) -> Markup {
    let stage = server.hub.stage(&receipt.activation).filter(|stage| stage.publish.is_none_or(|id| id == receipt.id));
    let (phase, done, total) = stage.map_or(("running", 0, None), |stage| (stage.phase, stage.done, stage.total));
    html! {
        div .progress data-progress {
            label for="progress" { strong data-phase { (phase) } " " span data-done { (words::count(done))
                @if let Some(total) = total { " of " (words::count(total)) } } }
            progress #progress max=[total] value=[total.map(|_| done)] { (phase) }
        }
    }
}

fn files(receipt: &Receipt) -> Markup {
    let number = receipt.files.len() + receipt.extras.len();
    html! {
        @if number > 0 {
            section .card data-part="files" aria-labelledby="files-title" {
                h2 #files-title { "Files" small { (words::bytes(receipt.bytes)) } }
                div .scroll { table .plain {
                    caption .sr { "Files at the target, and their digests" }
                    thead { tr { th scope="col" { "Path" } th scope="col" .n { "Rows" } th scope="col" .n { "Size" } th scope="col" { "SHA-256" } } }
                    tbody {
                        @for file in receipt.files.iter().take(SHOWN) { tr {
                            th scope="row" { code { (without(&file.path)) } } td .n { (words::count(file.rows)) } td .n { (words::bytes(file.bytes)) }
                            td { code .digest title=(file.sha256) { (file.sha256.get(..12).unwrap_or(&file.sha256)) "…" } }
                        } }
                        @for extra in receipt.extras.iter().take(SHOWN) { tr {
                            th scope="row" { code { (without(&extra.path)) } } td .n .z { "–" } td .n { (words::bytes(extra.bytes)) } td .z { "–" }
                        } }
                    }
                } }
                @if number > SHOWN { p .z { "The receipt lists all " (number) "." } }
            }
        }
        @if let Some(taken) = &receipt.taken_back {
            section .card { h2 { "Taken back" } p { (words::count(taken.removed)) " objects removed, " (words::count(taken.shared))
                " left to other activations, " (words::count(taken.left)) " not removed." } }
        }
    }
}
