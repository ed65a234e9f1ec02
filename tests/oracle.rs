//! What is published equals, row for row, what DuckDB computes from the same lake (`tests/oracle/oracle.py`).

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

/// The Python that `tests/setup.sh` made, with DuckDB in it.
fn python() -> PathBuf {
    let cache = env::var_os("HERALD_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let user = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        user.unwrap_or_else(|| PathBuf::from(env::var_os("HOME").unwrap()).join(".cache")).join("herald")
    });
    let python = cache.join("venv/bin/python");
    assert!(python.is_file(), "{} is missing: run tests/setup.sh", python.display());
    python
}

/// Runs a script; its exit status and all that it said.
fn script(name: &str, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(python())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(format!("{HERE}/{name}"))
        .args(arguments)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// A lake, a config over it, and what was published from it.
struct Trial {
    dir: tempfile::TempDir,
    name: &'static str,
    config: PathBuf,
}

impl Trial {
    /// `name` is the oracle's name of the config.
    fn new(name: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = match name {
            "sample" => dir.path().join("config"),
            "bench" => Path::new(HERE).join("bench/herald.yaml"),
            _ => Path::new(HERE).join("oracle/herald.yaml"),
        };
        Self { dir, name, config }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn herald(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_herald"))
            .env_remove("HERALD_KEY")
            .env("HERALD_CONFIG", &self.config)
            .env("LAKE", self.path("lake"))
            .env("OUT", self.path("out"))
            .env("DATA_DIR", self.path("data"))
            .arg("--quiet")
            .args(arguments)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "herald {arguments:?}: {}\n{stderr}", output.status);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    fn publish(&self, activation: &str) -> Value {
        let (_, receipt) = self.herald(&["publish", activation, "--json"]);
        let receipt: Value = serde_json::from_str(&receipt).unwrap();
        assert_eq!(receipt["status"], "succeeded", "{receipt:#}");
        receipt
    }

    /// Writes a generation of the generated lake, and returns how its people differ from the one before.
    fn generate(&self, profiles: u32, generation: u32) -> Value {
        let (profiles, generation) = (profiles.to_string(), generation.to_string());
        let arguments = [&self.path("lake"), "--profiles", &profiles, "--generation", &generation, "--edges"];
        let (status, said) = script("bench/lake.py", &arguments);
        assert_eq!(status, 0, "{said}");
        let facts = fs::read_to_string(self.dir.path().join("lake/lake.json")).unwrap();
        serde_json::from_str::<Value>(&facts).unwrap()["last_round"].take()
    }

    fn compare(&self, activation: &str) -> (i32, String) {
        let (lake, out) = (self.path("lake"), self.path("out"));
        let arguments = ["--config", self.name, "--activation", activation, "--lake", &lake, "--out", &out];
        script("oracle/oracle.py", &arguments)
    }

    fn equal(&self, activation: &str) {
        let (status, said) = self.compare(activation);
        assert_eq!(status, 0, "{said}");
    }
}

#[test]
fn the_sample_is_what_duckdb_computes_in_every_generation() {
    let trial = Trial::new("sample");
    let folder = trial.path("");
    trial.herald(&["init", &folder]);
    for generation in 0..4 {
        if generation > 0 {
            trial.herald(&["init", "--generation", &generation.to_string(), &folder]);
        }
        for activation in ["best_to_partner", "buyers_csv"] {
            trial.publish(activation);
            trial.equal(activation);
            // Nothing has changed: an incremental publish writes nothing, and no later manifest may miss it.
            trial.publish(activation);
            trial.equal(activation);
        }
    }
}

#[test]
fn two_hundred_thousand_profiles_are_what_duckdb_computes_over_three_generations() {
    let trial = Trial::new("bench");
    for generation in 0..3 {
        let changes = trial.generate(200_000, generation);
        let receipt = trial.publish("everyone_parquet");
        trial.equal("everyone_parquet");
        if generation > 0 {
            for change in ["added", "updated", "removed"] {
                assert_eq!(receipt["counts"][change], changes[change], "{change} of generation {generation}");
            }
        }
        for activation in ["everyone_csv", "buyers_parquet"] {
            trial.publish(activation);
            trial.equal(activation);
        }
    }
}

#[test]
fn nested_rules_lists_ties_and_nulls_are_what_duckdb_computes_over_three_generations() {
    let trial = Trial::new("edges");
    for generation in 0..3 {
        trial.generate(60_000, generation);
        for activation in ["picky_parquet", "rung_csv", "rung_ndjson"] {
            trial.publish(activation);
            trial.equal(activation);
        }
    }
}

#[test]
fn the_comparison_sees_a_target_that_lags_behind() {
    let trial = Trial::new("bench");
    trial.generate(2_000, 0);
    trial.publish("everyone_parquet");
    trial.equal("everyone_parquet");
    let changes = trial.generate(2_000, 1);
    let (status, said) = trial.compare("everyone_parquet");
    assert_eq!(status, 1, "{said}");
    for (change, title) in [
        ("added", "members are missing at the target"),
        ("removed", "members should not be at the target"),
        ("updated", "members have another `lifetime_value`"),
    ] {
        assert!(said.contains(&format!("{} {title}", changes[change])), "{said}");
    }
}

#[test]
fn the_comparison_sees_a_part_that_is_not_what_the_manifest_says() {
    let trial = Trial::new("bench");
    trial.generate(2_000, 0);
    let receipt = trial.publish("everyone_csv");
    let part = Path::new(&trial.path("out")).join(receipt["files"][0]["path"].as_str().unwrap());
    let mut bytes = fs::read(&part).unwrap();
    // The operating system's byte of a gzip header: another value unpacks to the same rows.
    bytes[9] ^= 1;
    fs::write(&part, bytes).unwrap();
    let (status, said) = trial.compare("everyone_csv");
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("not the SHA-256 of the manifest"), "{said}");
}
