//! Checked options of a webhook target.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::{
    client::Client,
    destination::{self, WebhookDestination},
    mask::SHORTEST,
    options::{EventFormat, HeaderText, LARGEST_BATCH, Options},
    signature::{ENCODED, Signer},
};
use crate::contract::{Capabilities, Config, ConfigError, Destination, Error, Kind, Retries};

/// The kind `webhook`.
#[derive(Debug)]
pub(super) struct Webhook;

impl Kind for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn summary(&self) -> &'static str {
        "change events, signed, to an address of your own"
    }

    fn takes_files(&self) -> bool {
        false
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Options)
    }

    fn parse(&self, options: serde_json::Value, _folder: &Path) -> Result<Box<dyn Config>, ConfigError> {
        Ok(Box::new(WebhookConfig::parse(options)?))
    }
}

/// An address, and how to talk to it. `Debug` shows its host alone.
#[derive(Clone)]
pub struct WebhookConfig {
    pub(super) url: Url,
    /// `None`: requests are not signed.
    pub(super) signer: Option<Signer>,
    pub(super) batch: usize,
    pub(super) format: EventFormat,
    /// Marked as sensitive, every one.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    /// Blanked out of whatever the receiver says.
    pub(super) secrets: Vec<SecretString>,
}

/// Headers that Herald sets itself, or that carry the connection.
const TAKEN: [&str; 12] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

impl WebhookConfig {
    /// Reads and checks options.
    ///
    /// # Errors
    /// The first option that is well-formed but wrong. No message holds what an option holds.
    pub fn parse(options: serde_json::Value) -> Result<Self, ConfigError> {
        // Serde's message for a value of a wrong type quotes the value, which may be a secret.
        let options: Options =
            serde_json::from_value(options).map_err(|_| wrong("", "does not fit the options of webhook"))?;
        let url = address(&options.url)?;
        if !(1..=LARGEST_BATCH).contains(&options.batch) {
            return Err(wrong("batch", format!("is out of range: expected 1 to {LARGEST_BATCH}")));
        }
        if !options.timeout.fits() {
            return Err(wrong("timeout", "is out of range: expected 1s to 1h"));
        }
        let signer = options.secret.as_deref().map(Signer::new).transpose();
        let signer = signer.map_err(|message| wrong("secret", message))?;
        let secrets = secrets(&options, &url);
        Ok(Self {
            secrets,
            headers: options.headers.iter().map(header).collect::<Result<_, _>>()?,
            url,
            signer,
            batch: options.batch,
            format: options.format,
            timeout: options.timeout.0,
        })
    }

    /// Scheme, host and port: what may be shown, since a path may hold a token too.
    pub(super) fn place(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

#[async_trait]
impl Config for WebhookConfig {
    fn kind(&self) -> &'static str {
        Webhook.name()
    }

    fn identity(&self) -> String {
        // A path may hold a token, and an identity is kept in the clear.
        let path = faster_hex::hex_string(&Sha256::digest(self.url.path())[..16]);
        format!("{}/sha256:{path}", self.place())
    }

    fn capabilities(&self) -> Capabilities {
        destination::capabilities(self.batch)
    }

    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error> {
        Ok(Arc::new(WebhookDestination::new(Client::new(self)?, self, retries)))
    }
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("place", &self.place())
            .field("batch", &self.batch)
            .field("format", &self.format)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

fn wrong(key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError { key: key.to_owned(), message: message.into() }
}

fn address(text: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| wrong("url", "is no address: expected `https://host[:port]/path`"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("url", "holds credentials: put them into `headers`, such as `Authorization`"));
    }
    if url.fragment().is_some() {
        return Err(wrong("url", "holds a fragment (`#…`), which is never sent: remove it"));
    }
    Ok(url)
}

/// Whatever must not come back in a receiver's words: whole, and without what usually stands around it.
fn secrets(options: &Options, url: &Url) -> Vec<SecretString> {
    let mut found = Vec::new();
    if let Some(secret) = &options.secret {
        found.extend([secret.clone(), secret.trim_start_matches(ENCODED).to_owned()]);
    }
    found.extend(url.query().map(str::to_owned));
    found.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    let raw = url.query().into_iter().flat_map(|query| query.split('&'));
    found.extend(raw.filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned()));
    if url.path() != "/" {
        found.push(url.path().to_owned());
    }
    for text in url.path().split('/').chain([url.path().trim_matches('/')]) {
        found.extend([text.to_owned(), decoded(url, text)].into_iter().filter(|text| text.chars().count() >= SHORTEST));
    }
    for HeaderText(value) in options.headers.values() {
        found.push(value.clone());
        // `Bearer TOKEN`
        found.extend(value.split_whitespace().last().map(str::to_owned));
    }
    found.into_iter().map(SecretString::from).collect()
}

/// A part of a path without its `%` signs, as a receiver may show it.
fn decoded(url: &Url, text: &str) -> String {
    // What stands after `=` in a query is decoded alike, but for these two.
    let value = text.replace('+', "%2B").replace('&', "%26");
    let mut url = url.clone();
    url.set_query(Some(&format!("={value}")));
    url.query_pairs().map(|(_, value)| value.into_owned()).collect()
}

