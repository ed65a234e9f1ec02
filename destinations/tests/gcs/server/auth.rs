//! Who asks: tokens that an account signed itself (<https://google.aip.dev/auth/4111>), and those that the server gave
//! out for something else.

use std::collections::HashMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::{
    body::Body,
    extract::State as FromState,
    http::{HeaderMap, Response},
    response::IntoResponse,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Shared,
    keys::{READER, WRITER, id_of, public},
    locked,
    refusal::{Answer, Refusal},
    state::State,
};

/// What a federated identity shows.
pub(crate) const SUBJECT: &str = "canary-subject-token";
/// What a user's grant is renewed with.
pub(crate) const REFRESH: &str = "canary-refresh-token";

/// What who asks may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rights {
    Read,
    Write,
}

const SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/devstorage.read_write", "https://www.googleapis.com/auth/cloud-platform"];

/// Lets a request pass that shows a good token of somebody with the right.
pub(super) fn check(state: &State, headers: &HeaderMap, needed: Rights) -> Result<(), Refusal> {
    let shown = headers.get("authorization").and_then(|shown| shown.to_str().ok());
    let Some(shown) = shown else {
        let message = "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object.";
        return Err(Refusal(401, "required", message.to_owned()));
    };
    let token = shown.strip_prefix("Bearer ").unwrap_or_default();
    let rights = state.tokens.get(token).copied().or_else(|| signed(token));
    match rights {
        None => Err(Refusal(401, "authError", "Invalid Credentials".to_owned())),
        Some(rights) if rights < needed => {
            let message =
                format!("{READER} does not have storage.objects.create access to the Google Cloud Storage object.");
            Err(Refusal(403, "forbidden", message))
        }
        Some(_) => Ok(()),
    }
}

/// The rights of the account that signed a token, if it is right in every part.
fn signed(token: &str) -> Option<Rights> {
    let (claimed, signature) = token.rsplit_once('.')?;
    let (header, claims) = claimed.split_once('.')?;
    let part = |text: &str| serde_json::from_slice::<Value>(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    let (header, claims) = (part(header)?, part(claims)?);
    let (account, rights) = [(WRITER, Rights::Write), (READER, Rights::Read)]
        .into_iter()
        .find(|(account, _)| header["kid"] == id_of(account))?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public()).verify(claimed.as_bytes(), &signature).ok()?;
    let (now, issued, expires) = (Utc::now().timestamp(), claims["iat"].as_i64()?, claims["exp"].as_i64()?);
    let right = header["alg"] == "RS256"
        && claims["iss"] == account
        && claims["sub"] == account
        && claims["scope"].as_str()?.split(' ').all(|scope| SCOPES.contains(&scope))
        && (issued..expires).contains(&now)
        // An hour, and what clocks may differ.
        && expires - issued <= 3630;
    right.then_some(rights)
}

fn form(body: &[u8]) -> HashMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://form/?{}", String::from_utf8_lossy(body))).expect("a form");
    url.query_pairs().into_owned().collect()
}

/// A token out of the blue, with the right to write.
fn give(state: &Shared) -> Response<Body> {
    let mut state = locked(state);
    let token = format!("canary-token-{}", state.next());
    state.tokens.insert(token.clone(), Rights::Write);
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    axum::Json(json!({ "access_token": token, "token_type": "Bearer", "issued_token_type": kind, "expires_in": 3600 }))
        .into_response()
}

/// A grant that is refused, as the standard says (RFC 6749, 5.2).
fn refused(why: &str) -> Response<Body> {
    let body = json!({ "error": "invalid_grant", "error_description": why });
    (axum::http::StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

/// Workload identity federation: somebody else's token for one of ours (RFC 8693).
pub(super) async fn exchange(FromState(state): FromState<Shared>, body: Bytes) -> Answer {
    let form = form(&body);
    let right = form.get("grant_type").is_some_and(|grant| grant == "urn:ietf:params:oauth:grant-type:token-exchange")
        && form.get("subject_token").is_some_and(|token| token == SUBJECT);
    Ok(if right { give(&state) } else { refused("The given credential is rejected.") })
}

/// A user's grant, renewed.
pub(super) async fn refresh(FromState(state): FromState<Shared>, body: Bytes) -> Answer {
    // The library sends JSON here, and forms elsewhere.
    let shown = serde_json::from_slice::<Value>(&body).ok();
    let shown = shown
        .map_or_else(|| form(&body).remove("refresh_token"), |json| Some(json["refresh_token"].as_str()?.to_owned()));
    let right = shown.is_some_and(|token| token == REFRESH);
    Ok(if right { give(&state) } else { refused("Token has been expired or revoked.") })
}

/// The metadata server of a machine in Google's cloud.
pub(super) async fn metadata(FromState(state): FromState<Shared>, headers: HeaderMap) -> Answer {
    let asked = headers.get("metadata-flavor").is_some_and(|flavor| flavor == "Google");
    if asked { Ok(give(&state)) } else { Err(Refusal(403, "forbidden", "Missing Metadata-Flavor".to_owned())) }
}
