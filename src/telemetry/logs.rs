//! What is logged, and how it looks.

use std::io::IsTerminal;

use tracing::{Span, Subscriber, error_span};
use tracing_subscriber::{
    EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, registry, registry::LookupSpan, util::SubscriberInitExt,
};
use uuid::Uuid;

use super::{terminal::Stderr, traces};

/// The variable that says what is logged: a level (`debug`), or directives as in
/// `info,herald::publish=trace,aws_sdk_s3=debug`.
const VARIABLE: &str = "HERALD_LOG";
/// The crates that a bare level speaks of. All others stay at `warn` until named: at `debug` some of them would
/// log whole requests.
const OURS: [&str; 2] = ["herald", "herald_destinations"];

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The log can't be set up as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("HERALD_LOG: {0}; give a level such as `debug`, or directives such as `info,herald::publish=trace`")]
pub struct LogError(String);

/// Starts logging to stderr, `HERALD_LOG` deciding what: by default `info`, or `warn` when `quiet`. A second call
/// changes nothing.
///
/// # Errors
/// When `HERALD_LOG` can't be read.
pub fn init(format: LogFormat, quiet: bool) -> Result<(), LogError> {
    let asked = std::env::var(VARIABLE).unwrap_or_default();
    let filter = filter(&asked, if quiet { "warn" } else { "info" })?;
    let (traced, handle) = traces::layer();
    let lines = lines(format, std::io::stderr().is_terminal(), Stderr).with_filter(filter);
    // Fails only when logging has been started already.
    if registry().with(traced).with(lines).try_init().is_ok() {
        traces::fill_later(handle);
    }
    Ok(())
}

/// The span of one publish: all that is logged inside of it carries its id, at every level of the filter.
pub fn publish_span(id: Uuid, activation: &str) -> Span {
    error_span!("publish", %id, activation)
}

fn filter(asked: &str, level: &str) -> Result<EnvFilter, LogError> {
    let mut directives = vec!["warn".to_owned()];
    let ours = |level: &str| OURS.map(|name| format!("{name}={level}"));
    directives.extend(ours(level));
    for directive in asked.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        if directive.contains(['=', '[', ':']) {
            directives.push(directive.to_owned());
        } else if directive.parse::<tracing_subscriber::filter::LevelFilter>().is_ok() {
            directives.extend(ours(directive));
        } else {
            return Err(LogError(format!("`{directive}` is not a level")));
        }
    }
    EnvFilter::builder().parse(directives.join(",")).map_err(|error| LogError(error.to_string()))
}

/// What writes log lines.
fn lines<S, W>(format: LogFormat, ansi: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => lines.with_target(false).with_ansi(ansi).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{Layer, layer::SubscriberExt, registry};

    use super::{LogFormat, filter, lines, publish_span};
    use crate::telemetry::{spans, traces};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, asked: &str, level: &str, log: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let filter = filter(asked, level).unwrap();
        let lines = lines(format, false, move || writer.clone()).with_filter(filter);
        tracing::subscriber::with_default(registry().with(traces::layer().0).with(lines), log);
        let written = page.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn lines_of_a_publish_carry_its_id() {
        let id = uuid::Uuid::now_v7();
        // Spans of traces do not show, at whatever level.
        let warn = || spans::deliver().in_scope(|| tracing::warn!(rows = 7, "slow target"));
        let publish = || publish_span(id, "gold").in_scope(warn);

        let text = logged(LogFormat::Text, "trace", "warn", publish);
        assert!(text.contains(&format!("publish{{id={id} activation=\"gold\"}}: slow target rows=7")), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");

        let json: serde_json::Value = serde_json::from_str(&logged(LogFormat::Json, "", "warn", publish)).unwrap();
        assert_eq!(json["level"], "WARN");
        assert_eq!(json["message"], "slow target");
        assert_eq!(json["rows"], 7);
        assert_eq!(json["span"]["name"], "publish");
        assert_eq!(json["span"]["id"], id.to_string());
        assert_eq!(json["span"]["activation"], "gold");
    }

    #[test]
    fn a_bare_level_speaks_of_herald_alone() {
        let both = || {
            tracing::debug!("ours");
            tracing::debug!(target: "hyper", "theirs");
            tracing::warn!(target: "hyper", "their warning");
        };
        let lines = |asked| logged(LogFormat::Text, asked, "info", both);
        assert!(!lines("").contains("ours"));
        assert!(lines("").contains("their warning"));
        assert!(lines("debug").contains("ours"));
        assert!(!lines("debug").contains("theirs"));
        assert!(lines("hyper=debug").contains("theirs"));
        assert!(!lines("off").contains("ours"));
    }

    #[test]
    fn what_is_no_level_is_refused() {
        assert!(filter("loud", "info").unwrap_err().to_string().contains("`loud` is not a level"));
        assert!(filter("herald=loud", "info").is_err());
        assert!(filter("", "info").is_ok());
    }
}
