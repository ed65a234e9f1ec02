//! `/activations/{name}`: one activation, its publishes, its definition.

use axum::{
    Extension,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::{NoPage, actions, charts, definition, fleet, funnel, health::Health, layout, respond, words};
use crate::{
    config::{Activation, Config},
    fleet::Standing,
    http::{Server, Visitor},
    publish::{PublishKind, Receipt, Status},
    state::{Filter, PlaceRow},
};

/// Publishes that charts and table show.
const SHOWN: u32 = 30;

pub(super) async fn page(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Response {
    match render(&server, &visitor, &name).await {
        Ok(markup) => respond(StatusCode::OK, markup),
        Err(error) => error.respond(&visitor),
    }
}

async fn render(server: &Server, visitor: &Visitor, name: &str) -> Result<Markup, NoPage> {
    let publisher = server.control.publisher();
    let (config, state) = (publisher.config(), publisher.state());
    let activation = config.activations.get(name);
    if activation.is_none() && state.activation(name).await?.is_none() {
        return Err(NoPage::unknown(format!("There is no activation “{name}”.")));
    }
    let standing = crate::fleet::one(config, state, name).await?;
    let filter = Filter { activation: Some(name.to_owned()), limit: SHOWN, ..Filter::default() };
    let receipts = state.receipts(filter).await?;
    let outcomes = state.outcomes(Some(name), SHOWN).await?.remove(name).unwrap_or_default();
    let health = Health::of(&standing, &outcomes);
    let refused = state.dead_letters_by_code(name).await?;
    let places = state.places(name).await?;
    let now = Utc::now();
    // What a retry is asked for by: the newest publish that refused any.
    let retried = receipts.iter().find(|one| one.counts.rejected > 0).filter(|_| standing.dead_letters > 0);
    let delivers = |one: &&Receipt| !matches!(one.kind, PublishKind::Teardown | PublishKind::Recovery);
    let newest = receipts.iter().filter(delivers).find(|one| one.counts.resolved > 0 || one.counts.removed > 0);
    let head = layout::Head {
        title: name.to_owned(),
        shows: "activation",
        activation: name.to_owned(),
        ..layout::Head::default()
    };
    let content = html! {
        nav .crumbs aria-label="Path" { a href="/" { "Activations" } }
        div .title data-part="title" {
            h1 { (name) (words::badge(health.sign(), health.word())) }
            (actions::activation(visitor, name, standing.state, activation, standing.last.as_ref(), retried))
        }
        (trouble(&standing, health))
        (facts(config, activation, &standing, now))
        @if let Some(newest) = newest {
            section .card data-part="funnel" aria-labelledby="funnel-title" {
                h2 #funnel-title { "Where the members went" small { a href=(format!("/publishes/{}", newest.id)) { "publish #" (newest.sequence) } } }
                (funnel::render(newest))
            }
        }
        @if !receipts.is_empty() { (history(&receipts)) }
        @if !refused.is_empty() { (rejected(&refused, retried)) }
        (publishes(&receipts, now))
        @if let Some(activation) = activation {
            section .card aria-labelledby="definition-title" { h2 #definition-title { "Definition" } (definition::render(config, activation)) }
        }
        @if places.len() > 1 || activation.is_none() { (standing_at(&places)) }
        @if let Some(activation) = activation { (actions::delete_dialog(name, activation.on_delete)) }
    };
    Ok(layout::page(visitor, &head, &content))
}

/// What is wrong, and what to do.
fn trouble(standing: &Standing, health: Health) -> Markup {
    let error = standing.last.as_ref().and_then(|last| last.error.as_ref());
    html! {
        div data-part="trouble" {
            @if let (Health::Failing, Some(error)) = (health, error) { (failure(error)) }
            @else if health == Health::Late {
                div .alert .warn { strong { "The data is older than it may be." }
                    p { "No publish has succeeded within the freshness that the config asks for. Publish now, or look at what holds it up below." } }
            }
        }
    }
}

/// An error, and its remedy.
pub(super) fn failure(error: &crate::publish::Failure) -> Markup {
    html! {
        div .alert .bad {
            strong { (error.message) }
            p { "What to do: " (error.remedy) "." }
            p .z { code { (error.code) } @if error.retryable { " · may pass by itself" } @else { " · does not pass by itself" } }
        }
    }
}

fn facts(config: &Config, activation: Option<&Activation>, standing: &Standing, now: DateTime<Utc>) -> Markup {
    let freshness = standing.freshness.map(|freshness| freshness.as_secs());
    html! {
        dl .tiles data-part="facts" {
            div { dt { "Members held" } dd { (words::count(standing.members)) } }
            div { dt { "Age of data" } dd { (fleet::age(standing.lag_seconds, freshness, standing.late)) } }
            div { dt { "Next publish" } dd {
                @match standing.next {
                    Some(next) if next < now => "due now",
                    Some(next) => (words::when(next, now)),
                    None => "–",
                }
                @if let Some(activation) = activation { small { (definition::cadence(config, activation)) } }
            } }
            div { dt { "Rejected records" } dd { (words::count(standing.dead_letters)) } }
            @if let Some(activation) = activation && let Some((kind, place)) = definition::place(config, activation) {
                div .wide { dt { "Target" } dd { (activation.target) small { (kind) " · "
                    @if let Some(place) = place { (place) } @else { em { "place withheld" } } } } }
            }
        }
    }
}

fn history(newest_first: &[Receipt]) -> Markup {
    let oldest_first: Vec<&Receipt> = newest_first.iter().rev().collect();
    html! {
        div .two data-part="history" {
            section .card aria-labelledby="changes-title" {
                h2 #changes-title { "Changes" small { "last " (oldest_first.len()) " publishes" } }
                (charts::changes(&oldest_first))
                (charts::key(&[("added", "added"), ("updated", "updated"), ("removed", "removed, below"), ("rejected", "some rejected")]))
                p .scale { "Heights grow with the square root, so that small publishes show." }
            }
            section .card aria-labelledby="took-title" {
                h2 #took-title { "Duration" small { "start to end" } }
                (charts::durations(&oldest_first))
            }
        }
    }
}

fn rejected(refused: &[(String, u64)], retried: Option<&Receipt>) -> Markup {
    html! {
        section .card data-part="rejected" aria-labelledby="rejected-title" {
            h2 #rejected-title { "Rejected records"
                @if let Some(retried) = retried { small { a href=(format!("/v1/publishes/{}/rejects", retried.id)) { "list" } } } }
            table .plain .narrow {
                caption .sr { "Rejected records by code" }
                thead { tr { th scope="col" { "Code" } th scope="col" .n { "Records" } } }
                tbody { @for (code, number) in refused { tr { th scope="row" { code { (code) } } td .n { (words::count(*number)) } } } }
            }
            p .z { "They come again by themselves; a retry asks for them now." }
        }
    }
}

/// Publishes, newest first.
fn publishes(receipts: &[Receipt], now: DateTime<Utc>) -> Markup {
    html! {
        section .card data-part="publishes" aria-labelledby="publishes-title" {
            h2 #publishes-title { "Publishes" }
            @if receipts.is_empty() { p .z { "None yet." } } @else {
                div .scroll { table .plain .log {
                    caption .sr { "Publishes, newest first" }
                    thead { tr {
                        th scope="col" { "Publish" } th scope="col" { "Status" } th scope="col" { "Started" } th scope="col" .n { "Took" }
                        th scope="col" .n { "Added" } th scope="col" .n { "Updated" } th scope="col" .n { "Removed" } th scope="col" .n { "Rejected" }
                    } }
                    tbody { @for one in receipts { tr {
                        th scope="row" { a href=(format!("/publishes/{}", one.id)) { "#" (one.sequence) } small { (words::kind(one.kind)) } }
                        td { (words::status_badge(one.status)) @if let Some(error) = &one.error { small { code { (error.code) } } } }
                        td { (words::when(one.started_at.unwrap_or(one.queued_at), now)) }
                        td .n { (took(one)) }
                        @for number in [one.counts.added, one.counts.updated, one.counts.removed, one.counts.rejected] {
                            td .n .z[number == 0] { (words::count(number)) } }
                    } } }
                } }
            }
        }
    }
}

/// How long a publish took; what runs has a dash.
pub(super) fn took(receipt: &Receipt) -> String {
    let time = receipt.started_at.zip(receipt.finished_at).and_then(|(from, to)| (to - from).to_std().ok());
    match (time, receipt.status) {
        (Some(time), _) => words::duration(time),
        (None, Status::Running) => "…".to_owned(),
        (None, _) => "–".to_owned(),
    }
}

fn standing_at(places: &[PlaceRow]) -> Markup {
    html! {
        @if !places.is_empty() {
            section .card aria-labelledby="places-title" {
                h2 #places-title { "Where its data stands" }
                table .plain .narrow {
                    caption .sr { "Targets that hold data of this activation" }
                    thead { tr { th scope="col" { "Target" } th scope="col" { "Since" } } }
                    tbody { @for place in places { tr {
                        th scope="row" { (place.target) }
                        td { @match place.left_at {
                            None => "goes there now",
                            Some(left) => { "left " (words::exact(left)) @if place.leaving { ", being taken back" } }
                        } }
                    } } }
                }
            }
        }
    }
}
