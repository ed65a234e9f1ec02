//! The `sources` map.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::Lowering;
use crate::config::{
    Code, Table,
    merge::{Merged, twice},
    raw,
};

impl Lowering<'_> {
    pub(super) fn tables(&mut self, entries: Map<String, Json>, merged: &Merged) -> BTreeMap<String, Table> {
        let mut tables = BTreeMap::new();
        for (source, raw) in self.each("sources", entries, |_, _, _, raw: raw::Source| Some(raw)) {
            for (name, raw) in raw.tables {
                let at = format!("sources.{source}.tables.{}", name.0);
                // Of a table whose `member` does not fit, nothing follows.
                if self.dropped(&format!("{at}.member"), &raw.member) {
                    continue;
                }
                let table = self.table_of(&at, name.0.clone(), source.clone(), raw);
                tables.entry(name.0).or_insert(table);
            }
        }
        self.unique_tables(merged);
        tables
    }

    fn unique_tables(&mut self, merged: &Merged) {
        let mut seen = BTreeMap::new();
        for source in merged.map("sources") {
            for table in source.value.get("tables").into_iter().flat_map(|tables| tables.entries()) {
                let path = format!("sources.{}.tables.{}", source.key, table.key);
                match seen.get(&table.key) {
                    // Twice in one source is found when files are merged.
                    Some((first, _)) if *first == path => {}
                    Some((_, place)) => self
                        .push(twice(&path, &table.place, place).remedy("names of tables are unique over all sources")),
                    None => {
                        seen.insert(table.key.clone(), (path, table.place.clone()));
                    }
                }
            }
        }
    }

    fn table_of(&mut self, at: &str, name: String, source: String, raw: raw::Table) -> Table {
        let location = self.location(&format!("{at}.path"), &raw.path);
        let key = raw.key.into_vec();
        self.columns(&format!("{at}.key"), &key);
        let member = raw.member.map(raw::OneOrMany::into_vec).unwrap_or_default();
        self.columns(&format!("{at}.member"), &member);
        let columns = raw.columns.unwrap_or_default().0;
        for (column, kind) in &columns {
            if kind.trim().is_empty() {
                self.fault(
                    &format!("{at}.columns.{column}"),
                    Code::InvalidValue,
                    "a SQL type such as `string` is wanted",
                );
            }
        }
        if !columns.is_empty() {
            let known: Vec<&str> = columns.iter().map(|(column, _)| column.as_str()).collect();
            let named = [("key", &key), ("member", &member)];
            let several = named.iter().flat_map(|(field, names)| names.iter().map(move |name| (*field, name)));
            for (field, name) in several.chain(raw.updated_at.iter().map(|name| ("updated_at", name))) {
                if !known.contains(&name.as_str()) {
                    let hint = crate::config::suggest::hint(name, known.iter().copied());
                    let message = format!("the column `{name}` is not among the declared `columns`{hint}");
                    self.fault(&format!("{at}.{field}"), Code::UnknownReference, message);
                }
            }
        }
        Table { name, source, location, format: raw.format, key, member, updated_at: raw.updated_at, columns }
    }

    fn columns(&mut self, at: &str, columns: &[String]) {
        for (index, column) in columns.iter().enumerate() {
            if column.trim().is_empty() {
                self.fault(&format!("{at}[{index}]"), Code::InvalidValue, "the name of a column is wanted");
            } else if columns[..index].contains(column) {
                self.fault(
                    &format!("{at}[{index}]"),
                    Code::DuplicateName,
                    format!("the column `{column}` is given twice"),
                );
            }
        }
    }

    fn location(&mut self, at: &str, path: &str) -> String {
        match path.split_once("://") {
            Some(("s3" | "gs" | "az", rest)) => {
                if rest.is_empty() || rest.starts_with('/') {
                    self.fault(at, Code::InvalidValue, "the URL names no bucket");
                }
                path.to_owned()
            }
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) => {
                self.fault_with(
                    at,
                    Code::InvalidValue,
                    format!("tables are not read from {scheme}:// addresses"),
                    "give a local path, or a URL s3://, gs:// or az://",
                );
                path.to_owned()
            }
            _ => self.local_path(at, path).to_string_lossy().into_owned(),
        }
    }
}
