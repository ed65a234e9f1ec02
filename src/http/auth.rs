//! Who may do what. Every request passes here before its route is looked at.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
};

use arc_swap::ArcSwap;
use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac, rand};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use secrecy::ExposeSecret;

use super::{Server, Visitor, problem::Problem, session};
use crate::{
    config::Scope,
    control::Caller,
    publish::{Failure, Publisher, code},
};

/// Bytes of a body that is taken.
pub(super) const LARGEST_BODY: usize = 1 << 20;

/// The name of who was answered, for the log.
#[derive(Debug, Clone)]
pub(super) struct Named(pub(super) String);

/// What somebody was admitted by: it is looked at again for as long as he is answered.
#[derive(Debug, Clone)]
pub(super) enum Pass {
    /// Nobody needs a token.
    Open,
    /// The digest of a token.
    Token(Vec<u8>),
    /// A session's cookie.
    Session(String),
}

/// Tells tokens apart by keyed digests; holds none of them in the clear.
#[derive(Debug)]
pub(super) struct Guard {
    /// Lives with the process: sessions end with it.
    pub(super) key: hmac::Key,
    known: ArcSwap<Known>,
    /// Wrong logins that are being slowed.
    pub(super) slowed: tokio::sync::Semaphore,
    /// Sessions that were ended before their time.
    pub(super) ended: session::Ended,
}

#[derive(Debug)]
struct Known {
    /// The publisher whose config the tokens are of.
    of: Weak<Publisher>,
    tokens: Vec<KnownToken>,
}

#[derive(Debug)]
pub(super) struct KnownToken {
    pub(super) caller: Caller,
    pub(super) digest: Vec<u8>,
}

/// Wrong logins at once; past them they are turned away.
const SLOWED: usize = 32;

impl Guard {
    pub(super) fn new() -> Result<Self, Failure> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| code::internal("the system gives no random bytes"))?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &bytes),
            known: ArcSwap::from_pointee(Known { of: Weak::new(), tokens: Vec::new() }),
            slowed: tokio::sync::Semaphore::new(SLOWED),
            ended: session::Ended::default(),
        })
    }

    /// The tokens of the config in force; another config is noticed at once.
    fn known(&self, server: &Server) -> Arc<Known> {
        let publisher = server.control.publisher();
        let known = self.known.load_full();
        if Weak::ptr_eq(&known.of, &Arc::downgrade(&publisher)) {
            return known;
        }
        let tokens = publisher.config().service.http.tokens.iter().map(|token| KnownToken {
            caller: Caller { name: token.name.clone(), scope: token.scope },
            digest: self.digest(token.token.expose_secret().as_bytes()),
        });
        let known = Arc::new(Known { of: Arc::downgrade(&publisher), tokens: tokens.collect() });
        self.known.store(Arc::clone(&known));
        known
    }

    fn digest(&self, token: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key, token).as_ref().to_vec()
    }

    /// Whether anybody needs a token.
    pub(super) fn is_open(&self, server: &Server) -> bool {
        self.known(server).tokens.is_empty()
    }

    /// Whose token this is. All are compared every time, so that how long it takes tells nothing.
    pub(super) fn find<T>(&self, server: &Server, token: &[u8], take: impl FnOnce(&KnownToken) -> T) -> Option<T> {
        let (known, digest) = (self.known(server), self.digest(token));
        let mut found = None;
        for one in &known.tokens {
            if verify_slices_are_equal(&one.digest, &digest).is_ok() {
                found = Some(one);
            }
        }
        found.map(take)
    }

    /// Whether who was admitted by this would be admitted still.
    pub(super) fn stands(&self, server: &Server, pass: &Pass) -> bool {
        match pass {
            Pass::Open => self.is_open(server),
            Pass::Token(digest) => {
                self.known(server).tokens.iter().any(|one| verify_slices_are_equal(&one.digest, digest).is_ok())
            }
            Pass::Session(session) => session::caller(server, session).is_some(),
        }
    }

    /// The token of this name.
    pub(super) fn named<T>(&self, server: &Server, name: &str, take: impl FnOnce(&KnownToken) -> T) -> Option<T> {
        self.known(server).tokens.iter().find(|one| one.caller.name == name).map(take)
    }
}

