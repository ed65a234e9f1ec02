//! What is shipped beside the program: image, units, chart, dashboards, rules, completions and manual pages.

mod alerts;
mod chart;
mod compose;
mod dashboard;
mod image;
mod metrics;
mod pages;
mod systemd;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::servers::tool;

/// A file of this project.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Its text.
fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a script of this folder in the tests' Python; the JSON that it prints.
fn script(name: &str, arguments: &[&str]) -> Value {
    let output = Command::new(tool("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(path(&format!("tests/deploy/{name}")))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
}

/// The one document of a YAML file.
fn yaml(name: &str) -> Value {
    script("yaml_to_json.py", &[path(name).to_str().unwrap()])
}

/// All that a command said.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that must go well; all that it said.
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/setup.sh"));
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    said(&output)
}
