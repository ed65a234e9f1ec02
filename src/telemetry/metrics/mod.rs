//! Metrics for Prometheus. Labels hold names of the config and words of Herald's own, never a key or a personal value.

mod departed;
mod follow;
pub mod names;
mod observer;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::Utc;
use metrics::{Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use self::{
    departed::Departed,
    names::{Kind, Metric},
    observer::Counting,
};
use crate::{fleet::Standing, publish::Observer, schedule::Load};

/// Seconds: from a request in memory to a publish of an hour.
const BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The metrics of one service; clones move the same ones. None are global, so that two can live in one process.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    process: metrics_process::Collector,
    departed: Mutex<Departed>,
    starts: Mutex<HashMap<String, i64>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// All at their start: a valid config, nothing running.
    ///
    /// # Errors
    /// Never, as long as the buckets are not empty.
    pub fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        for metric in names::ALL {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram => recorder.describe_histogram(name, None, help),
            }
        }
        let process = metrics_process::Collector::default();
        metrics::with_local_recorder(&recorder, || process.describe());
        let handle = recorder.handle();
        let metrics =
            Self(Arc::new(Inner { recorder, handle, process, departed: Mutex::default(), starts: Mutex::default() }));
        metrics.set(names::BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        metrics.config(true);
        metrics.load(Load::default());
        Ok(metrics)
    }

    /// Moves counters and histograms with the publishes that it is told of.
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(Counting(self.clone()))
    }

    /// The text that Prometheus scrapes, in the format of version 0.0.4.
    pub fn render(&self) -> String {
        metrics::with_local_recorder(&self.0.recorder, || self.0.process.collect());
        let text = self.0.handle.render();
        locked(&self.0.departed).without(text, Instant::now())
    }

    /// How all activations stand now: every few seconds. One that is deleted, or is named no more, loses its gauges at
    /// once and its other series an hour later.
    pub fn fleet(&self, standings: &[Standing]) {
        let now = Utc::now().timestamp();
        let mut starts = locked(&self.0.starts);
        for standing in standings.iter().filter(|standing| standing.state != "deleted") {
            let labels = [("activation", standing.name.as_str())];
            if let Some(lag) = standing.lag_seconds {
                // Both are whole seconds, cut at different moments: a start that moves by one has not moved.
                let start = now.saturating_sub_unsigned(lag);
                let known = starts.entry(standing.name.clone()).or_insert(start);
                if known.abs_diff(start) > 1 {
                    *known = start;
                }
                self.set(names::LAG, &labels, lag);
                self.set(names::LAST_SUCCESS, &labels, u64::try_from(*known).unwrap_or(0));
            }
            if let Some(freshness) = standing.freshness {
                self.set(names::FRESHNESS, &labels, freshness.as_secs());
            }
            self.set(names::SNAPSHOT, &labels, standing.members);
            self.set(names::DEAD_LETTERS, &labels, standing.dead_letters);
        }
        let live = standings
            .iter()
            .filter(|standing| standing.state != "deleted")
            .map(|standing| (&*standing.name, standing.freshness.is_some()));
        locked(&self.0.departed).live(live, Instant::now());
        drop(starts);
        // Durations are kept one by one until they are sorted into their buckets, though nobody scrapes.
        self.0.handle.run_upkeep();
    }

    /// How much the service has to do.
    pub fn load(&self, load: Load) {
        self.set(names::RUNNING, &[], load.running as u64);
        self.set(names::QUEUED, &[("lane", "standard")], load.queued_standard as u64);
        self.set(names::QUEUED, &[("lane", "rapid")], load.queued_rapid as u64);
    }

    /// Whether the last config read is in force.
    pub fn config(&self, valid: bool) {
        self.set(names::CONFIG_VALID, &[], u64::from(valid));
    }

    /// A reload took a config in force, or was refused; the gauge of the config follows.
    pub fn reloaded(&self, done: bool) {
        self.config(done);
        self.add(names::RELOADS, &[("result", if done { "done" } else { "refused" })], 1);
    }

    /// A request was answered. `route` is the pattern that matched, never the path that was asked for.
    pub fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        let status = status.to_string();
        self.add(names::REQUESTS, &[("route", route), ("method", method), ("status", status.as_str())], 1);
        self.time(names::REQUEST_DURATION, &[("route", route), ("method", method)], took);
    }

    /// An alert was `sent`, `failed` for good, or `dropped` because too many waited.
    pub fn alert(&self, format: &str, result: &'static str) {
        self.add(names::ALERTS, &[("format", format), ("result", result)], 1);
    }

    fn add(&self, metric: Metric, labels: &[(&'static str, &str)], by: u64) {
        self.0.recorder.register_counter(&key(metric, labels), &METADATA).increment(by);
    }

    fn set(&self, metric: Metric, labels: &[(&'static str, &str)], to: u64) {
        #[allow(clippy::cast_precision_loss, reason = "gauges are floats; past 2^53 nobody counts")]
        self.0.recorder.register_gauge(&key(metric, labels), &METADATA).set(to as f64);
    }

    fn time(&self, metric: Metric, labels: &[(&'static str, &str)], took: Duration) {
        self.0.recorder.register_histogram(&key(metric, labels), &METADATA).record(took.as_secs_f64());
    }
}

fn key(metric: Metric, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(name: &str, state: &'static str) -> Standing {
        Standing {
            name: name.to_owned(),
            state,
            last: None,
            next: None,
            lag_seconds: Some(60),
            members: 7,
            dead_letters: 2,
            late: false,
            freshness: Some(Duration::from_secs(90)),
        }
    }

    #[test]
    fn a_deleted_activation_loses_its_gauges_at_once_and_gets_them_back_when_it_lives_again() {
        let metrics = Metrics::new().unwrap();
        metrics.fleet(&[standing("a", "active"), standing("ab", "paused")]);
        let both = metrics.render();
        assert!(both.contains("herald_snapshot_records{activation=\"a\"} 7\n"), "{both}");
        assert!(both.contains("herald_sync_lag_seconds{activation=\"ab\"} 60\n"), "{both}");
        metrics.fleet(&[standing("a", "deleted"), standing("ab", "active")]);
        let one = metrics.render();
        assert!(!one.contains("activation=\"a\""), "{one}");
        assert!(one.contains("herald_dead_letters{activation=\"ab\"} 2\n"), "{one}");
        metrics.fleet(&[standing("a", "active")]);
        let again = metrics.render();
        assert!(again.contains("activation=\"a\"") && !again.contains("activation=\"ab\""), "{again}");
    }

    #[test]
    fn a_freshness_that_is_taken_back_is_shown_no_more() {
        let metrics = Metrics::new().unwrap();
        metrics.fleet(&[standing("a", "active")]);
        assert!(metrics.render().contains("herald_freshness_seconds{activation=\"a\"} 90\n"));
        metrics.fleet(&[Standing { freshness: None, ..standing("a", "active") }]);
        let without = metrics.render();
        assert!(!without.contains("herald_freshness_seconds{"), "{without}");
        assert!(without.contains("herald_sync_lag_seconds{activation=\"a\"} 60\n"), "{without}");
        metrics.fleet(&[standing("a", "active")]);
        assert!(metrics.render().contains("herald_freshness_seconds{activation=\"a\"} 90\n"));
    }

    #[test]
    fn a_refused_reload_shows_until_one_is_taken() {
        let metrics = Metrics::new().unwrap();
        assert!(metrics.render().contains("herald_config_valid 1\n"));
        metrics.reloaded(false);
        assert!(metrics.render().contains("herald_config_valid 0\n"));
        metrics.reloaded(true);
        let text = metrics.render();
        assert!(text.contains("herald_config_valid 1\n"), "{text}");
        assert!(text.contains("herald_config_reloads_total{result=\"refused\"} 1\n"), "{text}");
    }

    #[test]
    fn a_thousand_activations_are_scraped_in_no_time() {
        let metrics = Metrics::new().unwrap();
        let fleet: Vec<Standing> = (0..1000).map(|number| standing(&format!("a{number}"), "active")).collect();
        metrics.fleet(&fleet);
        let quickest = (0..5).map(|_| {
            let began = Instant::now();
            assert_eq!(metrics.render().matches("herald_dead_letters{").count(), 1000);
            began.elapsed()
        });
        assert!(quickest.min().unwrap() < Duration::from_millis(200));
    }
}
