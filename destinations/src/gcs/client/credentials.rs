//! Credentials by Google's library: keys, federated identities, users, the metadata server.

use std::{
    error::Error as Cause,
    path::{Path, PathBuf},
};

use google_cloud_auth::{
    build_errors,
    credentials::{
        Builder, CacheableResource, Credentials as Google, external_account, impersonated,
        service_account::{self, AccessSpecifier},
        user_account,
    },
    errors::CredentialsError,
};
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::Client;
use crate::{
    contract::{Error, ErrorKind},
    gcs::{
        config::Credentials,
        error::{Failure, Stage},
    },
};

/// Reading and writing of objects, and no more, whatever the account may do otherwise.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
const READ: &str = "read the target's credentials";

/// Whether only a metadata server can have the credentials: no file is named, and `gcloud` left none
/// (<https://cloud.google.com/docs/authentication/application-default-credentials>).
pub(super) fn needs_metadata_server(from: &Credentials) -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let left = home.map(|home| home.join(".config/gcloud/application_default_credentials.json"));
    *from == Credentials::Default
        && std::env::var_os("GOOGLE_APPLICATION_CREDENTIALS").is_none()
        && !left.is_some_and(|file| file.is_file())
}

/// Makes ready what signs or fetches tokens.
pub(super) async fn find(from: &Credentials) -> Result<Option<Google>, Error> {
    match from {
        Credentials::Anonymous => Ok(None),
        Credentials::Default => Builder::default().build().map(Some).map_err(|error| unusable(&error)),
        Credentials::File(path) => file(path).await.map(Some).map_err(|error| error.with("file", path.display())),
    }
}

async fn file(path: &Path) -> Result<Google, Error> {
    let text =
        tokio::fs::read(path).await.map_err(|error| Error::new(ErrorKind::Unauthorized, READ).caused_by(error))?;
    let json: Value = serde_json::from_slice(&text).map_err(|_| no_credentials("it is no JSON"))?;
    let kind = json.get("type").and_then(Value::as_str).map(str::to_owned);
    let built = match kind.as_deref() {
        Some("service_account") => {
            service_account::Builder::new(json).with_access_specifier(AccessSpecifier::from_scopes([SCOPE])).build()
        }
        Some("external_account") => external_account::Builder::new(json).build(),
        Some("impersonated_service_account") => impersonated::Builder::new(json).build(),
        // What a user granted `gcloud` can't be narrowed.
        Some("authorized_user") => user_account::Builder::new(json).build(),
        _ => return Err(no_credentials("its `type` is none of Google's credentials")),
    };
    built.map_err(|error| unusable(&error))
}

fn no_credentials(why: &'static str) -> Error {
    Error::new(ErrorKind::Unauthorized, READ).caused_by(why)
}

/// Why credentials can't be used, without what stands in them: a reader's complaint may quote it.
fn unusable(error: &build_errors::Error) -> Error {
    let missing = error.source().map(ToString::to_string).filter(|words| words.starts_with("missing field"));
    let why = match missing {
        Some(missing) => missing,
        None if error.is_loading() => "the file named by GOOGLE_APPLICATION_CREDENTIALS can't be read".to_owned(),
        None if error.is_missing_field() => "a part of them is missing".to_owned(),
        None => "they are not as Google writes them".to_owned(),
    };
    Error::new(ErrorKind::Unauthorized, READ).caused_by(why)
}

impl Client {
    /// What a request shows of who asks; nothing for nobody in particular.
    pub(super) async fn headers(&self) -> Result<HeaderMap, Failure> {
        let Some(credentials) = &self.credentials else { return Ok(HeaderMap::new()) };
        match credentials.headers(Default::default()).await {
            Ok(CacheableResource::New { data, .. }) => Ok(data),
            // Only who shows an earlier answer's tag is told so.
            Ok(CacheableResource::NotModified) => Ok(HeaderMap::new()),
            Err(error) => Err(self.refused(&error)),
        }
    }

    fn refused(&self, error: &CredentialsError) -> Failure {
        let unreached = causes(error).any(|cause| cause.downcast_ref().is_some_and(reqwest::Error::is_connect));
        let words = words(error);
        // A metadata server that restarts looks like none: it may be back, and who has none is told what to set.
        let (stage, message) = if self.needs_metadata_server && unreached {
            let hint = "no metadata server answers; on a machine that has none, set `service_account`, or \
                        GOOGLE_APPLICATION_CREDENTIALS";
            (Stage::Network, format!("{hint} ({words})"))
        } else if error.is_transient() {
            (Stage::Network, format!("no token could be fetched: {words}"))
        } else {
            (Stage::Credentials, format!("no token was given: {words}"))
        };
        Failure { stage, message, ..Failure::default() }
    }
}

fn causes<'a>(error: &'a CredentialsError) -> impl Iterator<Item = &'a (dyn Cause + 'static)> {
    std::iter::successors(error.source(), |cause: &&'a (dyn Cause + 'static)| (**cause).source())
}

/// What went wrong with a token, without addresses, and of an answer only what the standard names (RFC 6749, 5.2).
fn words(error: &CredentialsError) -> String {
    // The innermost knows; those around it repeat its words.
    let error = causes(error).filter_map(|cause| cause.downcast_ref::<CredentialsError>()).last().unwrap_or(error);
    let text = error.to_string();
    let (head, body) = text.split_once(", body=<").unwrap_or((&text, ""));
    // The library's forecast; the stage says the same.
    let head = head.trim_end_matches(" but future attempts may succeed");
    let mut words = vec![head.trim_end_matches(" and future attempts will not succeed").to_owned()];
    if let Some(json) = body.rsplit_once('>').and_then(|(body, _)| serde_json::from_str::<Value>(body).ok()) {
        words.extend(
            ["error", "error_description"].into_iter().filter_map(|key| Some(json.get(key)?.as_str()?.to_owned())),
        );
    }
    for cause in causes(error) {
        match cause.downcast_ref::<reqwest::Error>() {
            // Its own words hold the address.
            Some(request) => words.extend(request.status().map(|status| format!("status {}", status.as_u16()))),
            None => words.push(cause.to_string()),
        }
    }
    words.join(": ")
}
