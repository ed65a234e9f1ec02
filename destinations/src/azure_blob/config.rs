//! Checked options of an Azure Blob target.

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use azure_core::http::{HttpClient, Url};
use secrecy::{ExposeSecret, SecretString};

use super::{
    blocks::BlockSizes,
    client::{Client, Deadlines},
    given::{Given, wrong},
    options::Options,
    store::AzureBlobStore,
};
use crate::{
    contract::{Capabilities, Config, ConfigError, Destination, Error, Kind, Retries},
    files::{self, FilesDestination},
    http::is_this_machine,
};

/// The kind `azure_blob`.
#[derive(Debug)]
pub(super) struct AzureBlob;

impl Kind for AzureBlob {
    fn name(&self) -> &'static str {
        "azure_blob"
    }

    fn summary(&self) -> &'static str {
        "files in a container of Azure Blob Storage"
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Options)
    }

    fn parse(&self, options: serde_json::Value, _folder: &Path) -> Result<Box<dyn Config>, ConfigError> {
        Ok(Box::new(AzureBlobConfig::parse(options)?))
    }
}

/// A container, a prefix within it, and how to reach both. `Debug` shows no credential.
#[derive(Clone)]
pub struct AzureBlobConfig {
    pub(super) account: Option<String>,
    pub(super) container: String,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
    /// Where the account answers, without the container.
    pub(super) endpoint: Url,
    pub(super) credentials: Credentials,
    pub(super) deadlines: Deadlines,
    pub(super) blocks: BlockSizes,
    /// In place of a client of its own.
    pub(super) http: Option<Arc<dyn HttpClient>>,
}

/// How requests prove who sends them.
#[derive(Clone)]
pub(super) enum Credentials {
    /// A key of the account.
    Key { account: String, key: SecretString },
    /// A shared access signature: a query string without `?`.
    Sas(SecretString),
    /// An application in Entra ID.
    Application { tenant_id: String, client_id: String, secret: SecretString },
    /// What the machine or pod is known as; by default its own identity.
    Identity { client_id: Option<String> },
}

impl AzureBlobConfig {
    /// Reads and checks options.
    ///
    /// # Errors
    /// The first option that is well-formed but wrong.
    pub fn parse(options: serde_json::Value) -> Result<Self, ConfigError> {
        // Serde's message for a value of a wrong type quotes the value, which may be a secret.
        let options: Options =
            serde_json::from_value(options).map_err(|_| wrong("", "does not fit the options of azure_blob"))?;
        check_container(&options.container)?;
        let prefix = folder(&options.prefix)?;
        let given = Given::of(&options);
        if let Some(account) = given.account {
            check_account(account)?;
        }
        given.check_one()?;
        let connection = given.connection()?;
        let (account, endpoint) = given.place(connection.as_ref())?;
        let connection_is_endpoint = given.endpoint.is_none();
        let credentials = given.credentials(connection, account.as_deref())?;
        // A signature is all that whoever reads it needs; a key is never sent.
        if matches!(credentials, Credentials::Sas(_))
            && endpoint.scheme() != "https"
            && !is_this_machine(endpoint.host_str().unwrap_or_default())
        {
            return Err(wrong(
                if connection_is_endpoint { "connection_string" } else { "endpoint" },
                "would carry the shared access signature in the clear: use https",
            ));
        }
        // The SDK would refuse too, but only with the first request.
        if matches!(credentials, Credentials::Application { .. } | Credentials::Identity { .. })
            && endpoint.scheme() != "https"
        {
            return Err(wrong(
                "endpoint",
                "is plain http, over which no token of Entra ID is sent: use https, or `account_key` or `sas`",
            ));
        }
        Ok(Self {
            account,
            container: options.container,
            prefix,
            endpoint,
            credentials,
            deadlines: Deadlines::default(),
            blocks: BlockSizes::default(),
            http: None,
        })
    }

    /// Sets how long requests may take; the config file has no key for it.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Sets how large blocks are; the config file has no key for it.
    #[must_use]
    pub fn with_blocks(mut self, blocks: BlockSizes) -> Self {
        self.blocks = blocks;
        self
    }

    /// Sets what sends requests, those for tokens included; the config file has no key for it.
    #[must_use]
    pub fn with_http(mut self, http: Arc<dyn HttpClient>) -> Self {
        self.http = Some(http);
        self
    }

    /// The container as a store for files, for those that need less than a destination.
    ///
    /// # Errors
    /// When a client can't be built.
    pub fn store(&self, retries: impl Into<Retries>) -> Result<AzureBlobStore, Error> {
        Ok(AzureBlobStore::new(Client::connect(self)?, self, retries.into()))
    }
}

#[async_trait]
impl Config for AzureBlobConfig {
    fn kind(&self) -> &'static str {
        "azure_blob"
    }

    fn identity(&self) -> String {
        let endpoint = self.endpoint.as_str().trim_end_matches('/');
        let place = endpoint.split_once("://").map_or(endpoint, |(_, place)| place);
        format!("azure_blob://{place}/{}/{}", self.container, self.prefix)
    }

    fn capabilities(&self) -> Capabilities {
        files::CAPABILITIES
    }

    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error> {
        Ok(Arc::new(FilesDestination::new(self.store(retries)?)))
    }
}

