//! `herald run`: the service.

use std::sync::Arc;

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
    publish::{Failure, code},
    schedule::{Publishing, Service, Settings, SystemClock},
    state::ActivationLock,
};

/// Held while a service runs. No activation can have this name.
const LOCK: &str = ".run";

pub(super) async fn run(global: &Global, output: Output) -> Result<Exit, Stop> {
    let config = context::load(global)?;
    if config.activations.is_empty() {
        return Err(Stop::usage(
            "the config holds no activations, so there is nothing to run",
            "add one under `activations`, or point `--config` to another config",
        ));
    }
    let (config, publisher) = context::publisher_of(config).await?;
    let stop = interrupt::token()?;
    let _lock = ActivationLock::acquire(&config.service.data_dir, LOCK, false).await?.ok_or_else(already)?;
    say_that_reload_wants_a_restart()?;
    let runner = Arc::new(Publishing::new(Arc::clone(&config), publisher));
    let service = Service::new(&config, runner, Arc::new(SystemClock), Settings::default()).await?;
    tracing::info!(
        activations = config.activations.len(),
        concurrency = config.service.concurrency,
        "the service runs"
    );
    let published = service.run(stop).await;
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

/// SIGHUP would end the process; who sends one wants a changed config to be read.
fn say_that_reload_wants_a_restart() -> Result<(), Stop> {
    let mut hangup = signal(SignalKind::hangup())
        .map_err(|error| Stop::Failure(code::internal(format_args!("could not listen for signals: {error}"))))?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::warn!("SIGHUP changes nothing: restart the service to let it read the config again");
        }
    });
    Ok(())
}
