//! A segment's rule, clause by clause, as the config states it: what the test is made of, and what an explanation names.

use datafusion::logical_expr::Expr;

use super::test::{Test, all, any, necessary, not};

/// A part of a rule. `at` is its place in the config: `segments.gold_de.where`.
#[derive(Debug, Clone)]
pub(super) enum Clause {
    /// All hold.
    All(Vec<Clause>),
    /// A condition on the row is true: `where`.
    Condition {
        /// Its place.
        at: String,
        /// The condition.
        expr: Expr,
    },
    /// A query yields the key: `sql`.
    Query {
        /// Its place.
        at: String,
        /// The set of what it yields.
        set: usize,
    },
    /// At least one holds: `any_of`, or the rungs of a whole waterfall.
    Any {
        /// Its place.
        at: String,
        /// The parts.
        parts: Vec<Clause>,
    },
    /// It does not hold: a part of `none_of`.
    Not {
        /// Its place.
        at: String,
        /// The part.
        part: Box<Clause>,
    },
    /// Belongs to a segment over the same table.
    Segment {
        /// Its name.
        name: String,
        /// Its rule.
        rule: Box<Clause>,
    },
    /// Belongs to a segment over another table.
    Elsewhere {
        /// Its name.
        name: String,
        /// The other table.
        table: String,
        /// The set of its members.
        set: usize,
    },
    /// Is among the first so many of those for whom a rule holds: `limit`.
    First {
        /// Its place.
        at: String,
        /// How many.
        members: u64,
        /// The rule.
        rule: Box<Clause>,
        /// The set of the first.
        set: usize,
    },
    /// Belongs to a rung of a waterfall, and to none before it.
    Rung {
        /// Belonging to the rung's segment.
        rung: Box<Clause>,
        /// Belonging to each before it.
        before: Vec<Clause>,
    },
}

impl Clause {
    /// The whole as one test of a row.
    pub(super) fn test(&self) -> Test {
        let each = |parts: &[Self]| parts.iter().map(Self::test).collect::<Vec<_>>();
        match self {
            Self::All(parts) => all(each(parts)),
            Self::Condition { expr, .. } => Test::Row(expr.clone()),
            Self::Query { set, .. } | Self::Elsewhere { set, .. } => Test::Set(*set),
            Self::Any { parts, .. } => any(each(parts)),
            Self::Not { part, .. } => not(part.test()),
            Self::Segment { rule, .. } => rule.test(),
            Self::First { rule, set, .. } => {
                // The scan of the members leaves out whoever can't be among the first.
                let worth_reading = necessary(&rule.test()).map_or(Test::Always, Test::Row);
                all(vec![worth_reading, Test::Set(*set)])
            }
            Self::Rung { rung, before } => {
                let before = before.iter().map(|earlier| not(earlier.test()));
                all(std::iter::once(rung.test()).chain(before).collect())
            }
        }
    }
}
