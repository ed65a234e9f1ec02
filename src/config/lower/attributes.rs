//! What a record is made of.

use std::collections::BTreeMap;

use super::Lowering;
use crate::config::{Attribute, AttributeValue, Code, Segment, Table, raw, suggest};

impl Lowering<'_> {
    /// `of`: the activation's segment, where it is known.
    pub(super) fn attributes(
        &mut self,
        at: &str,
        raw: raw::Ordered<raw::Attribute>,
        of: Option<&Segment>,
        tables: &BTreeMap<String, Table>,
    ) -> Vec<Attribute> {
        let attribute = |(name, raw): (String, raw::Attribute)| {
            let at = format!("{at}.attributes.{name}");
            let value = match raw {
                raw::Attribute::Direct(text) => AttributeValue::Direct(self.sql(text, at.clone())),
                raw::Attribute::Related(raw) => {
                    let table = self.table(&format!("{at}.from"), &raw.from, tables);
                    if let Some(table) = table {
                        self.related(&format!("{at}.from"), table, of, tables);
                    }
                    AttributeValue::Related {
                        table: raw.from,
                        value: self.sql(raw.value, format!("{at}.value")),
                        filter: raw.filter.map(|text| self.sql(text, format!("{at}.where"))),
                        order_by: raw.order_by.map(|text| self.sql(text, format!("{at}.order_by"))),
                        take: raw.take,
                    }
                }
            };
            Attribute { name, at, value }
        };
        raw.0.into_iter().map(attribute).collect()
    }

    /// Rows of the table must say which member they belong to.
    fn related(&mut self, at: &str, table: &Table, of: Option<&Segment>, tables: &BTreeMap<String, Table>) {
        if table.member.is_empty() {
            self.fault_with(
                at,
                Code::Conflict,
                format!("the table `{}` has no `member`, so its rows belong to nobody", table.name),
                format!("add `member: COLUMN` to sources.{}.tables.{}", table.source, table.name),
            );
        } else if let Some(members) = of.and_then(|segment| tables.get(&segment.from))
            && members.key.len() != table.member.len()
        {
            let message = format!(
                "`member` of the table `{}` has {} columns, and the key of the segment's table `{}` has {}",
                table.name,
                table.member.len(),
                members.name,
                members.key.len(),
            );
            self.fault_with(at, Code::Conflict, message, "name one member column for each key column, in their order");
        }
    }

    /// Attributes that must not be null are attributes.
    pub(super) fn require(&mut self, of: &str, require: &[String], attributes: &[Attribute]) {
        let names = || attributes.iter().map(|attribute| attribute.name.as_str());
        for (index, name) in require.iter().enumerate() {
            let at = format!("{of}.require[{index}]");
            if require[..index].contains(name) {
                self.fault(&at, Code::DuplicateName, format!("the attribute `{name}` is given twice"));
            } else if !names().any(|known| known == name)
                // One that does not fit is reported already.
                && !self.places.has(&format!("{of}.attributes.{name}"))
                && self.places.has(&format!("{of}.attributes"))
            {
                let hint = suggest::hint(name, names());
                self.fault(&at, Code::UnknownReference, format!("there is no attribute `{name}`{hint}"));
            }
        }
    }
}
