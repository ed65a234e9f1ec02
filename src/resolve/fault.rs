//! What planning finds wrong, by the place in the config.

use crate::config::Sql;

/// An error at a value of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Dotted path of the value: `segments.gold_de.where`.
    pub at: String,
    /// Short and stable: `invalid_sql`, `source_unreadable`, …
    pub code: String,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    pub(super) fn new(at: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self { at: at.into(), code: code.into(), message: message.into() }
    }

    pub(super) fn sql(sql: &Sql, error: impl std::fmt::Display) -> Self {
        let message = error.to_string();
        Self::new(&sql.at, "invalid_sql", message.trim_start_matches("sql parser error: "))
    }
}