impl fmt::Debug for AzureBlobConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureBlobConfig")
            .field("account", &self.account)
            .field("container", &self.container)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint.as_str())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key { .. } => "Key(…)",
            Self::Sas(_) => "Sas(…)",
            Self::Application { .. } => "Application(…)",
            Self::Identity { .. } => "Identity",
        })
    }
}

impl Credentials {
    /// What must never be shown, even where the service's own words hold it.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        match self {
            Self::Key { key, .. } => vec![key.clone()],
            Self::Sas(sas) => {
                let query = sas.expose_secret();
                let raw = query.split('&').find_map(|pair| pair.strip_prefix("sig=")).unwrap_or_default();
                let plain = percent_encoding::percent_decode_str(raw).decode_utf8_lossy();
                // The service quotes the signature alone, in either form.
                [query, raw, plain.as_ref()]
                    .into_iter()
                    .filter(|secret| !secret.is_empty())
                    .map(SecretString::from)
                    .collect()
            }
            Self::Application { secret, .. } => vec![secret.clone()],
            Self::Identity { .. } => Vec::new(),
        }
    }
}

/// Azure, "Storage account overview": names of accounts.
fn check_account(account: &str) -> Result<(), ConfigError> {
    let fits = (3..=24).contains(&account.len())
        && account.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit());
    if fits {
        return Ok(());
    }
    Err(wrong(
        "account",
        format!("`{account}` is no account: expected 3 to 24 lower-case letters and digits, without an address"),
    ))
}

/// Azure, "Naming and referencing containers, blobs, and metadata".
fn check_container(container: &str) -> Result<(), ConfigError> {
    let allowed = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    let fits = container == "$web"
        || ((3..=63).contains(&container.len())
            && container.chars().all(allowed)
            && !container.starts_with('-')
            && !container.ends_with('-')
            && !container.contains("--"));
    if fits {
        return Ok(());
    }
    Err(wrong(
        "container",
        format!(
            "`{container}` is no container: expected 3 to 63 lower-case letters, digits and single hyphens, without a path"
        ),
    ))
}

