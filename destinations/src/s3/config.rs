//! Checked options of an S3 target.

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::{
    client::{Client, Deadlines},
    options::{Acl, AssumeRole, Checksum, Options, Sse},
    store::S3Store,
};
use crate::{
    contract::{Capabilities, Config, ConfigError, Destination, Error, Kind, Retries},
    files::{self, FilesDestination},
};

/// The kind `s3`.
#[derive(Debug)]
pub(super) struct S3;

impl Kind for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn summary(&self) -> &'static str {
        "files in a bucket of Amazon S3, or of a store that speaks its language"
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Options)
    }

    fn parse(&self, options: serde_json::Value, _folder: &Path) -> Result<Box<dyn Config>, ConfigError> {
        Ok(Box::new(S3Config::parse(options)?))
    }
}

/// A bucket, a prefix within it, and how to reach both. `Debug` shows no credential.
#[derive(Clone)]
pub struct S3Config {
    pub(super) bucket: String,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) path_style: bool,
    pub(super) keys: Option<Keys>,
    pub(super) assume_role: Option<AssumeRole>,
    pub(super) sse: Option<Sse>,
    pub(super) acl: Option<Acl>,
    pub(super) requester_pays: bool,
    pub(super) checksum: Checksum,
    pub(super) deadlines: Deadlines,
}

/// Credentials written in the config.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) access_key_id: SecretString,
    pub(super) secret_access_key: SecretString,
    pub(super) session_token: Option<SecretString>,
}

impl S3Config {
    /// Reads and checks options.
    ///
    /// # Errors
    /// The first option that is well-formed but wrong.
    pub fn parse(options: serde_json::Value) -> Result<Self, ConfigError> {
        // Serde's message for a value of a wrong type quotes the value, which may be a secret.
        let options: Options =
            serde_json::from_value(options).map_err(|_| wrong("", "does not fit the options of s3"))?;
        check_bucket(&options)?;
        if let Some(endpoint) = &options.endpoint {
            check_address("endpoint", endpoint)?;
        }
        if options.region.as_deref().is_some_and(|region| region.is_empty() || region.contains(char::is_whitespace)) {
            return Err(wrong("region", "is no region: expected one such as `eu-central-1`"));
        }
        if let Some(role) = &options.assume_role {
            check_role(role)?;
        }
        if let Some(Sse::Kms(key)) = &options.sse
            && key.kms_key.is_empty()
        {
            return Err(wrong("sse.kms_key", "is empty: expected the id, ARN or alias of a key"));
        }
        let keys = keys(&options)?;
        Ok(Self {
            prefix: folder(&options.prefix)?,
            bucket: options.bucket,
            region: options.region,
            endpoint: options.endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
            path_style: options.path_style,
            keys,
            assume_role: options.assume_role,
            sse: options.sse,
            acl: options.acl,
            requester_pays: options.requester_pays,
            checksum: options.checksum,
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
    /// When a client can't be built.
    pub async fn store(&self, retries: impl Into<Retries>) -> Result<S3Store, Error> {
        let retries = retries.into();
        Ok(S3Store::new(Client::connect(self).await?, self, retries))
    }
}

#[async_trait]
impl Config for S3Config {
    fn kind(&self) -> &'static str {
        "s3"
    }

    fn identity(&self) -> String {
        let host = self
            .endpoint
            .as_deref()
            .map_or("amazonaws.com", |endpoint| endpoint.split_once("://").map_or(endpoint, |(_, host)| host));
        format!("s3://{host}/{}/{}", self.bucket, self.prefix)
    }

    fn capabilities(&self) -> Capabilities {
        files::CAPABILITIES
    }

    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error> {
        Ok(Arc::new(FilesDestination::new(self.store(retries).await?)))
    }
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("path_style", &self.path_style)
            .field("keys", &self.keys.as_ref().map(|_| "…"))
            .field("assume_role", &self.assume_role.as_ref().map(|role| &role.arn))
            .field("sse", &self.sse)
            .field("acl", &self.acl)
            .field("requester_pays", &self.requester_pays)
            .field("checksum", &self.checksum)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// What must never be shown, even where the store's own words hold it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        [Some(&self.access_key_id), Some(&self.secret_access_key), self.session_token.as_ref()]
            .into_iter()
            .flatten()
            .map(ExposeSecret::expose_secret)
    }
}

fn wrong(key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError { key: key.to_owned(), message: message.into() }
}

fn check_bucket(options: &Options) -> Result<(), ConfigError> {
    let bucket = options.bucket.as_str();
    // Other stores are laxer than Amazon, so only what no request could carry is refused there.
    let allowed = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
    let amazon = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || ".-".contains(char);
    let fits = if bucket.starts_with("arn:") {
        bucket.contains(":s3")
    } else if options.endpoint.is_some() {
        !bucket.is_empty() && bucket.len() <= 255 && bucket.chars().all(allowed)
    } else {
        (3..=63).contains(&bucket.len()) && bucket.chars().all(amazon)
    };
    if fits {
        return Ok(());
    }
    Err(wrong(
        "bucket",
        format!(
            "`{bucket}` is no bucket: expected 3 to 63 lower-case letters, digits, dots and hyphens, without a path"
        ),
    ))
}

fn check_address(key: &str, address: &str) -> Result<(), ConfigError> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let fits = rest.is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        !host.is_empty() && !rest.contains(['@', '?', '#']) && !rest.contains(char::is_whitespace)
    });
    if fits {
        Ok(())
    } else {
        Err(wrong(key, "is no address: expected `https://host[:port]`, without credentials or a query"))
    }
}

