//! A small lake whose rows say when they changed, and how it changes.

use std::{collections::BTreeSet, sync::Arc};

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};

use crate::{simulation::Random, support::Home};

/// Members that there may be.
const MEMBERS: usize = 30;
/// Contacts that there may be; each keeps its member.
const CONTACTS: usize = 40;
/// Rows are at most so late, in minutes; the overlap is ten.
const LATE: usize = 9;
/// Milliseconds of a minute.
pub(super) const MINUTE: i64 = 60_000;

/// What a member's key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyed {
    Text,
    Integer,
    Both,
}

#[derive(Debug, Clone)]
struct Person {
    member: usize,
    name: &'static str,
    score: i64,
    at: Option<i64>,
}

#[derive(Debug, Clone)]
struct Contact {
    id: usize,
    mail: &'static str,
    at: Option<i64>,
}

/// Tables, and whom nothing but a publish of everybody can get right.
#[derive(Debug)]
pub(super) struct Lake {
    keyed: Keyed,
    people: Vec<Person>,
    contacts: Vec<Contact>,
    /// The latest time that a row may have.
    clock: i64,
    /// Members whose rows vanished, or changed without a time.
    pub(super) unseen: BTreeSet<String>,
}

impl Lake {
    pub(super) fn new(keyed: Keyed) -> Self {
        // Long ago, so that no time is yet to come.
        Self { keyed, people: Vec::new(), contacts: Vec::new(), clock: 1_700_000_000_000, unseen: BTreeSet::new() }
    }

    /// The member as users see it.
    pub(super) fn shown(&self, member: usize) -> String {
        match self.keyed {
            Keyed::Text => format!("m{member:02}"),
            Keyed::Integer => member.to_string(),
            Keyed::Both => format!("m{:02}|{}", member / 2, member % 2),
        }
    }

    /// The member whom a contact is of.
    fn of(id: usize) -> usize {
        id * 7 % MEMBERS
    }

    /// One change; its rows are as late as rows may be.
    pub(super) fn edit(&mut self, random: &mut Random) {
        self.clock += random.below(3) as i64 * MINUTE;
        let late = random.below(LATE + 1) as i64 * MINUTE;
        let at = (!random.percent(4)).then_some(self.clock - late);
        let member = random.below(MEMBERS);
        match random.below(100) {
            0..45 => {
                let person = Person {
                    member,
                    name: random.pick(&["Ann", "bo", "Čeněk", ""]),
                    score: random.below(10) as i64,
                    at,
                };
                self.people.retain(|row| row.member != member);
                self.people.push(person);
                self.changed(member, at);
            }
            45..55 => {
                self.people.retain(|row| row.member != member);
                self.changed(member, None);
            }
            55..90 => {
                let id = random.below(CONTACTS);
                self.contacts.retain(|row| row.id != id);
                self.contacts.push(Contact { id, mail: random.pick(&["a@x.de", "b@x.de", "c@x.de"]), at });
                self.changed(Self::of(id), at);
            }
            _ => {
                let id = random.below(CONTACTS);
                self.contacts.retain(|row| row.id != id);
                self.changed(Self::of(id), None);
            }
        }
    }

    fn changed(&mut self, member: usize, at: Option<i64>) {
        if at.is_none() {
            let shown = self.shown(member);
            self.unseen.insert(shown);
        }
    }

    /// Writes the tables, in place of what is there.
    pub(super) fn write(&self, home: &Home) {
        let of: Vec<usize> = self.people.iter().map(|row| row.member).collect();
        let mut people = self.keys(["id", "kq"], &of);
        people.extend([
            ("name", Arc::new(self.people.iter().map(|row| Some(row.name)).collect::<StringArray>()) as ArrayRef),
            ("score", Arc::new(self.people.iter().map(|row| Some(row.score)).collect::<Int64Array>())),
            ("at", times(self.people.iter().map(|row| row.at))),
        ]);
        home.table("person", people);
        let of: Vec<usize> = self.contacts.iter().map(|row| Self::of(row.id)).collect();
        let mut contacts = self.keys(["person", "pq"], &of);
        contacts.extend([
            ("cid", Arc::new(self.contacts.iter().map(|row| Some(row.id as i64)).collect::<Int64Array>()) as ArrayRef),
            ("mail", Arc::new(self.contacts.iter().map(|row| Some(row.mail)).collect::<StringArray>())),
            ("seen", times(self.contacts.iter().map(|row| row.at))),
        ]);
        home.table("contact", contacts);
    }

    fn keys(&self, [first, second]: [&'static str; 2], members: &[usize]) -> Vec<(&'static str, ArrayRef)> {
        let texts = |half: usize| -> ArrayRef {
            Arc::new(members.iter().map(|member| Some(format!("m{:02}", member / half))).collect::<StringArray>())
        };
        let integers = |of: fn(usize) -> i64| -> ArrayRef {
            Arc::new(members.iter().map(|member| Some(of(*member))).collect::<Int64Array>())
        };
        match self.keyed {
            Keyed::Text => vec![(first, texts(1))],
            Keyed::Integer => vec![(first, integers(|member| member as i64))],
            Keyed::Both => vec![(first, texts(2)), (second, integers(|member| (member % 2) as i64))],
        }
    }
}

fn times(times: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}
