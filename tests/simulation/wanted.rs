//! What each member should become, computed row by row in plain Rust: the second opinion on the whole of resolving.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use super::{
    definition::{Definition, Field, Filter, Segment, TOP},
    lake::{Contact, Keys, Lake, Person},
};

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Float(Option<f64>),
    List(Option<Vec<String>>),
}

/// A record: fields in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record(pub(crate) Vec<(&'static str, Value)>);

/// All that resolving yields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Member, as users see it, to record.
    pub(crate) records: BTreeMap<String, Record>,
    pub(crate) resolved: u64,
    pub(crate) suppressed_by: BTreeMap<String, u64>,
}

impl Value {
    /// As a reader of the target sees it; null is nothing.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.map(|number| number.to_string()),
            Self::Float(number) => number.map(|number| format!("{number:?}")),
            Self::List(texts) => texts.as_ref().map(|texts| format!("[{}]", texts.join(", "))),
        }
    }

    /// Equal for values that must not look changed: floats count to twelve digits.
    fn print(&self) -> String {
        match self {
            Self::Float(Some(number)) => format!("float {:.11e}", if *number == 0.0 { 0.0 } else { *number }),
            other => format!("{other:?}"),
        }
    }
}

impl Record {
    /// Whether the target need not be told.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let prints = |record: &Self| record.0.iter().map(|(name, value)| (*name, value.print())).collect::<Vec<_>>();
        prints(self) == prints(other)
    }
}

/// Resolves a definition over the lake.
pub(crate) fn wanted(definition: &Definition, lake: &Lake, keys: Keys) -> Wanted {
    let mut found = Wanted::default();
    // A row without a key is a member of what conditions alone decide.
    if matches!(definition.segment, Segment::Everyone | Segment::Tiered) {
        let nobody = |row: &&Person| row.member.is_none() && (definition.segment == Segment::Everyone || tiered(row));
        let nobodies = lake.people.iter().filter(nobody).count() as u64;
        found.resolved += nobodies;
        suppress(&mut found, "null_key", nobodies);
    }
    for (member, row) in members(definition.segment, lake) {
        found.resolved += 1;
        if !definition.filter.is_none_or(|filter| passes(filter, row)) {
            suppress(&mut found, "filter", 1);
            continue;
        }
        let related: Vec<&Contact> = lake.contacts.iter().filter(|contact| contact.member == Some(member)).collect();
        let mut fields = vec![("id", id(keys, member))];
        fields.extend(definition.fields.iter().map(|(name, field)| (*name, value(*field, row, &related))));
        let null = |name: &&str| fields.iter().any(|(known, value)| known == name && value.text().is_none());
        match definition.required().find(null) {
            Some(missing) => suppress(&mut found, &format!("missing:{missing}"), 1),
            None => {
                found.records.insert(keys.shown(member), Record(fields));
            }
        }
    }
    found
}

fn suppress(found: &mut Wanted, reason: &str, members: u64) {
    if members > 0 {
        *found.suppressed_by.entry(reason.to_owned()).or_default() += members;
    }
}

fn id(keys: Keys, member: usize) -> Value {
    match keys {
        Keys::Integer => Value::Integer(keys.shown(member).parse().ok()),
        Keys::Text | Keys::Composite => Value::Text(Some(keys.shown(member))),
    }
}

fn tiered(row: &Person) -> bool {
    row.tier.is_some_and(|tier| tier >= 2)
}

/// The one row of each member that counts.
fn members(segment: Segment, lake: &Lake) -> BTreeMap<usize, &Person> {
    let mailed: BTreeSet<usize> =
        lake.contacts.iter().filter(|row| row.kind == Some("mail")).filter_map(|row| row.member).collect();
    let belongs = |row: &Person, member: usize| match segment {
        Segment::Everyone | Segment::Top => true,
        Segment::Tiered => tiered(row),
        Segment::Mailed => mailed.contains(&member),
        Segment::Unmailed => !mailed.contains(&member),
        Segment::Either => tiered(row) || mailed.contains(&member),
        Segment::Both => tiered(row) && !mailed.contains(&member),
    };
    let mut members: BTreeMap<usize, &Person> = BTreeMap::new();
    for row in &lake.people {
        if let Some(member) = row.member.filter(|member| belongs(row, *member)) {
            let latest = members.entry(member).or_insert(row);
            // No date is before every date.
            if row.at > latest.at {
                *latest = row;
            }
        }
    }
    if segment == Segment::Top {
        let mut ranked: Vec<(usize, &Person)> = members.into_iter().collect();
        ranked.sort_by(|one, other| by_score(other.1.score, one.1.score).then(one.0.cmp(&other.0)));
        ranked.truncate(TOP);
        members = ranked.into_iter().collect();
    }
    members
}

/// Nothing is below everything.
fn by_score(one: Option<f64>, other: Option<f64>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (one, other) => one.is_some().cmp(&other.is_some()),
    }
}

fn passes(filter: Filter, row: &Person) -> bool {
    match filter {
        Filter::Consent => row.consent == Some(true),
        Filter::Score => row.score.is_some_and(|score| score > 0.5),
        Filter::ConsentOrTier => row.consent == Some(true) || row.tier == Some(3),
    }
}

fn value(field: Field, row: &Person, related: &[&Contact]) -> Value {
    let text = |value: Option<&str>| Value::Text(value.map(str::to_owned));
    let by = |order: fn(&Contact) -> (bool, Reverse<i64>)| {
        let mut rows = related.to_vec();
        rows.sort_by(|one, other| {
            let amounts = || match (one.amount, other.amount) {
                (Some(one), Some(other)) => one.total_cmp(&other),
                (one, other) => other.is_some().cmp(&one.is_some()),
            };
            let decided = order(one).cmp(&order(other));
            let decided = if field == Field::Last { decided.then_with(amounts) } else { decided };
            decided.then(one.id.cmp(&other.id))
        });
        rows
    };
    // Unknown ranks come last, whichever way.
    let up = |row: &Contact| (row.rank.is_none(), Reverse(-row.rank.unwrap_or(0)));
    let down = |row: &Contact| (row.rank.is_none(), Reverse(row.rank.unwrap_or(0)));
    match field {
        Field::Name => text(row.name),
        Field::Loud => Value::Text(row.name.map(str::to_uppercase)),
        Field::Score => Value::Float(row.score),
        Field::Tier => Value::Integer(row.tier),
        Field::Mail => text(by(up).iter().filter(|row| row.kind == Some("mail")).find_map(|row| row.value)),
        Field::Last => text(by(down).iter().find_map(|row| row.value)),
        Field::All => {
            let all: Vec<String> = by(down).iter().filter_map(|row| row.value).map(str::to_owned).collect();
            Value::List((!all.is_empty()).then_some(all))
        }
        Field::Count => Value::Integer(Some(related.len() as i64)),
        Field::Within => {
            let within =
                |contact: &&&Contact| matches!((contact.rank, row.tier), (Some(rank), Some(tier)) if rank <= tier);
            Value::Integer(Some(related.iter().filter(within).count() as i64))
        }
        Field::Spent => {
            let amounts: Vec<f64> = related.iter().filter_map(|row| row.amount).collect();
            Value::Float((!amounts.is_empty()).then(|| amounts.iter().sum()))
        }
        Field::Label => {
            let labels = by(up);
            let label = |contact: &&Contact| Some(format!("{}-{}", row.name?, contact.kind?));
            Value::Text(labels.iter().find_map(label))
        }
    }
}
