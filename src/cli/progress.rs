//! How far a publish is: a bar on a terminal, else a log line now and then.

use std::{
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output::Progress;
use crate::{
    publish::{self, Phase},
    telemetry::{self, Shown},
};

const OF_SO_MANY: &str =
    "{spinner:.cyan} {msg:<10} {wide_bar:.cyan/dim} {human_pos} of {human_len} {unit}  {rate}  {eta} left";
const SO_MANY: &str = "{spinner:.cyan} {msg:<10} {human_pos} {unit}  {rate}  {elapsed}";
/// The bar moves at least so often.
const TICK: Duration = Duration::from_millis(120);
/// Between two log lines of one phase.
const PAUSE: Duration = Duration::from_secs(10);

/// Shows how far a publish is. Dropping it takes the bar off the terminal.
#[derive(Debug)]
pub(super) struct Meter(Kind);

#[derive(Debug)]
enum Kind {
    Bar(ProgressBar, #[allow(dead_code, reason = "keeps the bar shown")] Shown),
    Lines(Lines),
    None,
}

#[derive(Debug)]
struct Lines {
    rows: AtomicU64,
    at: Mutex<At>,
}

#[derive(Debug)]
struct At {
    phase: &'static str,
    unit: &'static str,
    expected: Option<u64>,
    began: Instant,
    told: Instant,
}

impl Meter {
    pub(super) fn new(progress: Progress) -> Self {
        Self(match progress {
            Progress::None => Kind::None,
            Progress::Bar => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                bar.set_style(style(SO_MANY, "rows"));
                bar.enable_steady_tick(TICK);
                Kind::Bar(bar.clone(), telemetry::show(bar))
            }
            Progress::Lines => Kind::Lines(Lines {
                rows: AtomicU64::new(0),
                at: Mutex::new(At {
                    phase: "",
                    unit: "rows",
                    expected: None,
                    began: Instant::now(),
                    told: Instant::now(),
                }),
            }),
        })
    }
}

const fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Resolving => "resolving",
        Phase::Delivering => "delivering",
        Phase::Committing => "committing",
        Phase::Removing => "removing",
        Phase::Verifying => "verifying",
    }
}

impl publish::Progress for Meter {
    fn phase(&self, phase: Phase, expected: Option<u64>) {
        let unit = unit(phase);
        let phase = word(phase);
        match &self.0 {
            Kind::Bar(bar, _) => {
                bar.reset();
                bar.set_message(phase);
                match expected {
                    Some(rows) => {
                        bar.set_style(style(OF_SO_MANY, unit));
                        bar.set_length(rows);
                    }
                    None => {
                        bar.set_style(style(SO_MANY, unit));
                        bar.unset_length();
                    }
                }
            }
            Kind::Lines(lines) => {
                let mut at = lines.at.lock().unwrap_or_else(PoisonError::into_inner);
                *at = At { phase, unit, expected, began: Instant::now(), told: Instant::now() };
                lines.rows.store(0, Ordering::Relaxed);
                tracing::info!(phase, unit, of = expected, "phase begins");
            }
            Kind::None => {}
        }
    }

    fn advance(&self, rows: u64) {
        match &self.0 {
            Kind::Bar(bar, _) => bar.inc(rows),
            Kind::Lines(lines) => {
                let done = lines.rows.fetch_add(rows, Ordering::Relaxed) + rows;
                let mut at = lines.at.lock().unwrap_or_else(PoisonError::into_inner);
                if at.told.elapsed() >= PAUSE {
                    at.told = Instant::now();
                    tell(&at, done);
                }
            }
            Kind::None => {}
        }
    }
}

fn tell(at: &At, done: u64) {
    let seconds = at.began.elapsed().as_secs().max(1);
    let rate = done / seconds;
    let left = at.expected.and_then(|all| all.saturating_sub(done).checked_div(rate));
    tracing::info!(
        phase = at.phase,
        unit = at.unit,
        done,
        of = at.expected,
        per_second = rate,
        seconds_left = left,
        "under way"
    );
}

/// What a phase counts.
const fn unit(phase: Phase) -> &'static str {
    match phase {
        Phase::Removing | Phase::Verifying => "objects",
        Phase::Waiting | Phase::Resolving | Phase::Delivering | Phase::Committing => "rows",
    }
}

fn style(template: &str, unit: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
        .with_key("unit", move |_: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(unit);
        })
        .with_key("rate", move |state: &ProgressState, out: &mut dyn Write| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
            let _ = write!(out, "{} {unit}/s", HumanCount(state.per_sec() as u64));
        })
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::{Meter, OF_SO_MANY, SO_MANY};
    use crate::{
        cli::output::Progress,
        publish::{Phase, Progress as _},
    };

    #[test]
    fn templates_are_sound() {
        for template in [OF_SO_MANY, SO_MANY] {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    #[test]
    fn phases_with_and_without_an_end_can_follow_each_other() {
        for progress in [Progress::Bar, Progress::Lines, Progress::None] {
            let meter = Meter::new(progress);
            meter.phase(Phase::Resolving, None);
            meter.advance(1_000);
            meter.phase(Phase::Delivering, Some(0));
            meter.phase(Phase::Delivering, Some(10));
            meter.advance(11);
        }
    }
}
