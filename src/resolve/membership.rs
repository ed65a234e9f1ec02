//! Who belongs: a segment's rule, as one test of a row, and the sets of keys that the test asks.

use std::collections::BTreeMap;

use datafusion::{
    common::tree_node::TreeNode,
    logical_expr::{Expr, LogicalPlan},
    prelude::SessionContext,
};

use super::{
    expression::{Ordering, Scope, shown},
    fault::Fault,
    rule::Clause,
    tables::TableInfo,
    test::{Test, all, necessary, residual},
};
use crate::{
    config::{Config, Part, Rule, Sql},
    snapshot::MemberKeys,
};

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
    /// Those that somebody named.
    Named(MemberKeys),
}

impl KeySet {
    /// Whether who is in it depends on others than the member himself: by a rank, a window, or a query inside of another.
    pub(super) fn is_relative(&self) -> bool {
        match self {
            Self::Ranked { .. } => true,
            Self::Query(query) => query
                .exists(|part| {
                    let by_others = matches!(part, LogicalPlan::Limit(_) | LogicalPlan::Window(_));
                    let inside = |expr: &Expr| expr.exists(|part| Ok(matches!(part, Expr::ScalarSubquery(_))));
                    Ok(by_others || part.expressions().iter().any(|expr| inside(expr).unwrap_or(true)))
                })
                // What can't be walked through is looked at whole.
                .unwrap_or(true),
            Self::Members(_) | Self::Named(_) => false,
        }
    }
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
    /// Who belongs to a segment, or to a waterfall's rung `tiers.gold`.
    pub(super) async fn segment(&mut self, name: &str) -> Option<(Clause, Selection)> {
        let (table, rule) = Box::pin(self.named(name)).await?;
        let selection = Selection::new(table, rule.test());
        Some((rule, selection))
    }

    /// The rule of a segment or rung, and the table that it is about.
    async fn named(&mut self, name: &str) -> Option<(String, Clause)> {
        let (head, rung) = name.split_once('.').map_or((name, None), |(head, rung)| (head, Some(rung)));
        let segment = self.config.segments.get(head)?;
        let rule = match rung {
            None => self.rule(&segment.from, &segment.rule).await,
            Some(rung) => {
                let holds = self.member_of(&segment.from, rung).await;
                let mut before = Vec::new();
                for earlier in segment.rule.waterfall.iter().take_while(|name| *name != rung) {
                    before.push(self.member_of(&segment.from, earlier).await);
                }
                Clause::Rung { rung: Box::new(holds), before }
            }
        };
        Some((segment.from.clone(), rule))
    }

    /// Belonging to a named segment, seen from a table.
    async fn member_of(&mut self, table: &str, name: &str) -> Clause {
        match Box::pin(self.named(name)).await {
            None => Clause::All(Vec::new()),
            Some((own, rule)) if own == table => Clause::Segment { name: name.to_owned(), rule: Box::new(rule) },
            Some((other, rule)) => {
                let set = self.draw(KeySet::Members(Selection::new(other.clone(), rule.test())));
                Clause::Elsewhere { name: name.to_owned(), table: other, set }
            }
        }
    }

    async fn rule(&mut self, table: &str, rule: &Rule) -> Clause {
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
            let mut any = Vec::with_capacity(some.len());
            for part in some {
                any.push(self.part(table, part).await);
            }
            parts.push(Clause::Any { at: format!("{}.any_of", rule.at), parts: any });
        }
        for (index, part) in rule.none_of.iter().enumerate() {
            let part = Box::new(self.part(table, part).await);
            parts.push(Clause::Not { at: format!("{}.none_of[{index}]", rule.at), part });
        }
        if !rule.waterfall.is_empty() {
            let mut rungs = Vec::with_capacity(rule.waterfall.len());
            for name in &rule.waterfall {
                rungs.push(self.member_of(table, name).await);
            }
            parts.push(Clause::Any { at: format!("{}.waterfall", rule.at), parts: rungs });
        }
        let all = Clause::All(parts);
        match &rule.limit {
            None => all,
            Some(limit) => {
                let order = limit.order_by.as_ref().and_then(|sql| self.ordering(table, sql)).unwrap_or_default();
                let selection = Selection::new(table.to_owned(), all.test());
                let set = self.draw(KeySet::Ranked { selection, order, members: limit.members });
                Clause::First { at: format!("{}.limit", rule.at), members: limit.members, rule: Box::new(all), set }
            }
        }
    }

    async fn part(&mut self, table: &str, part: &Part) -> Clause {
        match part {
            Part::Named { name, .. } => Box::pin(self.member_of(table, name)).await,
            Part::Inline(rule) => Box::pin(self.rule(table, rule)).await,
        }
    }

    fn draw(&mut self, set: KeySet) -> usize {
        self.sets.push(set);
        self.sets.len() - 1
    }

    fn condition(&mut self, table: &str, sql: &Sql) -> Option<Clause> {
        let planned = self.scope(table, sql)?.condition(self.session, sql);
        self.noted(planned).map(|condition| Clause::Condition { at: sql.at.clone(), expr: condition.expr })
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

    async fn query(&mut self, table: &str, sql: &Sql) -> Option<Clause> {
        let planned = self.plan_query(table, sql).await;
        let plan = self.noted(planned)?;
        Some(Clause::Query { at: sql.at.clone(), set: self.draw(KeySet::Query(plan)) })
    }

    async fn plan_query(&self, table: &str, sql: &Sql) -> Result<LogicalPlan, Fault> {
        let frame = self
            .session
            .sql_with_options(&sql.text, super::read_only())
            .await
            .map_err(|error| self.unread(sql).unwrap_or_else(|| Fault::sql(sql, shown(&error))))?;
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

    /// The fault of SQL that names a table which can't be read.
    fn unread(&self, sql: &Sql) -> Option<Fault> {
        let named = super::named_in(self.session, &sql.text)?;
        let unread = |table: &&String| self.config.tables.contains_key(*table) && !self.tables.contains_key(*table);
        named.iter().find(unread).map(|table| Fault::unread(sql, table))
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

    /// The same, of the members in set number `set` alone.
    pub(super) fn within(self, set: usize) -> Self {
        Self { test: all(vec![self.test, Test::Set(set)]), ..self }
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
