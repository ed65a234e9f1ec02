//! Who belongs: a segment's rule as one test of a row, and the sets of keys that the test asks.

use std::collections::BTreeMap;

use datafusion::{
    logical_expr::{Expr, LogicalPlan, and, or},
    prelude::SessionContext,
};

use super::{
    expression::{Ordering, Scope, shown},
    fault::Fault,
    tables::TableInfo,
};
use crate::config::{Config, Part, Rule, Sql};

/// A test of a member's row.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// Everybody.
    Always,
    /// The expression over the row is true.
    Row(Expr),
    /// Column number so many of the scan's flags is true.
    Flag(usize),
    /// The key is in set number so many.
    Set(usize),
    /// All hold.
    All(Vec<Test>),
    /// At least one holds.
    Any(Vec<Test>),
    /// It does not hold.
    Not(Box<Test>),
}

/// A set of keys that is drawn up before the members are read. It may ask only sets before it.
#[derive(Debug, Clone)]
pub(super) enum KeySet {
    /// The answer of a query.
    Query(LogicalPlan),
    /// Members of a segment over another table.
    Members(Selection),
    /// The first so many members of a selection.
    Ranked {
        /// Whom to rank.
        selection: Selection,
        /// In which order; ties go by the key.
        order: Vec<Ordering>,
        /// How many.
        members: u64,
    },
}

/// Rows of a table that pass a test, split into what the scan can do and what is left for later.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    /// The table.
    pub(super) table: String,
    /// What every row must satisfy: the scan leaves out the others.
    pub(super) filter: Option<Expr>,
    /// Conditions that the scan evaluates for the test.
    pub(super) flags: Vec<Expr>,
    /// The test of what the scan let through.
    pub(super) test: Test,
}

/// Draws up tests and sets.
pub(super) struct MembershipPlanner<'a> {
    pub(super) session: &'a SessionContext,
    pub(super) config: &'a Config,
    pub(super) tables: &'a BTreeMap<String, TableInfo>,
    pub(super) sets: Vec<KeySet>,
    pub(super) faults: Vec<Fault>,
}

impl MembershipPlanner<'_> {
    /// The selection of a segment, or of a waterfall's rung `tiers.gold`, and the table it is over.
    pub(super) async fn segment(&mut self, name: &str) -> Option<Selection> {
        let (table, test) = Box::pin(self.named(name)).await?;
        Some(Selection::new(table, test))
    }

    async fn named(&mut self, name: &str) -> Option<(String, Test)> {
        let (head, rung) = name.split_once('.').map_or((name, None), |(head, rung)| (head, Some(rung)));
        let segment = self.config.segments.get(head)?;
        let test = match rung {
            None => self.rule(&segment.from, &segment.rule).await,
            Some(rung) => {
                let before = segment.rule.waterfall.iter().take_while(|name| *name != rung);
                let mut parts = vec![self.member_of(&segment.from, rung).await];
                for earlier in before {
                    parts.push(not(self.member_of(&segment.from, earlier).await));
                }
                all(parts)
            }
        };
        Some((segment.from.clone(), test))
    }

    /// Belonging to a named segment, seen from a table.
    async fn member_of(&mut self, table: &str, name: &str) -> Test {
        match Box::pin(self.named(name)).await {
            None => Test::Always,
            Some((own, test)) if own == table => test,
            Some((other, test)) => {
                self.sets.push(KeySet::Members(Selection::new(other, test)));
                Test::Set(self.sets.len() - 1)
            }
        }
    }

    async fn rule(&mut self, table: &str, rule: &Rule) -> Test {
        let mut parts = Vec::new();
        if let Some(sql) = &rule.filter {
            parts.extend(self.condition(table, sql));
        }
        if let Some(sql) = &rule.sql {
            parts.extend(self.query(table, sql).await);
        }
        for part in &rule.all_of {
            parts.push(self.part(table, part).await);
        }
        if let Some(some) = &rule.any_of {
            let mut any_parts = Vec::with_capacity(some.len());
            for part in some {
                any_parts.push(self.part(table, part).await);
            }
            parts.push(any(any_parts));
        }
        for part in &rule.none_of {
            parts.push(not(self.part(table, part).await));
        }
        if !rule.waterfall.is_empty() {
            let mut rungs = Vec::with_capacity(rule.waterfall.len());
            for name in &rule.waterfall {
                rungs.push(self.member_of(table, name).await);
            }
            parts.push(any(rungs));
        }
        let test = all(parts);
        match &rule.limit {
            None => test,
            Some(limit) => {
                let order = limit.order_by.as_ref().and_then(|sql| self.ordering(table, sql)).unwrap_or_default();
                let selection = Selection::new(table.to_owned(), test.clone());
                // The scan of the members leaves out whoever can't be among the first.
                let worth_reading = selection.filter.clone().map_or(Test::Always, Test::Row);
                self.sets.push(KeySet::Ranked { selection, order, members: limit.members });
                all(vec![worth_reading, Test::Set(self.sets.len() - 1)])
            }
        }
    }

    async fn part(&mut self, table: &str, part: &Part) -> Test {
        match part {
            Part::Named { name, .. } => Box::pin(self.member_of(table, name)).await,
            Part::Inline(rule) => Box::pin(self.rule(table, rule)).await,
        }
    }

    fn condition(&mut self, table: &str, sql: &Sql) -> Option<Test> {
        let planned = self.scope(table, sql)?.condition(self.session, sql);
        self.noted(planned).map(|condition| Test::Row(condition.expr))
    }

    fn ordering(&mut self, table: &str, sql: &Sql) -> Option<Vec<Ordering>> {
        let planned = self.scope(table, sql)?.ordering(self.session, sql);
        self.noted(planned)
    }

    /// The columns of a table; `None` where it can't be read, which is noted elsewhere.
    fn scope(&mut self, table: &str, sql: &Sql) -> Option<Scope> {
        let info = self.tables.get(table)?;
        let scope = Scope::new(table, &info.schema, None).map_err(|error| Fault::sql(sql, shown(&error)));
        self.noted(scope)
    }

    async fn query(&mut self, table: &str, sql: &Sql) -> Option<Test> {
        let planned = self.plan_query(table, sql).await;
        let plan = self.noted(planned)?;
        self.sets.push(KeySet::Query(plan));
        Some(Test::Set(self.sets.len() - 1))
    }

    async fn plan_query(&self, table: &str, sql: &Sql) -> Result<LogicalPlan, Fault> {
        let frame = self
            .session
            .sql_with_options(&sql.text, super::read_only())
            .await
            .map_err(|error| Fault::sql(sql, shown(&error)))?;
        let wanted = self.config.tables.get(table).map_or(1, |table| table.key.len());
        let given = frame.schema().fields().len();
        if given != wanted {
            return Err(Fault::sql(
                sql,
                format!("the query must yield the {wanted} key column(s) of `{table}`, it yields {given}"),
            ));
        }
        Ok(frame.into_unoptimized_plan())
    }

    fn noted<T>(&mut self, planned: Result<T, Fault>) -> Option<T> {
        planned.map_err(|fault| self.faults.push(fault)).ok()
    }
}

