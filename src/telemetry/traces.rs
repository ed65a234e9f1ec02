//! Traces on request: spans of publishes, sent to a collector by OTLP over HTTP.
//!
//! Logging starts before the config is read, so its subscriber holds an empty place, which is filled here. Spans wait
//! in a bounded queue and leave from a thread of their own: no publish ever waits for the collector, and when it can't
//! be reached spans are lost, never records.

use std::{
    env,
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tracing::{Metadata, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{Layer, Registry, filter::filter_fn, reload};

use super::spans::TARGET;
use crate::config;

/// Between two warnings that spans were lost.
const WARNING: Duration = Duration::from_secs(60);
/// How long a stop waits for the last spans to leave.
const GRACE: Duration = Duration::from_secs(5);
/// A request to the collector that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Either switches traces on without the config.
/// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

type Sending = Option<OpenTelemetryLayer<Registry, SdkTracer>>;

/// The place in the subscriber of this process.
static PLACE: OnceLock<reload::Handle<Sending, Registry>> = OnceLock::new();

/// Traces can't be sent as asked.
#[derive(Debug, thiserror::Error)]
#[error("traces can't be sent: {0}")]
pub struct TraceError(String);

/// Traces under way; without any, nothing.
#[derive(Debug)]
#[must_use = "the last spans leave with `stop`"]
pub struct Traces(Option<SdkTracerProvider>);

/// The layer that sends spans, once [`start`] has said where to.
pub(super) fn layer() -> (impl Layer<Registry> + Send + Sync, reload::Handle<Sending, Registry>) {
    let (place, handle) = reload::Layer::new(None);
    // With the hint, what libraries trace in detail stays as cheap as without this layer.
    (place.with_filter(filter_fn(is_traced).with_max_level_hint(LevelFilter::INFO)), handle)
}

/// Makes this the place that [`start`] fills.
pub(super) fn fill_later(handle: reload::Handle<Sending, Registry>) {
    // Taken once: logging starts once.
    let _ = PLACE.set(handle);
}

/// Spans that are made for traces, and none of those of libraries or of the log.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

/// Sends the spans of all publishes from now on, to where the config says or else the environment; to nowhere if
/// neither does. Wants a runtime.
///
/// # Errors
/// When the environment names an address that is none, or a client can't be made.
pub fn start(config: Option<&config::Traces>) -> Result<Traces, TraceError> {
    if config.is_none() && !asked_by_environment() {
        return Ok(Traces(None));
    }
    // No redirects: headers often hold a token of the collector.
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| TraceError(error.to_string()))?;
    let mut exporter =
        opentelemetry_otlp::SpanExporter::builder().with_http().with_http_client(client).with_timeout(PATIENCE);
    if let Some(config) = config {
        let headers = config.headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        exporter = exporter.with_endpoint(config.endpoint.clone()).with_headers(headers.collect());
    }
    let exporter = exporter.build().map_err(|error| TraceError(error.to_string()))?;
    let exporter = Unhurried::new(exporter, Handle::current());
    let mut provider = SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter);
    if let Some(share) = config.and_then(|config| config.sample) {
        provider = provider.with_sampler(Sampler::TraceIdRatioBased(share));
    }
    let provider = provider.build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("herald"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false);
    if let Some(place) = PLACE.get() {
        place.reload(Some(layer)).map_err(|error| TraceError(error.to_string()))?;
    }
    Ok(Traces(Some(provider)))
}

impl Traces {
    /// Lets the last spans leave, for a few seconds at most.
    pub async fn stop(self) {
        let Some(provider) = self.0 else { return };
        let left = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(GRACE)).await;
        if !matches!(left, Ok(Ok(()))) {
            tracing::warn!("the last spans of traces could not be sent in time, and are lost");
        }
    }
}

/// Whether the standard variables ask for traces.
/// <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>
fn asked_by_environment() -> bool {
    let is = |name: &str, word: &str| env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case(word));
    let named = ENDPOINTS.into_iter().any(|name| env::var(name).is_ok_and(|value| !value.is_empty()));
    named && !is("OTEL_SDK_DISABLED", "true") && !is("OTEL_TRACES_EXPORTER", "none")
}

/// What says of all spans where they come from.
fn resource() -> Resource {
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("herald");
    }
    resource.build()
}

/// Sends by the runtime of the process, as the thread that spans leave from has none, and tells of failures now and
/// then only.
#[derive(Debug)]
struct Unhurried<E> {
    exporter: Arc<E>,
    runtime: Handle,
    lost: Mutex<Lost>,
}

/// Spans that were lost and not told of.
#[derive(Debug, Default)]
struct Lost {
    spans: usize,
    warned: Option<Instant>,
}

impl Lost {
    /// Counts spans; how many are to be told of now, if any.
    fn more(&mut self, spans: usize, now: Instant) -> Option<usize> {
        self.spans += spans;
        if self.warned.is_some_and(|warned| now.duration_since(warned) < WARNING) {
            return None;
        }
        self.warned = Some(now);
        Some(std::mem::take(&mut self.spans))
    }
}

impl<E> Unhurried<E> {
    fn new(exporter: E, runtime: Handle) -> Self {
        Self { exporter: Arc::new(exporter), runtime, lost: Mutex::default() }
    }
}

impl<E: SpanExporter + 'static> SpanExporter for Unhurried<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let spans = batch.len();
        let exporter = Arc::clone(&self.exporter);
        let sent = self.runtime.spawn(async move { exporter.export(batch).await });
        async move {
            let error = match sent.await {
                Ok(Ok(())) => return Ok(()),
                // It names neither the address nor a header.
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the process stops".to_owned(),
            };
            let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).more(spans, Instant::now());
            if let Some(spans) = lost {
                tracing::warn!(spans, error, "spans of traces could not be sent, and are lost");
            }
            Ok(())
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{Lost, WARNING};

    #[test]
    fn lost_spans_are_told_of_at_most_once_a_minute_and_all_are_told_of() {
        let mut lost = Lost::default();
        let start = Instant::now();
        assert_eq!(lost.more(5, start), Some(5));
        assert_eq!(lost.more(2, start + WARNING / 2), None);
        assert_eq!(lost.more(1, start + WARNING * 9 / 10), None);
        assert_eq!(lost.more(4, start + WARNING), Some(7));
        assert_eq!(lost.more(1, start + WARNING), None);
    }
}