pub(super) async fn admit(State(server): State<Server>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_public(&route) {
        if changes && is_foreign(request.headers()) {
            return foreign().into_response();
        }
        return next.run(request).await;
    }
    let visitor = match visitor(&server, &request, changes) {
        Ok(visitor) => visitor,
        Err(problem) => {
            let to_login = !changes && problem_is_for_browsers(&request, &route);
            return if to_login { Redirect::to("/login").into_response() } else { problem.into_response() };
        }
    };
    let named = Named(visitor.caller.name.clone());
    let mut response = if visitor.caller.scope < needed(request.method(), &route) {
        let wanted = needed(request.method(), &route);
        Problem::forbidden("the token's scope does not allow this")
            .remedy(format!("use a token of scope `{}`", word(wanted)))
            .into_response()
    } else if length(request.headers()).is_some_and(|length| length > LARGEST_BODY as u64) {
        Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).into_response()
    } else {
        request.extensions_mut().insert(visitor);
        next.run(request).await
    };
    response.extensions_mut().insert(named);
    response
}

fn visitor(server: &Server, request: &Request, changes: bool) -> Result<Visitor, Problem> {
    let headers = request.headers();
    if server.guard.is_open(server) {
        if !request_is_local(request) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected",
                "without tokens only requests to a loopback name are answered",
            )
            .remedy("ask 127.0.0.1 or localhost, or set `service.http.tokens`"));
        }
        if changes && is_foreign(headers) {
            return Err(foreign());
        }
        return Ok(Visitor {
            caller: Caller::anybody(),
            csrf: Some(session::csrf(&server.guard, "anybody")),
            pass: Pass::Open,
        });
    }
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let token = given.as_bytes().split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        // Something is compared even where nothing of use was sent.
        let token = token.map_or(&b""[..], |(_, token)| token.trim_ascii());
        let visitor = server.guard.find(server, token, |known| Visitor {
            caller: known.caller.clone(),
            csrf: None,
            pass: Pass::Token(known.digest.clone()),
        });
        return visitor.ok_or_else(Problem::unauthorized);
    }
    let session = session::of(headers).ok_or_else(Problem::unauthorized)?;
    let caller = session::caller(server, &session).ok_or_else(Problem::unauthorized)?;
    let csrf = session::csrf(&server.guard, &session);
    if changes {
        let sent = headers.get("x-csrf-token").map_or(&b""[..], |sent| sent.as_bytes());
        if is_foreign(headers) || verify_slices_are_equal(sent, csrf.as_bytes()).is_err() {
            return Err(
                Problem::forbidden("a change by cookie needs the page's `X-CSRF-Token`").remedy("load the page again")
            );
        }
    }
    Ok(Visitor { caller, csrf: Some(csrf), pass: Pass::Session(session) })
}

/// What anybody may ask: whether the service lives, and what it takes to log in.
fn is_public(route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz" | "/login" | "/logout") || route.starts_with("/assets/")
}

/// The scope that a route needs. What nobody has classed is for admins.
fn needed(method: &Method, route: &str) -> Scope {
    match (method, route) {
        // What a deletion would take back names every object.
        (&Method::GET | &Method::HEAD, "/activations/{name}/deletion") => Scope::Admin,
        (&Method::GET | &Method::HEAD | &Method::OPTIONS, _) | (_, "") => Scope::Read,
        (
            &Method::POST,
            "/v1/activations/{name}/publishes"
            | "/v1/activations/{name}/pause"
            | "/v1/activations/{name}/resume"
            | "/v1/publishes/{id}/cancel"
            | "/v1/publishes/{id}/retry",
        ) => Scope::Publish,
        _ => Scope::Admin,
    }
}

const fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Publish => "publish",
        Scope::Admin => "admin",
    }
}

/// A page that somebody opens without being logged in; whoever sends a token is told of it.
fn problem_is_for_browsers(request: &Request, route: &str) -> bool {
    !route.is_empty()
        && !route.starts_with("/v1/")
        && !matches!(route, "/metrics" | "/openapi.json")
        && !request.headers().contains_key(header::AUTHORIZATION)
        && wants_a_page(request.headers())
}

/// Whether a browser asks, and not a program.
pub(super) fn wants_a_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn foreign() -> Problem {
    Problem::forbidden("the request comes from a page of another site")
}

/// Whether a browser says that a page of another site sent this. What is no browser says neither.
fn is_foreign(headers: &HeaderMap) -> bool {
    // No page can write this header itself.
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let from = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, from)| from);
    from.is_none_or(|from| host.is_none_or(|host| !from.eq_ignore_ascii_case(host)))
}

/// Whether the request names this machine: a name of another site that leads here (DNS rebinding) does not.
fn request_is_local(request: &Request) -> bool {
    let named = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    let Some(host) = named.or_else(|| request.uri().authority().map(|authority| authority.as_str())) else {
        return true;
    };
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
