//! `/`: all activations, what needs somebody first.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Extension,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize;

use super::{NoPage, charts, health::Health, layout, respond, words};
use crate::{
    config::Config,
    fleet::{self, Standing},
    http::{Server, Visitor},
    publish::Status,
    state::Outcome,
};

/// Publishes that a row shows.
const SHOWN: u32 = 20;

/// Which activations are shown.
#[derive(Debug, Default, Deserialize)]
pub(in crate::http) struct Wanted {
    /// A part of the name, segment or target.
    #[serde(default)]
    q: String,
    /// A health's word.
    #[serde(default)]
    state: String,
    /// Names with commas between: rows that a page asks for again.
    #[serde(default)]
    only: String,
}

/// A row.
struct Row<'a> {
    standing: &'a Standing,
    outcomes: &'a [Outcome],
    health: Health,
    segment: &'a str,
    target: &'a str,
    freshness: Option<u64>,
}

/// The dashboard: all activations, those that need somebody first.
#[utoipa::path(get, path = "/", tag = "dashboard",
    params(("q" = Option<String>, Query, description = "A part of a name, segment or target."),
        ("state" = Option<String>, Query, description = "A word of the dashboard for how an activation is."),
        ("only" = Option<String>, Query, description = "Names, with commas between.")),
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")))]
pub(in crate::http) async fn page(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Query(wanted): Query<Wanted>,
) -> Response {
    match render(&server, &visitor, &wanted).await {
        Ok(markup) => respond(StatusCode::OK, markup),
        Err(error) => error.respond(&visitor),
    }
}

async fn render(server: &Server, visitor: &Visitor, wanted: &Wanted) -> Result<Markup, NoPage> {
    let publisher = server.control.publisher();
    let (config, state) = (publisher.config(), publisher.state());
    let standings = fleet::all(config, state).await?;
    let outcomes = state.outcomes(None, SHOWN).await?;
    let mut rows = rows(config, &standings, &outcomes);
    rows.sort_by(|a, b| (a.health, &a.standing.name).cmp(&(b.health, &b.standing.name)));
    let shown: Vec<&Row<'_>> = rows.iter().filter(|row| is_wanted(row, wanted)).collect();
    let now = Utc::now();
    let head = layout::Head { title: headline(&rows), shows: "fleet", ..layout::Head::default() };
    let content = html! {
        (summary(&rows))
        (filter(&rows, wanted))
        @if rows.is_empty() {
            section .card .empty { h2 { "No activations yet" } p { "Add one to the config, then reload it." } }
        } @else {
            div .card .scroll {
                table .fleet #fleet {
                    caption .sr { "Activations, those that need somebody first" }
                    thead { tr {
                        th scope="col" { "Activation" } th scope="col" { "Last publish" }
                        th scope="col" { "Last " (SHOWN) } th scope="col" { "Age of data" } th scope="col" .n { "Members" }
                        th scope="col" .n { "Rejected" } th scope="col" { "Next" }
                    } }
                    tbody { @for one in &shown { (row(one, now)) } }
                }
                p #none .none hidden[!shown.is_empty()] { "No activation is like that. " a href="/" { "Show all" } }
            }
        }
    };
    Ok(layout::page(visitor, &head, &content))
}

fn rows<'a>(
    config: &'a Config,
    standings: &'a [Standing],
    outcomes: &'a BTreeMap<String, Vec<Outcome>>,
) -> Vec<Row<'a>> {
    let row = |standing: &'a Standing| {
        let outcomes = outcomes.get(&standing.name).map_or(&[][..], Vec::as_slice);
        let activation = config.activations.get(&standing.name);
        let last = standing.last.as_ref();
        Row {
            standing,
            outcomes,
            health: Health::of(standing, outcomes),
            segment: activation.map(|one| &*one.segment).or(last.map(|last| &*last.segment)).unwrap_or_default(),
            target: activation.map(|one| &*one.target).or(last.map(|last| &*last.target)).unwrap_or_default(),
            freshness: standing.freshness.map(|freshness| freshness.as_secs()),
        }
    };
    standings.iter().map(row).collect()
}

fn is_wanted(row: &Row<'_>, wanted: &Wanted) -> bool {
    if !wanted.only.is_empty() {
        let only: BTreeSet<&str> = wanted.only.split(',').collect();
        return only.contains(row.standing.name.as_str());
    }
    let text = wanted.q.trim().to_lowercase();
    let named = [row.standing.name.as_str(), row.segment, row.target].iter().any(|name| name.contains(&text));
    let state = match wanted.state.as_str() {
        "" => true,
        "problems" => row.health.needs_somebody(),
        word => row.health.word() == word,
    };
    named && state
}

