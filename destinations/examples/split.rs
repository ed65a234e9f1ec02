//! Publishes many narrow rows into a folder, and says how near each part came to its size, and what CPU time it took.
//!
//! ```sh
//! cargo run --release -p herald-destinations --example split -- FOLDER ROWS FORMAT COMPRESSION MEGABYTES [KEY.asc]
//! cargo run --release -p herald-destinations --example split -- out 20000000 csv gzip 64
//! ```

use std::{error::Error, fs, sync::Arc, time::Instant};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use chrono::Utc;
use herald_destinations::{
    contract::{Account, Batch, Mode, Op, PublishContext, RetryPolicy},
    encode::pgp::{Encryption, Recipient},
    files::{Compression, FileOptions, Format},
    kind,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const BATCH: usize = 8192;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rows, format, compression, megabytes, key @ ..] = &arguments[..] else {
        return Err("usage: split FOLDER ROWS FORMAT COMPRESSION MEGABYTES [KEY.asc]".into());
    };
    let (rows, max_size) = (rows.parse::<usize>()?, megabytes.parse::<u64>()? * 1_000_000);
    let encrypt = match key.first() {
        Some(file) => {
            let keys = Recipient::read(file, &fs::read(file)?, Utc::now().timestamp());
            Some(Encryption::new(keys.map_err(|error| error.reason)?, None))
        }
        None => None,
    };
    let format: Format = serde_json::from_value(format.as_str().into())?;
    let compression: Compression = serde_json::from_value(compression.as_str().into())?;
    let files = FileOptions { format, compression, max_rows: u64::MAX, max_size, encrypt, ..FileOptions::default() };

    let config = kind("local").ok_or("no local")?.parse(serde_json::json!({ "path": folder }), ".".as_ref())?;
    let destination = config.connect(RetryPolicy::default().into()).await?;
    let schema = schema();
    let context = PublishContext {
        publish: Uuid::now_v7(),
        sequence: 1,
        previous: None,
        activation: "split".to_owned(),
        segment: "all".to_owned(),
        mode: Mode::Full,
        started_at: Utc::now(),
        schema: schema.clone(),
        member_type: DataType::Utf8,
        files,
        cancel: CancellationToken::new(),
    };
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let mut publication = destination.begin(&context).await?;
    for first in (0..rows).step_by(BATCH) {
        let rows = batch(&schema, first, BATCH.min(rows - first))?;
        let members = rows.column(0).clone();
        publication.write(Batch { op: Op::Add, members, rows, changes: None }).await?;
    }
    let count = rows as u64;
    let account = Account { resolved: count, added: count, delivered: count, ..Account::default() };
    let delivered = destination.commit(&publication.seal(account).await?).await?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let full = delivered.files.split_last().map_or(&[][..], |(_, full)| full);
    let off = full.iter().map(|file| (file.bytes as f64 / max_size as f64 - 1.0).abs()).fold(0.0, f64::max) * 100.0;
    let rows: u64 = delivered.files.iter().map(|file| file.rows).sum();
    let parts = delivered.files.len();
    say(format_args!("{rows} rows, {parts} parts, the farthest {off:.2} % off; {wall:.1} s, {cpu:.1} CPU seconds"));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "it is what this program is for")]
fn say(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}

fn schema() -> SchemaRef {
    let fields = [("id", DataType::Utf8), ("email", DataType::Utf8), ("visits", DataType::Int64)];
    let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
    Arc::new(Schema::new([&fields[..], &[Field::new("spend", DataType::Float64, true)]].concat()))
}

fn batch(schema: &SchemaRef, first: usize, rows: usize) -> Result<RecordBatch, Box<dyn Error>> {
    let mixed = |row: usize| (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let ids = (first..first + rows).map(|row| format!("C{row:09}"));
    let emails = (first..first + rows).map(|row| format!("person{:x}@example.com", mixed(row)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(ids)),
        Arc::new(StringArray::from_iter_values(emails)),
        Arc::new((first..first + rows).map(|row| (mixed(row) % 900) as i64).collect::<Int64Array>()),
        Arc::new((first..first + rows).map(|row| (mixed(row) % 1_000_000) as f64 / 100.0).collect::<Float64Array>()),
    ];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// User and system time of this process.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // Ticks, a hundred a second on Linux; the first field here is the third of proc(5).
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
