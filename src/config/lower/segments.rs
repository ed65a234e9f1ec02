//! The `segments` map.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::{Lowering, cycles, together};
use crate::config::{Code, Limit, Part, Rule, Segment, Table, raw, suggest};

/// The keys that say who belongs, a waterfall aside.
const RULES: [&str; 5] = ["where", "sql", "all_of", "any_of", "none_of"];

impl Lowering<'_> {
    pub(super) fn segments(
        &mut self,
        entries: Map<String, Json>,
        tables: &BTreeMap<String, Table>,
    ) -> BTreeMap<String, Segment> {
        let segments = self.each("segments", entries, |lowering, at, name, raw: raw::Segment| {
            if let Some(from) = &raw.from {
                lowering.table(&format!("{at}.from"), from, tables);
            }
            if lowering.dropped(&format!("{at}.waterfall"), &raw.waterfall) {
                return None;
            }
            let rule = lowering.segment_rule(
                &at,
                raw.waterfall,
                Inline {
                    filter: raw.filter,
                    sql: raw.sql,
                    all_of: raw.all_of,
                    any_of: raw.any_of,
                    none_of: raw.none_of,
                    limit: raw.limit,
                },
            );
            Some(Segment { name, from: raw.from.unwrap_or_default(), rule })
        });
        for segment in segments.values() {
            self.references(segment, &segment.rule, &segments, tables);
        }
        for (at, message) in cycles::find(&segments) {
            self.fault_with(&at, Code::Cycle, message, "let one of them stand on its own");
        }
        segments
    }

    fn segment_rule(&mut self, at: &str, waterfall: Option<Vec<String>>, raw: Inline) -> Rule {
        let Some(rungs) = waterfall else { return self.rule(at, raw) };
        for key in RULES.iter().chain(&["limit"]) {
            if self.places.has(&format!("{at}.{key}")) {
                let remedy = "name the segments of the waterfall in a segment of its own";
                self.fault_with(&format!("{at}.{key}"), Code::Conflict, together(key, "waterfall"), remedy);
            }
        }
        let mut seen = BTreeSet::new();
        for (index, rung) in rungs.iter().enumerate() {
            if !seen.insert(rung) {
                let message = format!("the segment `{rung}` is given twice");
                self.fault(&format!("{at}.waterfall[{index}]"), Code::DuplicateName, message);
            }
        }
        Rule { at: at.to_owned(), waterfall: rungs, ..Rule::default() }
    }

    fn rule(&mut self, at: &str, raw: Inline) -> Rule {
        if !RULES.iter().any(|key| self.places.has(&format!("{at}.{key}"))) && !self.misspelt(at) {
            let remedy = format!("give at least one of {}", suggest::list(RULES));
            self.fault_with(at, Code::MissingKey, "nothing says who belongs", remedy);
        }
        Rule {
            at: at.to_owned(),
            filter: raw.filter.map(|text| self.sql(text, format!("{at}.where"))),
            sql: raw.sql.map(|text| self.sql(text, format!("{at}.sql"))),
            all_of: self.parts(&format!("{at}.all_of"), raw.all_of).unwrap_or_default(),
            any_of: self.parts(&format!("{at}.any_of"), raw.any_of),
            none_of: self.parts(&format!("{at}.none_of"), raw.none_of).unwrap_or_default(),
            limit: raw.limit.map(|limit| Limit {
                members: limit.members,
                order_by: limit.order_by.map(|text| self.sql(text, format!("{at}.limit.order_by"))),
            }),
            waterfall: Vec::new(),
        }
    }

    fn parts(&mut self, at: &str, parts: Option<Vec<raw::Part>>) -> Option<Vec<Part>> {
        let part = |(index, part)| {
            let at = format!("{at}[{index}]");
            match part {
                raw::Part::Named(name) => Part::Named { name, at },
                raw::Part::Inline(raw) => {
                    let rule = self.rule(&at, Inline::from(*raw));
                    Part::Inline(Box::new(rule))
                }
            }
        };
        Some(parts?.into_iter().enumerate().map(part).collect())
    }

    /// Every segment named in a rule exists, and its members have keys of as many columns.
    fn references(
        &mut self,
        segment: &Segment,
        rule: &Rule,
        segments: &BTreeMap<String, Segment>,
        tables: &BTreeMap<String, Table>,
    ) {
        for (index, rung) in rule.waterfall.iter().enumerate() {
            let at = format!("{}.waterfall[{index}]", rule.at);
            if self.segment(&at, rung, segments, false) {
                self.same_key(&at, segment, rung, segments, tables);
            }
        }
        for part in rule.all_of.iter().chain(rule.any_of.iter().flatten()).chain(&rule.none_of) {
            match part {
                Part::Inline(rule) => self.references(segment, rule, segments, tables),
                Part::Named { name, at } => {
                    if self.segment(at, name, segments, true) {
                        self.same_key(at, segment, name, segments, tables);
                    }
                }
            }
        }
    }

    /// Refuses the name of a segment, or of a rung, that does not exist.
    pub(super) fn segment(&mut self, at: &str, name: &str, segments: &BTreeMap<String, Segment>, rungs: bool) -> bool {
        let mut known = std::mem::take(&mut self.names.segments);
        let found = match name.split_once('.').filter(|_| rungs && !known.contains(name)) {
            None => self.refer(at, "segment", name, &known),
            Some((waterfall, rung)) => match segments.get(waterfall) {
                // One that does not fit the schema may have any rung.
                None if known.contains(waterfall) => true,
                None => {
                    let all = segments.values().flat_map(rungs_of);
                    known.extend(all);
                    let found = self.refer(at, "segment", name, &known);
                    known.retain(|name| !name.contains('.'));
                    found
                }
                Some(segment) => {
                    let found = segment.rule.waterfall.iter().any(|known| known == rung);
                    if !found {
                        let hint = suggest::hint(rung, segment.rule.waterfall.iter().map(String::as_str));
                        let message = if segment.rule.waterfall.is_empty() {
                            format!("the segment `{waterfall}` is no waterfall, so it has no rung `{rung}`")
                        } else {
                            format!("the waterfall `{waterfall}` has no rung `{rung}`{hint}")
                        };
                        self.fault(at, Code::UnknownReference, message);
                    }
                    found
                }
            },
        };
        self.names.segments = known;
        found
    }

    fn same_key(
        &mut self,
        at: &str,
        segment: &Segment,
        name: &str,
        segments: &BTreeMap<String, Segment>,
        tables: &BTreeMap<String, Table>,
    ) {
        let width = |segment: &Segment| tables.get(&segment.from).map(|table| table.key.len());
        let other = name.split_once('.').map_or(name, |(waterfall, _)| waterfall);
        if let Some((own, other)) = width(segment).zip(segments.get(other).and_then(width))
            && own != other
        {
            let message =
                format!("the key of `{name}` has {other} columns, and the key of `{}` has {own}", segment.name);
            self.fault_with(at, Code::Conflict, message, "combine segments whose members have keys of one kind");
        }
    }
}

/// `tiers.gold`, `tiers.silver`
fn rungs_of(segment: &Segment) -> impl Iterator<Item = String> {
    segment.rule.waterfall.iter().map(|rung| format!("{}.{rung}", segment.name))
}

/// A rule as the config says it, in a segment or inline.
struct Inline {
    filter: Option<String>,
    sql: Option<String>,
    all_of: Option<Vec<raw::Part>>,
    any_of: Option<Vec<raw::Part>>,
    none_of: Option<Vec<raw::Part>>,
    limit: Option<raw::Limit>,
}

impl From<raw::Inline> for Inline {
    fn from(raw: raw::Inline) -> Self {
        let raw::Inline { filter, sql, all_of, any_of, none_of, limit } = raw;
        Self { filter, sql, all_of, any_of, none_of, limit }
    }
}