fn headline(rows: &[Row<'_>]) -> String {
    let troubled = rows.iter().filter(|row| row.health.needs_somebody()).count();
    match (troubled, rows.len()) {
        (_, 0) => "Nothing to publish".to_owned(),
        (0, 1) => "All is well".to_owned(),
        (0, all) => format!("All {all} activations are well"),
        (1, 1) => "The activation needs you".to_owned(),
        (1, all) => format!("1 of {all} activations needs you"),
        (some, all) => format!("{some} of {all} activations need you"),
    }
}

fn summary(rows: &[Row<'_>]) -> Markup {
    let counts: Vec<(Health, u64)> = Health::ALL
        .into_iter()
        .map(|health| (health, rows.iter().filter(|row| row.health == health).count() as u64))
        .filter(|(_, number)| *number > 0)
        .collect();
    let flies = |row: &&Row<'_>| {
        row.standing.last.as_ref().is_some_and(|last| matches!(last.status, Status::Queued | Status::Running))
    };
    let running = rows.iter().filter(flies).count() as u64;
    let members: u64 = rows.iter().map(|row| row.standing.members).sum();
    let rejected: u64 = rows.iter().map(|row| row.standing.dead_letters).sum();
    html! {
        section .summary data-part="summary" {
            h1 { (headline(rows)) }
            dl .totals {
                div { dt { "Members held" } dd { (words::count(members)) } }
                div { dt { "Publishes running" } dd { (words::count(running)) } }
                div { dt { "Rejected records" } dd { (words::count(rejected)) } }
            }
            div .states {
                (charts::shares(&counts.iter().map(|(health, number)| (health.sign(), *number)).collect::<Vec<_>>()))
                ul { @for (health, number) in &counts {
                    li { a href=(format!("/?state={}", health.word())) data-state=(health.word()) {
                        (words::badge(health.sign(), health.word())) strong { (words::count(*number)) } } }
                } }
            }
        }
    }
}

fn filter(rows: &[Row<'_>], wanted: &Wanted) -> Markup {
    let option = |value: &str, label: &str| {
        html! { option value=(value) selected[wanted.state == value] { (label) } }
    };
    html! {
        form #filter .filter method="get" action="/" role="search" {
            label { span .sr { "Name, segment or target" }
                input type="search" name="q" value=(wanted.q) placeholder="Name, segment or target" autocomplete="off"; }
            label { span .sr { "State" }
                select name="state" {
                    (option("", "All states")) (option("problems", "Needs you"))
                    @for health in Health::ALL { (option(health.word(), health.word())) }
                } }
            button .nojs { "Filter" }
            output #shown { (rows.iter().filter(|row| is_wanted(row, wanted)).count()) " of " (rows.len()) }
        }
    }
}

fn row(row: &Row<'_>, now: DateTime<Utc>) -> Markup {
    let standing = row.standing;
    let name = standing.name.as_str();
    html! {
        tr data-part=(name) data-h=(row.health.word()) {
            th scope="row" {
                a href=(format!("/activations/{name}")) { (name) }
                small { (row.segment) " → " (row.target) }
                (words::badge(row.health.sign(), row.health.word()))
            }
            td { @if let Some(last) = &standing.last {
                a href=(format!("/publishes/{}", last.id)) { (words::status_badge(last.status)) }
                small { (words::when(last.finished_at.or(last.started_at).unwrap_or(last.queued_at), now))
                    @if let Some(error) = &last.error { " " code { (error.code) } } }
            } @else { small { "never" } } }
            td { (charts::outcomes(row.outcomes)) }
            td { (age(standing.lag_seconds, row.freshness, standing.late)) }
            td .n { (words::count(standing.members)) (charts::members(row.outcomes, standing.members)) }
            td .n { @if standing.dead_letters > 0 { (words::count(standing.dead_letters)) } @else { span .z { "0" } } }
            td { @if let Some(next) = standing.next {
                @if next < now { "due now" } @else { (words::when(next, now)) }
            } @else { span .z { "–" } } }
        }
    }
}

/// The lag, and how much of its `freshness` it has used up.
pub(super) fn age(lag: Option<u64>, freshness: Option<u64>, late: bool) -> Markup {
    let rough = |seconds| words::rough(std::time::Duration::from_secs(seconds));
    html! {
        @if let Some(lag) = lag {
            span .late[late] { (rough(lag)) }
            @if let Some(freshness) = freshness { small { " of " (rough(freshness)) } (charts::used(lag, freshness)) }
        } @else { span .z { "–" } }
    }
}
