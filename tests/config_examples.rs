//! The configs in `config/` are right, each alone and all merged, and those that need nothing else publish.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A copy, so that what the configs write does not land in the checkout.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn configs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), &dir.path().join("config"));
    dir
}

fn herald(config: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_herald"))
        .arg("--quiet")
        .arg("--config")
        .arg(config)
        .args(arguments)
        .output()
        .unwrap()
}

fn succeeds(config: &Path, arguments: &[&str]) {
    let output = herald(config, arguments);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{} {arguments:?}: {}\n{said}", config.display(), output.status);
}

#[test]
fn every_config_passes_check_alone_and_all_of_them_together() {
    let dir = configs();
    let folder = dir.path().join("config");
    let examples = fs::read_dir(folder.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = examples.filter(|path| path.extension().is_some_and(|kind| kind == "yaml")).collect();
    assert!(all.len() >= 2, "{all:?}");
    all.push(folder.join("herald.yaml"));
    all.push(folder);
    for config in all {
        succeeds(&config, &["check"]);
    }
}

#[test]
fn every_config_names_a_schema_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for config in [
        "config/herald.yaml",
        "config/examples/azure_blob.yaml",
        "config/examples/gcs.yaml",
        "config/examples/liveramp.yaml",
        "config/examples/local.yaml",
        "config/examples/s3.yaml",
        "config/examples/sftp.yaml",
        "config/examples/webhook.yaml",
    ] {
        let text = fs::read_to_string(root.join(config)).unwrap();
        let schema = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let schema = root.join(config).parent().unwrap().join(schema);
        assert!(schema.is_file(), "{config}: {} is missing", schema.display());
    }
}

#[test]
fn configs_of_local_targets_publish_as_they_stand() {
    let dir = configs();
    succeeds(&dir.path().join("config/herald.yaml"), &["publish", "gold_customers"]);
    let local = dir.path().join("config/examples/local.yaml");
    succeeds(&local, &["publish", "local_everything"]);
    succeeds(&local, &["publish", "local_one_file"]);
    let text = fs::read_to_string(dir.path().join("out/examples/customers.csv")).unwrap();
    assert!(text.contains("\"1003\";\"Dagny Løvstad\"\n"), "{text}");
    assert_eq!(text.lines().count(), 13, "{text}");
}
