//! What a record is made of: which columns are read from the segment's table, which from related ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::{
    common::{
        Column,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::Expr,
    prelude::SessionContext,
};

use herald_destinations::contract::Shaper;

use super::{
    expression::{Expression, Ordering, Scope, shown},
    fault::Fault,
    tables::TableInfo,
};
use crate::config::{Activation, AttributeValue, Code, Config, Sql, Table, Take};

/// Everything between a member's row and its record.
#[derive(Debug, Clone)]
pub(super) struct RecordPlan {
    /// The record's fields, in order; all nullable.
    pub(super) schema: SchemaRef,
    /// Where each field comes from.
    pub(super) sources: Vec<Source>,
    /// Direct expressions over the segment's table.
    pub(super) direct: Vec<Expr>,
    /// Columns of the segment's table that related expressions name.
    pub(super) member_columns: Vec<String>,
    /// Reads of related tables.
    pub(super) related: Vec<RelatedPlan>,
    /// Suppresses unless true.
    pub(super) filter: Option<Expr>,
    /// Fields that must not be null, in the order that reasons are given.
    pub(super) require: Vec<usize>,
    /// What makes records into what the target takes, where it does not take them as they are.
    pub(super) shaper: Option<Arc<dyn Shaper>>,
}

/// Where a field comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A direct expression.
    Direct(usize),
    /// Output so many of a related read.
    Related {
        /// The read.
        read: usize,
        /// The output.
        output: usize,
    },
}

/// One read of a related table: what attributes with the same table and filter need of it.
#[derive(Debug, Clone)]
pub(super) struct RelatedPlan {
    /// The table.
    pub(super) table: String,
    /// Columns that point to the member.
    pub(super) member: Vec<String>,
    /// Rows that count.
    pub(super) filter: Option<Expr>,
    /// What is evaluated over a row; expression number *i* becomes column `c{i}`.
    pub(super) inputs: Vec<Expr>,
    /// Columns of the related table, where filter or inputs also name the member's: they can then be
    /// evaluated only beside the member. Empty: the scan evaluates them.
    pub(super) raw: Vec<String>,
    /// What becomes of a member's rows.
    pub(super) outputs: Vec<Output>,
}

/// What becomes of a member's rows.
#[derive(Debug, Clone)]
pub(super) enum Output {
    /// The first non-null value in an order.
    First {
        /// The value's input.
        value: usize,
        /// The order's inputs.
        order: Vec<OrderBy>,
    },
    /// All non-null values in an order.
    All {
        /// The value's input.
        value: usize,
        /// The order's inputs.
        order: Vec<OrderBy>,
    },
    /// An aggregate over columns named `c{i}`.
    Aggregate(Expr),
}

/// An input to order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrderBy {
    /// The input.
    pub(super) input: usize,
    /// Greatest first.
    pub(super) descending: bool,
    /// Nulls before all else.
    pub(super) nulls_first: bool,
}

/// Plans the record of an activation.
pub(super) struct RecordPlanner<'a> {
    pub(super) session: &'a SessionContext,
    pub(super) config: &'a Config,
    pub(super) tables: &'a BTreeMap<String, TableInfo>,
    pub(super) faults: Vec<Fault>,
}

