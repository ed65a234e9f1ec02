//! `herald plan`: what a publish would do.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema},
    error::ArrowError,
    json::{WriterBuilder, writer::JsonArray},
};
use herald_destinations::contract::{Account, Batch, Mode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    account,
    args::{Global, Plan},
    context,
    exit::{Exit, Stop},
    interrupt,
    mask::mask,
    output::{Colour, Output},
    progress::Meter,
    text::{self, Table},
};
use crate::publish::{Judgement, Preview, code};

/// What a publish would do.
#[derive(Debug, Serialize)]
struct Planned {
    activation: String,
    mode: Mode,
    counts: Account,
    withheld: BTreeMap<String, u64>,
    suppressed_by: BTreeMap<String, u64>,
    guards: Vec<Judgement>,
    /// Records as they would stand in a file.
    sample: Vec<Map<String, Value>>,
}

pub(super) async fn run(global: &Global, args: &Plan, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    context::activation(&config, &args.activation)?;
    let cancel = interrupt::token()?;
    let meter = Meter::new(output.progress());
    let preview = publisher.preview(&args.activation, args.full, usize::from(args.sample), &meter, &cancel).await;
    drop(meter);
    let preview = preview.map_err(|error| context::stopped(&config, error))?;
    let planned = planned(preview, args.reveal)?;
    if output.json() {
        output.document(&planned)?;
    } else {
        output.text(render(&planned, args, output))?;
    }
    Ok(if planned.guards.iter().any(|guard| guard.trips) { Exit::Blocked } else { Exit::Done })
}

fn planned(preview: Preview, reveal: bool) -> Result<Planned, Stop> {
    let mut sample = Vec::new();
    for batch in preview.sample {
        let rows = rows(&batch, preview.mode).map_err(code::internal)?;
        sample.extend(rows.into_iter().map(|row| if reveal { row } else { masked(row) }));
    }
    Ok(Planned {
        activation: preview.activation,
        mode: preview.mode,
        counts: preview.counts,
        withheld: preview.withheld,
        suppressed_by: preview.suppressed_by,
        guards: preview.guards,
        sample,
    })
}

/// Rows of a batch as JSON, nulls included; incremental ones begin with `_op` and `_member`.
fn rows(batch: &Batch, mode: Mode) -> Result<Vec<Map<String, Value>>, ArrowError> {
    let mut fields: Vec<Arc<Field>> = batch.rows.schema().fields().iter().cloned().collect();
    let mut columns = batch.rows.columns().to_vec();
    if mode == Mode::Incremental {
        fields.insert(0, Arc::new(Field::new(MEMBER, batch.members.data_type().clone(), true)));
        columns.insert(0, Arc::clone(&batch.members));
    }
    let with_members = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let mut written = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut written);
    writer.write(&with_members)?;
    writer.finish()?;
    drop(writer);
    if written.is_empty() {
        return Ok(Vec::new());
    }
    let read: Vec<Map<String, Value>> =
        serde_json::from_slice(&written).map_err(|error| ArrowError::JsonError(error.to_string()))?;
    Ok(read
        .into_iter()
        .map(|mut row| {
            if mode == Mode::Incremental {
                row.shift_insert(0, OP.to_owned(), Value::from(batch.op.as_str()));
            }
            row
        })
        .collect())
}

const OP: &str = "_op";
const MEMBER: &str = "_member";

fn masked(row: Map<String, Value>) -> Map<String, Value> {
    row.into_iter()
        .map(|(name, value)| {
            let value = if name == OP { value } else { mask(&value) };
            (name, value)
        })
        .collect()
}

