//! Rows → change events, in the shape of change data capture.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use arrow::{
    array::{Array, StructArray},
    datatypes::{Field, FieldRef},
    error::ArrowError,
    json::writer::{EncoderOptions, NullableEncoder, make_encoder},
};
use bytes::Bytes;
use chrono::SecondsFormat;

use super::options::EventFormat;
use crate::{
    contract::{Batch, Changes, Op, PublishContext},
    encode::EncodeError,
};

/// Bytes past which a body takes no further event.
pub(super) const LARGEST_BODY: usize = 8 << 20;

/// What the events of one publish have in common.
#[derive(Debug)]
pub(super) struct Events {
    format: EventFormat,
    /// The end of an event's header, from `activation` on.
    facts: Vec<u8>,
    /// What stands before the events of a document; nothing in NDJSON.
    opening: Vec<u8>,
    /// The record's fields as JSON texts, in order.
    names: Vec<String>,
    /// The names in a list.
    all: String,
    /// Bytes that the last body took, so that the next one asks for its memory at once.
    capacity: AtomicUsize,
}

impl Events {
    pub(super) fn new(context: &PublishContext, format: EventFormat) -> Self {
        let facts = format!(
            "\"activation\":{},\"segment\":{},\"publish\":\"{}\",\"sequence\":{},\"commit_time\":\"{}\"",
            text(&context.activation),
            text(&context.segment),
            context.publish,
            context.sequence,
            context.started_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        );
        let names: Vec<String> = context.schema.fields().iter().map(|field| text(field.name())).collect();
        Self {
            opening: match format {
                EventFormat::Ndjson => Vec::new(),
                EventFormat::Json => format!("{{{facts},\"events\":[").into_bytes(),
            },
            facts: facts.into_bytes(),
            all: format!("[{}]", names.join(",")),
            names,
            format,
            capacity: AtomicUsize::new(1 << 16),
        }
    }

    /// A body with the first of these rows, as many as it holds, and their number: at least one of any.
    ///
    /// # Errors
    /// When a column's type has no text form.
    pub(super) fn body(&self, batch: &Batch, rows: &[usize]) -> Result<(Bytes, usize), EncodeError> {
        let mut body = Vec::with_capacity(self.capacity.load(Ordering::Relaxed));
        let taken = self.write(batch, rows, &mut body)?;
        self.capacity.store(body.len() + body.len() / 16, Ordering::Relaxed);
        Ok((body.into(), taken))
    }

    /// A body without events.
    pub(super) fn empty(format: EventFormat) -> Bytes {
        match format {
            EventFormat::Ndjson => Bytes::new(),
            EventFormat::Json => Bytes::from_static(b"{\"events\":[]}"),
        }
    }

    fn write(&self, batch: &Batch, rows: &[usize], body: &mut Vec<u8>) -> Result<usize, ArrowError> {
        let options = EncoderOptions::default().with_explicit_nulls(true);
        let member_field: FieldRef = Arc::new(Field::new("member", batch.members.data_type().clone(), true));
        let mut members = make_encoder(&member_field, batch.members.as_ref(), &options)?;
        let records = StructArray::from(batch.rows.clone());
        let record_field: FieldRef = Arc::new(Field::new("body", records.data_type().clone(), true));
        let mut records = make_encoder(&record_field, &records, &options)?;

        body.extend_from_slice(&self.opening);
        let mut taken = 0;
        for row in rows {
            let before = body.len();
            if taken > 0 && self.format == EventFormat::Json {
                body.push(b',');
            }
            body.extend_from_slice(b"{\"header\":{\"change_type\":\"");
            body.extend_from_slice(change_type(batch, *row).as_bytes());
            body.extend_from_slice(b"\",\"member\":");
            value(&mut members, *row, body);
            body.extend_from_slice(b",\"changed_fields\":");
            self.changed_fields(batch, *row, body);
            body.push(b',');
            body.extend_from_slice(&self.facts);
            body.extend_from_slice(b"},\"body\":");
            match batch.op {
                Op::Add | Op::Update => value(&mut records, *row, body),
                Op::Remove => body.extend_from_slice(b"null"),
            }
            body.push(b'}');
            if self.format == EventFormat::Ndjson {
                body.push(b'\n');
            }
            if taken > 0 && body.len() > LARGEST_BODY {
                body.truncate(before);
                break;
            }
            taken += 1;
        }
        if self.format == EventFormat::Json {
            body.extend_from_slice(b"]}");
        }
        Ok(taken)
    }

