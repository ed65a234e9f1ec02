//! A folder with a config, a lake and a target, and the program run in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    util::display::{ArrayFormatter, FormatOptions},
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};
use serde_json::Value;
use tempfile::TempDir;

/// What a target holds: member → field → value as text, null left out.
pub(crate) type Records = BTreeMap<String, BTreeMap<String, String>>;

/// A folder with everything in it.
#[derive(Debug)]
pub(crate) struct Home {
    dir: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    /// A folder with this config in it.
    pub(crate) fn new(config: &str) -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        home.configure(config);
        home
    }

    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.path("herald.yaml"), config).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a table as `lake/NAME.parquet`, in place of what is there.
    pub(crate) fn table(&self, name: &str, columns: Vec<(&str, ArrayRef)>) {
        let path = self.path(&format!("lake/{name}.parquet"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, column)| arrow::datatypes::Field::new(*name, column.data_type().clone(), true))
            .collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    /// The command, ready to be started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_herald"));
        command.current_dir(self.dir.path()).arg("--config").arg("herald.yaml").args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs with `--json`; the document on stdout.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let ran = self.run(&[arguments, &["--json"]].concat());
        let document = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?} printed no JSON ({error}): {ran:?}"));
        (ran.status, document)
    }

    /// Publishes and returns the receipt, which must say that all went well.
    pub(crate) fn publish(&self, arguments: &[&str]) -> Value {
        let (status, receipt) = self.json(&[&["publish"], arguments].concat());
        assert_eq!(status, 0, "{receipt:#}");
        receipt
    }

    /// What a consumer holds who applied every manifest below `out`, in order.
    pub(crate) fn held(&self) -> Records {
        replay(&self.path("out"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A count of a receipt.
pub(crate) fn count(receipt: &Value, name: &str) -> u64 {
    receipt["counts"][name].as_u64().unwrap_or_else(|| panic!("no count {name} in {receipt:#}"))
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect();
    found.sort();
    found
}

/// Applies manifests in the order of their sequence, as the contract tells consumers to.
pub(crate) fn replay(folder: &Path) -> Records {
    let mut manifests: Vec<(u64, PathBuf, Value)> = files(folder)
        .into_iter()
        .filter(|path| path.to_str().unwrap().ends_with("manifest.json"))
        .map(|path| {
            let manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            (manifest["sequence"].as_u64().unwrap(), path, manifest)
        })
        .collect();
    manifests.sort_by_key(|(sequence, ..)| *sequence);
    // Whatever stands before the newest full one was replaced by it, and may have had its time.
    let newest = manifests.iter().rposition(|(.., manifest)| manifest["mode"] == "full").unwrap_or(0);
    manifests.drain(..newest);
    let mut records = Records::new();
    for (_, path, manifest) in manifests {
        let full = manifest["mode"] == "full";
        if full {
            records.clear();
        }
        for part in manifest["files"].as_array().unwrap() {
            apply(&mut records, &path.parent().unwrap().join(part["path"].as_str().unwrap()), full);
        }
    }
    records
}

fn apply(records: &mut Records, part: &Path, full: bool) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(part).unwrap()).unwrap().build().unwrap();
    for batch in reader {
        for mut row in rows(&batch.unwrap()) {
            // A full publish has no `_member`: its first column is taken for the key.
            let member = if full { row["id"].clone() } else { row.remove("_member").unwrap() };
            match row.remove("_op").as_deref() {
                Some("remove") => {
                    records.remove(&member).expect("only what is held is removed");
                }
                _ => {
                    records.insert(member, row);
                }
            }
        }
    }
}

/// Rows as text.
pub(crate) fn rows(batch: &RecordBatch) -> Vec<BTreeMap<String, String>> {
    let options = FormatOptions::default();
    let schema = batch.schema();
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| (field.name(), column, ArrayFormatter::try_new(column.as_ref(), &options).unwrap()))
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            columns
                .iter()
                .filter(|(_, column, _)| !column.is_null(row))
                .map(|(name, _, text)| ((*name).clone(), text.value(row).to_string()))
                .collect()
        })
        .collect()
}
