//! What is wrong with a config: collected, in the order of the files, none twice.

use std::fmt;

use serde::Serialize;

use super::source::Place;
use crate::withheld::without;

/// A short stable word for a sort of problem; `docs/config-errors.md` explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A file or folder of the config can't be read.
    Unreadable,
    /// Not YAML, or YAML beyond what a config needs.
    Syntax,
    /// A key that nothing reads.
    UnknownKey,
    /// A key that is needed.
    MissingKey,
    /// Text where a number is wanted, and the like.
    WrongType,
    /// A value that its field does not take.
    InvalidValue,
    /// A name or key given twice.
    DuplicateName,
    /// A reference to something that the config does not hold.
    UnknownReference,
    /// Segments that need each other.
    Cycle,
    /// `${VAR}` with neither a value nor a default.
    MissingVariable,
    /// A file that the config names, and that is not there or can't be read.
    MissingFile,
    /// Keys that do not go together.
    Conflict,
    /// Promised, but not in this build.
    NotSupported,
    /// SQL that does not plan.
    InvalidSql,
    /// A table's files are there but can't be read as what they should be.
    SourceUnreadable,
    /// A column that the table does not have.
    UnknownColumn,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 16] = [
        Self::Unreadable,
        Self::Syntax,
        Self::UnknownKey,
        Self::MissingKey,
        Self::WrongType,
        Self::InvalidValue,
        Self::DuplicateName,
        Self::UnknownReference,
        Self::UnknownColumn,
        Self::Cycle,
        Self::MissingVariable,
        Self::MissingFile,
        Self::Conflict,
        Self::NotSupported,
        Self::InvalidSql,
        Self::SourceUnreadable,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Syntax => "syntax",
            Self::UnknownKey => "unknown_key",
            Self::MissingKey => "missing_key",
            Self::WrongType => "wrong_type",
            Self::InvalidValue => "invalid_value",
            Self::DuplicateName => "duplicate_name",
            Self::UnknownReference => "unknown_reference",
            Self::Cycle => "cycle",
            Self::MissingVariable => "missing_variable",
            Self::MissingFile => "missing_file",
            Self::Conflict => "conflict",
            Self::NotSupported => "not_supported",
            Self::InvalidSql => "invalid_sql",
            Self::SourceUnreadable => "source_unreadable",
            Self::UnknownColumn => "unknown_column",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The value at fault; for an unknown key the key, for a missing one the entry that lacks it.
    pub at: Option<Place>,
    /// What sort of problem.
    pub code: Code,
    /// What is wrong, on one line; names the entry.
    pub message: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl Problem {
    /// A problem at a place. Line breaks in the message become spaces: the first line is never wrapped.
    pub fn new(at: Option<Place>, code: Code, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.contains(char::is_control) {
            message = message.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        }
        Self { at, code, message, remedy: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// As JSON: `path`, `line`, `column` (null without a place), `code`, `message`, `remedy`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "path": self.at.as_ref().map(Place::file),
            "line": self.at.as_ref().map(|at| at.line),
            "column": self.at.as_ref().map(|at| at.column),
            "code": self.code.as_str(),
            "message": without(&self.message),
            "remedy": self.remedy.as_deref().map(without),
        })
    }
}

/// The first line: `PATH:LINE:COLUMN: CODE: message`, without the place where there is none.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{at}: ")?;
        }
        write!(f, "{}: {}", self.code, without(&self.message))
    }
}

/// All that is wrong. [`sorted`](Self::sorted) puts it in the order of files and places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// By file, line and column, those without a place last, none twice.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| order(a).cmp(&order(b)));
        self.0.dedup_by(|a, b| a.at == b.at && a.code == b.code && a.message == b.message);
        self
    }

    /// A JSON array of [`Problem::to_json`].
    pub fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(Problem::to_json).collect()
    }
}

fn order(problem: &Problem) -> (bool, &str, usize, usize, &str, &str) {
    let place = problem.at.as_ref();
    (
        place.is_none(),
        place.map_or("", Place::file),
        place.map_or(0, |place| place.line),
        place.map_or(0, |place| place.column),
        problem.code.as_str(),
        &problem.message,
    )
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self(problems.into_iter().collect())
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// First lines only; [`Problems::render`] shows sources and remedies too.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