    fn changed_fields(&self, batch: &Batch, row: usize, body: &mut Vec<u8>) {
        match (&batch.changes, batch.op) {
            (_, Op::Remove) => body.extend_from_slice(b"[]"),
            (Some(Changes::Fields(fields)), Op::Update) => {
                body.push(b'[');
                let changed = self.names.iter().zip(fields).filter(|(_, which)| which.value(row));
                for (index, (name, _)) in changed.enumerate() {
                    if index > 0 {
                        body.push(b',');
                    }
                    body.extend_from_slice(name.as_bytes());
                }
                body.push(b']');
            }
            _ => body.extend_from_slice(self.all.as_bytes()),
        }
    }
}

fn change_type(batch: &Batch, row: usize) -> &'static str {
    match (batch.op, &batch.changes) {
        (Op::Add, Some(Changes::Returning(which))) if which.value(row) => "undelete",
        (Op::Add, _) => "create",
        (Op::Update, _) => "update",
        (Op::Remove, _) => "delete",
    }
}

fn value(encoder: &mut NullableEncoder<'_>, row: usize, body: &mut Vec<u8>) {
    if encoder.is_null(row) {
        body.extend_from_slice(b"null");
    } else {
        encoder.encode(row, body);
    }
}

/// A text as JSON has it.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, Int64Array, StringArray},
        buffer::BooleanBuffer,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        conformance::{batch, context, every_type, key},
        contract::Mode,
    };

    fn lines(context: &PublishContext, batch: &Batch) -> Vec<Value> {
        let rows: Vec<usize> = (0..batch.rows.num_rows()).collect();
        let (body, taken) = Events::new(context, EventFormat::Ndjson).body(batch, &rows).unwrap();
        assert_eq!(taken, rows.len());
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.is_empty() || body.ends_with('\n'));
        body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_event_has_a_header_and_the_record() {
        let mut context = context(Mode::Incremental);
        context.sequence = 7;
        let events = lines(&context, &batch(Op::Add, 3, 1));
        let expected = json!({
            "header": {
                "change_type": "create", "member": "m000003", "changed_fields": ["id", "email", "score"],
                "activation": "gold_to_partner", "segment": "gold_buyers", "publish": context.publish.to_string(),
                "sequence": 7, "commit_time": "2026-11-22T06:30:15.000Z"
            },
            "body": { "id": "m000003", "email": "person3@example.com", "score": -407 }
        });
        assert_eq!(events, [expected]);
    }

    #[test]
    fn an_update_names_what_changed_and_a_removal_carries_nothing() {
        let context = context(Mode::Incremental);
        let mut updated = batch(Op::Update, 3, 2);
        assert_eq!(lines(&context, &updated)[0]["header"]["changed_fields"], json!(["id", "email", "score"]));
        let fields = [[false, false], [true, false], [true, false]].map(|which| BooleanBuffer::from(which.to_vec()));
        updated.changes = Some(Changes::Fields(fields.to_vec()));
        let events = lines(&context, &updated);
        assert_eq!(events[0]["header"]["change_type"], "update");
        assert_eq!(events[0]["header"]["changed_fields"], json!(["email", "score"]));
        assert_eq!(events[1]["header"]["changed_fields"], json!([]));
        assert_eq!(events[0]["body"]["email"], "person3@example.com");

        let mut removed = batch(Op::Remove, 3, 1);
        removed.changes = Some(Changes::None);
        let events = lines(&context, &removed);
        assert_eq!(events[0]["header"]["change_type"], "delete");
        assert_eq!((&events[0]["header"]["changed_fields"], &events[0]["body"]), (&json!([]), &Value::Null));
        assert_eq!(events[0]["header"]["member"], key(3));
    }

    #[test]
    fn a_member_who_returns_is_undeleted() {
        let mut added = batch(Op::Add, 0, 2);
        added.changes = Some(Changes::Returning(BooleanBuffer::from(vec![true, false])));
        let events = lines(&context(Mode::Incremental), &added);
        assert_eq!(events[0]["header"]["change_type"], "undelete");
        assert_eq!(events[1]["header"]["change_type"], "create");
    }

    #[test]
    fn a_key_keeps_its_own_type() {
        let mut numbered = batch(Op::Remove, 0, 2);
        numbered.members = Arc::new(Int64Array::from(vec![41, 42])) as ArrayRef;
        assert_eq!(lines(&context(Mode::Incremental), &numbered)[1]["header"]["member"], json!(42));
    }

    #[test]
    fn values_are_written_as_in_a_file_of_ndjson() {
        let rows = every_type();
        let mut context = context(Mode::Full);
        context.schema = rows.schema();
        let mut file = Vec::new();
        let mut writer = arrow::json::WriterBuilder::new()
            .with_explicit_nulls(true)
            .build::<_, arrow::json::writer::LineDelimited>(&mut file);
        writer.write(&rows).unwrap();
        writer.finish().unwrap();
        let file: Vec<Value> =
            std::str::from_utf8(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let members = Arc::new(StringArray::from(vec![key(0), key(1), key(2)]));
        let events = lines(&context, &Batch { op: Op::Add, members, rows, changes: None });
        assert_eq!(events.iter().map(|event| event["body"].clone()).collect::<Vec<_>>(), file);
    }

    #[test]
    fn a_document_says_once_what_its_events_share() {
        let context = context(Mode::Incremental);
        let events = Events::new(&context, EventFormat::Json);
        let (body, _) = events.body(&batch(Op::Add, 0, 3), &[0, 2]).unwrap();
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["publish"], context.publish.to_string());
        let members: Vec<_> =
            document["events"].as_array().unwrap().iter().map(|event| event["header"]["member"].clone()).collect();
        assert_eq!(members, [key(0), key(2)]);
        let empty: Value = serde_json::from_slice(&Events::empty(EventFormat::Json)).unwrap();
        assert_eq!(empty, json!({ "events": [] }));
    }

    #[test]
    fn a_body_ends_before_it_grows_too_large_but_holds_one_event_of_any_size() {
        let mut wide = batch(Op::Add, 0, 6);
        let text = "x".repeat(LARGEST_BODY / 3);
        let column = |value: &str| Arc::new(StringArray::from(vec![value; 6])) as ArrayRef;
        let scores = wide.rows.column(2).clone();
        let with = |value: &str| {
            let columns = vec![column("id"), column(value), scores.clone()];
            arrow::array::RecordBatch::try_new(wide.rows.schema(), columns).unwrap()
        };
        let (three, one) = (with(&text), with(&text.repeat(4)));
        for format in [EventFormat::Ndjson, EventFormat::Json] {
            let events = Events::new(&context(Mode::Full), format);
            wide.rows = three.clone();
            let (body, taken) = events.body(&wide, &[0, 1, 2, 3, 4, 5]).unwrap();
            assert!(taken == 2 && body.len() <= LARGEST_BODY + 2, "{taken} events in {} bytes", body.len());
            if format == EventFormat::Json {
                serde_json::from_slice::<Value>(&body).unwrap();
            }
            wide.rows = one.clone();
            assert_eq!(events.body(&wide, &[4, 5]).unwrap().1, 1);
        }
    }
}
