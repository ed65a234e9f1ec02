//! Checked options of a LiveRamp target.

use std::{fmt, path::Path, sync::Arc};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use super::{
    columns::Region,
    destination::LiveRampDestination,
    options::{CARRIERS, Options, Separator},
    rules,
    shape::LiveRampShaper,
};
use crate::{
    contract::{ActivationFacts, Capabilities, Config, ConfigError, Destination, Error, Kind, Retries, Shaper},
    files::{self, CsvOptions, Format},
};

/// The kind `liveramp`.
#[derive(Debug)]
pub(super) struct LiveRamp;

impl Kind for LiveRamp {
    fn name(&self) -> &'static str {
        "liveramp"
    }

    fn summary(&self) -> &'static str {
        "audience and deletion files for LiveRamp, carried by SFTP, S3 or GCS"
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Options)
    }

    fn parse(&self, options: serde_json::Value, folder: &Path) -> Result<Box<dyn Config>, ConfigError> {
        Ok(Box::new(LiveRampConfig::parse(options, folder)?))
    }
}

/// How files look and where they go. `Debug` shows no credential, since that of the carrier shows none.
#[derive(Clone)]
pub struct LiveRampConfig {
    pub(super) via: Arc<dyn Config>,
    pub(super) audience: String,
    pub(super) region: Region,
    pub(super) folder: String,
    pub(super) deletions: Option<String>,
    pub(super) separator: Separator,
    key: String,
    pub(super) min_rows: u64,
}

impl LiveRampConfig {
    /// Reads and checks options; relative paths of the carrier are relative to `folder`.
    ///
    /// # Errors
    /// The first option that is well-formed but wrong.
    pub fn parse(options: serde_json::Value, folder: &Path) -> Result<Self, ConfigError> {
        // Serde's message for a value of a wrong type quotes the value, which may be a secret.
        let options: Options =
            serde_json::from_value(options).map_err(|_| wrong("", "does not fit the options of liveramp"))?;
        let via = carrier(options.via, folder)?;
        let listed = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
        if !options.audience.chars().all(listed)
            || !options.audience.starts_with(|char: char| char.is_ascii_alphanumeric())
        {
            return Err(wrong(
                "audience",
                "is no name of a list: expected letters, digits, `-` and `_`, a letter or digit first",
            ));
        }
        check_folder("folder", &options.folder)?;
        if let Some(deletions) = &options.deletions {
            check_folder("deletions", deletions)?;
            let within = |one: &str, other: &str| format!("{one}/").starts_with(&format!("{other}/"));
            if within(deletions, &options.folder) || within(&options.folder, deletions) {
                let message =
                    "is within `folder`, or the other way round: LiveRamp would take one's files for the other's";
                return Err(wrong("deletions", message));
            }
        }
        let key = options.key.unwrap_or_else(|| options.region.usual_key().to_owned());
        if !rules::is_header(&key) || options.region.content(&key).is_some() {
            return Err(wrong(
                "key",
                "is no header of a key: expected at most 128 letters, digits and `_`, and none of an identifier",
            ));
        }
        Ok(Self {
            via,
            audience: options.audience,
            region: options.region,
            folder: options.folder,
            deletions: options.deletions,
            separator: options.format,
            key,
            min_rows: options.min_rows,
        })
    }

    /// Header of the first column.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// How rows are written: a header, quotes where they must stand, nothing for null.
    pub(super) fn csv(&self) -> CsvOptions {
        CsvOptions { delimiter: self.separator.delimiter(), ..CsvOptions::default() }
    }
}

#[async_trait]
impl Config for LiveRampConfig {
    fn kind(&self) -> &'static str {
        "liveramp"
    }

    fn identity(&self) -> String {
        format!("liveramp {} {}", self.via.identity(), self.folder)
    }

    fn capabilities(&self) -> Capabilities {
        files::CAPABILITIES
    }

    fn format(&self) -> Option<Format> {
        Some(Format::Csv)
    }

    fn check(&self, activation: &ActivationFacts<'_>) -> Vec<ConfigError> {
        rules::check(self, activation)
    }

    fn shaper(&self, schema: &SchemaRef) -> Result<Option<Arc<dyn Shaper>>, ConfigError> {
        Ok(Some(Arc::new(LiveRampShaper::new(self, schema)?)))
    }

    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error> {
        let inner = self.via.connect(retries).await?;
        Ok(Arc::new(LiveRampDestination::new(inner, self.clone())))
    }
}

impl fmt::Debug for LiveRampConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveRampConfig")
            .field("via", &self.via)
            .field("audience", &self.audience)
            .field("region", &self.region)
            .field("folder", &self.folder)
            .field("deletions", &self.deletions)
            .finish_non_exhaustive()
    }
}

