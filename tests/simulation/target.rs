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
    conformance::{Fault, FaultyStore, Step},
    contract::{Config, Destination, Error, ErrorKind, RetryPolicy},
    files::FilesDestination,
    local::LocalStore,
};

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

    async fn connect(&self, _: RetryPolicy) -> Result<Arc<dyn Destination>, Error> {
        let fault = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        if fault.is_some() {
            self.suffered.fetch_add(1, Ordering::SeqCst);
        }
        let none = Fault { step: Step::Stage, kind: ErrorKind::Internal, times: 0, applied: false };
        let store = FaultyStore::new(LocalStore::new(&self.root), fault.unwrap_or(none));
        Ok(Arc::new(FilesDestination::new(store)))
    }
}
