//! Checked options of a Google Cloud Storage target.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD};
use reqwest::Url;

use super::{
    client::{Client, Deadlines},
    options::Options,
    store::GcsStore,
};
use crate::{
    contract::{Capabilities, Config, ConfigError, Destination, Error, Kind, Retries},
    files::{self, FilesDestination},
    http::is_this_machine,
};

const GOOGLE: &str = "https://storage.googleapis.com";

/// The kind `gcs`.
#[derive(Debug)]
pub(super) struct Gcs;

impl Kind for Gcs {
    fn name(&self) -> &'static str {
        "gcs"
    }

    fn summary(&self) -> &'static str {
        "files in a bucket of Google Cloud Storage"
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Options)
    }

    fn parse(&self, options: serde_json::Value, folder: &Path) -> Result<Box<dyn Config>, ConfigError> {
        Ok(Box::new(GcsConfig::parse(options, folder)?))
    }
}

/// A bucket, a prefix within it, and how to reach both.
#[derive(Clone)]
pub struct GcsConfig {
    pub(super) bucket: String,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
    pub(super) credentials: Credentials,
    /// Base address, without a `/` at its end.
    pub(super) endpoint: Url,
    /// Whether the address is somebody else's than Google's.
    pub(super) elsewhere: bool,
    pub(super) deadlines: Deadlines,
}

/// Where credentials come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A file of Google's: a service account's key, or the way to federated credentials.
    File(PathBuf),
    /// Application default credentials: environment, `gcloud`, metadata server.
    Default,
    /// None are sent.
    Anonymous,
}

impl GcsConfig {
    /// Reads and checks options; a relative path is relative to `folder`.
    ///
    /// # Errors
    /// The first option that is well-formed but wrong.
    pub fn parse(options: serde_json::Value, folder: &Path) -> Result<Self, ConfigError> {
        // Serde's message for a value of a wrong type quotes the value, which may be a key put in the wrong place.
        let options: Options =
            serde_json::from_value(options).map_err(|_| wrong("", "does not fit the options of gcs"))?;
        check_bucket(&options.bucket)?;
        let credentials = credentials(&options, folder)?;
        let endpoint = endpoint(&options, &credentials)?;
        Ok(Self {
            prefix: prefix(&options.prefix)?,
            bucket: options.bucket,
            credentials,
            endpoint,
            elsewhere: options.endpoint.is_some(),
            deadlines: Deadlines::default(),
        })
    }

    /// Sets how long requests may take; the config file has no key for it.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// The bucket as a store for files, for those that need less than a destination.
    ///
    /// # Errors
    /// When credentials can't be found or a client can't be built.
    pub async fn store(&self, retries: impl Into<Retries>) -> Result<GcsStore, Error> {
        let retries = retries.into();
        Ok(GcsStore::new(Client::connect(self).await?, self, retries))
    }
}

#[async_trait]
impl Config for GcsConfig {
    fn kind(&self) -> &'static str {
        Gcs.name()
    }

    fn identity(&self) -> String {
        let path = self.endpoint.path().trim_end_matches('/');
        format!("gcs://{}{path}/{}/{}", self.endpoint.authority(), self.bucket, self.prefix)
    }

    fn capabilities(&self) -> Capabilities {
        files::CAPABILITIES
    }

    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error> {
        Ok(Arc::new(FilesDestination::new(self.store(retries).await?)))
    }
}

impl fmt::Debug for GcsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsConfig")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("credentials", &self.credentials)
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

fn wrong(key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError { key: key.to_owned(), message: message.into() }
}

/// Longest path of a file with credentials, in bytes.
const LONGEST_PATH: usize = 1_024;

/// Names as <https://cloud.google.com/storage/docs/buckets#naming> has them; with dots, up to 222 characters.
fn check_bucket(bucket: &str) -> Result<(), ConfigError> {
    let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let fits = (3..=222).contains(&bucket.len())
        && bucket.split('.').all(|part| (1..=63).contains(&part.len()))
        && bucket.chars().all(|char| plain(char) || "-_.".contains(char))
        && bucket.starts_with(plain)
        && bucket.ends_with(plain);
    if fits {
        return Ok(());
    }
    Err(wrong(
        "bucket",
        format!(
            "`{bucket}` is no bucket: expected 3 to 63 lower-case letters, digits, hyphens, underscores and dots, without a path"
        ),
    ))
}

fn credentials(options: &Options, folder: &Path) -> Result<Credentials, ConfigError> {
    // An empty path counts as none, so that a variable without a value falls back to the default.
    let file = options.service_account.as_ref().filter(|file| !file.as_os_str().is_empty());
    match (file, options.anonymous) {
        (Some(_), true) => Err(wrong("anonymous", "excludes `service_account`: no credentials are sent")),
        // Whoever pastes the key, or fills it in, must not read it back in an error.
        (Some(file), false) if is_key(&file.to_string_lossy()) => {
            Err(wrong("service_account", "is the key itself: expected the path of the file that holds it"))
        }
        (Some(file), false) => Ok(Credentials::File(folder.join(file))),
        (None, true) => Ok(Credentials::Anonymous),
        (None, false) => Ok(Credentials::Default),
    }
}