fn header((name, value): (&String, &HeaderText)) -> Result<(HeaderName, HeaderValue), ConfigError> {
    let key = format!("headers.{name}");
    let known: HeaderName = name.parse().map_err(|_| wrong(&key, "is no name of a header"))?;
    let own = known.as_str().starts_with("webhook-") || known.as_str().starts_with("x-herald-");
    if own || TAKEN.contains(&known.as_str()) {
        return Err(wrong(&key, "is set by herald itself: remove it"));
    }
    let mut value: HeaderValue =
        value.0.parse().map_err(|_| wrong(&key, "holds what no header can, such as a line's end"))?;
    value.set_sensitive(true);
    Ok((known, value))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    fn with(changes: serde_json::Value) -> serde_json::Value {
        let mut options = json!({ "url": "https://hooks.example.com/in", "secret": "s3cret" });
        let changes = changes.as_object().unwrap().clone();
        options.as_object_mut().unwrap().extend(changes);
        options
    }

    fn fault(changes: serde_json::Value) -> ConfigError {
        WebhookConfig::parse(with(changes)).expect_err("a wrong option")
    }

    #[test]
    fn every_option_is_taken_and_has_its_default() {
        let config = WebhookConfig::parse(with(json!({}))).unwrap();
        assert_eq!((config.batch, config.format, config.timeout.as_secs()), (500, EventFormat::Ndjson, 30));
        let config = WebhookConfig::parse(with(json!({
            "batch": 7, "format": "json", "headers": { "X-Team": "growth" }, "timeout": "2m"
        })))
        .unwrap();
        assert_eq!((config.batch, config.format, config.timeout.as_secs()), (7, EventFormat::Json, 120));
        assert!(config.headers["x-team"] == "growth" && config.headers["x-team"].is_sensitive());
    }

    #[test]
    fn the_query_is_no_part_of_the_identity_and_the_path_is() {
        let config = WebhookConfig::parse(with(json!({ "url": "HTTPS://Hooks.Example.com:443/a/b?token=t0ken" })));
        let config = config.unwrap();
        let identity = config.identity();
        assert!(identity.starts_with("https://hooks.example.com/sha256:") && !identity.contains("a/b"), "{identity}");
        let of = |url: &str| WebhookConfig::parse(with(json!({ "url": url }))).unwrap().identity();
        assert_eq!(of("https://hooks.example.com/a/b?token=other"), identity);
        assert_ne!(of("https://hooks.example.com/a/c"), identity);
        assert_eq!(config.place(), "https://hooks.example.com");
    }

    #[test]
    fn what_is_wrong_is_told_at_its_key_without_what_it_holds() {
        for (changes, key) in [
            (json!({ "url": "hooks.example.com" }), "url"),
            (json!({ "url": "ftp://hooks.example.com" }), "url"),
            (json!({ "url": "https://user:canary@hooks.example.com/" }), "url"),
            (json!({ "url": "https://hooks.example.com/#canary" }), "url"),
            (json!({ "secret": "" }), "secret"),
            (json!({ "secret": "whsec_canary!" }), "secret"),
            (json!({ "batch": 0 }), "batch"),
            (json!({ "batch": 10_001 }), "batch"),
            (json!({ "timeout": "0s" }), "timeout"),
            (json!({ "timeout": "2h" }), "timeout"),
            (json!({ "headers": { "X Team": "canary" } }), "headers.X Team"),
            (json!({ "headers": { "X-Team": "canary\r\nX: y" } }), "headers.X-Team"),
            (json!({ "headers": { "Content-Type": "canary" } }), "headers.Content-Type"),
            (json!({ "headers": { "Webhook-Signature": "canary" } }), "headers.Webhook-Signature"),
            (json!({ "secret": 5 }), ""),
        ] {
            let error = fault(changes);
            assert_eq!(error.key, key, "{error}");
            assert!(!error.message.contains("canary"), "{error}");
        }
    }

    #[test]
    fn path_and_query_are_masked_as_they_are_sent_and_as_they_are_read() {
        let config =
            WebhookConfig::parse(with(json!({ "url": "https://hooks.example.com/v1/T0KEN%3D+/a?key=k%2Fy&b=2c" })));
        let secrets = config.unwrap().secrets;
        let secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
        for text in ["/v1/T0KEN%3D+/a", "v1/T0KEN=+/a", "T0KEN%3D+", "T0KEN=+", "k%2Fy", "k/y", "2c"] {
            assert!(secrets.contains(&text), "{text}: {secrets:?}");
        }
        assert!(!secrets.contains(&"v1") && !secrets.contains(&""), "{secrets:?}");
    }

    #[test]
    fn no_secret_and_no_path_is_shown() {
        let config = WebhookConfig::parse(with(json!({
            "url": "https://hooks.example.com/canary-path?token=canary-query", "secret": "canary-secret",
            "headers": { "Authorization": "canary-header" }
        })));
        let config = config.unwrap();
        let shown = format!("{config:?} {config:#?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("hooks.example.com") && shown.contains("authorization"), "{shown}");
    }
}
