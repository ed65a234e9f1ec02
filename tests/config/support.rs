//! Writes configs, loads them with an environment and kinds of their own, and asks what was found.

use std::{fs, path::Path, sync::Arc};

use async_trait::async_trait;
use herald::config::{Config, Problems, Surroundings, load_in};
use herald_destinations::contract::{self, ConfigError, Destination, Error, ErrorKind, Kind, Retries};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// A kind named `local`, with the one option that such a kind has.
#[derive(Debug)]
pub(crate) struct Local;

/// A kind named `s3`, with options of every shape and a secret.
#[derive(Debug)]
pub(crate) struct Bucket;

/// What the tests' configs may use.
pub(crate) const KINDS: &[&dyn Kind] = &[&Local, &Bucket];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LocalOptions {
    /// Folder.
    path: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read to be checked")]
struct BucketOptions {
    /// Its name.
    bucket: String,
    #[serde(default)]
    prefix: String,
    path_style: Option<bool>,
    /// Parts at once.
    parallel: Option<u8>,
    #[schemars(extend("writeOnly" = true))]
    secret_access_key: Option<String>,
    assume_role: Option<Role>,
    checksum: Option<Checksum>,
    headers: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read to be checked")]
struct Role {
    arn: String,
    external_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "read to be checked")]
enum Checksum {
    /// As the store wants.
    Auto,
    /// Only where a request must have one.
    Required,
}

impl Kind for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn summary(&self) -> &'static str {
        "a folder"
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(LocalOptions)
    }

    fn parse(&self, options: Value, folder: &Path) -> Result<Box<dyn contract::Config>, ConfigError> {
        let options: LocalOptions = read(options)?;
        Ok(Box::new(Place(folder.join(options.path).display().to_string())))
    }
}

impl Kind for Bucket {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn summary(&self) -> &'static str {
        "a bucket"
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(BucketOptions)
    }

    fn parse(&self, options: Value, _: &Path) -> Result<Box<dyn contract::Config>, ConfigError> {
        let options: BucketOptions = read(options)?;
        if options.bucket.contains('/') {
            return Err(ConfigError { key: "bucket".to_owned(), message: "a bucket's name holds no slash".to_owned() });
        }
        if options.assume_role.as_ref().is_some_and(|role| !role.arn.starts_with("arn:")) {
            let message = format!("an ARN is wanted, not {}", options.assume_role.unwrap().arn);
            return Err(ConfigError { key: "assume_role.arn".to_owned(), message });
        }
        Ok(Box::new(Place(format!("{}/{}", options.bucket, options.prefix))))
    }
}

fn read<T: serde::de::DeserializeOwned>(options: Value) -> Result<T, ConfigError> {
    serde_json::from_value(options).map_err(|error| ConfigError { key: String::new(), message: error.to_string() })
}

#[derive(Debug)]
struct Place(String);

#[async_trait]
impl contract::Config for Place {
    fn capabilities(&self) -> contract::Capabilities {
        herald_destinations::files::CAPABILITIES
    }

    fn kind(&self) -> &'static str {
        "local"
    }

    fn identity(&self) -> String {
        self.0.clone()
    }

    async fn connect(&self, _: Retries) -> Result<Arc<dyn Destination>, Error> {
        Err(Error::new(ErrorKind::Internal, "connect a kind that only tests have"))
    }
}

/// Files of a config, in a folder of their own.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// One file, `herald.yaml`.
    pub(crate) fn one(text: &str) -> Self {
        Self::new().with("herald.yaml", text)
    }

    pub(crate) fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Loads a file of the folder; the folder itself for an empty name.
    pub(crate) fn load_at(&self, name: &str) -> Result<Config, Problems> {
        let variables =
            |name: &str| self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let path = if name.is_empty() { self.folder.path().to_owned() } else { self.folder.path().join(name) };
        load_in(&path, Surroundings { variables: &variables, kinds: KINDS })
    }

    /// Loads the folder.
    pub(crate) fn load(&self) -> Result<Config, Problems> {
        self.load_at("")
    }

    /// The problems, which there must be.
    pub(crate) fn problems(&self) -> Problems {
        match self.load() {
            Ok(_) => panic!("the config loads"),
            Err(problems) => problems,
        }
    }

    /// First lines of the problems, without the folder; of `herald.yaml` without the name too.
    pub(crate) fn lines(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        self.problems()
            .iter()
            .map(|problem| problem.to_string().replace(&folder, "").replace("herald.yaml:", ""))
            .collect()
    }

    /// The config, which must load.
    pub(crate) fn config(&self) -> Config {
        self.load().unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    }
}

/// A config that loads, in the order of its maps; each line can be replaced. `tests/fixtures/config/small.yaml`.
pub(crate) const SMALL: &str = include_str!("../fixtures/config/small.yaml");

/// [`SMALL`] with one text replaced by another.
pub(crate) fn small(old: &str, new: &str) -> Files {
    assert_eq!(SMALL.matches(old).count(), 1, "{old:?} stands once in small.yaml");
    Files::one(&SMALL.replace(old, new))
}

/// Replacing `old` by `new` in [`SMALL`] yields just these first lines, without file name.
#[track_caller]
pub(crate) fn breaks(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(small(old, new).lines(), expected, "{new}");
}