/// Whether a text is a key and no path: JSON, also in base64, or longer than a path is anywhere.
fn is_key(text: &str) -> bool {
    let decoded = || STANDARD_NO_PAD.decode(text.trim().trim_end_matches('='));
    text.len() > LONGEST_PATH
        || text.contains(['{', '\n'])
        || decoded().is_ok_and(|text| text.trim_ascii_start().starts_with(b"{"))
}

fn endpoint(options: &Options, credentials: &Credentials) -> Result<Url, ConfigError> {
    let address = options.endpoint.as_deref().unwrap_or(GOOGLE);
    let no_address =
        || wrong("endpoint", "is no address: expected `https://host[:port]`, without credentials or a query");
    let url = Url::parse(address.trim_end_matches('/')).map_err(|_| no_address())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !(matches!(url.scheme(), "http" | "https") && url.has_host() && plain && url.fragment().is_none()) {
        return Err(no_address());
    }
    // A token is all that whoever reads it needs.
    if url.scheme() == "http"
        && *credentials != Credentials::Anonymous
        && !is_this_machine(url.host_str().unwrap_or_default())
    {
        return Err(wrong(
            "endpoint",
            "would carry the token in the clear: expected `https://…`, or `anonymous: true` beside it",
        ));
    }
    Ok(url)
}

/// The prefix as a folder: no `/` in front, one at the end.
fn prefix(prefix: &str) -> Result<String, ConfigError> {
    let inner = prefix.trim_start_matches('/').trim_end_matches('/');
    if inner.is_empty() {
        return Ok(String::new());
    }
    if inner.split('/').any(|part| matches!(part, "" | "." | "..")) || inner.contains(char::is_control) {
        return Err(wrong("prefix", format!("`{prefix}` is no folder: it has an empty part, `.` or `..`")));
    }
    if inner.len() > 512 {
        return Err(wrong("prefix", "is longer than 512 bytes, which leaves no room for paths below it"));
    }
    Ok(format!("{inner}/"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(options: Value) -> Result<GcsConfig, ConfigError> {
        GcsConfig::parse(options, Path::new("/etc/herald"))
    }

    fn key_at_fault(options: Value) -> String {
        parse(options).expect_err("a wrong option").key
    }

    #[test]
    fn every_option_of_the_guide_is_taken() {
        let config = parse(json!({ "bucket": "partner", "prefix": "in/", "service_account": "key.json" })).unwrap();
        assert_eq!(config.credentials, Credentials::File("/etc/herald/key.json".into()));
        assert_eq!(config.identity(), "gcs://storage.googleapis.com/partner/in/");
        let endpoint = "http://emulator.example.com:4443/";
        let config = parse(json!({ "bucket": "partner", "anonymous": true, "endpoint": endpoint })).unwrap();
        assert_eq!(config.identity(), "gcs://emulator.example.com:4443/partner/");
    }

    #[test]
    fn no_file_or_an_empty_one_means_default_credentials() {
        for options in [json!({ "bucket": "partner" }), json!({ "bucket": "partner", "service_account": "" })] {
            assert_eq!(parse(options).unwrap().credentials, Credentials::Default);
        }
    }

    #[test]
    fn a_bucket_with_a_path_is_refused() {
        for bucket in ["partner/in", "", "Partner", "gs://partner", "ab", "-abc", "abc.", "a..b"] {
            assert_eq!(key_at_fault(json!({ "bucket": bucket })), "bucket", "{bucket}");
        }
        parse(json!({ "bucket": "data.example.com" })).unwrap();
    }

    #[test]
    fn credentials_that_are_not_to_be_sent_are_refused() {
        let both = json!({ "bucket": "partner", "service_account": "key.json", "anonymous": true });
        assert_eq!(key_at_fault(both), "anonymous");
    }

    #[test]
    fn a_key_in_place_of_its_path_is_not_repeated() {
        let key = "{ \"private_key\": \"canary-key\" }";
        let error = parse(json!({ "bucket": "partner", "service_account": key })).unwrap_err();
        assert_eq!(error.key, "service_account");
        assert!(!error.to_string().contains("canary"), "{error}");
        let error = parse(json!({ "bucket": "partner", "service_account": { "key": "canary" } })).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[test]
    fn an_address_must_keep_a_token_to_itself() {
        let endpoint = |endpoint: &str| parse(json!({ "bucket": "partner", "endpoint": endpoint }));
        for bad in
            ["https://id:secret@host", "host:9000", "https://", "ftp://host", "https://host?x=1", "http://gcs.test"]
        {
            assert_eq!(endpoint(bad).expect_err(bad).key, "endpoint", "{bad}");
        }
        for good in ["https://gcs.test/base", "http://127.0.0.1:4443", "http://localhost:4443", "http://[::1]:4443"] {
            endpoint(good).unwrap();
        }
    }

    #[test]
    fn a_prefix_becomes_a_folder() {
        for (prefix, folder) in [("", ""), ("/", ""), ("in", "in/"), ("/in/a/", "in/a/")] {
            assert_eq!(parse(json!({ "bucket": "partner", "prefix": prefix })).unwrap().prefix, folder);
        }
        for prefix in ["in//a", "../up", "in/./a"] {
            assert_eq!(key_at_fault(json!({ "bucket": "partner", "prefix": prefix })), "prefix", "{prefix}");
        }
    }
}
