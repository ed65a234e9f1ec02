//! Reading back, by readers that share no code with the encoders.

use std::{
    collections::BTreeMap,
    io::{BufRead, Cursor, Read},
};

use arrow::{
    array::{Array, RecordBatch},
    json::writer::LineDelimited,
    util::display::{ArrayFormatter, FormatOptions},
};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::decrypted;
use crate::contract::{Batch, Op};

/// One row as a reader sees it, every value as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// `add`, `update` or `remove`; a full publish has adds only.
    pub op: String,
    /// The member's key.
    pub member: String,
    /// Name → value; a removed row has nulls.
    pub fields: BTreeMap<String, Option<String>>,
}

/// The rows that a reader must see once `batch` is delivered.
pub fn rows_of_batch(batch: &Batch) -> Vec<Row> {
    let options = FormatOptions::default();
    let members = ArrayFormatter::try_new(&batch.members, &options).expect("a key that can be shown");
    texts(&batch.rows)
        .into_iter()
        .enumerate()
        .map(|(index, fields)| Row {
            op: batch.op.as_str().to_owned(),
            member: members.value(index).to_string(),
            fields,
        })
        .collect()
}

/// The same with values as a line of NDJSON has them.
pub fn rows_of_batch_as_json(batch: &Batch) -> Vec<Row> {
    let mut text = Vec::new();
    let mut writer = arrow::json::WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut text);
    writer.write(&batch.rows).expect("a record as JSON");
    writer.finish().expect("a record as JSON");
    rows_of_batch(batch).into_iter().zip(ndjson_rows(&text)).map(|(row, fields)| Row { fields, ..row }).collect()
}

/// The rows in the parts among `objects` (path → content), told by their extension; other objects, such as
/// manifests and checksums, are left out. Parts may be encrypted for [`encryption`](super::encryption). Without `_op` a row is an add; without `_member` its key is the field `id`.
pub fn rows_of_objects(objects: &BTreeMap<String, Bytes>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (path, content) in objects {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.ends_with(".sha256") {
            continue;
        }
        let (name, content) = match name.strip_suffix(".pgp") {
            Some(name) => (name, Bytes::from(decrypted(content))),
            None => (name, content.clone()),
        };
        let mut words = name.split('.').skip(1);
        let plain = |compression: Option<&str>| unpacked(compression, &content);
        match words.next() {
            Some("parquet") => rows.extend(parquet_rows(&content)),
            Some("csv") => rows.extend(csv_rows(&plain(words.next()))),
            Some("ndjson") => rows.extend(ndjson_rows(&plain(words.next()))),
            _ => {}
        }
    }
    rows.into_iter().map(row).collect()
}

type Fields = BTreeMap<String, Option<String>>;

fn row(mut fields: Fields) -> Row {
    let op = fields.remove("_op").map_or_else(|| Op::Add.as_str().to_owned(), |op| op.expect("an operation"));
    let member = match fields.remove("_member") {
        Some(member) => member,
        None => fields.get("id").cloned().flatten(),
    };
    Row { op, member: member.expect("a key"), fields }
}

fn unpacked(compression: Option<&str>, content: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match compression {
        None => plain.extend_from_slice(content),
        Some("gz") => {
            // Not the multi-member decoder: a part is one member, and nothing follows it.
            let mut rest = Cursor::new(content);
            flate2::bufread::GzDecoder::new(&mut rest).read_to_end(&mut plain).expect("gzip");
            assert_eq!(rest.position(), content.len() as u64, "bytes follow the gzip member");
        }
        Some("bz2") => {
            bzip2::read::MultiBzDecoder::new(content).read_to_end(&mut plain).expect("bzip2");
        }
        Some("zst") => plain = zstd::stream::decode_all(content).expect("zstd"),
        Some(other) => panic!("unknown compression {other}"),
    }
    plain
}

fn parquet_rows(content: &Bytes) -> Vec<Fields> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(content.clone()).expect("parquet").build().expect("parquet");
    reader.flat_map(|batch| texts(&batch.expect("a row group"))).collect()
}

fn texts(batch: &RecordBatch) -> Vec<Fields> {
    let options = FormatOptions::default();
    let schema = batch.schema();
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| {
            let text = ArrayFormatter::try_new(array.as_ref(), &options).expect("a type that can be shown");
            (field.name(), array, text)
        })
        .collect();
    let value = |row: usize, array: &dyn Array, text: &ArrayFormatter<'_>| {
        // A dictionary's null may stand among its values.
        (!array.logical_nulls().is_some_and(|nulls| nulls.is_null(row))).then(|| text.value(row).to_string())
    };
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|(name, array, text)| ((*name).clone(), value(row, array, text))).collect())
        .collect()
}

fn csv_rows(content: &[u8]) -> Vec<Fields> {
    let mut records = csv_fields(std::str::from_utf8(content).expect("UTF-8"), ',').into_iter();
    let header: Vec<String> =
        records.next().expect("a header").into_iter().map(|name| name.expect("a column's name")).collect();
    records
        .map(|fields| {
            assert_eq!(fields.len(), header.len(), "fields of a record");
            header.iter().cloned().zip(fields).collect()
        })
        .collect()
}

/// Reads RFC 4180 by its grammar: records of fields, where an empty field without quotes is `None`.
///
/// # Panics
/// On text that follows a closing quote, and on an open quote at the end.
pub fn csv_fields(text: &str, delimiter: char) -> Vec<Vec<Option<String>>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = String::new();
    let mut was_quoted = false;
    let mut chars = text.chars().peekable();
    let close = |field: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(field);
        let quoted = std::mem::take(was_quoted);
        (quoted || !text.is_empty()).then_some(text)
    };
    while let Some(char) = chars.next() {
        match char {
            '"' if field.is_empty() && !was_quoted => {
                was_quoted = true;
                loop {
                    match chars.next().expect("a closing quote") {
                        '"' if chars.peek() == Some(&'"') => field.push(chars.next().expect("the second quote")),
                        '"' => break,
                        other => field.push(other),
                    }
                }
                let next = chars.peek().copied();
                assert!(next.is_none_or(|next| next == delimiter || next == '\n'), "text after a closing quote");
            }
            '\n' => {
                record.push(close(&mut field, &mut was_quoted));
                records.push(std::mem::take(&mut record));
            }
            other if other == delimiter => record.push(close(&mut field, &mut was_quoted)),
            other => field.push(other),
        }
    }
    assert!(record.is_empty() && field.is_empty(), "the last line has no end");
    records
}

fn ndjson_rows(content: &[u8]) -> Vec<Fields> {
    content
        .lines()
        .map(|line| {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&line.expect("UTF-8")).expect("an object a line");
            let text = |value| match value {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text),
                other => Some(other.to_string()),
            };
            object.into_iter().map(|(name, value)| (name, text(value))).collect()
        })
        .collect()
}