/// The prefix as a folder: no `/` in front, one at the end.
fn folder(prefix: &str) -> Result<String, ConfigError> {
    let inner = prefix.trim_start_matches('/').trim_end_matches('/');
    if inner.is_empty() {
        return Ok(String::new());
    }
    if inner.split('/').any(|part| part.is_empty() || part.ends_with('.')) || inner.contains(char::is_control) {
        return Err(wrong("prefix", format!("`{prefix}` is no folder: it has a part that is empty or ends in a dot")));
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

    fn parsed(options: serde_json::Value) -> AzureBlobConfig {
        AzureBlobConfig::parse(options).expect("right options")
    }

    fn key_at_fault(options: serde_json::Value) -> String {
        AzureBlobConfig::parse(options).expect_err("a wrong option").key
    }

    const SAS: &str = "sv=2026-04-06&ss=b&srt=co&sp=rwdlc&se=2030-01-01T00%3A00%3A00Z&sig=canary%2B%3D";

    #[test]
    fn every_way_of_the_guide_is_taken() {
        let key = parsed(json!({ "account": "acc", "container": "partner", "prefix": "in/", "account_key": "a2V5" }));
        assert_eq!(key.identity(), "azure_blob://acc.blob.core.windows.net/partner/in/");
        assert!(matches!(key.credentials, Credentials::Key { .. }));
        let sas = parsed(json!({ "account": "acc", "container": "partner", "sas": format!("?{SAS}") }));
        assert!(matches!(&sas.credentials, Credentials::Sas(sas) if sas.expose_secret() == SAS));
        let text = "AccountName=acc;AccountKey=a2V5;EndpointSuffix=core.windows.net";
        let string = parsed(json!({ "container": "partner", "prefix": "in", "connection_string": text }));
        assert_eq!(string.identity(), key.identity());
        let application = json!({ "account": "acc", "container": "partner", "tenant_id": "contoso.com", "client_id": "c", "client_secret": "s" });
        assert!(matches!(parsed(application).credentials, Credentials::Application { .. }));
        let none = parsed(json!({ "account": "acc", "container": "partner", "account_key": "", "sas": "" }));
        assert!(matches!(none.credentials, Credentials::Identity { client_id: None }));
        let named = parsed(json!({ "account": "acc", "container": "partner", "client_id": "c" }));
        assert!(matches!(named.credentials, Credentials::Identity { client_id: Some(_) }));
    }

    #[test]
    fn an_endpoint_overrides_any_address() {
        let text = "UseDevelopmentStorage=true";
        let own = parsed(
            json!({ "container": "partner", "connection_string": text, "endpoint": "http://127.0.0.1:7/devstoreaccount1/" }),
        );
        assert_eq!(own.identity(), "azure_blob://127.0.0.1:7/devstoreaccount1/partner/");
        let plain = parsed(json!({ "container": "partner", "connection_string": text }));
        assert_eq!(plain.identity(), "azure_blob://127.0.0.1:10000/devstoreaccount1/partner/");
    }

    #[test]
    fn credentials_are_no_part_of_the_identity_and_never_shown() {
        let key = parsed(json!({ "account": "acc", "container": "partner", "account_key": "Y2FuYXJ5" }));
        let sas = parsed(json!({ "account": "acc", "container": "partner", "sas": SAS }));
        assert_eq!(key.identity(), sas.identity());
        let shown = format!("{key:?}{sas:?}");
        assert!(!shown.contains("Y2Fu") && !shown.contains("canary"), "{shown}");
        let secrets: Vec<String> =
            sas.credentials.secrets().iter().map(|secret| secret.expose_secret().to_owned()).collect();
        assert_eq!(secrets, [SAS, "canary%2B%3D", "canary+="]);
    }

    #[test]
    fn two_ways_at_once_are_refused_at_the_second() {
        let both = |first: (&str, &str), second: (&str, &str)| {
            key_at_fault(json!({ "account": "acc", "container": "partner", first.0: first.1, second.0: second.1 }))
        };
        let (key, sas) = (("account_key", "a2V5"), ("sas", SAS));
        let string = ("connection_string", "AccountName=acc;AccountKey=a2V5");
        assert_eq!(both(key, sas), "sas");
        assert_eq!(both(key, string), "connection_string");
        assert_eq!(both(sas, string), "connection_string");
        assert_eq!(both(key, ("tenant_id", "t")), "tenant_id");
        assert_eq!(both(sas, ("client_secret", "t")), "client_secret");
        assert_eq!(both(string, ("client_id", "t")), "client_id");
    }

    #[test]
    fn half_an_application_is_refused_at_what_is_missing() {
        let part = |options: serde_json::Value| {
            let mut whole = json!({ "account": "acc", "container": "partner" });
            whole.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
            key_at_fault(whole)
        };
        assert_eq!(part(json!({ "tenant_id": "t" })), "client_id");
        assert_eq!(part(json!({ "tenant_id": "t", "client_id": "c" })), "client_secret");
        assert_eq!(part(json!({ "client_id": "c", "client_secret": "s" })), "tenant_id");
        assert_eq!(part(json!({ "tenant_id": "a/b", "client_id": "c", "client_secret": "s" })), "tenant_id");
    }

    #[test]
    fn a_token_is_not_sent_over_plain_http() {
        let options = json!({ "endpoint": "http://127.0.0.1:10000/acc", "container": "partner" });
        let error = AzureBlobConfig::parse(options).unwrap_err();
        assert_eq!(error.key, "endpoint");
        assert!(error.message.contains("https"), "{error}");
    }

    #[test]
    fn what_names_no_account_or_container_is_refused() {
        assert_eq!(key_at_fault(json!({ "container": "partner", "sas": SAS })), "account");
        let endpoint = "https://blobs.example.com";
        assert_eq!(
            key_at_fault(json!({ "endpoint": endpoint, "container": "partner", "account_key": "a2V5" })),
            "account"
        );
        for account in ["Acc", "ac", "acc.blob.core.windows.net", "a-b-c"] {
            assert_eq!(key_at_fault(json!({ "account": account, "container": "partner" })), "account", "{account}");
        }
        for container in ["", "ab", "Partner", "partner/in", "-partner", "part--ner", "partner_in", "$root"] {
            assert_eq!(key_at_fault(json!({ "account": "acc", "container": container })), "container", "{container}");
        }
        let other = json!({ "account": "other", "container": "partner", "connection_string": "AccountName=acc;AccountKey=a2V5" });
        assert_eq!(key_at_fault(other), "account");
    }

    #[test]
    fn a_credential_must_look_like_one() {
        let at = |key: &str, value: &str| key_at_fault(json!({ "account": "acc", "container": "partner", key: value }));
        assert_eq!(at("account_key", "not base64!"), "account_key");
        assert_eq!(at("connection_string", "AccountName=acc;AccountKey=%%"), "connection_string");
        for sas in ["sv=1&sp=r", "https://acc.blob.core.windows.net/?sv=1&sig=x", "sv=1&sig=", "sv=1 &sig=x"] {
            assert_eq!(at("sas", sas), "sas", "{sas}");
        }
        for endpoint in ["https://id:secret@host", "host:9000", "https://", "ftp://host", "https://host?sig=1"] {
            assert_eq!(at("endpoint", endpoint), "endpoint", "{endpoint}");
        }
    }

    #[test]
    fn a_prefix_becomes_a_folder() {
        let prefix = |prefix: &str| json!({ "account": "acc", "container": "partner", "prefix": prefix });
        for (given, folder) in [("", ""), ("/", ""), ("in", "in/"), ("/in/a/", "in/a/")] {
            assert_eq!(parsed(prefix(given)).prefix, folder);
        }
        for given in ["in//a", "../up", "in/./a", "in./a", "in\n"] {
            assert_eq!(key_at_fault(prefix(given)), "prefix", "{given:?}");
        }
    }
}
