//! Small lakes drawn from a seed, with every kind of segment over them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array};

use crate::{
    publishing::{booleans, floats, integers, texts, words},
    support::Home,
};

/// Every kind of rule, alone and in one another.
pub(super) const SEGMENTS: [&str; 18] = [
    "everyone",
    "german",
    "buyers",
    "listed",
    "spread",
    "numbered",
    "owners",
    "both",
    "either",
    "neither",
    "nested",
    "top",
    "top_buyers",
    "outside_top",
    "top_owners",
    "tiers",
    "tiers.buyers",
    "tiers.owners",
];

/// Keys of persons: text, whole numbers, or both together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyed {
    Text,
    Integer,
    Both,
}

/// A generator of numbers, the same for the same seed on every machine.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The number that stands for a person, as its key is shown.
pub(super) fn shown(keyed: Keyed, person: u64) -> String {
    match keyed {
        Keyed::Text => format!("p{person}"),
        Keyed::Integer => person.to_string(),
        Keyed::Both => format!("p|{person}|{}", person % 3),
    }
}

/// A folder with a lake of so many persons, some in several rows, and an activation for each segment: `a0`, `a1`, …
pub(super) fn home(keyed: Keyed, persons: u64, seed: u64) -> Home {
    let (key, member) = match keyed {
        Keyed::Both => ("[id, kq]", "[person, pq]"),
        _ => ("id", "person"),
    };
    let keys = |columns: &str| match keyed {
        Keyed::Both => format!("{columns}, {}", if columns == "id" { "kq" } else { "pq" }),
        _ => columns.to_owned(),
    };
    let (own, foreign) = (keys("id"), keys("person"));
    let activations: String = SEGMENTS
        .iter()
        .enumerate()
        .map(|(number, segment)| {
            format!(
                "  a{number}: {{ segment: {segment}, target: out, mode: incremental, filter: consent, require: [mail],
          refresh: {{ manual: true }}, attributes: {{ score: score, country: country,
          mail: {{ from: contact, value: mail, where: kind <> 'x', order_by: n DESC }},
          mails: {{ from: contact, value: \"mail || coalesce(member.country, '')\", take: all }},
          spend: {{ from: contact, value: sum(n) }} }} }}\n"
            )
        })
        .collect();
    let home = Home::new(&format!(
        "
sources:
  lake:
    type: files
    tables:
      person: {{ path: lake/person.parquet, key: {key}, updated_at: at }}
      contact: {{ path: lake/contact.parquet, key: cid, member: {member} }}
      owner: {{ path: lake/owner.parquet, key: {key} }}
segments:
  everyone: {{ from: person, where: 'true' }}
  german: {{ from: person, where: country = 'DE' }}
  buyers: {{ from: person, sql: 'SELECT {foreign} FROM contact GROUP BY {foreign} HAVING count(*) >= 2' }}
  listed: {{ from: person, sql: 'SELECT {own} FROM (SELECT {own}, score FROM person ORDER BY score, at, id LIMIT 9)' }}
  spread: {{ from: person, sql: 'SELECT DISTINCT ON (country) {own} FROM person ORDER BY country, score DESC, at, id' }}
  numbered: {{ from: person, sql: 'SELECT {own} FROM (SELECT {own}, row_number() OVER (ORDER BY score, at, id) AS n FROM person) WHERE n <= 9' }}
  rich_owners: {{ from: owner, where: worth > 3 }}
  best_owners: {{ from: owner, all_of: [rich_owners], limit: {{ members: 5, order_by: worth DESC }} }}
  owners: {{ from: person, all_of: [rich_owners] }}
  both: {{ from: person, all_of: [german, buyers] }}
  either: {{ from: person, any_of: [german, buyers, owners] }}
  neither: {{ from: person, none_of: [german, buyers] }}
  nested: {{ from: person, where: score > 2, any_of: [buyers, {{ all_of: [german], none_of: [{{ where: score > 8 }}] }}] }}
  top: {{ from: person, where: score > 1, limit: {{ members: 7, order_by: score DESC }} }}
  top_buyers: {{ from: person, all_of: [buyers], limit: {{ members: 4, order_by: score DESC }} }}
  outside_top: {{ from: person, none_of: [top, top_buyers] }}
  top_owners: {{ from: person, all_of: [best_owners] }}
  tiers: {{ from: person, waterfall: [top, buyers, owners] }}
targets:
  out: {{ type: local, path: ./out }}
activations:
{activations}"
    ));
    let mut dice = Dice::new(seed);
    // About every fourth person has a second row.
    let mut rows: Vec<u64> = (0..persons).chain((0..persons).filter(|_| dice.below(4) == 0)).collect();
    // Scattered, so that no table is sorted by key.
    for row in (1..rows.len()).rev() {
        let other = dice.below(row as u64 + 1) as usize;
        rows.swap(row, other);
    }
    let mut columns = key_columns(keyed, &rows, "id", "kq");
    columns.extend([
        ("country", pick(&mut dice, rows.len(), &[Some("DE"), Some("FR"), None])),
        ("score", floats(&rows.iter().map(|_| dice.below(11) as f64).collect::<Vec<_>>())),
        (
            "consent",
            booleans(
                &rows
                    .iter()
                    .map(|_| [Some(true), Some(true), Some(false), None][dice.below(4) as usize])
                    .collect::<Vec<_>>(),
            ),
        ),
        ("at", integers(&rows.iter().map(|_| dice.below(3) as i64).collect::<Vec<_>>())),
    ]);
    home.table("person", columns);
    // Some contacts point to nobody.
    let pointing: Vec<u64> = (0..persons * 2).map(|_| dice.below(persons + 3)).collect();
    let cids: Vec<String> = (0..pointing.len()).map(|number| format!("c{number}")).collect();
    let mails: Vec<String> = (0..pointing.len()).map(|number| format!("m{number}")).collect();
    let mut columns = key_columns(keyed, &pointing, "person", "pq");
    columns.extend([
        ("cid", words(&cids.iter().map(String::as_str).collect::<Vec<_>>())),
        ("mail", texts(&mails.iter().map(|mail| (dice.below(5) > 0).then_some(mail.as_str())).collect::<Vec<_>>())),
        ("kind", pick(&mut dice, pointing.len(), &[Some("x"), Some("y"), None])),
        ("n", integers(&pointing.iter().map(|_| dice.below(9) as i64).collect::<Vec<_>>())),
    ]);
    home.table("contact", columns);
    let owners: Vec<u64> = (0..persons + 2).filter(|_| dice.below(2) == 0).collect();
    let mut columns = key_columns(keyed, &owners, "id", "kq");
    columns.push(("worth", integers(&owners.iter().map(|_| dice.below(9) as i64).collect::<Vec<_>>())));
    home.table("owner", columns);
    home
}

