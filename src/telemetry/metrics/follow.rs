//! Metrics that follow a running service.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Metrics;
use crate::{
    control::Control,
    fleet,
    publish::{Failure, code},
    schedule::Load,
};

/// Between two looks at how activations stand.
const REFRESH: Duration = Duration::from_secs(1);

impl Metrics {
    /// Metrics of a service, brought up to date until `stop`. `load` is what its scheduler has to do.
    ///
    /// # Errors
    /// Never, as [`Metrics::new`].
    pub fn follow(
        control: &Control,
        mut load: watch::Receiver<Load>,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let metrics = Self::new().map_err(code::internal)?;
        control.publisher().state().observers().add(metrics.observer());
        let (loaded, stopped) = (metrics.clone(), stop.clone());
        tokio::spawn(async move {
            loop {
                loaded.load(*load.borrow_and_update());
                tokio::select! {
                    () = stopped.cancelled() => return,
                    changed = load.changed() => if changed.is_err() { return },
                }
            }
        });
        let (control, following, mut reloads) = (control.clone(), metrics.clone(), control.reloads());
        tokio::spawn(async move {
            loop {
                let publisher = control.publisher();
                match fleet::all(publisher.config(), publisher.state()).await {
                    Ok(standings) => following.fleet(&standings),
                    Err(error) => tracing::warn!(%error, "the metrics could not be brought up to date"),
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    Ok(()) = reloads.changed() => following.reloaded(!reloads.borrow_and_update().last_refused),
                    () = tokio::time::sleep(REFRESH) => {}
                }
            }
        });
        Ok(metrics)
    }
}
