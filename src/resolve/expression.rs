//! SQL texts of the config → expressions over a table's columns.

use std::{collections::BTreeSet, ops::ControlFlow};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::{
    common::{
        Column, DFSchema,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::DataFusionError,
    logical_expr::{Expr, ExprSchemable, Volatility, cast},
    prelude::SessionContext,
    sql::sqlparser::{
        ast::{self, Ident, visit_expressions_mut},
        dialect::GenericDialect,
        parser::Parser,
    },
};

use super::fault::Fault;
use crate::config::Sql;

/// A related table's expression may name a column of the member; this stands before its name then.
pub(super) const MEMBER_PREFIX: &str = "__member_";

/// The columns that expressions may name.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    schema: DFSchema,
}

/// An expression, with what planning needs to know of it.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    /// The expression; columns are unqualified.
    pub(super) expr: Expr,
    /// Type of its value.
    pub(super) data_type: DataType,
    /// Columns of the table that it names.
    pub(super) columns: BTreeSet<String>,
    /// Columns of the member that it names, without prefix.
    pub(super) member_columns: BTreeSet<String>,
    /// Whether it holds an aggregate.
    pub(super) aggregate: bool,
}

/// An expression to order by.
#[derive(Debug, Clone)]
pub(super) struct Ordering {
    /// What is ordered by.
    pub(super) expression: Expression,
    /// Greatest first.
    pub(super) descending: bool,
    /// Nulls before all else.
    pub(super) nulls_first: bool,
}

impl Scope {
    /// Columns of a table, and, for a related table, `member.COLUMN` for columns of the segment's table.
    pub(super) fn new(table: &str, columns: &SchemaRef, member: Option<&SchemaRef>) -> Result<Self, DataFusionError> {
        let own = DFSchema::try_from_qualified_schema(table, columns)?;
        let schema = match member {
            None => own,
            Some(member) => {
                let fields: Vec<Field> = member
                    .fields()
                    .iter()
                    .map(|field| field.as_ref().clone().with_name(format!("{MEMBER_PREFIX}{}", field.name())))
                    .collect();
                own.join(&DFSchema::try_from(Schema::new(fields))?)?
            }
        };
        Ok(Self { schema })
    }

    /// Plans an expression.
    pub(super) fn expression(&self, session: &SessionContext, sql: &Sql) -> Result<Expression, Fault> {
        let mut parser = parser(sql)?;
        let parsed = parser.parse_expr().map_err(|error| Fault::sql(sql, error))?;
        parser
            .expect_token(&datafusion::sql::sqlparser::tokenizer::Token::EOF)
            .map_err(|error| Fault::sql(sql, error))?;
        self.plan(session, sql, parsed)
    }

    /// Plans a condition: an expression that is true, false or null.
    pub(super) fn condition(&self, session: &SessionContext, sql: &Sql) -> Result<Expression, Fault> {
        let expression = self.expression(session, sql)?.of_one_row(sql)?;
        match expression.data_type {
            DataType::Boolean => Ok(expression),
            DataType::Null => Ok(Expression { expr: cast(expression.expr.clone(), DataType::Boolean), ..expression }),
            ref other => Err(Fault::sql(sql, format!("a condition must be true or false, this is {other}"))),
        }
    }

    /// Plans an order: `a DESC, b`.
    pub(super) fn ordering(&self, session: &SessionContext, sql: &Sql) -> Result<Vec<Ordering>, Fault> {
        let mut parser = parser(sql)?;
        let parsed =
            parser.parse_comma_separated(Parser::parse_order_by_expr).map_err(|error| Fault::sql(sql, error))?;
        parser
            .expect_token(&datafusion::sql::sqlparser::tokenizer::Token::EOF)
            .map_err(|error| Fault::sql(sql, error))?;
        parsed
            .into_iter()
            .map(|order| {
                Ok(Ordering {
                    expression: self.plan(session, sql, order.expr)?.of_one_row(sql)?,
                    descending: order.options.asc == Some(false),
                    nulls_first: order.options.nulls_first.unwrap_or(false),
                })
            })
            .collect()
    }