fn check_role(role: &AssumeRole) -> Result<(), ConfigError> {
    if !(role.arn.starts_with("arn:") && role.arn.contains(":role/")) {
        return Err(wrong("assume_role.arn", "is no role: expected `arn:aws:iam::ACCOUNT:role/NAME`"));
    }
    // The bounds that the token service itself sets.
    let session = |char: char| char.is_ascii_alphanumeric() || "_=,.@-".contains(char);
    let external = |char: char| session(char) || "+:/".contains(char);
    if role.external_id.as_ref().is_some_and(|id| !(2..=1224).contains(&id.len()) || !id.chars().all(external)) {
        return Err(wrong(
            "assume_role.external_id",
            "is no external id: expected 2 to 1224 letters, digits and _+=,.@:/-",
        ));
    }
    if role.session_name.as_ref().is_some_and(|name| !(2..=64).contains(&name.len()) || !name.chars().all(session)) {
        return Err(wrong(
            "assume_role.session_name",
            "is no session name: expected 2 to 64 letters, digits and _=,.@-",
        ));
    }
    role.endpoint.as_ref().map_or(Ok(()), |endpoint| check_address("assume_role.endpoint", endpoint))
}

/// Keys that are empty count as none, so that a variable without a value falls back to the default chain.
fn keys(options: &Options) -> Result<Option<Keys>, ConfigError> {
    let given = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(SecretString::from);
    match (given(&options.access_key_id), given(&options.secret_access_key), given(&options.session_token)) {
        (Some(access_key_id), Some(secret_access_key), session_token) => {
            Ok(Some(Keys { access_key_id, secret_access_key, session_token }))
        }
        (Some(_), None, _) => Err(wrong("secret_access_key", "is missing beside `access_key_id`")),
        (None, Some(_), _) => Err(wrong("access_key_id", "is missing beside `secret_access_key`")),
        (None, None, Some(_)) => Err(wrong("access_key_id", "is missing beside `session_token`")),
        (None, None, None) => Ok(None),
    }
}

