//! The pages, served by this process, in front of an API that takes note of what it is asked.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::to_bytes,
    extract::Request,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use herald::{
    config::{self, Scope},
    control::{Caller, Control},
    http::{Hub, Server, Visitor, routes},
    publish::Publisher,
    state::State,
};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::support::Home;

const CSRF: &str = "a-token-of-the-page";

/// A running service, as far as pages need one.
pub(super) struct Served {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    heard: Arc<AtomicBool>,
    hub: Hub,
    runtime: Option<Runtime>,
}

impl Served {
    /// Serves a home to somebody who may do everything; `seed` puts publishes on record.
    pub(super) fn start(home: &Home, seed: impl AsyncFnOnce(&State)) -> Self {
        Self::start_for(home, Scope::Admin, seed)
    }

    pub(super) fn start_for(home: &Home, scope: Scope, seed: impl AsyncFnOnce(&State)) -> Self {
        let runtime = Runtime::new().unwrap();
        let (asked, heard, hub) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default(), Hub::new());
        let config = Arc::new(config::load(&home.path("herald.yaml")).unwrap());
        let visitor = Visitor { caller: Caller { name: "ops".to_owned(), scope }, csrf: Some(CSRF.to_owned()) };
        let url = runtime.block_on(async {
            let publisher = Arc::new(Publisher::open(config).await.unwrap());
            seed(publisher.state()).await;
            publisher.state().observers().add(Arc::new(hub.clone()));
            let server = Server { control: Control::over(publisher), hub: hub.clone() };
            let (asked, heard) = (Arc::clone(&asked), Arc::clone(&heard));
            let app = routes(server).layer(from_fn(move |mut request: Request, next: Next| {
                let (asked, heard, visitor) = (Arc::clone(&asked), Arc::clone(&heard), visitor.clone());
                async move {
                    request.extensions_mut().insert(visitor);
                    match request.uri().path() {
                        "/v1/events" => heard.store(true, Ordering::SeqCst),
                        path if path.starts_with("/v1/") => return answer(request, &asked).await,
                        _ => {}
                    }
                    next.run(request).await
                }
            }));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            url
        });
        Self { url, asked, heard, hub, runtime: Some(runtime) }
    }

    /// What the API was asked: method, path, body, and whether the token came with it.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until a page listens to events.
    pub(super) fn until_heard(&self, patience: Duration) {
        let started = Instant::now();
        while !self.heard.load(Ordering::SeqCst) {
            assert!(started.elapsed() < patience, "no page listens");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.hub.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Accepts everything but a pause, which it refuses as the API would.
async fn answer(request: Request, asked: &Mutex<Vec<String>>) -> Response {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let token = parts.headers.get("x-csrf-token").is_some_and(|token| token == CSRF);
    let word = if token { "token" } else { "no token" };
    asked.lock().unwrap().push(format!("{} {} {body} {word}", parts.method, parts.uri));
    if parts.uri.path().ends_with("/pause") {
        let problem = r#"{"status":409,"title":"Conflict","detail":"it is being torn down","remedy":"wait for the teardown"}"#;
        return (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "application/problem+json")], problem).into_response();
    }
    (StatusCode::ACCEPTED, [(header::CONTENT_TYPE, "application/json")], "{}").into_response()
}
