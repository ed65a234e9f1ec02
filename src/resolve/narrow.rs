//! Reading only what a few named members need.
//!
//! A condition on key columns keeps the scans from most of the files: row groups and pages whose statistics or Bloom
//! filters exclude the keys are not read. It may let others through; the set of the named keys, which the test of every
//! row asks then, is exact.

use arrow::{
    array::{Array, ArrayRef},
    compute::{cast, filter, is_not_null, sort},
    datatypes::DataType,
};
use datafusion::{
    common::{Column, DFSchemaRef, ScalarValue},
    error::DataFusionError,
    execution::SessionStateBuilder,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, and, lit},
    prelude::SessionContext,
};

use super::among::among;
use crate::snapshot::{MemberKeys, plain};

/// Values that are listed one by one. The engine compares longer lists with no statistics; of more, the least and the
/// greatest are named for these, and a set of all stands beside.
const MOST_LISTED: usize = 20;

/// A condition that holds wherever the columns, in order, are the key of one of the members. `None`: their types
/// leave nothing to say.
pub(super) fn pointing(columns: &[(Expr, DataType)], members: &MemberKeys) -> Result<Option<Expr>, DataFusionError> {
    if members.is_empty() {
        return Ok(Some(lit(false)));
    }
    let mut all: Option<Expr> = None;
    for ((column, data_type), keys) in columns.iter().zip(members.columns()) {
        if let Some(condition) = one_of(column, data_type, keys)? {
            all = Some(all.map_or(condition.clone(), |all| and(all, condition)));
        }
    }
    Ok(all)
}

/// A query, of whose rows only those about the members are of interest.
pub(super) fn narrowed_query(query: &LogicalPlan, members: &MemberKeys) -> Result<LogicalPlan, DataFusionError> {
    match pointing(&columns_of(query.schema()), members)? {
        None => Ok(query.clone()),
        Some(condition) => LogicalPlanBuilder::from(query.clone()).filter(condition)?.build(),
    }
}

/// A session over the same tables, whose scans decode a row's other columns only where the conditions hold.
pub(super) fn selective(session: &SessionContext) -> SessionContext {
    let state = session.state();
    // A new default catalog would stand in place of the one that holds the tables.
    let mut config = state.config().clone().with_create_default_catalog_and_schema(false);
    config.options_mut().execution.parquet.pushdown_filters = true;
    SessionContext::new_with_state(SessionStateBuilder::new_from_existing(state).with_config(config).build())
}

fn columns_of(schema: &DFSchemaRef) -> Vec<(Expr, DataType)> {
    schema
        .iter()
        .map(|(table, field)| (Expr::Column(Column::from((table, field))), field.data_type().clone()))
        .collect()
}

fn one_of(column: &Expr, data_type: &DataType, keys: &ArrayRef) -> Result<Option<Expr>, DataFusionError> {
    if !comparable(data_type, keys.data_type()) {
        return Ok(None);
    }
    // A key that the column's type can't hold becomes null: no row of it points there.
    let keys = cast(keys, &plain(data_type))?;
    let keys = sort(&filter(&keys, &is_not_null(&keys)?)?, None)?;
    if keys.is_empty() {
        return Ok(Some(lit(false)));
    }
    let value = |row: usize| ScalarValue::try_from_array(&keys, row);
    let (least, greatest) = (value(0)?, value(keys.len() - 1)?);
    let mut values: Vec<ScalarValue> = Vec::new();
    for row in 0..keys.len() {
        let value = value(row)?;
        if values.last() != Some(&value) {
            values.push(value);
        }
        if values.len() > MOST_LISTED {
            break;
        }
    }
    if values.len() <= MOST_LISTED {
        return Ok(Some(column.clone().in_list(values.into_iter().map(lit).collect(), false)));
    }
    let between = column.clone().between(lit(least), lit(greatest));
    Ok(Some(match among(column.clone(), &keys)? {
        Some(among) => and(between, among),
        None => between,
    }))
}

