//! Logging in by a page: a token for a cookie.

use std::time::Duration;

use aws_lc_rs::hmac;
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
    auth::{Guard, KnownToken},
    problem::Problem,
};
use crate::control::Caller;

const COOKIE: &str = "herald_session";
/// Seconds that a session lasts.
const LASTS: i64 = 12 * 3600;
/// What a wrong login waits.
const SLOW: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct Login {
    token: String,
}

/// What pages send back with a change: bound to the session.
pub(super) fn csrf(guard: &Guard, session: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&guard.key, format!("csrf\0{session}").as_bytes()))
}

/// Name, end and signature. The signature covers the token's digest: another token of the name ends the session.
fn issue(guard: &Guard, token: &KnownToken, until: i64) -> String {
    let signed = signed(token, until);
    let name = URL_SAFE_NO_PAD.encode(&token.caller.name);
    format!("{name}.{until}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&guard.key, &signed)))
}

fn signed(token: &KnownToken, until: i64) -> Vec<u8> {
    let head = format!("session\0{}\0{until}\0", token.caller.name);
    [head.as_bytes(), &token.digest].concat()
}

/// Whose session a request brings, and what its changes must bring beside it.
pub(super) fn read(server: &Server, headers: &HeaderMap) -> Option<(Caller, String)> {
    let jar = CookieJar::from_headers(headers);
    let session = jar.get(COOKIE)?.value();
    let mut parts = session.splitn(3, '.');
    let name = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
    let until: i64 = parts.next()?.parse().ok()?;
    let signature = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
    let guard = &server.guard;
    let caller = guard.named(server, &name, |token| {
        hmac::verify(&guard.key, &signed(token, until), &signature).ok().map(|()| token.caller.clone())
    })??;
    (until > Utc::now().timestamp()).then(|| (caller, csrf(guard, session)))
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
            if by_form {
                return page_again(StatusCode::TOO_MANY_REQUESTS, "Too many wrong logins. Try again in a second.");
            }
            return Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "too many wrong logins")
                .retry_after(1)
                .into_response();
        };
        tokio::time::sleep(SLOW).await;
        tracing::warn!("a login with a wrong token was refused");
        if by_form {
            return page_again(StatusCode::UNAUTHORIZED, "That token is not valid.");
        }
        return Problem::unauthorized().into_response();
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

/// Ends the session of this browser.
#[utoipa::path(post, path = "/logout", tag = "session", responses((status = 303, description = "Logged out.")))]
pub(super) async fn logout(State(server): State<Server>) -> Response {
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
