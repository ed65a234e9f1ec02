//! What a publish reads, and how its rows say which member they are about and when they changed.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;
use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    logical_expr::{Expr, LogicalPlan, Volatility},
};

use super::{
    membership::{KeySet, Selection},
    plan::PublishPlan,
    watermark,
};

/// A table that tells which members' rows were touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    /// When a row last changed.
    pub(super) updated_at: String,
    /// Its type, a point in time.
    pub(super) data_type: DataType,
    /// Columns that name the member whom a row is about; a table may name it by several.
    pub(super) members: BTreeSet<Vec<String>>,
}

/// What looking at touched members alone can't see; the next publish of everybody settles it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// The table has no `updated_at`.
    Undated {
        /// The table.
        table: String,
    },
    /// Its `updated_at` is no point in time, so that everybody is looked at each time.
    NoTime {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// A query names the table, and its rows do not say which member they are about.
    Unrelated {
        /// The table.
        table: String,
    },
    /// A rule or filter says something else as time passes.
    Timed {
        /// The function.
        function: String,
    },
}

impl PublishPlan {
    /// What looking at touched members alone does not see of this activation. That rows vanish is never seen.
    pub fn unseen(&self) -> BTreeSet<Unseen> {
        let mut unseen = BTreeSet::new();
        for (table, members) in self.read_tables() {
            if members.is_empty() {
                unseen.insert(Unseen::Unrelated { table });
                continue;
            }
            match self.updated_at(&table) {
                None => drop(unseen.insert(Unseen::Undated { table })),
                Some((_, data_type)) if watermark::is_time(&data_type) => {}
                Some((column, data_type)) => {
                    let data_type = data_type.to_string();
                    unseen.insert(Unseen::NoTime { table, column: column.to_owned(), data_type });
                }
            }
        }
        unseen.extend(self.clocks().into_iter().map(|function| Unseen::Timed { function }));
        unseen
    }

    /// The tables that tell who was touched. `None`: one of them tells it by what is no time.
    pub(super) fn watched(&self) -> Option<BTreeMap<String, Watched>> {
        let mut watched = BTreeMap::new();
        for (table, members) in self.read_tables() {
            if let Some((column, data_type)) = self.updated_at(&table).filter(|_| !members.is_empty()) {
                if !watermark::is_time(&data_type) {
                    return None;
                }
                let updated_at = column.to_owned();
                watched.insert(table, Watched { updated_at, data_type, members });
            }
        }
        Some(watched)
    }

    /// Tables that the publish reads, and the columns by which their rows name a member.
    fn read_tables(&self) -> BTreeMap<String, BTreeSet<Vec<String>>> {
        let mut tables: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
        let own: BTreeSet<&str> = self.selections().map(|selection| selection.table.as_str()).collect();
        for table in &own {
            tables.entry((*table).to_owned()).or_default().insert(self.key_of(table).to_vec());
        }
        for read in &self.record().related {
            tables.entry(read.table.clone()).or_default().insert(read.member.clone());
        }
        let width = self.key_of(self.table()).len();
        for query in self.queries() {
            for table in scanned(query) {
                let member = self.member_of(&table).filter(|member| member.len() == width);
                tables.entry(table).or_default().extend(member.map(<[String]>::to_vec));
            }
        }
        tables
    }

    fn selections(&self) -> impl Iterator<Item = &Selection> {
        let drawn = self.key_sets().iter().filter_map(|set| match set {
            KeySet::Members(selection) | KeySet::Ranked { selection, .. } => Some(selection),
            KeySet::Query(_) | KeySet::Named(_) => None,
        });
        drawn.chain(std::iter::once(self.selection()))
    }

    fn queries(&self) -> impl Iterator<Item = &LogicalPlan> {
        self.key_sets().iter().filter_map(|set| if let KeySet::Query(query) = set { Some(query) } else { None })
    }

    /// Functions in rules and the filter that give another value as time passes, or each time. Attributes may hold none.
    fn clocks(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let ranked = self.key_sets().iter().flat_map(|set| match set {
            KeySet::Ranked { order, .. } => order.as_slice(),
            KeySet::Query(_) | KeySet::Members(_) | KeySet::Named(_) => &[],
        });
        let conditions = self.selections().flat_map(|selection| selection.filter.iter().chain(&selection.flags));
        let order = ranked.map(|order| &order.expression.expr);
        conditions.chain(order).chain(&self.record().filter).for_each(|expr| timed(expr, &mut found));
        for query in self.queries() {
            // It only fails where its callback does.
            let _ = query.apply_with_subqueries(|plan| {
                plan.apply_expressions(|expr| {
                    timed(expr, &mut found);
                    Ok(TreeNodeRecursion::Continue)
                })
            });
        }
        found
    }
}

/// Tables that a query reads, its subqueries included.
fn scanned(query: &LogicalPlan) -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    let _ = query.apply_with_subqueries(|plan| {
        if let LogicalPlan::TableScan(scan) = plan {
            tables.insert(scan.table_name.table().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    tables
}

fn timed(expr: &Expr, found: &mut BTreeSet<String>) {
    let _ = expr.apply(|expr| {
        if let Expr::ScalarFunction(call) = expr
            && call.func.signature().volatility != Volatility::Immutable
        {
            found.insert(call.func.name().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    });
}
