use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow::datatypes::Int32Type;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;

use super::{all, register};

fn context() -> SessionContext {
    let context = SessionContext::new();
    register(&context);
    let column = |values: ArrayRef| values;
    let people = RecordBatch::try_from_iter([
        ("email", column(Arc::new(StringViewArray::from(vec![Some(" ABC@Example.com"), Some("none"), None])))),
        (
            "phone",
            column(Arc::new(StringArray::from(vec![Some("030 123456"), Some("650-253-0000"), Some("+442070313000")]))),
        ),
        ("country", column(Arc::new(StringViewArray::from(vec![Some("DE"), Some("US"), None])))),
        (
            "name",
            column(Arc::new(vec![Some("Ada  L"), None, Some(" ")].into_iter().collect::<DictionaryArray<Int32Type>>())),
        ),
        ("number", column(Arc::new(Int64Array::from(vec![1, 2, 3])))),
    ])
    .unwrap();
    context.register_batch("people", people).unwrap();
    context
}

async fn rows(sql: &str) -> String {
    let batches = context().sql(sql).await.unwrap().collect().await.unwrap();
    let shown = pretty_format_batches(&batches).unwrap().to_string();
    // Only what stands in the cells, a line per row.
    let lines = shown.lines().filter(|line| line.starts_with('|')).skip(1);
    lines
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|"))
        .collect::<Vec<_>>()
        .join("\n")
}

async fn refusal(sql: &str) -> String {
    match context().sql(sql).await {
        Err(error) => error.to_string(),
        Ok(frame) => frame.collect().await.unwrap_err().to_string(),
    }
}

#[tokio::test]
async fn functions_work_on_columns_of_every_text_type() {
    assert_eq!(
        rows("SELECT normalize_email(email), normalize_name(name) FROM people").await,
        "abc@example.com|ada l\n|\n|"
    );
    assert_eq!(
        rows("SELECT sha256_email(email), sha256_hex(arrow_cast(country, 'LargeUtf8')) FROM people LIMIT 1").await,
        "9eceb13483d7f187ec014fd6d4854d1420cfc634328af85f51d0323ba8622e21|\
         6814ef46f686990cf4e946f966167b0507e1d642c44e51f61bffb0bba2d4672b"
    );
}

#[tokio::test]
async fn regions_are_columns_or_constants() {
    assert_eq!(
        rows("SELECT normalize_phone(phone, country), normalize_phone(phone, 'DE'), normalize_phone(phone, NULL) FROM people").await,
        "+4930123456|+4930123456|\n+16502530000|+496502530000|\n+442070313000|+442070313000|+442070313000"
    );
    assert_eq!(
        rows("SELECT normalize_phone('030 123456', country), sha256_phone(phone, country) = sha256_hex(normalize_phone(phone, country)) FROM people").await,
        "+4930123456|true\n|true\n|true"
    );
}

#[tokio::test]
async fn constants_and_nulls_are_taken() {
    assert_eq!(
        rows("SELECT normalize_email(' A@b.c '), normalize_email(NULL), normalize_phone('+44 20 7031 3000', NULL), normalize_phone(NULL, 'DE')").await,
        "a@b.c||+442070313000|"
    );
}

#[tokio::test]
async fn functions_filter_group_and_order() {
    assert_eq!(
        rows("SELECT normalize_email(email) AS e, count(*) FROM people WHERE normalize_phone(phone, country) IS NOT NULL GROUP BY 1 ORDER BY 1 NULLS LAST").await,
        "abc@example.com|1\n|2"
    );
}

#[tokio::test]
async fn other_types_are_refused_when_the_query_is_planned() {
    let refused = refusal("SELECT normalize_email(number) FROM people").await;
    assert!(refused.contains("normalize_email") && refused.contains("Int64"), "{refused}");
    let refused = refusal("SELECT sha256_phone(phone) FROM people").await;
    assert!(refused.contains("sha256_phone"), "{refused}");
}

#[test]
fn every_function_is_immutable_and_documented() {
    let names: Vec<String> = all().iter().map(|function| function.name().to_owned()).collect();
    assert_eq!(
        names,
        ["normalize_email", "normalize_name", "sha256_email", "sha256_hex", "normalize_phone", "sha256_phone"]
    );
    for function in all() {
        assert_eq!(function.signature().volatility, datafusion::logical_expr::Volatility::Immutable);
        assert!(function.documentation().is_some_and(|documentation| !documentation.description.is_empty()));
    }
}

/// Every line of a code block that names its result: `expression -- result: why`.
#[tokio::test]
async fn the_examples_of_the_guide_hold() {
    let guide = include_str!("../../../docs/functions.md").replace("\n  -- ", " -- ");
    let blocks = guide.split("```sql\n").skip(1).filter_map(|block| block.split("```").next());
    let mut checked = 0;
    for (expression, result) in blocks.flat_map(str::lines).filter_map(|line| line.split_once(" -- ")) {
        let expected = match result.split_once(": ").map_or(result, |(value, _)| value).trim() {
            "null" => "",
            value => value,
        };
        assert_eq!(rows(&format!("SELECT {expression}")).await, expected, "{expression}");
        checked += 1;
    }
    assert_eq!(checked, 16);
}
