//! A segment's rule as one test of a row: what is always so is left out, and conditions stand together.

use datafusion::logical_expr::{Expr, and, or};

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

impl Test {
    /// The sets that it asks.
    pub(super) fn sets(&self) -> Vec<usize> {
        match self {
            Self::Set(set) => vec![*set],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::sets).collect(),
            Self::Not(inner) => inner.sets(),
            Self::Always | Self::Row(_) | Self::Flag(_) => Vec::new(),
        }
    }
}

/// All hold.
pub(super) fn all(parts: Vec<Test>) -> Test {
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

/// At least one holds.
pub(super) fn any(parts: Vec<Test>) -> Test {
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
pub(super) fn not(test: Test) -> Test {
    match test {
        Test::Row(expr) => Test::Row(expr.is_not_true()),
        Test::Not(inner) => *inner,
        other => Test::Not(Box::new(other)),
    }
}

/// A condition on the row alone that holds wherever the test does.
pub(super) fn necessary(test: &Test) -> Option<Expr> {
    match test {
        Test::Row(expr) => Some(expr.clone()),
        Test::All(parts) => parts.iter().filter_map(necessary).reduce(and),
        Test::Any(parts) => parts.iter().map(necessary).collect::<Option<Vec<_>>>()?.into_iter().reduce(or),
        Test::Always | Test::Flag(_) | Test::Set(_) | Test::Not(_) => None,
    }
}

/// What is left to test once the scan has filtered; conditions that it could not become flags.
pub(super) fn residual(test: Test, flags: &mut Vec<Expr>) -> Test {
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
