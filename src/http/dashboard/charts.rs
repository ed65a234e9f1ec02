//! Pictures as SVG. Places and sizes are attributes; colours and patterns come from classes.
//!
//! Small pictures in rows are hidden from screen readers: the row says the same in words.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::words;
use crate::{
    publish::{Receipt, Status},
    state::Outcome,
};

/// One thin bar a publish, oldest first: up for good, half for partial, down for failed or blocked, a dot for the rest.
pub(super) fn outcomes(newest_first: &[Outcome]) -> Markup {
    let (mut good, mut partial, mut bad, mut other) = (String::new(), String::new(), String::new(), String::new());
    let failed = newest_first.iter().filter(|one| matches!(one.status, Status::Failed | Status::Blocked)).count();
    for (index, outcome) in newest_first.iter().enumerate() {
        let x = 98 - 5 * index.min(19);
        let _ = match outcome.status {
            Status::Succeeded => write!(good, "M{x} 12V1"),
            Status::Partial => write!(partial, "M{x} 12V6"),
            Status::Failed | Status::Blocked => write!(bad, "M{x} 14V23"),
            Status::Queued | Status::Running | Status::Cancelled => write!(other, "M{x} 12V10"),
        };
    }
    html! {
        svg .spark viewBox="0 0 100 24" aria-hidden="true" {
            @for (class, path) in [("g", good), ("w", partial), ("r", bad), ("o", other)] {
                @if !path.is_empty() { path class=(class) d=(path) {} }
            }
        }
        @if failed > 0 { small .late { (failed) " failed" } }
    }
}

/// Members after each publish, as a line, oldest first: counted back from those that are held now.
pub(super) fn members(newest_first: &[Outcome], now: u64) -> Markup {
    let mut held = Vec::with_capacity(newest_first.len());
    let mut after = now;
    for outcome in newest_first {
        let good = matches!(outcome.status, Status::Succeeded | Status::Partial);
        if good && outcome.full {
            after = outcome.wanted;
        }
        held.push(after);
        if good && !outcome.full {
            after = (after + outcome.removed).saturating_sub(outcome.added);
        }
    }
    held.reverse();
    let most = held.iter().copied().max().unwrap_or(0);
    if held.len() < 2 || most == 0 {
        return html! {};
    }
    let mut points = String::new();
    for (index, value) in held.iter().enumerate() {
        let x = index as u64 * 60 / (held.len() as u64 - 1);
        let _ = write!(points, "{x},{} ", 15 - value.saturating_mul(14) / most);
    }
    html! { svg .line viewBox="0 0 60 16" aria-hidden="true" { polyline points=(points.trim_end()) {} } }
}

/// How much of an allowance is used up.
pub(super) fn used(value: u64, of: u64) -> Markup {
    let share = (value.saturating_mul(100) / of.max(1)).min(100);
    let class = if value > of { "bar over" } else { "bar" };
    html! { svg class=(class) viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
    rect .t width="100" height="4" {} rect width=(share) height="4" {} } }
}

/// Shares of a whole, side by side; each has at least a sliver.
pub(super) fn shares(parts: &[(&str, u64)]) -> Markup {
    let spans = spans(&parts.iter().map(|(_, value)| *value).collect::<Vec<_>>(), 1000, 12);
    html! {
        svg .shares viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            @for ((class, _), (x, width)) in parts.iter().zip(spans) {
                @if width > 0 { rect class=(class) x=(x) width=(width.saturating_sub(4)) height="10" {} }
            }
        }
    }
}

/// Where parts of a whole begin and how wide they are; what is not 0 is at least `least` wide.
pub(super) fn spans(values: &[u64], width: u64, least: u64) -> Vec<(u64, u64)> {
    let total: u64 = values.iter().sum::<u64>().max(1);
    let shown = values.iter().filter(|value| **value > 0).count() as u64;
    let free = width.saturating_sub(shown * least);
    let mut x = 0;
    values
        .iter()
        .map(|value| {
            let share = u128::from(free) * u128::from(*value) / u128::from(total);
            let wide = if *value == 0 { 0 } else { least + u64::try_from(share).unwrap_or(0) };
            let start = x;
            x += wide;
            (start, wide)
        })
        .collect()
}

const WIDE: u64 = 480;
const STEP_MOST: u64 = 28;

