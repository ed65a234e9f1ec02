//! Parquet as readers see it that share no code with the writer: PyArrow and DuckDB.

use std::{process::Command, sync::Arc};

use arrow::{
    array::{
        ArrayRef, Date32Array, Decimal128Array, ListBuilder, PrimitiveBuilder, RecordBatch, TimestampMicrosecondArray,
        TimestampNanosecondArray, TimestampSecondArray,
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
        column = table[name].cast("string") if str(table.schema.field(name).type) == "timestamp[ns]" else table[name]
        print("", [str(value) for value in column.to_pylist()], [str(row[0]) for row in shown], sep="|")
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
    let expected = [
        "id|string|VARCHAR",
        "utf8|string|VARCHAR",
        "large_utf8|large_string|VARCHAR",
        "utf8_view|string|VARCHAR",
        "boolean|bool|BOOLEAN",
        "int8|int8|TINYINT",
        "int16|int16|SMALLINT",
        "int32|int32|INTEGER",
        "int64|int64|BIGINT",
        "uint8|uint8|UTINYINT",
        "uint16|uint16|USMALLINT",
        "uint32|uint32|UINTEGER",
        "uint64|uint64|UBIGINT",
        "float32|float|FLOAT",
        "float64|double|DOUBLE",
        "decimal|decimal128(20, 2)|DECIMAL(20,2)",
        "date32|date32[day]|DATE",
        // Parquet has no seconds.
        "seconds|timestamp[ms]|TIMESTAMP",
        "millis|timestamp[ms]|TIMESTAMP",
        "micros|timestamp[us]|TIMESTAMP",
        "nanos|timestamp[ns]|TIMESTAMP_NS",
        "zoned|timestamp[us, tz=UTC]|TIMESTAMP WITH TIME ZONE",
        "offset|timestamp[ms, tz=+02:00]|TIMESTAMP WITH TIME ZONE",
        "list|list<item: string>|VARCHAR[]",
        "binary|binary|BLOB",
        "dictionary|string|VARCHAR",
        "rows 3 groups 1 herald",
    ];
    assert_eq!(seen(&every_type(), false).await, expected);
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
        ("seconds", Arc::new(TimestampSecondArray::from(vec![Some(1_795_156_215), Some(-1)]))),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![Some(1_795_156_215_000_000_001), None]))),
    ]);
    let expected = [
        "lists|list<item: list<item: int32>>|INTEGER[][]",
        "|['[[1, None], None]', 'None']|['[[1, NULL], NULL]', 'None']",
        "decimal|decimal128(38, 10)|DECIMAL(38,10)",
        "|['1234567890123456789012345678.9012345678', '-1E-10']|['1234567890123456789012345678.9012345678', '-0.0000000001']",
        "day|date32[day]|DATE",
        "|['0001-01-01', '9999-12-31']|['0001-01-01', '9999-12-31']",
        "micros|timestamp[us]|TIMESTAMP",
        "|['2026-11-20 06:30:15.000001', '1969-12-31 23:59:59.999999']|['2026-11-20 06:30:15.000001', '1969-12-31 23:59:59.999999']",
        "berlin|timestamp[us, tz=Europe/Berlin]|TIMESTAMP WITH TIME ZONE",
        "|['2026-11-20 07:30:15.123456+01:00', 'None']|['2026-11-20 06:30:15.123456+00', 'None']",
        "seconds|timestamp[ms]|TIMESTAMP",
        "|['2026-11-20 06:30:15', '1969-12-31 23:59:59']|['2026-11-20 06:30:15', '1969-12-31 23:59:59']",
        "nanos|timestamp[ns]|TIMESTAMP_NS",
        "|['2026-11-20 06:30:15.000000001', 'None']|['2026-11-20 06:30:15.000000001', 'None']",
        "rows 2 groups 1 herald",
    ];
    assert_eq!(seen(&batch, true).await, expected);
}
