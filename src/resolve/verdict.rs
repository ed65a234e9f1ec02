//! Which clauses of a segment's rule hold for one row, in words that name the config's entries and no values.

use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    error::ArrowError,
};
use datafusion::logical_expr::Expr;

use super::{
    members::{Layout, belonging_rows},
    rule::Clause,
    test::Test,
};

impl Clause {
    /// The conditions on the row of this rule's table, by place, each once.
    pub(super) fn conditions(&self) -> Vec<(&str, &Expr)> {
        let mut found = Vec::new();
        self.gather_conditions(&mut found);
        found
    }

    fn gather_conditions<'c>(&'c self, found: &mut Vec<(&'c str, &'c Expr)>) {
        match self {
            Self::Condition { at, expr } => {
                // A segment that is named twice has the same conditions twice.
                if !found.iter().any(|(known, _)| known == at) {
                    found.push((at, expr));
                }
            }
            Self::Query { .. } | Self::Elsewhere { .. } => {}
            Self::All(parts) | Self::Any { parts, .. } => {
                parts.iter().for_each(|part| part.gather_conditions(found));
            }
            Self::Not { part: rule, .. } | Self::Segment { rule, .. } | Self::First { rule, .. } => {
                rule.gather_conditions(found);
            }
            Self::Rung { rung, before } => {
                rung.gather_conditions(found);
                before.iter().for_each(|earlier| earlier.gather_conditions(found));
            }
        }
    }
}

/// Rows whose flags are the rule's conditions, in the order of [`Clause::conditions`].
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) rows: &'a RecordBatch,
    pub(super) layout: &'a Layout,
    /// Keys of the rows' bucket in each set.
    pub(super) sets: &'a [ArrayRef],
    pub(super) conditions: &'a [(&'a str, &'a Expr)],
}

impl Judge<'_> {
    /// For which rows the clause holds.
    pub(super) fn belonging(&self, clause: &Clause) -> Result<BooleanArray, ArrowError> {
        (0..self.rows.num_rows()).map(|row| self.holds(clause, row).map(Some)).collect()
    }

    fn holds(&self, clause: &Clause, row: usize) -> Result<bool, ArrowError> {
        Ok(match clause {
            Clause::All(parts) => self.first(parts, row, false)?.is_none(),
            Clause::Any { parts, .. } => self.first(parts, row, true)?.is_some(),
            Clause::Condition { at, .. } => match self.conditions.iter().position(|(known, _)| known == at) {
                None => false,
                Some(flag) => self.passes(&Test::Flag(flag), row)?,
            },
            Clause::Query { set, .. } | Clause::Elsewhere { set, .. } | Clause::First { set, .. } => {
                self.passes(&Test::Set(*set), row)?
            }
            Clause::Not { part, .. } => !self.holds(part, row)?,
            Clause::Segment { rule, .. } => self.holds(rule, row)?,
            Clause::Rung { rung, before } => self.holds(rung, row)? && self.first(before, row, true)?.is_none(),
        })
    }

    fn passes(&self, test: &Test, row: usize) -> Result<bool, ArrowError> {
        Ok(belonging_rows(test, self.rows, self.layout, self.sets)?.is_none_or(|passed| passed.value(row)))
    }

    /// The first part that holds, or the first that does not.
    fn first<'c>(&self, parts: &'c [Clause], row: usize, holding: bool) -> Result<Option<&'c Clause>, ArrowError> {
        for part in parts {
            if self.holds(part, row)? == holding {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// What lets the row in: the entries that hold.
    pub(super) fn why(&self, clause: &Clause, row: usize) -> Result<Vec<String>, ArrowError> {
        Ok(match clause {
            Clause::All(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.why(part, row)?);
                }
                all
            }
            Clause::Any { parts, .. } => match self.first(parts, row, true)? {
                Some(part) => self.why(part, row)?,
                None => Vec::new(),
            },
            Clause::Condition { at, .. } | Clause::Query { at, .. } => vec![entry(at)],
            Clause::Not { .. } => Vec::new(),
            Clause::Segment { rule, .. } => self.why(rule, row)?,
            Clause::Elsewhere { name, .. } => vec![format!("segment `{name}`")],
            Clause::First { at, rule, .. } => {
                let mut all = self.why(rule, row)?;
                all.push(entry(at));
                all
            }
            Clause::Rung { rung, .. } => self.why(rung, row)?,
        })
    }

    /// What keeps the row out: the clauses that fail.
    pub(super) fn why_not(&self, clause: &Clause, row: usize) -> Result<Vec<String>, ArrowError> {
        Ok(match clause {
            Clause::All(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    if !self.holds(part, row)? {
                        all.extend(self.why_not(part, row)?);
                    }
                }
                all
            }
            Clause::Condition { at, .. } => vec![format!("{} is false or null", entry(at))],
            Clause::Query { at, .. } => vec![format!("{} does not yield it", entry(at))],
            Clause::Any { at, parts } => {
                let mut each = Vec::new();
                for part in parts {
                    each.push(self.why_not(part, row)?.join(" and "));
                }
                let each = if each.is_empty() { String::new() } else { format!(": {}", each.join("; ")) };
                vec![format!("no part of {} holds it{each}", entry(at))]
            }
            Clause::Not { at, part } => vec![format!("{} holds it, by {}", entry(at), self.joined(part, row)?)],
            Clause::Segment { rule, .. } => self.why_not(rule, row)?,
            Clause::Elsewhere { name, table, .. } => {
                vec![format!("segment `{name}`, over the table `{table}`, does not hold it")]
            }
            Clause::First { at, members, rule, .. } => {
                if self.holds(rule, row)? {
                    vec![format!("it is not among the first {members} of {}", entry(at))]
                } else {
                    self.why_not(rule, row)?
                }
            }
            Clause::Rung { rung, before } => match self.first(before, row, true)? {
                Some(earlier) if self.holds(rung, row)? => {
                    vec![format!("{} takes it first, by {}", named(earlier), self.joined(earlier, row)?)]
                }
                _ => self.why_not(rung, row)?,
            },
        })
    }

    fn joined(&self, clause: &Clause, row: usize) -> Result<String, ArrowError> {
        let why = self.why(clause, row)?;
        Ok(if why.is_empty() { "a rule that rules nobody out".to_owned() } else { why.join(" and ") })
    }
}

/// `segments.gold_de.where` → `gold_de.where`, in ticks.
fn entry(at: &str) -> String {
    format!("`{}`", at.strip_prefix("segments.").unwrap_or(at))
}

fn named(clause: &Clause) -> String {
    match clause {
        Clause::Segment { name, .. } | Clause::Elsewhere { name, .. } => format!("the rung `{name}`"),
        _ => "a rung before".to_owned(),
    }
}