impl RecordPlanner<'_> {
    /// Plans as much as can be planned; what can't be is in `faults`.
    pub(super) fn plan(&mut self, activation: &Activation, table: &str) -> Option<RecordPlan> {
        let member = Arc::clone(&self.tables.get(table)?.schema);
        let scope = Scope::new(table, &member, None).ok()?;
        let mut plan = RecordPlan {
            schema: Arc::new(Schema::empty()),
            sources: Vec::new(),
            direct: Vec::new(),
            member_columns: Vec::new(),
            related: Vec::new(),
            filter: None,
            require: Vec::new(),
            shaper: None,
        };
        if let Some(sql) = &activation.filter {
            plan.filter = self.noted(scope.condition(self.session, sql)).map(|condition| condition.expr);
        }
        let mut fields = Vec::with_capacity(activation.attributes.len());
        let mut member_columns = BTreeSet::new();
        for attribute in &activation.attributes {
            let planned = match &attribute.value {
                AttributeValue::Direct(sql) => self.direct(&scope, sql, &mut plan),
                related @ AttributeValue::Related { .. } => {
                    self.related(related, &member, &mut member_columns, &mut plan)
                }
            };
            if let Some((data_type, source)) = self.noted(planned) {
                fields.push(Field::new(&attribute.name, published(&data_type), true));
                plan.sources.push(source);
            }
        }
        plan.require = activation
            .require
            .iter()
            .filter_map(|name| activation.attributes.iter().position(|attribute| attribute.name == *name))
            .collect();
        plan.member_columns = member_columns.into_iter().collect();
        plan.schema = Arc::new(Schema::new(fields));
        if plan.sources.len() == activation.attributes.len() {
            plan.shaper = self.shaper(activation, &plan.schema);
        }
        Some(plan)
    }

    fn shaper(&mut self, activation: &Activation, schema: &SchemaRef) -> Option<Arc<dyn Shaper>> {
        let target = self.config.targets.get(&activation.target)?;
        let shaper = target.config.shaper(schema).map_err(|error| {
            let at =
                activation.attributes.iter().find(|attribute| error.key == format!("attributes.{}", attribute.name));
            let at = at.map_or_else(|| format!("activations.{}.{}", activation.name, error.key), |at| at.at.clone());
            Fault::new(at, Code::InvalidValue, error.message)
        });
        self.noted(shaper).flatten()
    }

    fn direct(&self, scope: &Scope, sql: &Sql, plan: &mut RecordPlan) -> Result<(DataType, Source), Fault> {
        let expression = scope.expression(self.session, sql)?.refuse_volatile(sql)?;
        if expression.aggregate {
            return Err(Fault::sql(sql, "an aggregate needs `from`: the related table whose rows it is taken over"));
        }
        plan.direct.push(expression.expr);
        Ok((expression.data_type, Source::Direct(plan.direct.len() - 1)))
    }

    fn related(
        &self,
        attribute: &AttributeValue,
        member: &SchemaRef,
        member_columns: &mut BTreeSet<String>,
        plan: &mut RecordPlan,
    ) -> Result<(DataType, Source), Fault> {
        let AttributeValue::Related { table, value, filter, order_by, take } = attribute else {
            return Err(Fault::new("", Code::InvalidValue, "a direct attribute was planned as a related one"));
        };
        let info = self.tables.get(table).ok_or_else(|| Fault::unread(value, table))?;
        let definition =
            self.config.tables.get(table).ok_or_else(|| Fault::sql(value, format!("no table `{table}`")))?;
        let scope = Scope::new(table, &info.schema, Some(member)).map_err(|error| Fault::sql(value, shown(&error)))?;
        let value_expression = scope.expression(self.session, value)?.refuse_volatile(value)?;
        let condition =
            filter.as_ref().map(|sql| scope.condition(self.session, sql)?.refuse_volatile(sql)).transpose()?;
        let order =
            order_by.as_ref().map(|sql| scope.steady_ordering(self.session, sql)).transpose()?.unwrap_or_default();
        check_take(value, &value_expression, order_by.as_ref(), *take)?;

        let every = || {
            std::iter::once(&value_expression)
                .chain(&condition)
                .chain(order.iter().map(|ordering| &ordering.expression))
        };
        member_columns.extend(every().flat_map(|expression| expression.member_columns.iter().cloned()));
        let raw: BTreeSet<String> = if every().all(|expression| expression.member_columns.is_empty()) {
            BTreeSet::new()
        } else {
            every()
                .flat_map(|expression| expression.columns.iter().cloned())
                .chain(definition.key.iter().cloned())
                .collect()
        };
        let filter = condition.map(|condition| condition.expr);
        let read = find_or_add(&mut plan.related, definition, filter, raw.into_iter().collect());
        let related = &mut plan.related[read];
        let (data_type, output) = output(related, definition, value_expression, &order, *take);
        related.outputs.push(output);
        Ok((data_type, Source::Related { read, output: related.outputs.len() - 1 }))
    }

    fn noted<T>(&mut self, planned: Result<T, Fault>) -> Option<T> {
        planned.map_err(|fault| self.faults.push(fault)).ok()
    }
}

fn check_take(value: &Sql, planned: &Expression, order: Option<&Sql>, take: Option<Take>) -> Result<(), Fault> {
    if !planned.aggregate {
        return Ok(());
    }
    if take.is_some() {
        return Err(Fault::sql(value, "an aggregate is one value a member already: leave out `take`"));
    }
    if let Some(order) = order {
        return Err(Fault::sql(order, "an aggregate is taken over all rows: leave out `order_by`"));
    }
    Ok(())
}

/// Attributes with the same table, filter and kind of evaluation share a read.
fn find_or_add(reads: &mut Vec<RelatedPlan>, table: &Table, filter: Option<Expr>, raw: Vec<String>) -> usize {
    let shares =
        |read: &RelatedPlan| read.table == table.name && read.filter == filter && read.raw.is_empty() && raw.is_empty();
    if let Some(found) = reads.iter().position(shares) {
        return found;
    }
    reads.push(RelatedPlan {
        table: table.name.clone(),
        member: table.member.clone(),
        filter,
        inputs: Vec::new(),
        raw,
        outputs: Vec::new(),
    });
    reads.len() - 1
}

fn output(
    read: &mut RelatedPlan,
    table: &Table,
    value: Expression,
    order: &[Ordering],
    take: Option<Take>,
) -> (DataType, Output) {
    if value.aggregate {
        let renamed = value.expr.clone().transform(|expr| {
            Ok(match expr {
                Expr::Column(column) => {
                    let input = input(&mut read.inputs, Expr::Column(column));
                    Transformed::yes(Expr::Column(Column::new_unqualified(format!("c{input}"))))
                }
                other => Transformed::no(other),
            })
        });
        return (value.data_type, Output::Aggregate(renamed.map_or(value.expr, |renamed| renamed.data)));
    }
    let mut by: Vec<OrderBy> = order
        .iter()
        .map(|ordering| OrderBy {
            input: input(&mut read.inputs, ordering.expression.expr.clone()),
            descending: ordering.descending,
            nulls_first: ordering.nulls_first,
        })
        .collect();
    for column in &table.key {
        let tie = input(&mut read.inputs, Expr::Column(Column::new_unqualified(column)));
        by.push(OrderBy { input: tie, descending: false, nulls_first: false });
    }
    let input = input(&mut read.inputs, value.expr);
    match take {
        Some(Take::All) => {
            let item = Field::new("item", published(&value.data_type), true);
            (DataType::List(Arc::new(item)), Output::All { value: input, order: by })
        }
        _ => (value.data_type, Output::First { value: input, order: by }),
    }
}

fn input(inputs: &mut Vec<Expr>, expr: Expr) -> usize {
    inputs.iter().position(|known| *known == expr).unwrap_or_else(|| {
        inputs.push(expr);
        inputs.len() - 1
    })
}

/// The type that stands in files: plain layouts, which every reader knows.
pub(super) fn published(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => published(values),
        DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::List(item) => DataType::List(Arc::new(Field::new("item", published(item.data_type()), true))),
        other => other.clone(),
    }
}
