//! The lake in memory: what the model reads, and what is written to disk for the program.

use std::{fs, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use parquet::arrow::ArrowWriter;

use super::random::Random;

/// Members that a history knows; few, so that the same ones come and go.
pub(crate) const MEMBERS: usize = 40;
/// Related rows that a history knows.
pub(crate) const CONTACTS: usize = 50;

/// What a member's key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// One text.
    Text,
    /// One integer.
    Integer,
    /// A text and an integer.
    Composite,
}

impl Keys {
    /// The key of a member as users see it.
    pub(crate) fn shown(self, member: usize) -> String {
        match self {
            Self::Text => format!("m{member:02}"),
            Self::Integer => (member as i64 - 7).to_string(),
            Self::Composite => format!("m{:02}|{}", member / 2, member % 2),
        }
    }

    fn columns(self, [first, second]: [&'static str; 2], members: &[Option<usize>]) -> Vec<(&'static str, ArrayRef)> {
        let texts = |half: usize| -> ArrayRef {
            let texts = members.iter().map(|member| member.map(|member| format!("m{:02}", member / half)));
            Arc::new(texts.collect::<StringArray>())
        };
        let integers = |of: fn(usize) -> i64| -> ArrayRef {
            Arc::new(members.iter().map(|member| member.map(of)).collect::<Int64Array>())
        };
        match self {
            Self::Text => vec![(first, texts(1))],
            Self::Integer => vec![(first, integers(|member| member as i64 - 7))],
            Self::Composite => vec![(first, texts(2)), (second, integers(|member| (member % 2) as i64))],
        }
    }
}

/// A row of the segment's table. No member: its key is null.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Person {
    pub(crate) member: Option<usize>,
    pub(crate) name: Option<&'static str>,
    pub(crate) score: Option<f64>,
    pub(crate) tier: Option<i64>,
    pub(crate) consent: Option<bool>,
    pub(crate) at: Option<i64>,
}

/// A related row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Contact {
    pub(crate) id: usize,
    pub(crate) member: Option<usize>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) value: Option<&'static str>,
    pub(crate) rank: Option<i64>,
    pub(crate) amount: Option<f64>,
}

/// One change of the lake.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    /// The member's one row from now on: it appears, changes or returns.
    Put(Person),
    /// One more row, of the same key or of none.
    Again(Person),
    /// All rows of the member go.
    Leave(usize),
    /// Rows without a key go.
    LeaveNulls,
    /// The scores of a member move in their fourteenth digit.
    Noise(usize),
    /// A related row appears or changes.
    Relate(Contact),
    /// A related row goes.
    Unrelate(usize),
    /// The table is empty.
    Empty,
}

/// All rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lake {
    pub(crate) people: Vec<Person>,
    pub(crate) contacts: Vec<Contact>,
}

const NAMES: [Option<&str>; 8] =
    [Some("Ann"), Some("bo"), Some("Čeněk, \"C\""), Some(""), Some("NULL"), Some("d\ne"), Some("🦉"), None];
const VALUES: [Option<&str>; 6] = [Some("a@x.de"), Some("b@x.de"), Some("c, d"), Some(""), Some("ß"), None];

impl Person {
    pub(crate) fn drawn(random: &mut Random, member: Option<usize>) -> Self {
        Self {
            member,
            name: random.pick(&NAMES),
            score: (!random.percent(15)).then(|| random.below(40) as f64 / 8.0 - 1.0),
            tier: (!random.percent(10)).then(|| random.below(4) as i64),
            consent: random.pick(&[Some(true), Some(true), Some(true), Some(false), None]),
            at: (!random.percent(10)).then(|| random.below(6) as i64),
        }
    }
}

impl Contact {
    fn drawn(random: &mut Random, id: usize) -> Self {
        Self {
            id,
            // Some point to nobody, some to members that are not in the lake.
            member: (!random.percent(8)).then(|| random.below(MEMBERS)),
            kind: random.pick(&[Some("mail"), Some("mail"), Some("call"), None]),
            value: random.pick(&VALUES),
            rank: (!random.percent(20)).then(|| random.below(3) as i64),
            amount: (!random.percent(20)).then(|| random.below(64) as f64 / 4.0),
        }
    }
}