fn pick(dice: &mut Dice, rows: usize, among: &[Option<&str>]) -> ArrayRef {
    texts(&(0..rows).map(|_| among[dice.below(among.len() as u64) as usize]).collect::<Vec<_>>())
}

/// The columns of a key. Pointing columns have another width than those they point to.
fn key_columns<'n>(keyed: Keyed, persons: &[u64], first: &'n str, second: &'n str) -> Vec<(&'n str, ArrayRef)> {
    let narrow = |numbers: Vec<i64>| -> ArrayRef {
        if first == "id" {
            integers(&numbers)
        } else {
            Arc::new(Int32Array::from_iter_values(numbers.into_iter().map(|number| number as i32)))
        }
    };
    let named = |text: &dyn Fn(u64) -> String| {
        let all: Vec<String> = persons.iter().map(|person| text(*person)).collect();
        words(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    match keyed {
        Keyed::Text => vec![(first, named(&|person| format!("p{person}")))],
        Keyed::Integer => vec![(first, narrow(persons.iter().map(|person| *person as i64).collect()))],
        // A part may hold the separator itself.
        Keyed::Both => vec![
            (first, named(&|person| format!("p|{person}"))),
            (second, narrow(persons.iter().map(|person| (*person % 3) as i64).collect())),
        ],
    }
}