/// What each publish changed: added, updated and rejected above the axis, removed below it.
pub(super) fn changes(oldest_first: &[&Receipt]) -> Markup {
    // Square roots, or the first publish would make all that follow invisible.
    let root = |value: u64| (value as f64).sqrt();
    let up = |one: &Receipt| root(one.counts.added + one.counts.updated);
    let most_up = oldest_first.iter().map(|one| up(one)).fold(1.0, f64::max);
    let most_down = oldest_first.iter().map(|one| root(one.counts.removed)).fold(0.0, f64::max);
    let scale = 150.0 / (most_up + most_down);
    let axis = most_up * scale + 4.0;
    let step = step(oldest_first.len());
    html! {
        svg .chart viewBox="0 0 480 160" role="img" aria-label="Records added, updated, removed and rejected by each publish; the table below has the numbers" {
            @for (index, one) in oldest_first.iter().enumerate() {
                @let x = 2 + index as u64 * step;
                @let wide = step.saturating_sub(3).max(2);
                @let height = up(one) * scale;
                @let all = (one.counts.added + one.counts.updated).max(1) as f64;
                @let added = height * one.counts.added as f64 / all;
                @let removed = root(one.counts.removed) * scale;
                a href=(format!("/publishes/{}", one.id)) tabindex="-1" {
                    title { (tip(one)) }
                    rect .hit x=(x) y="0" width=(step) height="160" {}
                    @if added > 0.0 { rect .added x=(x) y=(px(axis - added)) width=(wide) height=(px(added.max(1.0))) {} }
                    @if height - added > 0.0 {
                        rect .updated x=(x) y=(px(axis - height)) width=(wide) height=(px((height - added).max(1.0))) {} }
                    @if removed > 0.0 { rect .removed x=(x) y=(px(axis + 1.0)) width=(wide) height=(px(removed.max(1.0))) {} }
                    @if one.counts.rejected > 0 {
                        path .rejected d=(format!("M{x} {y}l{half} -7l{half} 7z", y = px(axis - height - 1.0).max(7.0), half = wide as f64 / 2.0)) {} }
                    @if matches!(one.status, Status::Failed | Status::Blocked) {
                        path .cross d=(format!("M{} {}l6 6m0 -6l-6 6", x, px(axis - 10.0))) {} }
                }
            }
            line .axis x1="0" x2=(WIDE) y1=(px(axis)) y2=(px(axis)) {}
        }
    }
}

/// How long each publish took.
pub(super) fn durations(oldest_first: &[&Receipt]) -> Markup {
    let millis =
        |one: &Receipt| -> Option<u64> { u64::try_from((one.finished_at? - one.started_at?).num_milliseconds()).ok() };
    let most = oldest_first.iter().filter_map(|one| millis(one)).max().unwrap_or(0).max(1);
    let step = step(oldest_first.len());
    html! {
        svg .chart viewBox="0 0 480 160" role="img" aria-label="How long each publish took; the table below has the numbers" {
            @for line in [5, 80] { line .grid x1="0" x2=(WIDE) y1=(line) y2=(line) {} }
            @for (index, one) in oldest_first.iter().enumerate() {
                @if let Some(took) = millis(one) {
                    @let height = (took as f64 / most as f64 * 150.0).max(1.0);
                    @let x = 2 + index as u64 * step;
                    a href=(format!("/publishes/{}", one.id)) tabindex="-1" {
                        title { (format!("#{}: {}", one.sequence, words::duration(std::time::Duration::from_millis(took)))) }
                        rect .hit x=(x) y="0" width=(step) height="160" {}
                        rect .took x=(x) y=(px(155.0 - height)) width=(step.saturating_sub(3).max(2)) height=(px(height)) {}
                    }
                }
            }
            line .axis x1="0" x2=(WIDE) y1="155.5" y2="155.5" {}
        }
        p .scale { "Longest " (words::duration(std::time::Duration::from_millis(most))) }
    }
}

fn step(bars: usize) -> u64 {
    (WIDE / (bars as u64).max(1)).clamp(5, STEP_MOST)
}

fn tip(one: &Receipt) -> String {
    let counts = &one.counts;
    format!(
        "#{} {}: {} added, {} updated, {} removed, {} rejected",
        one.sequence,
        words::status(one.status),
        words::count(counts.added),
        words::count(counts.updated),
        words::count(counts.removed),
        words::count(counts.rejected)
    )
}

/// A tenth of a unit is enough.
fn px(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// What a pattern stands for.
pub(super) fn key(parts: &[(&str, &str)]) -> Markup {
    html! {
        ul .key { @for (class, label) in parts {
            li { (swatch(class)) (label) }
        } }
    }
}

/// A patch of what a chart is filled with.
pub(super) fn swatch(class: &str) -> Markup {
    PreEscaped(format!(
        r#"<svg class="swatch" viewBox="0 0 14 14" aria-hidden="true"><rect class="{class}" width="14" height="14" rx="3"></rect></svg>"#
    ))
}

#[cfg(test)]
mod tests {
    use super::spans;

    #[test]
    fn what_is_little_is_still_seen_and_all_fits() {
        let spans = spans(&[1_000_000, 1, 0, 3], 1000, 6);
        assert_eq!(spans[2].1, 0);
        assert!(spans.iter().zip([1, 1, 0, 1]).all(|((_, wide), least)| *wide >= least * 6), "{spans:?}");
        assert!(spans[3].0 + spans[3].1 <= 1000);
    }
}
