//! Logging in by a page: a token for a cookie.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::{hmac, rand};
use axum::{
    Form, Json,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use axum_extra::extract::CookieJar;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;

use super::{
    Server,
    auth::{self, Guard, KnownToken},
    problem::Problem,
};
use crate::control::Caller;

const COOKIE: &str = "herald_session";
/// Seconds that a session lasts.
const LASTS: i64 = 12 * 3600;
/// What a wrong login waits.
const SLOW: Duration = Duration::from_millis(500);
/// Ended sessions that are remembered.
const MOST_ENDED: usize = 10_000;

#[derive(Deserialize)]
struct Login {
    token: String,
}

/// What pages send back with a change: bound to the session.
pub(super) fn csrf(guard: &Guard, session: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&guard.key, format!("csrf\0{session}").as_bytes()))
}

/// Sessions that were ended before their time: the end that they would have had, by what is signed.
#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<BTreeMap<String, i64>>);

impl Ended {
    fn add(&self, session: &str, until: i64) {
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Utc::now().timestamp();
        ended.retain(|_, until| *until > now);
        // Only who has a token fills this; the one that ends first is the least loss.
        if ended.len() >= MOST_ENDED
            && let Some(first) = ended.iter().min_by_key(|(_, until)| **until).map(|(session, _)| session.clone())
        {
            ended.remove(&first);
        }
        ended.insert(session.to_owned(), until);
    }

    fn has(&self, session: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(session)
    }
}

/// A session as its cookie says it: name, end, a number of its own, signature.
struct Session {
    name: String,
    until: i64,
    number: String,
    signature: Vec<u8>,
}

impl Session {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let name = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let until = parts.next()?.parse().ok()?;
        let number = parts.next()?.to_owned();
        Some(Self { name, until, number, signature: URL_SAFE_NO_PAD.decode(parts.next()?).ok()? })
    }
}

/// A new session. The signature covers the token's digest: another token of the name ends the session.
fn issue(guard: &Guard, token: &KnownToken, until: i64) -> Option<String> {
    let mut number = [0; 12];
    rand::fill(&mut number).ok()?;
    let number = URL_SAFE_NO_PAD.encode(number);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&guard.key, &signed(token, until, &number)));
    Some(format!("{}.{until}.{number}.{signature}", URL_SAFE_NO_PAD.encode(&token.caller.name)))
}

fn signed(token: &KnownToken, until: i64, number: &str) -> Vec<u8> {
    let head = format!("session\0{}\0{until}\0{number}\0", token.caller.name);
    [head.as_bytes(), &token.digest].concat()
}

/// The session that a request brings, if any.
pub(super) fn of(headers: &HeaderMap) -> Option<String> {
    CookieJar::from_headers(headers).get(COOKIE).map(|cookie| cookie.value().to_owned())
}

/// Whose session this is, while it lasts.
pub(super) fn caller(server: &Server, session: &str) -> Option<Caller> {
    lasting(server, session).map(|(caller, _)| caller)
}

fn lasting(server: &Server, session: &str) -> Option<(Caller, Session)> {
    let parsed = Session::parse(session)?;
    let guard = &server.guard;
    let caller = guard.named(server, &parsed.name, |token| {
        let signed = signed(token, parsed.until, &parsed.number);
        hmac::verify(&guard.key, &signed, &parsed.signature).ok().map(|()| token.caller.clone())
    })??;
    (parsed.until > Utc::now().timestamp() && !guard.ended.has(&parsed.number)).then_some((caller, parsed))
}

/// The page. It needs no script.
#[utoipa::path(get, path = "/login", tag = "session", responses((status = 200, description = "The page.",
    body = String, content_type = "text/html")))]
pub(super) async fn page() -> Html<String> {
    Html(login_page(""))
}

/// The page, with a word on what went wrong.
fn page_again(status: StatusCode, word: &str) -> Response {
    (status, Html(login_page(&format!("<p role=\"alert\">{word}</p>\n")))).into_response()
}

fn login_page(said: &str) -> String {
    PAGE.replace("{said}", said)
}

const PAGE: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>Herald: log in</title><link rel=\"icon\" href=\"data:,\"></head>\n\
<body><main><h1>Herald</h1>\n{said}<form method=\"post\" action=\"/login\">\
<p><label for=\"token\">Token</label> <input id=\"token\" name=\"token\" type=\"password\" \
autocomplete=\"current-password\" required autofocus></p>\
<p><button>Log in</button></p></form></main></body></html>\n";

/// A token, as a form's field or in JSON, for a cookie.
#[utoipa::path(post, path = "/login", tag = "session",
    request_body(content = ref("#/components/schemas/Login"), content_type = "application/json"),
    responses((status = 200, description = "Logged in; the session is in the cookie.",
        body = ref("#/components/schemas/Session"), content_type = "application/json")))]
pub(super) async fn login(State(server): State<Server>, request: Request) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let by_form = kind.starts_with("application/x-www-form-urlencoded");
    // A program that sends a form wants an answer that it can read.
    let by_page = by_form && auth::wants_a_page(request.headers());
    let token = if by_form {
        match Form::<Login>::from_request(request, &()).await {
            Ok(Form(login)) => Some(login.token),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).into_response();
            }
            Err(_) => None,
        }
    } else {
        match super::body::object(request).await {
            Ok(Some(body)) => serde_json::from_value::<Login>(body).ok().map(|login| login.token),
            Ok(None) => None,
            Err(problem) => return problem.into_response(),
        }
    };
    let Some(token) = token else {
        return Problem::unfit("a `token` is wanted").into_response();
    };
    let until = Utc::now().timestamp() + LASTS;
    let guard = &server.guard;
    let found =
        guard.find(&server, token.trim().as_bytes(), |known| (known.caller.clone(), issue(guard, known, until)));
    let Some((caller, session)) = found else {
        if guard.is_open(&server) && by_form {
            return Redirect::to("/").into_response();
        }
        // Slows whoever guesses, and only him: right tokens don't come by here.
        let Ok(_slowed) = guard.slowed.try_acquire() else {
            if by_page {
                return page_again(StatusCode::TOO_MANY_REQUESTS, "Too many wrong logins. Try again in a second.");
            }
            return Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "too many wrong logins")
                .retry_after(1)
                .into_response();
        };
        tokio::time::sleep(SLOW).await;
        tracing::warn!("a login with a wrong token was refused");
        if by_page {
            return page_again(StatusCode::UNAUTHORIZED, "That token is not valid.");
        }
        return Problem::unauthorized().into_response();
    };
    let Some(session) = session else {
        return Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response();
    };
    tracing::info!(caller = caller.name, "logged in");
    let csrf = csrf(guard, &session);
    let answer = if by_form {
        Redirect::to("/").into_response()
    } else {
        Json(json!({ "name": caller.name, "csrf": csrf })).into_response()
    };
    with_cookie(&server, answer, &session, LASTS)
}

/// Ends the session of this browser, here as well as there.
#[utoipa::path(post, path = "/logout", tag = "session", responses((status = 303, description = "Logged out.")))]
pub(super) async fn logout(State(server): State<Server>, headers: HeaderMap) -> Response {
    if let Some((caller, session)) = of(&headers).and_then(|session| lasting(&server, &session)) {
        server.guard.ended.add(&session.number, session.until);
        tracing::info!(caller = caller.name, "logged out");
    }
    with_cookie(&server, Redirect::to("/login").into_response(), "", 0)
}

fn with_cookie(server: &Server, mut response: Response, session: &str, lasts: i64) -> Response {
    let secure = if server.secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={session}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