fn render(planned: &Planned, args: &Plan, output: Output) -> String {
    let style = output.style();
    let mut out = format!(
        "{}  {}  {}\n",
        style.paint(Colour::Bold, "plan"),
        style.paint(Colour::Bold, &planned.activation),
        planned.mode.as_str()
    );
    account::changes(&mut out, &planned.counts, &planned.suppressed_by, &planned.withheld, style);
    if !planned.guards.is_empty() {
        let mut table = Table::new(&["  GUARD", ">LIMIT", ">VALUE", ""]);
        for guard in &planned.guards {
            let (word, colour) = if guard.trips { ("trips", Colour::Red) } else { ("passes", Colour::Green) };
            let cells = vec![
                format!("  {}", guard.name),
                limit(guard, guard.limit),
                limit(guard, guard.value),
                word.to_owned(),
            ];
            table.coloured(cells, Some((3, colour)));
        }
        out.push('\n');
        out.push_str(&table.render(style));
        out.push('\n');
    }
    if args.sample > 0 {
        out.push('\n');
        out.push_str(&sample(&planned.sample, output));
        if !planned.sample.is_empty() && !args.reveal {
            out.push_str("\n  masked; `--reveal` shows values as they are");
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Members stand as numbers, shares in percent.
fn limit(guard: &Judgement, number: f64) -> String {
    if guard.name.ends_with("_members") {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count that was made a float")]
        text::count(number as u64)
    } else {
        format!("{:.1} %", number * 100.0)
    }
}

/// One record below the other: many fields don't fit side by side.
fn sample(rows: &[Map<String, Value>], output: Output) -> String {
    if rows.is_empty() {
        return "  nothing to send, so no sample\n".to_owned();
    }
    let width = rows.iter().flat_map(|row| row.keys().map(|name| name.chars().count())).max().unwrap_or_default();
    let mut out = String::new();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        for (name, value) in row {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Null => output.style().paint(Colour::Dim, "null"),
                other => other.to_string(),
            };
            out.push_str(&format!("  {name:<width$}  {value}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Float64Array, Int64Array, ListBuilder, RecordBatch, StringBuilder, StringViewArray},
        datatypes::{DataType, Field, Schema},
    };
    use herald_destinations::contract::{Batch, Mode, Op};
    use serde_json::{Value, json};

    use super::{masked, rows};

    fn batch() -> Batch {
        let mut emails = ListBuilder::new(StringBuilder::new());
        emails.append_value([Some("a@b.c")]);
        emails.append_null();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringViewArray::from(vec![Some("anna@example.com"), None])),
            Arc::new(Float64Array::from(vec![Some(1.5), None])),
            Arc::new(emails.finish()),
        ];
        let fields = vec![
            Field::new("email", DataType::Utf8View, true),
            Field::new("spend", DataType::Float64, true),
            Field::new("emails", columns[2].data_type().clone(), true),
        ];
        Batch {
            op: Op::Add,
            members: Arc::new(Int64Array::from(vec![7, 8])),
            rows: RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap(),
            changes: None,
        }
    }

    #[test]
    fn a_sample_looks_as_its_file_would() {
        let shown: Vec<Value> = rows(&batch(), Mode::Incremental).unwrap().into_iter().map(Value::Object).collect();
        assert_eq!(
            json!(shown),
            json!([
                { "_op": "add", "_member": 7, "email": "anna@example.com", "spend": 1.5, "emails": ["a@b.c"] },
                { "_op": "add", "_member": 8, "email": null, "spend": null, "emails": null },
            ])
        );
        assert_eq!(
            shown[0].as_object().unwrap().keys().collect::<Vec<_>>(),
            ["_op", "_member", "email", "spend", "emails"]
        );
        assert!(!rows(&batch(), Mode::Full).unwrap()[0].contains_key("_op"));
    }

    #[test]
    fn a_masked_sample_keeps_names_and_operations_alone() {
        let row = rows(&batch(), Mode::Incremental).unwrap().remove(0);
        assert_eq!(
            Value::Object(masked(row)),
            json!({ "_op": "add", "_member": "•", "email": "a•••@•••", "spend": "•", "emails": ["a•••@•••"] })
        );
    }
}
