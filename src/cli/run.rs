//! `herald run`: the service.

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    args::Global,
    context,
    exit::{Exit, Stop},
    interrupt,
    output::Output,
};
use crate::{
    alerts,
    control::{Caller, Control, Refusal, Watched, reload},
    http::{self, Hub, Scrape, Server, Spot},
    publish::{Failure, code},
    schedule::{Publishing, Service, Settings, SystemClock},
    state::ActivationLock,
    telemetry::{Metrics, traces},
};

/// Held while a service runs. No activation can have this name.
const LOCK: &str = ".run";

pub(super) async fn run(global: &Global, output: Output) -> Result<Exit, Stop> {
    let watched = Watched::of(&global.config);
    let config = context::load(global)?;
    if config.activations.is_empty() {
        return Err(Stop::usage(
            "the config holds no activations, so there is nothing to run",
            "add one under `activations`, or point `--config` to another config",
        ));
    }
    let (config, publisher) = context::publisher_of(config).await?;
    let faults = reload::faults(publisher.resolver(), &config).await;
    if !faults.is_empty() {
        return Err(Stop::Config(faults));
    }
    let traces = traces::start(config.service.traces.as_ref()).map_err(context::untraced)?;
    let stop = interrupt::token()?;
    let _lock = ActivationLock::acquire(&config.service.data_dir, LOCK, false).await?.ok_or_else(already)?;
    let departures = reload::Departures::of(&publisher).await.map_err(refused)?;
    publisher.in_force().await?;
    publisher.state().put_back(None).await?;
    let publisher = Arc::new(ArcSwap::from_pointee(publisher.tearing_down(departures.vanished)));
    let runner = Arc::new(Publishing::new(Arc::clone(&publisher))?);
    let service = Service::new(&config, runner, Arc::new(SystemClock), Settings::default()).await?;
    let (control, teardowns) = Control::start(watched, publisher, service.scheduler(), stop.clone()).await?;
    reload_on_hangup(control.clone())?;
    let (hub, metrics) = (Hub::new(), Metrics::follow(&control, service.load(), stop.clone())?);
    let alerts = alerts::start(&control, &metrics);
    control.publisher().state().observers().add(Arc::new(hub.clone()));
    let scrape = Scrape::of(metrics);
    let server = Server::new(control, hub, scrape, stop.clone())?;
    let (address, answering) = http::serve(server.clone()).await?;
    let _spot = Spot::leave(&config, address)?;
    tracing::info!(
        activations = config.activations.len(),
        concurrency = config.service.concurrency,
        "the service runs"
    );
    let published = service.run(stop).await;
    server.close();
    // A teardown stops at the next object, and answers under way are given.
    let _ = tokio::join!(teardowns, answering);
    alerts.end().await;
    traces.stop().await;
    tracing::info!(publishes = published, "the service has stopped");
    if output.json() {
        output.document(&json!({ "publishes": published }))?;
    }
    Ok(Exit::Done)
}

/// Two services over one data folder would publish everything twice.
fn already() -> Stop {
    Stop::Failure(Failure {
        code: code::BUSY.into(),
        message: "another `herald run` uses this `service.data_dir`".into(),
        remedy: "stop it first, or give each config a data folder of its own".into(),
        retryable: true,
    })
}

/// A config that would tear down too much.
fn refused(refusal: Refusal) -> Stop {
    Stop::usage(refusal.message, refusal.remedy.unwrap_or_default())
}

/// Who sends SIGHUP wants a changed config to be read.
fn reload_on_hangup(control: Control) -> Result<(), Stop> {
    let mut hangup = signal(SignalKind::hangup())
        .map_err(|error| Stop::Failure(code::internal(format_args!("could not listen for signals: {error}"))))?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // It is logged either way.
            let _ = control.reload(&Caller::machine("SIGHUP")).await;
        }
    });
    Ok(())
}
