//! Publishes one large part to a target, and says how long it took and how much memory it needed beside.
//!
//! ```sh
//! cargo run --release -p herald-destinations --example upload -- 5000 '{ "type": "s3", "bucket": "partner", … }'
//! ```
//!
//! The first argument is a size in MB, the second a target as a config has it. What is sent can't be compressed and costs
//! next to nothing to encode, so that the time is the transport's. The part stays: the last line names it.

use std::{error::Error, fs, sync::Arc, time::Instant};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use chrono::Utc;
use herald_destinations::{
    contract::{Account, Batch, Mode, Op, PublishContext, Retries, RetryPolicy},
    files::{Compression, FileOptions, Format},
    kind,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Bytes of a cell, and cells of a batch.
const CELL: usize = 1 << 10;
const CELLS: usize = 8 << 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [megabytes, target] = &arguments[..] else { return Err("usage: upload MEGABYTES TARGET".into()) };
    let rows = megabytes.parse::<usize>()? * 1_000_000 / CELL;
    let mut options: serde_json::Map<String, serde_json::Value> = serde_json::from_str(target)?;
    let name = options.remove("type").and_then(|name| name.as_str().map(str::to_owned)).ok_or("a target has a type")?;
    let kind = kind(&name).ok_or("an unknown type of target")?;
    let config = kind.parse(options.into(), ".".as_ref())?;
    let destination = config.connect(Retries::from(RetryPolicy::default())).await?;

    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let context = PublishContext {
        publish: Uuid::now_v7(),
        sequence: 1,
        previous: None,
        activation: "upload".to_owned(),
        segment: "all".to_owned(),
        mode: Mode::Full,
        started_at: Utc::now(),
        schema: schema.clone(),
        member_type: DataType::Utf8,
        files: FileOptions {
            format: Format::Csv,
            compression: Compression::None,
            max_rows: u64::MAX,
            max_size: u64::MAX,
            ..FileOptions::default()
        },
        cancel: CancellationToken::new(),
    };
    let cells: Vec<String> = (0..CELLS).map(noise).collect();
    let column: ArrayRef = Arc::new(StringArray::from(cells));
    let batch = RecordBatch::try_new(schema, vec![column.clone()])?;

    let before = memory("VmRSS:")?;
    let began = Instant::now();
    let mut publication = destination.begin(&context).await?;
    let mut sent = 0;
    while sent < rows {
        let now = CELLS.min(rows - sent);
        let batch = Batch { op: Op::Add, members: column.clone(), rows: batch.clone(), changes: None };
        publication.write(batch.slice(0, now)).await?;
        sent += now;
    }
    let count = rows as u64;
    let account = Account { resolved: count, added: count, delivered: count, ..Account::default() };
    let delivered = destination.commit(&publication.seal(account).await?).await?;
    let seconds = began.elapsed().as_secs_f64();
    let bytes: u64 = delivered.files.iter().map(|file| file.bytes).sum();
    let more = memory("VmHWM:")?.saturating_sub(before);
    let speed = bytes as f64 / seconds / 1e6;
    say(format_args!("{name}: {bytes} bytes in {seconds:.2} s, {speed:.0} MB/s, {more} MiB more memory at most"));
    for file in delivered.files {
        say(format_args!("{} {}", file.sha256, file.path));
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "it is what this program is for")]
fn say(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}

/// Printable text without a quote, a delimiter or a pattern.
fn noise(seed: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed as u64 + 1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'A' + (state % 26) as u8)
    };
    (0..CELL).map(|_| next()).collect()
}

/// A line of this process's status, in MiB.
fn memory(line: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let value = status.lines().find_map(|found| found.strip_prefix(line)).ok_or("no such line")?;
    Ok(value.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
