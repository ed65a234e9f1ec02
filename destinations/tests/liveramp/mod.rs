//! The kind `liveramp`, over folders and over S3.
//!
//! Not in the suite that other kinds of files pass: it takes records of LiveRamp's columns alone, of one format, and writes
//! neither manifests nor `_op`. What the suite asks of staging is asked of the carriers; the promises of its own are here.

mod commits;
mod content;
mod over_s3;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array},
    datatypes::{DataType, Field, Schema},
};
use herald_destinations::{
    conformance,
    contract::{Account, Batch, Config, Delivered, Destination, Error, Mode, Op, PublishContext, RetryPolicy, Ticket},
    files::{Compression, Format},
    kind,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder that is carried to, with what LiveRamp would see of it.
pub(super) struct Place {
    folder: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(super) fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("out").join(path)
    }

    pub(super) fn options(&self) -> Value {
        json!({
            "via": { "type": "local", "path": self.folder.path().join("out") },
            "audience": "GOLD", "region": "us", "folder": "gold", "deletions": "gold-deletions",
        })
    }

    /// With some options otherwise; null takes one away.
    pub(super) async fn target(&self, change: Value) -> Arc<dyn Destination> {
        connect(merged(self.options(), change)).await
    }

    /// Path → content of every file, temporary ones too.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        walk(&self.path(""), &self.path(""), &mut found);
        found
    }
}

pub(super) fn merged(mut options: Value, change: Value) -> Value {
    for (key, value) in change.as_object().expect("options") {
        match value {
            Value::Null => drop(options.as_object_mut().expect("options").remove(key)),
            other => options[key] = other.clone(),
        }
    }
    options
}

pub(super) fn config(options: Value) -> Box<dyn Config> {
    kind("liveramp").expect("the kind").parse(options, Path::new("/")).expect("options")
}

pub(super) async fn connect(options: Value) -> Arc<dyn Destination> {
    config(options).connect(RetryPolicy::default().into()).await.expect("connect")
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
            found.insert(name, String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned());
        }
    }
}

/// Columns of the tests' records: an address, and two segment fields.
fn schema(email: &str) -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new(email, DataType::Utf8, true),
        Field::new("TIER", DataType::Utf8, true),
        Field::new("SPEND_90D", DataType::Int64, true),
    ]))
}

/// A publish, uncompressed; the first unless told.
pub(super) fn publish(mode: Mode) -> PublishContext {
    publish_of("EMAIL1", mode)
}

pub(super) fn publish_of(email: &str, mode: Mode) -> PublishContext {
    let mut context = conformance::context(mode);
    context.schema = schema(email);
    (context.files.format, context.files.compression) = (Format::Csv, Compression::None);
    context
}

/// `rows` members from number `first` on, as they are once shaped.
pub(super) fn rows(op: Op, context: &PublishContext, first: usize, rows: usize) -> Batch {
    let numbers = first..first + rows;
    let members: ArrayRef = Arc::new(numbers.clone().map(|number| Some(format!("m{number}"))).collect::<StringArray>());
    let columns: Vec<ArrayRef> = if op == Op::Remove {
        context.schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect()
    } else {
        vec![
            Arc::new(numbers.clone().map(|number| Some(format!("p{number}@example.com"))).collect::<StringArray>()),
            Arc::new(numbers.clone().map(|number| (number % 2 == 0).then_some("a,\"b\"")).collect::<StringArray>()),
            Arc::new(numbers.map(|number| Some(number as i64)).collect::<Int64Array>()),
        ]
    };
    let rows = RecordBatch::try_new(context.schema.clone(), columns).expect("records");
    Batch { op, members, rows, changes: None }
}

pub(super) async fn seal(
    target: &Arc<dyn Destination>,
    context: &PublishContext,
    batches: &[Batch],
) -> Result<Ticket, Error> {
    let mut publication = target.begin(context).await?;
    for batch in batches {
        assert_eq!(publication.write(batch.clone()).await?, []);
    }
    publication.seal(Account::default()).await
}

pub(super) async fn deliver(
    target: &Arc<dyn Destination>,
    context: &PublishContext,
    batches: &[Batch],
) -> Result<Delivered, Error> {
    target.commit(&seal(target, context, batches).await?).await
}