fn wrong(key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError { key: key.to_owned(), message: message.into() }
}

/// The connection that carries the files, read by its own kind.
fn carrier(
    mut options: serde_json::Map<String, serde_json::Value>,
    folder: &Path,
) -> Result<Arc<dyn Config>, ConfigError> {
    let word = options.remove("type").and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    let kind = crate::kind(&word).filter(|kind| CARRIERS.contains(&kind.name()));
    let Some(kind) = kind else {
        return Err(wrong(
            "via.type",
            format!("carries no files to LiveRamp: expected one of {}", CARRIERS.join(", ")),
        ));
    };
    if word == "sftp" {
        let staged = options.entry("temp_name").or_insert_with(|| "folder".into());
        if staged == "suffix" {
            let message = "LiveRamp takes every file in its folder, one that is being written too: set `folder`";
            return Err(wrong("via.temp_name", message));
        }
    }
    let parsed = kind.parse(serde_json::Value::Object(options), folder);
    let config = parsed.map_err(|error| {
        let key = if error.key.is_empty() { "via".to_owned() } else { format!("via.{}", error.key) };
        ConfigError { key, message: error.message }
    })?;
    Ok(config.into())
}

/// A folder below the carrier's: plain names, none of which LiveRamp passes over.
fn check_folder(key: &str, folder: &str) -> Result<(), ConfigError> {
    let plain = |name: &str| {
        name.starts_with(|char: char| char.is_ascii_alphanumeric())
            && name.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
    };
    // Carriers put there what is not whole yet.
    let staging = folder.split('/').next() == Some("herald-tmp");
    if folder.len() <= 255 && folder.split('/').all(plain) && !staging {
        return Ok(());
    }
    let message = "is no folder below `via`: expected names of letters, digits, `.`, `_` and `-`, a letter or digit first, with `/` between them";
    Err(wrong(key, message))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    fn options(region: &str) -> serde_json::Value {
        json!({
            "via": { "type": "local", "path": "out" },
            "audience": "GOLD", "region": region, "folder": "gold", "deletions": "gold-deletions",
        })
    }

    /// Settings over a folder.
    pub(in crate::liveramp) fn settings(region: &str) -> LiveRampConfig {
        LiveRampConfig::parse(options(region), Path::new("/srv")).expect("options")
    }

    fn fault(key: &str, value: serde_json::Value) -> String {
        let mut options = options("us");
        options[key] = value;
        LiveRampConfig::parse(options, Path::new("/srv")).expect_err("a wrong option").key
    }

    #[test]
    fn a_target_is_its_carrier_and_its_folder() {
        let settings = settings("eu");
        assert_eq!(settings.identity(), "liveramp local /srv/out gold");
        assert_eq!((settings.key(), settings.min_rows), ("CustomerID", 25));
    }

    #[test]
    fn wrong_options_are_told_by_their_key() {
        for folder in ["", "/a", "a/", "../a", "a//b", ".a", "_a", "a b", "a/_b", "a{part}", "herald-tmp"] {
            assert_eq!(fault("folder", json!(folder)), "folder", "{folder}");
        }
        for deletions in ["gold", "gold/deletions", "_x"] {
            assert_eq!(fault("deletions", json!(deletions)), "deletions", "{deletions}");
        }
        for audience in ["A B", "", "_A", "ä", "A{part}", "A/B"] {
            assert_eq!(fault("audience", json!(audience)), "audience", "{audience}");
        }
        for key in ["EMAIL1", "A B", "", &"K".repeat(129)] {
            assert_eq!(fault("key", json!(key)), "key", "{key}");
        }
        assert_eq!(fault("via", json!({ "type": "local", "path": "" })), "via.path");
        assert_eq!(fault("via", json!({ "type": "webhook", "url": "https://h/" })), "via.type");
        assert_eq!(fault("via", json!({ "type": "liveramp" })), "via.type");
        assert_eq!(fault("region", json!("fr")), "");
        let mut parent = options("us");
        parent["folder"] = json!("gold/in");
        parent["deletions"] = json!("gold");
        assert_eq!(LiveRampConfig::parse(parent, Path::new("/")).expect_err("nested").key, "deletions");
    }

    #[test]
    fn the_carriers_secrets_are_not_shown() {
        let mut options = options("us");
        options["via"] =
            json!({ "type": "s3", "bucket": "bucket", "access_key_id": "canary", "secret_access_key": "canary" });
        let config = LiveRampConfig::parse(options.clone(), Path::new("/")).expect("options");
        assert!(!format!("{config:?} {config:#?} {}", config.identity()).contains("canary"));
        options["via"]["secret_access_key"] = json!({ "x": "canary" });
        let error = LiveRampConfig::parse(options, Path::new("/")).expect_err("a wrong type");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
