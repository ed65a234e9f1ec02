//! An activation as its config says it. What came by `${file:}` is withheld, and a target is named by its place alone.

use std::time::Duration;

use herald_destinations::contract::Mode;
use maud::{Markup, html};

use super::words;
use crate::config::{Activation, AttributeValue, Config, Keep, OnDelete, Part, Refresh, Rule, Sql};

/// Kind and place of an activation's target.
pub(super) fn place(config: &Config, activation: &Activation) -> Option<(&'static str, Option<String>)> {
    let target = config.targets.get(&activation.target)?;
    Some((target.config.kind(), target.place()))
}

/// The definition, as a list.
pub(super) fn render(config: &Config, activation: &Activation) -> Markup {
    let sql = |sql: &Sql| piece(config, sql);
    let segment = activation.segment.split('.').next().unwrap_or_default();
    let hidden = |key: &str| is_hidden(config, activation, key);
    html! {
        dl .facts {
            dt { "Segment" } dd {
                strong { (activation.segment) }
                @if let Some(segment) = config.segments.get(segment) { " from " code { (segment.from) } (rule(config, &segment.rule)) }
            }
            @if let Some(filter) = &activation.filter { dt { "Filter" } dd { (sql(filter)) } }
            @if !activation.require.is_empty() { dt { "Required" } dd { (activation.require.join(", ")) } }
            dt { "Mode" } dd { @if activation.mode == Mode::Full { "full" } @else { "incremental: " (sends(activation)) } }
            dt { "Refresh" } dd { (cadence(config, activation)) }
            @if let Some(freshness) = activation.freshness { dt { "Freshness" } dd {
                @if hidden("freshness") { (withheld()) } @else { (words::duration(freshness)) } } }
            dt { "Guards" } dd { (guards(config, activation)) }
            @if let Some(keep) = activation.keep { dt { "Files kept" } dd { @match keep {
                _ if hidden("files.keep") => { (withheld()) }
                Keep::Publishes(number) => { (number) " publishes" }
                Keep::Age(age) => { (words::duration(age)) }
            } } }
            dt { "On delete" } dd { @match activation.on_delete { OnDelete::Keep => "keep", OnDelete::Purge => "purge" } }
        }
        details {
            summary { (activation.attributes.len()) " attribute" @if activation.attributes.len() != 1 { "s" } }
            div .scroll { table .plain {
                caption .sr { "Attributes" }
                thead { tr { th scope="col" { "Attribute" } th scope="col" { "From" } } }
                tbody { @for attribute in &activation.attributes { tr {
                    th scope="row" { (attribute.name) }
                    td { @match &attribute.value {
                        AttributeValue::Direct(value) => (sql(value)),
                        AttributeValue::Related { table, value, filter, order_by, .. } => {
                            code { (table) } ": " (sql(value))
                            @if let Some(filter) = filter { " where " (sql(filter)) }
                            @if let Some(order) = order_by { " order by " (sql(order)) }
                        }
                    } }
                } } }
            } }
        }
    }
}

/// Whether a value of an activation came by `${file:}`.
fn is_hidden(config: &Config, activation: &Activation, key: &str) -> bool {
    config.places.hidden(&format!("activations.{}.{key}", activation.name))
}

fn withheld() -> Markup {
    html! { em { "withheld" } }
}

fn piece(config: &Config, sql: &Sql) -> Markup {
    html! { @if config.places.hidden(&sql.at) { (withheld()) } @else { code { (sql.text) } } }
}

fn rule(config: &Config, rule: &Rule) -> Markup {
    let parts = |parts: &[Part]| {
        let name = |part: &Part| match part {
            Part::Named { name, .. } => name.clone(),
            Part::Inline(_) => "a rule of its own".to_owned(),
        };
        parts.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    html! {
        @if let Some(filter) = &rule.filter { " where " (piece(config, filter)) }
        @if let Some(sql) = &rule.sql { ": " (piece(config, sql)) }
        @if !rule.all_of.is_empty() { ", in all of " (parts(&rule.all_of)) }
        @if let Some(any) = &rule.any_of { ", in any of " (parts(any)) }
        @if !rule.none_of.is_empty() { ", in none of " (parts(&rule.none_of)) }
        @if !rule.waterfall.is_empty() { ", first of " (rule.waterfall.join(", ")) }
        @if let Some(limit) = &rule.limit { ", the first "
            @if config.places.hidden(&format!("{}.limit", rule.at)) { (withheld()) } @else { (words::count(limit.members)) } }
    }
}

fn sends(activation: &Activation) -> String {
    let send = activation.send;
    let ops = [(send.add, "add"), (send.update, "update"), (send.remove, "remove")];
    ops.into_iter().filter(|(sent, _)| *sent).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
}

/// When it publishes by itself.
pub(super) fn cadence(config: &Config, activation: &Activation) -> String {
    let hidden = |key| is_hidden(config, activation, key);
    let every = |key, time: Duration| {
        if hidden(key) { "at a withheld pace".to_owned() } else { format!("every {}", words::duration(time)) }
    };
    let mut text = match &activation.refresh {
        Refresh::Manual => "by hand".to_owned(),
        Refresh::Every(time) => every("refresh", *time),
        Refresh::Cron { .. } if hidden("refresh") => "at withheld times".to_owned(),
        Refresh::Cron { expression, timezone } => format!("at {expression} {timezone}"),
    };
    if let Some(rapid) = activation.rapid {
        text += &format!(", rapid {}", every("rapid", rapid.every));
    }
    if let Some(resync) = activation.resync {
        text += &format!(", resync {}", every("resync", resync));
    }
    text
}

fn guards(config: &Config, activation: &Activation) -> String {
    let guards = activation.guards;
    let told = |key: &str, told: String| {
        if is_hidden(config, activation, &format!("guards.{key}")) { "(withheld)".to_owned() } else { told }
    };
    let mut words = vec![format!("at least {} members", told("min_members", words::count(guards.min_members)))];
    if let Some(most) = guards.max_members {
        words.push(format!("at most {} members", told("max_members", words::count(most))));
    }
    let share = |share: f64| format!("{:.0}%", share * 100.0);
    words.push(format!("at most {} removed", told("max_removed", share(guards.max_removed))));
    if let Some(changed) = guards.max_changed {
        words.push(format!("at most {} changed", told("max_changed", share(changed))));
    }
    words.join(", ")
}