impl Selection {
    fn new(table: String, test: Test) -> Self {
        let filter = necessary(&test);
        let mut flags = Vec::new();
        let test = residual(test, &mut flags);
        Self { table, filter, flags, test }
    }

    /// Sets whose members alone can pass: the test is false for everybody else.
    pub(super) fn required_sets(&self) -> Vec<usize> {
        match &self.test {
            Test::Set(set) => vec![*set],
            Test::All(parts) => {
                parts.iter().filter_map(|part| if let Test::Set(set) = part { Some(*set) } else { None }).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn all(parts: Vec<Test>) -> Test {
    let mut rows: Option<Expr> = None;
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Test::Always => {}
            Test::Row(expr) => rows = Some(rows.map_or(expr.clone(), |rows| and(rows, expr))),
            Test::All(inner) => rest.extend(inner),
            other => rest.push(other),
        }
    }
    rest.extend(rows.map(Test::Row));
    match rest.len() {
        0 => Test::Always,
        1 => rest.remove(0),
        _ => Test::All(rest),
    }
}

fn any(parts: Vec<Test>) -> Test {
    let mut rows: Option<Expr> = None;
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Test::Always => return Test::Always,
            Test::Row(expr) => rows = Some(rows.map_or(expr.clone(), |rows| or(rows, expr))),
            other => rest.push(other),
        }
    }
    rest.extend(rows.map(Test::Row));
    if rest.len() == 1 { rest.remove(0) } else { Test::Any(rest) }
}

/// Null is not true: who is not known to belong does not, and is not kept out either.
fn not(test: Test) -> Test {
    match test {
        Test::Row(expr) => Test::Row(expr.is_not_true()),
        Test::Not(inner) => *inner,
        other => Test::Not(Box::new(other)),
    }
}

/// A condition on the row alone that holds wherever the test does.
fn necessary(test: &Test) -> Option<Expr> {
    match test {
        Test::Row(expr) => Some(expr.clone()),
        Test::All(parts) => parts.iter().filter_map(necessary).reduce(and),
        Test::Any(parts) => parts.iter().map(necessary).collect::<Option<Vec<_>>>()?.into_iter().reduce(or),
        Test::Always | Test::Flag(_) | Test::Set(_) | Test::Not(_) => None,
    }
}

/// What is left to test once the scan has filtered; conditions that it could not become flags.
fn residual(test: Test, flags: &mut Vec<Expr>) -> Test {
    match test {
        Test::Row(_) => Test::Always,
        Test::All(parts) => all(parts.into_iter().map(|part| residual(part, flags)).collect()),
        // A filter on "a or b" says only that one of them holds, not which.
        other => flagged(other, flags),
    }
}

fn flagged(test: Test, flags: &mut Vec<Expr>) -> Test {
    let each = |parts: Vec<Test>, flags: &mut Vec<Expr>| parts.into_iter().map(|part| flagged(part, flags)).collect();
    match test {
        Test::Row(expr) => {
            flags.push(expr.is_true());
            Test::Flag(flags.len() - 1)
        }
        Test::All(parts) => Test::All(each(parts, flags)),
        Test::Any(parts) => Test::Any(each(parts, flags)),
        Test::Not(inner) => Test::Not(Box::new(flagged(*inner, flags))),
        other => other,
    }
}
