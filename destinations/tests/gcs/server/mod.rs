//! A server of Google Cloud Storage's JSON API that is as strict as Google's where emulators are not: tokens,
//! preconditions, chunk sizes, checksums, names, generations. It lives in the test's own process and holds its objects
//! in memory. Trouble with single requests is the business of
//! [`proxy`](crate::support::proxy).
//!
//! What it does follows the reference of the JSON API (<https://cloud.google.com/storage/docs/json_api/v1>) and the
//! page on resumable uploads beside it.

mod auth;
mod keys;
mod objects;
mod refusal;
mod rewrite;
mod state;
mod upload;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use bytes::Bytes;
use tokio::sync::oneshot;

pub(crate) use auth::{REFRESH, SUBJECT};
pub(crate) use keys::{READER, WRITER, key_file, stolen_key_file};
pub(crate) use state::{Knobs, Stored};

use crate::support::tls;
use state::State;

/// The bucket that the server has from the start.
pub(crate) const BUCKET: &str = "partner";

type Shared = Arc<Mutex<State>>;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Shared,
    _running: oneshot::Sender<()>,
}

impl Server {
    /// Starts one with an empty bucket.
    pub(crate) fn start() -> Self {
        tls();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let state = Shared::new(Mutex::new(State::new()));
        let (running, stopped) = oneshot::channel();
        let app = app(state.clone());
        // A thread of its own, so that it answers whatever the test is busy with.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    _ = stopped => {}
                    ended = axum::serve(listener, app) => ended.expect("a server"),
                }
            });
        });
        Self { port, state, _running: running }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Sets what the server does otherwise than usual.
    pub(crate) fn knobs(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.state().knobs);
    }

    /// Every object of the bucket, by name.
    pub(crate) fn objects(&self) -> BTreeMap<String, Stored> {
        self.state().bucket(BUCKET).expect("the bucket").clone()
    }

    /// The content of the objects below a prefix, by what follows it.
    pub(crate) fn below(&self, prefix: &str) -> BTreeMap<String, Bytes> {
        let objects = self.objects();
        let below = objects.iter().filter_map(|(name, stored)| Some((name.strip_prefix(prefix)?, stored)));
        below.map(|(path, stored)| (path.to_owned(), stored.bytes.clone())).collect()
    }

    /// Names of the objects that are on their way to a prefix.
    pub(crate) fn temporaries(&self, prefix: &str) -> Vec<String> {
        let beside = format!("{}.herald/", prefix.trim_end_matches('/'));
        self.objects().into_keys().filter(|name| name.starts_with(&beside)).collect()
    }

    /// Writes an object by the back door.
    pub(crate) fn write(&self, name: &str, bytes: impl Into<Bytes>) {
        self.state().store(BUCKET, name, Stored::of(bytes.into()));
    }

    /// Forgets every upload that was begun.
    pub(crate) fn forget_uploads(&self) {
        self.state().sessions.clear();
    }
}

fn locked(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn app(state: Shared) -> Router {
    Router::new()
        .route("/storage/v1/b/{bucket}/o", get(objects::list))
        .route("/storage/v1/b/{bucket}/o/{name}", get(objects::get).delete(objects::delete))
        .route("/storage/v1/b/{bucket}/o/{name}/rewriteTo/b/{to_bucket}/o/{to}", post(rewrite::rewrite))
        .route("/upload/storage/v1/b/{bucket}/o", post(upload::begin).put(upload::chunk).delete(upload::cancel))
        .route("/sts", post(auth::exchange))
        .route("/oauth", post(auth::refresh))
        .route("/computeMetadata/v1/instance/service-accounts/default/token", get(auth::metadata))
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}
