//! What tells one definition of an activation from another: all that decides who belongs and what is sent of them.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::tables::TableInfo;
use crate::config::{Activation, AttributeValue, Config, Limit, Part, Rule, Sql};

/// A digest of an activation's segment, attributes and filter, and of the tables that they are read from.
pub(super) fn digest(config: &Config, activation: &Activation, tables: &BTreeMap<String, TableInfo>) -> String {
    let mut texts = Texts { config, seen: BTreeSet::new(), digest: Sha256::new() };
    texts.say("segment", &activation.segment);
    texts.segment(&activation.segment);
    for attribute in &activation.attributes {
        texts.say("attribute", &attribute.name);
        match &attribute.value {
            AttributeValue::Direct(sql) => texts.say("direct", &sql.text),
            AttributeValue::Related { table, value, filter, order_by, take } => {
                texts.say("related", table);
                texts.say("value", &value.text);
                texts.sql("where", filter.as_ref());
                texts.sql("order_by", order_by.as_ref());
                texts.say("take", &format!("{take:?}"));
            }
        }
    }
    texts.sql("filter", activation.filter.as_ref());
    texts.say("require", &activation.require.join("\0"));
    texts.say("send", &format!("{:?}", activation.send));
    for name in tables.keys() {
        texts.say("table", name);
        // Places and names of columns, and nothing that is secret.
        texts.say("as", &format!("{:?}", config.tables.get(name)));
    }
    texts.digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

struct Texts<'c> {
    config: &'c Config,
    seen: BTreeSet<String>,
    digest: Sha256,
}

impl Texts<'_> {
    /// A text and what it is, each with its length, so that no two series of texts read as one.
    fn say(&mut self, what: &str, text: &str) {
        for part in [what, text] {
            self.digest.update((part.len() as u64).to_le_bytes());
            self.digest.update(part);
        }
    }

    fn sql(&mut self, what: &str, sql: Option<&Sql>) {
        if let Some(sql) = sql {
            self.say(what, &sql.text);
        }
    }

    fn segment(&mut self, name: &str) {
        let name = name.split('.').next().unwrap_or_default();
        let config = self.config;
        if let Some(segment) = config.segments.get(name)
            && self.seen.insert(name.to_owned())
        {
            self.say("of", name);
            self.say("from", &segment.from);
            self.rule(&segment.rule);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        self.sql("where", rule.filter.as_ref());
        self.sql("sql", rule.sql.as_ref());
        self.parts("all_of", &rule.all_of);
        if let Some(any_of) = &rule.any_of {
            self.parts("any_of", any_of);
        }
        self.parts("none_of", &rule.none_of);
        if let Some(Limit { members, order_by }) = &rule.limit {
            self.say("limit", &members.to_string());
            self.sql("order_by", order_by.as_ref());
        }
        self.say("waterfall", &rule.waterfall.join("\0"));
        for name in &rule.waterfall {
            self.segment(name);
        }
        self.say("end", "");
    }

    fn parts(&mut self, what: &str, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Named { name, .. } => {
                    self.say(what, name);
                    self.segment(name);
                }
                Part::Inline(rule) => {
                    self.say(what, "");
                    self.rule(rule);
                }
            }
        }
    }
}