/// Whether the engine finds a column's value equal to a key exactly where the stored forms of both are equal. Other
/// pairs are compared in the stored form alone.
fn comparable(column: &DataType, key: &DataType) -> bool {
    let exact = |data_type: &DataType| {
        data_type.is_integer()
            || matches!(
                data_type,
                DataType::Utf8
                    | DataType::Binary
                    | DataType::Boolean
                    | DataType::Date32
                    | DataType::Date64
                    | DataType::Timestamp(..)
                    | DataType::Decimal128(..)
            )
    };
    let (column, key) = (plain(column), plain(key));
    exact(&key) && (column == key || column.is_integer() && key.is_integer())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::Arc};

    use arrow::array::{RecordBatch, StringArray};
    use datafusion::{
        physical_plan::{collect, display::DisplayableExecutionPlan},
        prelude::{ParquetReadOptions, col},
    };
    use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};

    use super::*;
    use crate::snapshot::KeyCodec;

    fn condition(column: &DataType, key: &DataType, texts: &[&str]) -> Option<String> {
        let codec = KeyCodec::new(std::slice::from_ref(key)).unwrap();
        let members = MemberKeys::parse(&codec, texts.iter().copied()).unwrap();
        pointing(&[(col("id"), column.clone())], &members).unwrap().map(|expr| expr.to_string())
    }

    #[test]
    fn keys_are_named_in_the_type_of_the_column() {
        let named = condition(&DataType::Utf8View, &DataType::Utf8, &["b", "a"]).unwrap();
        assert_eq!(named, "id IN ([Utf8(\"a\"), Utf8(\"b\")])");
        // 300 fits no Int8, so no row of that column can point to it.
        let named = condition(&DataType::Int8, &DataType::Int64, &["7", "300"]).unwrap();
        assert_eq!(named, "id IN ([Int8(7)])");
        assert_eq!(condition(&DataType::Int8, &DataType::Int64, &["300"]).unwrap(), "Boolean(false)");
    }

    #[test]
    fn types_that_the_engine_compares_otherwise_are_left_to_the_stored_form() {
        assert_eq!(condition(&DataType::Utf8, &DataType::Int64, &["7"]), None);
        assert_eq!(condition(&DataType::Int64, &DataType::Utf8, &["7"]), None);
        assert_eq!(condition(&DataType::Float64, &DataType::Float64, &["7"]), None);
    }

    /// What the scan of 20 row groups, of 1,000 ascending keys each, says it did for some named keys.
    async fn scanned(texts: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("person.parquet");
        let keys = StringArray::from_iter_values((0..20_000).map(|number| format!("p{number:06}")));
        let batch = RecordBatch::try_from_iter([("id", Arc::new(keys) as ArrayRef)]).unwrap();
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1_000)).build();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();

        let session = SessionContext::new();
        session.register_parquet("person", path.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
        let session = selective(&session);
        let codec = KeyCodec::new(&[DataType::Utf8]).unwrap();
        let members = MemberKeys::parse(&codec, texts.iter().copied()).unwrap();
        let condition = pointing(&[(col("id"), DataType::Utf8View)], &members).unwrap().unwrap();
        let frame = session.table("person").await.unwrap().filter(condition).unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        let rows = collect(Arc::clone(&plan), session.task_ctx()).await.unwrap();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), texts.len());
        DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(true).to_string()
    }

    #[tokio::test]
    async fn row_groups_without_a_named_key_are_not_read() {
        let one = scanned(&["p007500"]).await;
        assert!(one.contains("row_groups_pruned_statistics=20 total → 1 matched"), "{one}");
        assert!(one.contains("pushdown_rows_pruned=999"), "rows are tested before the rest of them is decoded: {one}");
        let two = scanned(&["p007500", "p000001"]).await;
        assert!(two.contains("row_groups_pruned_statistics=20 total → 2 matched"), "{two}");
        let many: Vec<String> = (0..30).map(|number| format!("p{:06}", 7_990 + number)).collect();
        let many = scanned(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(many.contains("row_groups_pruned_statistics=20 total → 2 matched"), "{many}");
        assert!(many.contains("pushdown_rows_pruned=1.97 K"), "a set is asked before the rest is decoded: {many}");
    }

    #[test]
    fn nobody_needs_no_row_and_many_are_named_by_their_range_and_a_set() {
        assert_eq!(condition(&DataType::Utf8, &DataType::Utf8, &[]).unwrap(), "Boolean(false)");
        let many: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
        let texts: Vec<&str> = many.iter().map(String::as_str).collect();
        let named = condition(&DataType::Int64, &DataType::Int64, &texts).unwrap();
        assert_eq!(named, "id BETWEEN Int64(0) AND Int64(1999) AND among_named(id)");
    }
}
