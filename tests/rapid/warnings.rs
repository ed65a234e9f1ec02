//! What `check` says that rapid publishes do not see.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampSecondArray};

use crate::{
    publishing::{integers, words},
    support::Home,
};

/// Warnings of `check`, of an activation of a segment.
fn warnings(segment: &str, tables: &str, activation: &str) -> Vec<String> {
    let home = Home::new(&format!(
        "
sources:
  lake:
    type: files
    tables:
{tables}
segments:
  s: {{ from: person, {segment} }}
targets:
  out: {{ type: local, path: ./out }}
activations:
  a:
    segment: s
    target: out
    attributes: {{ id: id, mail: {{ from: contact, value: mail }} }}
    {activation}
"
    ));
    let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![5]));
    home.table("person", vec![("id", integers(&[1])), ("at", time.clone()), ("version", integers(&[1]))]);
    home.table(
        "contact",
        vec![("cid", integers(&[1])), ("person", integers(&[1])), ("mail", words(&["m"])), ("at", time.clone())],
    );
    home.table("product", vec![("sku", integers(&[1])), ("person", integers(&[1])), ("at", time)]);
    let (status, checked) = home.json(&["check"]);
    assert_eq!(status, 0, "{checked:#}");
    let warnings = checked["warnings"].as_array().unwrap().iter();
    warnings
        .map(|warning| format!("{}: {}", warning["at"].as_str().unwrap(), warning["message"].as_str().unwrap()))
        .collect()
}

const TABLES: &str = "      person: { path: lake/person.parquet, key: id, updated_at: at }
      contact: { path: lake/contact.parquet, key: cid, member: person, updated_at: at }
      product: { path: lake/product.parquet, key: sku, updated_at: at }";
const RAPID: &str = "refresh: { every: 1h }
    rapid: { every: 1m }";

fn only(warnings: &[String], says: &[&str]) {
    let [one] = warnings else { panic!("{warnings:?}") };
    assert!(one.starts_with("activations.a.rapid: ") && says.iter().all(|said| one.contains(said)), "{one}");
}

#[test]
fn an_activation_of_which_all_is_seen_and_one_that_is_not_rapid_are_not_warned_of() {
    assert!(warnings("where: 'true'", TABLES, RAPID).is_empty());
    assert!(warnings("where: at < now()", TABLES, "refresh: { every: 1h }").is_empty());
    assert!(warnings("sql: SELECT person FROM contact", TABLES, RAPID).is_empty());
}

#[test]
fn a_table_without_updated_at_is_named() {
    let undated = TABLES.replace("member: person, updated_at: at", "member: person");
    only(&warnings("where: 'true'", &undated, RAPID), &["`contact` has no `updated_at`", "standard refresh settles"]);
}

#[test]
fn an_updated_at_that_is_no_time_is_named() {
    let version = TABLES.replace("key: id, updated_at: at", "key: id, updated_at: version");
    only(
        &warnings("where: 'true'", &version, RAPID),
        &["`updated_at: version` of table `person` is Int64", "everybody"],
    );
}

#[test]
fn a_rule_and_a_filter_that_depend_on_time_are_named() {
    let says = ["`now`", "standard refresh settles"];
    only(&warnings("where: at > now() - INTERVAL '30 days'", TABLES, RAPID), &says);
    only(&warnings("where: 'true'", TABLES, &format!("{RAPID}\n    filter: at < now()")), &says);
    only(&warnings("sql: SELECT person FROM contact WHERE at < now()", TABLES, RAPID), &says);
    only(&warnings("where: at > current_date()", TABLES, RAPID), &["`current_date`"]);
}

#[test]
fn a_table_in_sql_that_names_no_member_is_named() {
    let query = "sql: SELECT person FROM product WHERE sku > 0";
    only(
        &warnings(query, TABLES, RAPID),
        &["SQL reads table `product`", "name no `member`", "standard refresh settles"],
    );
}

#[test]
fn a_manual_refresh_settles_nothing_by_itself() {
    only(
        &warnings("where: 'true'", TABLES, "refresh: { manual: true }\n    rapid: { every: 1m }"),
        &["deleted", "cadence"],
    );
}
