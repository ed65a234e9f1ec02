//! What planning finds wrong, by the place in the config.

use crate::config::{Code, Places, Problem, Sql};

/// An error at a value of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Dotted path of the value: `segments.gold_de.where`.
    pub at: String,
    /// What sort of problem.
    pub code: Code,
    /// What is wrong.
    pub message: String,
}

impl Fault {
    pub(super) fn new(at: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        Self { at: at.into(), code, message: message.into() }
    }

    pub(super) fn sql(sql: &Sql, error: impl std::fmt::Display) -> Self {
        let message = error.to_string();
        Self::new(&sql.at, Code::InvalidSql, message.trim_start_matches("sql parser error: "))
    }

    /// Of SQL that nobody can judge while a table is not there. Why not, the table's own fault says.
    pub(super) fn unread(sql: &Sql, table: &str) -> Self {
        Self::new(&sql.at, Code::SourceUnreadable, format!("table `{table}` can't be read"))
    }

    /// The fault as a problem of the config. What a hidden value holds is not quoted.
    pub fn problem(&self, places: &Places) -> Problem {
        places.problem(&self.at, self.code, &self.message)
    }
}