/// The prefix as a folder: no `/` in front, one at the end.
fn folder(prefix: &str) -> Result<String, ConfigError> {
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
    use serde_json::json;

    use super::*;
    use crate::s3::options::{KmsKey, Managed};

    fn key_at_fault(options: serde_json::Value) -> String {
        S3Config::parse(options).expect_err("a wrong option").key
    }

    #[test]
    fn every_option_of_the_guide_is_taken() {
        let config = S3Config::parse(json!({
            "bucket": "partner", "prefix": "in/", "region": "eu-central-1", "endpoint": "https://minio.example.com/",
            "path_style": true, "access_key_id": "id", "secret_access_key": "secret", "session_token": "token",
            "assume_role": { "arn": "arn:aws:iam::123456789012:role/drop", "external_id": "herald-1" },
            "sse": { "kms_key": "alias/partner" }, "acl": "bucket-owner-full-control", "requester_pays": true,
            "checksum": "required"
        }))
        .unwrap();
        assert_eq!(config.identity(), "s3://minio.example.com/partner/in/");
        assert_eq!(config.sse, Some(Sse::Kms(KmsKey { kms_key: "alias/partner".into(), bucket_key: false })));
        assert_eq!(config.acl.map(Acl::as_str), Some("bucket-owner-full-control"));
    }

    #[test]
    fn encryption_without_a_named_key_is_a_word() {
        let sse = |sse: &str| S3Config::parse(json!({ "bucket": "partner", "sse": sse })).unwrap().sse;
        assert_eq!(sse("AES256"), Some(Sse::Managed(Managed::Aes256)));
        assert_eq!(sse("aws:kms"), Some(Sse::Managed(Managed::Kms)));
    }

    #[test]
    fn credentials_are_no_part_of_the_identity() {
        let with =
            S3Config::parse(json!({ "bucket": "partner", "access_key_id": "a", "secret_access_key": "b" })).unwrap();
        let without = S3Config::parse(json!({ "bucket": "partner" })).unwrap();
        assert_eq!(with.identity(), without.identity());
        assert_eq!(without.identity(), "s3://amazonaws.com/partner/");
    }

    #[test]
    fn half_a_pair_of_keys_is_refused() {
        assert_eq!(key_at_fault(json!({ "bucket": "partner", "secret_access_key": "s" })), "access_key_id");
        assert_eq!(key_at_fault(json!({ "bucket": "partner", "access_key_id": "i" })), "secret_access_key");
        assert_eq!(key_at_fault(json!({ "bucket": "partner", "session_token": "t" })), "access_key_id");
    }

    #[test]
    fn empty_keys_mean_the_default_chain() {
        let config =
            S3Config::parse(json!({ "bucket": "partner", "access_key_id": "", "secret_access_key": "" })).unwrap();
        assert!(config.keys.is_none());
    }

    #[test]
    fn a_bucket_with_a_path_is_refused() {
        for bucket in ["partner/in", "", "Partner", "s3://partner", "ab"] {
            assert_eq!(key_at_fault(json!({ "bucket": bucket })), "bucket", "{bucket}");
        }
    }

    #[test]
    fn an_address_with_credentials_is_refused() {
        for endpoint in ["https://id:secret@host", "host:9000", "https://", "ftp://host", "https://host?x=1"] {
            assert_eq!(key_at_fault(json!({ "bucket": "partner", "endpoint": endpoint })), "endpoint", "{endpoint}");
        }
    }

    #[test]
    fn a_role_and_a_key_must_look_like_one() {
        let role = |role| key_at_fault(json!({ "bucket": "partner", "assume_role": role }));
        assert_eq!(role(json!({ "arn": "drop" })), "assume_role.arn");
        assert_eq!(role(json!({ "arn": "arn:aws:iam::1:role/a", "external_id": "ä" })), "assume_role.external_id");
        assert_eq!(role(json!({ "arn": "arn:aws:iam::1:role/a", "session_name": "x y" })), "assume_role.session_name");
        assert_eq!(key_at_fault(json!({ "bucket": "partner", "sse": { "kms_key": "" } })), "sse.kms_key");
    }

    #[test]
    fn a_prefix_becomes_a_folder() {
        for (prefix, folder) in [("", ""), ("/", ""), ("in", "in/"), ("/in/a/", "in/a/")] {
            assert_eq!(S3Config::parse(json!({ "bucket": "partner", "prefix": prefix })).unwrap().prefix, folder);
        }
        for prefix in ["in//a", "../up", "in/./a"] {
            assert_eq!(key_at_fault(json!({ "bucket": "partner", "prefix": prefix })), "prefix", "{prefix}");
        }
    }

    #[test]
    fn a_value_of_a_wrong_type_is_not_repeated() {
        let error = S3Config::parse(json!({ "bucket": "partner", "path_style": "canary-secret" })).unwrap_err();
        assert!(!error.to_string().contains("canary-secret"), "{error}");
    }

    #[test]
    fn secrets_are_write_only_and_unseen() {
        let schema = serde_json::to_value(S3.schema()).unwrap();
        for key in ["access_key_id", "secret_access_key", "session_token"] {
            assert_eq!(schema["properties"][key]["writeOnly"], true, "{key}");
        }
        let config = S3Config::parse(json!({
            "bucket": "partner", "access_key_id": "canary-id", "secret_access_key": "canary-secret",
            "session_token": "canary-token"
        }))
        .unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
