//! Where the members of a publish went: a picture of the law that the counts obey.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{charts, words};
use crate::publish::{Receipt, Status};

const WIDE: u64 = 1000;
/// What is not 0 is at least this wide.
const LEAST: u64 = 8;

type Part<'a> = (&'a str, &'a str, u64);

/// A publish's counts: who was looked at, what had to change, what the target said.
pub(super) fn render(receipt: &Receipt) -> Markup {
    let counts = &receipt.counts;
    let looked: [Part<'_>; 4] = [
        ("added", "added", counts.added),
        ("updated", "updated", counts.updated),
        ("unchanged", "unchanged", counts.unchanged),
        ("suppressed", "suppressed", counts.suppressed),
    ];
    let changes: [Part<'_>; 3] = [
        ("added", "added", counts.added),
        ("updated", "updated", counts.updated),
        ("removed", "removed", counts.removed),
    ];
    let answers: [Part<'_>; 3] = [
        ("delivered", "delivered", counts.delivered),
        ("rejected", "rejected", counts.rejected),
        ("owed", "owed", counts.owed),
    ];
    let change = counts.added + counts.updated + counts.removed;
    let open = matches!(receipt.status, Status::Queued | Status::Running);
    html! {
        div .funnel {
            (picture(&looked, &changes, &answers))
            div .steps {
                (step("Who was looked at", "resolved", counts.resolved, &looked, open))
                (step("What had to change", "changes", change, &changes, open))
                (step("What the target said", "changes", change, &answers, open))
            }
        }
        div .reasons {
            (reasons("Suppressed by", &receipt.suppressed_by))
            (reasons("Rejected by", &receipt.rejected_by))
            (reasons("Left out by send", &receipt.withheld))
        }
    }
}

fn picture(looked: &[Part<'_>], changes: &[Part<'_>], answers: &[Part<'_>]) -> Markup {
    let spans =
        |parts: &[Part<'_>]| charts::spans(&parts.iter().map(|(_, _, value)| *value).collect::<Vec<_>>(), WIDE, LEAST);
    let (first, second) = (spans(looked), spans(changes));
    // Members who are added or updated go on from the first bar to the second.
    let go_on = first[1].0 + first[1].1;
    let arrive = second[1].0 + second[1].1;
    let end = |spans: &[(u64, u64)]| spans.iter().map(|(x, wide)| x + wide).max().unwrap_or(0);
    let (all, answered) = (end(&second), end(&spans(answers)));
    html! {
        svg .flow viewBox="0 0 1000 220" preserveAspectRatio="none" aria-hidden="true" {
            @if go_on > 0 { path .stream d=(format!("M0 50C0 70 0 70 0 90H{arrive}C{arrive} 70 {go_on} 70 {go_on} 50z")) {} }
            @if all > 0 && answered > 0 { path .stream d=(format!("M0 130V170H{answered}C{answered} 150 {all} 150 {all} 130z")) {} }
            @for (parts, y) in [(looked, 0), (changes, 88), (answers, 170)] {
                @for ((class, _, _), (x, wide)) in parts.iter().zip(spans(parts)) {
                    @if wide > 0 { rect class=(class) x=(x) y=(y) width=(wide.saturating_sub(2)) height=(if y == 0 { 50 } else { 44 }) {} }
                }
            }
        }
    }
}

fn step(title: &str, whole: &str, sum: u64, parts: &[Part<'_>], open: bool) -> Markup {
    let adds_up = parts.iter().map(|(_, _, value)| value).sum::<u64>() == sum;
    html! {
        div {
            h3 { (title) }
            p .sum { strong { (words::count(sum)) } " " (whole)
                @if open { span .z { " so far" } }
                @else if adds_up { span .ok title="The parts add up to the whole" { svg aria-hidden="true" { use href="#ok" {} } "adds up" } }
                @else { span .bad { svg aria-hidden="true" { use href="#bad" {} } "does not add up" } }
            }
            ul { @for (class, label, value) in parts {
                li .z[*value == 0] { (charts::swatch(class)) span { (label) } span .n { (words::count(*value)) } }
            } }
        }
    }
}

fn reasons(title: &str, reasons: &BTreeMap<String, u64>) -> Markup {
    let mut sorted: Vec<(&String, &u64)> = reasons.iter().filter(|(_, number)| **number > 0).collect();
    sorted.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    html! {
        @if !sorted.is_empty() {
            div { h3 { (title) } ul { @for (reason, number) in sorted {
                li { code { (reason) } span .n { (words::count(*number)) } }
            } } }
        }
    }
}
