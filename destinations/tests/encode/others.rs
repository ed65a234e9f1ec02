//! Parquet as readers see it that share no code with the writer: PyArrow and DuckDB.

use std::{process::Command, sync::Arc};

use arrow::{
    array::{
        ArrayRef, Date32Array, Decimal128Array, Int64Array, ListBuilder, PrimitiveBuilder, RecordBatch, StringArray,
        TimestampMicrosecondArray, TimestampNanosecondArray,
    },
    datatypes::Int32Type,
};
use herald_destinations::{
    conformance::every_type,
    files::{Compression, Format},
};

use super::{columns, encode, options};
use crate::support::tool;

/// Name, type to PyArrow, type to DuckDB, and the values as both give them.
const SCRIPT: &str = r#"
import sys
import duckdb
import pyarrow.parquet as parquet

path = sys.argv[1]
table = parquet.read_table(path)
relation = duckdb.sql(f"SELECT * FROM '{path}'")
duckdb.sql("SET TimeZone = 'UTC'")
for name, kind in zip(relation.columns, relation.types):
    print(name, table.schema.field(name).type, kind, sep="|")
    if len(sys.argv) > 2:
        shown = duckdb.sql(f"SELECT CAST(\"{name}\" AS VARCHAR) FROM '{path}'").fetchall()
        print("", [str(value) for value in table[name].to_pylist()], [str(row[0]) for row in shown], sep="|")
file = parquet.ParquetFile(path)
print("rows", file.metadata.num_rows, "groups", file.metadata.num_row_groups, file.metadata.created_by.split(" ")[0])
"#;

async fn seen(batch: &RecordBatch, values: bool) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    let content = encode(&options(Format::Parquet, Compression::Zstd), std::slice::from_ref(batch)).await;
    std::fs::write(&path, content).expect("a file");
    let mut python = Command::new(tool("python"));
    python.arg("-c").arg(SCRIPT).arg(&path);
    if values {
        python.arg("values");
    }
    let output = python.output().expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_type_is_what_it_was_to_others() {
    let found = seen(&every_type(), false).await;
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn decimals_days_times_and_lists_within_lists_are_exact_to_others() {
    let mut lists = ListBuilder::new(ListBuilder::new(PrimitiveBuilder::<Int32Type>::new()));
    lists.values().append_value([Some(1), None]);
    lists.values().append_null();
    lists.append(true);
    lists.append(false);
    let decimals = Decimal128Array::from(vec![Some(12_345_678_901_234_567_890_123_456_789_012_345_678), Some(-1)]);
    let batch = columns(vec![
        ("lists", Arc::new(lists.finish()) as ArrayRef),
        ("decimal", Arc::new(decimals.with_precision_and_scale(38, 10).expect("a precision"))),
        ("day", Arc::new(Date32Array::from(vec![Some(-719_162), Some(2_932_896)]))),
        ("micros", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_795_156_215_000_001), Some(-1)]))),
        (
            "berlin",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_795_156_215_123_456), None]).with_timezone("Europe/Berlin"),
            ),
        ),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![Some(1_795_156_215_000_000_001), None]))),
    ]);
    let found = seen(&batch, true).await;
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn wide_rows_make_short_row_groups() {
    let text: StringArray = (0..4_000).map(|row| Some(format!("{row}").repeat(20_000))).collect();
    let batch =
        columns(vec![("x", Arc::new(text) as ArrayRef), ("n", Arc::new(Int64Array::from_iter_values(0..4_000)))]);
    let found = seen(&batch, false).await;
    let last = found.last().expect("a line");
    assert!(last.starts_with("rows 4000 groups 3 herald"), "{last}");
}
