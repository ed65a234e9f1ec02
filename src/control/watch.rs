//! A config that changes on disk is read again.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio_util::sync::CancellationToken;

use super::{Caller, Control};
use crate::config;

/// Between two looks. What differs from what was read must look the same twice in a row, so that files that are being
/// written are let alone. Looking, and not being told, works on every file system, and where a folder is a link that is
/// turned over, as with a config map.
const LOOK: Duration = Duration::from_secs(1);

/// A file as it stands; enough to see that it is another.
type Sight = (PathBuf, Option<(SystemTime, u64)>);

/// A config's files as they stood before they were read: what is written while they are read is a change.
#[derive(Debug, Clone)]
pub struct Watched {
    pub(super) path: PathBuf,
    read: Vec<Sight>,
}

impl Watched {
    /// Looks at a config that is about to be read.
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), read: sight(path) }
    }
}

/// Looks at the config's files until `stop`, and lets it be read again once they are others than when it was `read`, and rest.
pub(super) async fn watch(control: Control, watched: Watched, stop: CancellationToken) {
    let Watched { path, mut read } = watched;
    let mut seen = read.clone();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let looking = path.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || sight(&looking)).await else { return };
        if now == seen && now != read {
            read.clone_from(&now);
            if control.publisher().config().service.watch {
                // It is logged; and one that is refused is not read again before it changes.
                let _ = control.reload(&Caller::machine("file watch")).await;
            }
        }
        seen = now;
    }
}

/// The config's files as they stand.
fn sight(path: &Path) -> Vec<Sight> {
    let stat = |file: PathBuf| {
        let stat = fs::metadata(&file).ok().and_then(|file| Some((file.modified().ok()?, file.len())));
        (file, stat)
    };
    config::files(path).into_iter().map(stat).collect()
}
