//! Every metric of Herald's own: name, type and meaning. `docs/metrics.md` says the same at length.

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only up, from 0 at each start.
    Counter,
    /// Up and down.
    Gauge,
    /// Counts of durations by bucket, in seconds.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As it is scraped.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, help }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, help }
}

pub(super) const PUBLISHES: Metric =
    counter("herald_publishes_total", "Publishes that ended, by activation, target, kind and status.");
pub(super) const DURATION: Metric =
    histogram("herald_publish_duration_seconds", "Time that publishes spent in each phase.");
pub(super) const RECORDS: Metric =
    counter("herald_records_total", "Members and records of publishes that ended, by the names of a receipt's counts.");
pub(super) const BYTES: Metric = counter("herald_bytes_total", "Bytes of the files that publishes delivered.");
pub(super) const LAG: Metric = gauge("herald_sync_lag_seconds", "Time since the start of the last good publish.");
pub(super) const FRESHNESS: Metric = gauge("herald_freshness_seconds", "The lag past which an activation is late.");
pub(super) const LAST_SUCCESS: Metric =
    gauge("herald_last_success_timestamp_seconds", "Start of the last good publish, in seconds since 1970.");
pub(super) const SNAPSHOT: Metric = gauge("herald_snapshot_records", "Members in the snapshot.");
pub(super) const DEAD_LETTERS: Metric = gauge("herald_dead_letters", "Records that were refused for good.");
pub(super) const RETRIES: Metric =
    counter("herald_request_retries_total", "Requests made again in publishes that ended, by target and reason.");
pub(super) const RUNNING: Metric = gauge("herald_publishes_running", "Publishes that run.");
pub(super) const QUEUED: Metric = gauge("herald_publishes_queued", "Publishes that wait for a worker, by lane.");
pub(super) const BUILD: Metric = gauge("herald_build_info", "Always 1; the label says which version runs.");
pub(super) const CONFIG_VALID: Metric =
    gauge("herald_config_valid", "Whether the last config read was taken in force: 1, or 0 after a refused reload.");
pub(super) const RELOADS: Metric = counter("herald_config_reloads_total", "Reloads of the config, by result.");
pub(super) const ALERTS: Metric = counter("herald_alerts_total", "Alerts posted, by format and result.");
pub(super) const REQUESTS: Metric =
    counter("herald_http_requests_total", "Requests answered, by route, method and status.");
pub(super) const REQUEST_DURATION: Metric =
    histogram("herald_http_request_duration_seconds", "Time to answer requests, by route and method.");

/// All of them.
pub const ALL: [Metric; 18] = [
    PUBLISHES,
    DURATION,
    RECORDS,
    BYTES,
    LAG,
    FRESHNESS,
    LAST_SUCCESS,
    SNAPSHOT,
    DEAD_LETTERS,
    RETRIES,
    RUNNING,
    QUEUED,
    BUILD,
    CONFIG_VALID,
    RELOADS,
    ALERTS,
    REQUESTS,
    REQUEST_DURATION,
];
