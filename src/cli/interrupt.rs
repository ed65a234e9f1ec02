//! Ctrl-C and SIGTERM: the first asks a publish to stop where nothing is lost, the second stops the process.

use std::process;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Stop};
use crate::publish::code;

/// Cancelled by the first signal. Until this is called, signals end the process at once, which suits commands
/// that only read.
pub(super) fn token() -> Result<CancellationToken, Stop> {
    let listen = |kind| {
        signal(kind)
            .map_err(|error| Stop::Failure(code::internal(format_args!("could not listen for signals: {error}"))))
    };
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        for turn in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if turn > 0 {
                // Killed at any instant, the next publish settles what was in flight.
                process::exit(Exit::Interrupted as i32);
            }
            tracing::warn!("stopping; once more stops at once");
            cancelled.cancel();
        }
    });
    Ok(token)
}
