//! The target of a simulation: a folder, through a store that fails on order.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use herald_destinations::{
    conformance::{FaultyStore, Step},
    contract::{Capabilities, Config, Destination, Error, ErrorKind, Retries},
    files::{self, FilesDestination},
    local::LocalStore,
    reference::{Mishap, Script},
};

/// What the calls of one connection suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The call.
    pub(crate) step: Step,
    pub(crate) kind: ErrorKind,
    /// How many of these calls, from the first on.
    pub(crate) times: u64,
    /// Whether they are done all the same.
    pub(crate) applied: bool,
}

/// The folder and what its next connection will suffer. Clones share both.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
    next: Arc<Mutex<Option<Fault>>>,
    suffered: Arc<AtomicU32>,
}

impl Folder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, next: Arc::default(), suffered: Arc::default() }
    }

    /// The next connection has this fault.
    pub(crate) fn arm(&self, fault: Option<Fault>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        self.suffered.store(0, Ordering::SeqCst);
    }

    /// Whether a connection took the fault.
    pub(crate) fn suffered(&self) -> bool {
        self.suffered.load(Ordering::SeqCst) > 0
    }
}

#[async_trait]
impl Config for Folder {
    fn kind(&self) -> &'static str {
        "local"
    }

    fn identity(&self) -> String {
        self.root.display().to_string()
    }

    fn capabilities(&self) -> Capabilities {
        files::CAPABILITIES
    }

    async fn connect(&self, _: Retries) -> Result<Arc<dyn Destination>, Error> {
        let fault = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        if fault.is_some() {
            self.suffered.fetch_add(1, Ordering::SeqCst);
        }
        let script = Script::new();
        if let Some(Fault { step, kind, times, applied }) = fault {
            script.next(step, times, if applied { Mishap::After(kind) } else { Mishap::Before(kind) });
        }
        let store = FaultyStore::new(LocalStore::new(&self.root), &script);
        Ok(Arc::new(FilesDestination::new(store)))
    }
}