    /// Plans an order that is the same each time it is asked.
    pub(super) fn steady_ordering(&self, session: &SessionContext, sql: &Sql) -> Result<Vec<Ordering>, Fault> {
        let steady = |order: Ordering| Ok(Ordering { expression: order.expression.refuse_volatile(sql)?, ..order });
        self.ordering(session, sql)?.into_iter().map(steady).collect()
    }

    fn plan(&self, session: &SessionContext, sql: &Sql, mut parsed: ast::Expr) -> Result<Expression, Fault> {
        name_member_columns(&mut parsed);
        let planned = session
            .state()
            .create_logical_expr_from_sql_expr(ast::ExprWithAlias { expr: parsed, alias: None }, &self.schema)
            .map_err(|error| Fault::sql(sql, shown(&error)))?;
        let data_type = planned.get_type(&self.schema).map_err(|error| Fault::sql(sql, shown(&error)))?;
        // Type rules that only the analyzer knows show here, not at run time.
        let planned = session
            .create_physical_expr(planned.clone(), &self.schema)
            .map(|_| planned.clone())
            .or_else(|error| if has_aggregate(&planned) { Ok(planned) } else { Err(error) })
            .map_err(|error| Fault::sql(sql, shown(&error)))?;
        let (mut columns, mut member_columns) = (BTreeSet::new(), BTreeSet::new());
        for column in planned.column_refs() {
            match column.name.strip_prefix(MEMBER_PREFIX) {
                Some(name) => member_columns.insert(name.to_owned()),
                None => columns.insert(column.name.clone()),
            };
        }
        let aggregate = has_aggregate(&planned);
        Ok(Expression { expr: unqualified(planned), data_type, columns, member_columns, aggregate })
    }
}

impl Expression {
    /// Refuses an aggregate where a row is judged by itself.
    fn of_one_row(self, sql: &Sql) -> Result<Self, Fault> {
        if self.aggregate {
            return Err(Fault::sql(sql, "an aggregate has no place here: this is asked of one row at a time"));
        }
        Ok(self)
    }

    /// Refuses what would make an unchanged record look changed.
    pub(super) fn refuse_volatile(self, sql: &Sql) -> Result<Self, Fault> {
        let mut culprit = None;
        let _ = self.expr.apply(|expr| {
            if let Expr::ScalarFunction(call) = expr
                && call.func.signature().volatility != Volatility::Immutable
            {
                culprit = Some(call.func.name().to_owned());
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        match culprit {
            Some(name) => Err(Fault::sql(
                sql,
                format!("`{name}` gives another value each time, so that every record would look changed"),
            )),
            None => Ok(self),
        }
    }
}

fn parser(sql: &Sql) -> Result<Parser<'static>, Fault> {
    Parser::new(&GenericDialect {}).try_with_sql(&sql.text).map_err(|error| Fault::sql(sql, error))
}

/// `member.city` → `__member_city`, so that it can't be confused with the related table's own columns.
fn name_member_columns(parsed: &mut ast::Expr) {
    let _: ControlFlow<()> = visit_expressions_mut(parsed, |expr| {
        if let ast::Expr::CompoundIdentifier(parts) = expr
            && let [first, second] = parts.as_slice()
            && first.value.eq_ignore_ascii_case("member")
        {
            *expr = ast::Expr::Identifier(Ident::with_quote('"', format!("{MEMBER_PREFIX}{}", second.value)));
        }
        ControlFlow::Continue(())
    });
}

fn has_aggregate(expr: &Expr) -> bool {
    expr.exists(|expr| Ok(matches!(expr, Expr::AggregateFunction(_)))).unwrap_or(false)
}

/// Drops qualifiers: every scan that expressions are evaluated over has one table.
fn unqualified(expr: Expr) -> Expr {
    let renamed = expr.clone().transform(|expr| {
        Ok(match expr {
            Expr::Column(column) if column.relation.is_some() => {
                Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    });
    renamed.map_or(expr, |renamed| renamed.data)
}

/// The part of an engine's message that helps whoever wrote the SQL.
pub(super) fn shown(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    let text = text.split("\n\n").next().unwrap_or(&text);
    ["Error during planning: ", "Schema error: ", "SQL error: ", "This feature is not implemented: "]
        .iter()
        .fold(text.to_owned(), |text, prefix| text.replacen(prefix, "", 1))
}
