use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use super::LocalStore;
use crate::{
    contract::{Capabilities, Config, ConfigError, Destination, Error, Kind, Retries},
    files::{self, FilesDestination},
};

/// A folder on the machine that Herald runs on, or on a file system mounted there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalOptions {
    /// The folder that files are published into. Relative to the config file that names it. It is made on the
    /// first publish when the folder above it exists.
    #[schemars(length(min = 1))]
    pub path: PathBuf,
}

/// The kind `local`.
#[derive(Debug)]
pub(super) struct Local;

impl Kind for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn summary(&self) -> &'static str {
        "files in a folder on this machine"
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn schema(&self) -> schemars::Schema {
        schema_for!(LocalOptions)
    }

    fn parse(&self, options: serde_json::Value, folder: &Path) -> Result<Box<dyn Config>, ConfigError> {
        let options: LocalOptions = serde_json::from_value(options)
            .map_err(|error| ConfigError { key: String::new(), message: error.to_string() })?;
        if options.path.as_os_str().is_empty() {
            return Err(ConfigError { key: "path".to_owned(), message: "expected the path of a folder".to_owned() });
        }
        let root = plain(&folder.join(options.path));
        Ok(Box::new(LocalConfig { root }))
    }
}

#[derive(Debug)]
struct LocalConfig {
    root: PathBuf,
}

#[async_trait]
impl Config for LocalConfig {
    fn kind(&self) -> &'static str {
        Local.name()
    }

    fn identity(&self) -> String {
        let root = std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone());
        format!("local {}", plain(&root).display())
    }

    fn capabilities(&self) -> Capabilities {
        files::CAPABILITIES
    }

    async fn connect(&self, _: Retries) -> Result<Arc<dyn Destination>, Error> {
        Ok(Arc::new(FilesDestination::new(LocalStore::new(&self.root))))
    }
}

/// The path without `.` and, where the names before them are plain, without `..`: one folder, one identity. Links
/// are not followed, since a config is read without I/O.
fn plain(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(path: &str, folder: &str) -> String {
        let options = serde_json::json!({ "path": path });
        Local.parse(options, Path::new(folder)).expect("options").identity()
    }

    #[test]
    fn a_relative_path_is_relative_to_the_folder_of_its_file() {
        assert_eq!(identity("./out", "/etc/herald"), "local /etc/herald/out");
        assert_eq!(identity("../out/", "/etc/herald"), "local /etc/out");
        assert_eq!(identity("/srv/out", "/etc/herald"), "local /srv/out");
    }

    #[test]
    fn unknown_and_missing_keys_are_refused() {
        for options in
            [serde_json::json!({}), serde_json::json!({ "path": "x", "mode": 1 }), serde_json::json!({ "path": "" })]
        {
            assert!(Local.parse(options, Path::new("/")).is_err());
        }
    }

    #[test]
    fn the_schema_names_and_explains_the_path() {
        let schema = Local.schema().to_value();
        assert_eq!(schema["required"], serde_json::json!(["path"]));
        assert_eq!(schema["additionalProperties"], serde_json::json!(false));
        assert!(schema["properties"]["path"]["description"].as_str().is_some_and(|text| text.contains("folder")));
    }
}