impl Edit {
    /// A likely change.
    pub(crate) fn drawn(random: &mut Random) -> Self {
        let member = random.below(MEMBERS);
        match random.below(100) {
            0..40 => Self::Put(Person::drawn(random, Some(member))),
            40..52 => Self::Leave(member),
            52..60 => Self::Again(Person::drawn(random, Some(member))),
            60..63 => Self::Again(Person::drawn(random, None)),
            63..65 => Self::LeaveNulls,
            65..72 => Self::Noise(member),
            72..90 => {
                let id = random.below(CONTACTS);
                Self::Relate(Contact::drawn(random, id))
            }
            _ => Self::Unrelate(random.below(CONTACTS)),
        }
    }
}

impl Lake {
    pub(crate) fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Put(person) => {
                self.people.retain(|row| row.member != person.member);
                self.people.push(person.clone());
            }
            // Two rows of a key and a time would be told apart by their smallest column: another member's test.
            Edit::Again(person) => {
                let taken = |row: &Person| row.member == person.member && row.at == person.at;
                if person.member.is_none() || !self.people.iter().any(taken) {
                    self.people.push(person.clone());
                }
            }
            Edit::Leave(member) => self.people.retain(|row| row.member != Some(*member)),
            Edit::LeaveNulls => self.people.retain(|row| row.member.is_some()),
            Edit::Noise(member) => {
                for row in self.people.iter_mut().filter(|row| row.member == Some(*member)) {
                    row.score = row.score.map(|score| (score * 8.0).round() / 8.0 * (1.0 + 4e-14));
                }
            }
            Edit::Relate(contact) => {
                self.contacts.retain(|row| row.id != contact.id);
                self.contacts.push(contact.clone());
            }
            Edit::Unrelate(id) => self.contacts.retain(|row| row.id != *id),
            Edit::Empty => self.people.clear(),
        }
    }

    /// Writes both tables, in place of what is there.
    pub(crate) fn write(&self, folder: &Path, keys: Keys) {
        let people = &self.people;
        let members: Vec<Option<usize>> = people.iter().map(|row| row.member).collect();
        let mut columns = keys.columns(["id", "kq"], &members);
        columns.extend([
            ("name", Arc::new(people.iter().map(|row| row.name).collect::<StringArray>()) as ArrayRef),
            ("score", Arc::new(people.iter().map(|row| row.score).collect::<Float64Array>())),
            ("tier", Arc::new(people.iter().map(|row| row.tier).collect::<Int64Array>())),
            ("consent", Arc::new(people.iter().map(|row| row.consent).collect::<BooleanArray>())),
            ("at", Arc::new(people.iter().map(|row| row.at).collect::<Int64Array>())),
        ]);
        table(folder, "person", columns);

        let contacts = &self.contacts;
        let members: Vec<Option<usize>> = contacts.iter().map(|row| row.member).collect();
        let mut columns = keys.columns(["person", "q"], &members);
        columns.extend([
            ("cid", Arc::new(contacts.iter().map(|row| Some(row.id as i64)).collect::<Int64Array>()) as ArrayRef),
            ("kind", Arc::new(contacts.iter().map(|row| row.kind).collect::<StringArray>())),
            ("value", Arc::new(contacts.iter().map(|row| row.value).collect::<StringArray>())),
            ("rank", Arc::new(contacts.iter().map(|row| row.rank).collect::<Int64Array>())),
            ("amount", Arc::new(contacts.iter().map(|row| row.amount).collect::<Float64Array>())),
        ]);
        table(folder, "contact", columns);
    }
}

/// Moved to its place: a reader sees the old file or the new one.
fn table(folder: &Path, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, DataType::clone(column.data_type()), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let written = folder.join(format!(".{name}"));
    let mut writer = ArrowWriter::try_new(fs::File::create(&written).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    fs::rename(written, folder.join(format!("{name}.parquet"))).unwrap();
}
