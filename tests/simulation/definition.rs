//! The activation's definition as it changes over a history, and the config that says it.

use std::fmt::Write;

use super::{lake::Keys, random::Random};

/// Who belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment {
    Everyone,
    /// By a column.
    Tiered,
    /// By a query over the related table.
    Mailed,
    /// By not being in another.
    Unmailed,
    /// By being in at least one of two.
    Either,
    /// By being in both of two.
    Both,
    /// By rank.
    Top,
}

/// Members of [`Segment::Top`].
pub(crate) const TOP: usize = 12;

/// A record's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Loud,
    Score,
    Tier,
    /// The first related value that is not null.
    Mail,
    /// The same in another order, over other rows.
    Last,
    /// All related values.
    All,
    Count,
    /// Counts related rows by a condition on both tables.
    Within,
    Spent,
    /// A related value made of both tables' columns.
    Label,
}

const FIELDS: [Field; 11] = [
    Field::Name,
    Field::Loud,
    Field::Score,
    Field::Tier,
    Field::Mail,
    Field::Last,
    Field::All,
    Field::Count,
    Field::Within,
    Field::Spent,
    Field::Label,
];

/// Who is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    Consent,
    Score,
    ConsentOrTier,
}

/// What stops a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guards {
    pub(crate) min_members: u64,
    pub(crate) max_members: Option<u64>,
    /// Percent.
    pub(crate) max_removed: u32,
    /// Percent.
    pub(crate) max_changed: Option<u32>,
}

/// Operations that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) add: bool,
    pub(crate) update: bool,
    pub(crate) remove: bool,
}

/// What the config says of the activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) segment: Segment,
    /// Beside `id`, which is always the first.
    pub(crate) fields: Vec<(&'static str, Field)>,
    pub(crate) filter: Option<Filter>,
    /// Names of fields, `id` and unknown ones among them; these have no effect.
    pub(crate) require: Vec<&'static str>,
    pub(crate) full: bool,
    pub(crate) send: Send,
    pub(crate) guards: Guards,
    /// Most rows of a part.
    pub(crate) max_rows: u32,
}

/// One change of the config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Segment(Segment),
    /// A field is added or redefined.
    Field(&'static str, Field),
    DropField(&'static str),
    Rename(&'static str, &'static str),
    /// The fields stand in another order.
    Turn,
    Filter(Option<Filter>),
    Require(&'static str),
    RequireNothing,
    Full(bool),
    Send(Send),
    Guards(Guards),
    MaxRows(u32),
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const ALL: Send = Send { add: true, update: true, remove: true };

impl Definition {
    pub(crate) fn new() -> Self {
        Self {
            segment: Segment::Everyone,
            fields: vec![("a", Field::Name), ("b", Field::Score), ("c", Field::Mail)],
            filter: None,
            require: Vec::new(),
            full: false,
            send: ALL,
            guards: Guards { min_members: 1, max_members: None, max_removed: 50, max_changed: None },
            max_rows: 1_000,
        }
    }

    pub(crate) fn change(&mut self, change: Change) {
        match change {
            Change::Segment(segment) => self.segment = segment,
            Change::Field(name, field) => match self.fields.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = field,
                None => self.fields.push((name, field)),
            },
            Change::DropField(name) => self.fields.retain(|(known, _)| *known != name),
            Change::Rename(from, to) => {
                if !self.fields.iter().any(|(known, _)| *known == to)
                    && let Some(field) = self.fields.iter_mut().find(|(known, _)| *known == from)
                {
                    field.0 = to;
                }
            }
            Change::Turn if !self.fields.is_empty() => self.fields.rotate_left(1),
            Change::Turn => {}
            Change::Filter(filter) => self.filter = filter,
            Change::Require(name) if !self.require.contains(&name) => self.require.push(name),
            Change::Require(_) => {}
            Change::RequireNothing => self.require.clear(),
            Change::Full(full) => self.full = full,
            Change::Send(send) => self.send = send,
            Change::Guards(guards) => self.guards = guards,
            Change::MaxRows(rows) => self.max_rows = rows,
        }
    }

    /// Required fields that there are.
    pub(crate) fn required(&self) -> impl Iterator<Item = &'static str> {
        self.require.iter().copied().filter(|name| self.fields.iter().any(|(known, _)| known == name))
    }

    /// The config's text; the target's options are given.
    pub(crate) fn yaml(&self, keys: Keys, path: &str) -> String {
        let (key, member, id) = match keys {
            Keys::Text | Keys::Integer => ("id", "person", "id"),
            Keys::Composite => ("[id, kq]", "[person, q]", "concat(id, '|', CAST(kq AS VARCHAR))"),
        };
        let query = member.trim_matches(['[', ']']);
        let mut text = format!(
            "
service: {{ data_dir: ./data }}
sources:
  lake:
    type: files
    tables:
      person: {{ path: lake/person.parquet, key: {key}, updated_at: at }}
      contact: {{ path: lake/contact.parquet, key: cid, member: {member} }}
segments:
  everyone: {{ from: person, where: 'true' }}
  tiered: {{ from: person, where: tier >= 2 }}
  mailed: {{ from: person, sql: \"SELECT {query} FROM contact WHERE kind = 'mail'\" }}
  unmailed: {{ from: person, none_of: [mailed] }}
  either: {{ from: person, any_of: [tiered, mailed] }}
  both: {{ from: person, all_of: [tiered, unmailed] }}
  top: {{ from: person, where: 'true', limit: {{ members: {TOP}, order_by: score DESC }} }}
targets:
  out: {{ type: local, path: ./out }}
activations:
  a:
    segment: {segment}
    target: out
    refresh: {{ manual: true }}
    files: {{ max_rows: {rows}, path: \"{path}\" }}
    attributes:
      id: {id}
",
            segment = self.segment.name(),
            rows = self.max_rows,
        );
        for (name, field) in &self.fields {
            let _ = writeln!(text, "      {name}: {}", field.yaml());
        }
        if let Some(filter) = self.filter {
            let _ = writeln!(text, "    filter: {}", filter.sql());
        }
        let required: Vec<&str> = self.required().collect();
        let _ = writeln!(text, "    require: [{}]", required.join(", "));
        let _ = writeln!(text, "    mode: {}", if self.full { "full" } else { "incremental" });
        if !self.full {
            let Send { add, update, remove } = self.send;
            let sent = [(add, "add"), (update, "update"), (remove, "remove")];
            let sent: Vec<&str> = sent.iter().filter(|(sent, _)| *sent).map(|(_, name)| *name).collect();
            let _ = writeln!(text, "    send: [{}]", sent.join(", "));
        }
        let Guards { min_members, max_members, max_removed, max_changed } = self.guards;
        let _ = write!(text, "    guards: {{ min_members: {min_members}, max_removed: {max_removed}%");
        if let Some(most) = max_members {
            let _ = write!(text, ", max_members: {most}");
        }
        if let Some(most) = max_changed {
            let _ = write!(text, ", max_changed: {most}%");
        }
        text + " }\n"
    }
}

impl Segment {
    fn name(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Tiered => "tiered",
            Self::Mailed => "mailed",
            Self::Unmailed => "unmailed",
            Self::Either => "either",
            Self::Both => "both",
            Self::Top => "top",
        }
    }
}

impl Field {
    fn yaml(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Loud => "upper(name)",
            Self::Score => "score",
            Self::Tier => "tier",
            Self::Mail => "{ from: contact, value: value, where: kind = 'mail', order_by: rank }",
            Self::Last => "{ from: contact, value: value, order_by: \"rank DESC, amount\" }",
            Self::All => "{ from: contact, value: value, take: all, order_by: rank DESC }",
            Self::Count => "{ from: contact, value: count(*) }",
            Self::Within => "{ from: contact, value: count(*), where: rank <= member.tier }",
            Self::Spent => "{ from: contact, value: sum(amount) }",
            Self::Label => "{ from: contact, value: \"member.name || '-' || kind\", order_by: rank }",
        }
    }
}

impl Filter {
    fn sql(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Score => "score > 0.5",
            Self::ConsentOrTier => "consent OR tier = 3",
        }
    }
}

impl Change {
    /// A likely change.
    pub(crate) fn drawn(random: &mut Random) -> Self {
        match random.below(100) {
            0..18 => Self::Segment(random.pick(&[
                Segment::Everyone,
                Segment::Everyone,
                Segment::Tiered,
                Segment::Mailed,
                Segment::Unmailed,
                Segment::Either,
                Segment::Both,
                Segment::Top,
            ])),
            18..40 => Self::Field(random.pick(&NAMES), random.pick(&FIELDS)),
            40..48 => Self::DropField(random.pick(&NAMES)),
            48..54 => Self::Rename(random.pick(&NAMES), random.pick(&NAMES)),
            54..57 => Self::Turn,
            57..67 => Self::Filter(random.pick(&[
                None,
                Some(Filter::Consent),
                Some(Filter::Score),
                Some(Filter::ConsentOrTier),
            ])),
            67..72 => Self::Require(random.pick(&NAMES)),
            72..76 => Self::RequireNothing,
            76..81 => Self::Full(random.percent(50)),
            81..88 => {
                let send = Send { add: random.percent(70), update: random.percent(70), remove: random.percent(70) };
                Self::Send(if send.add || send.update || send.remove { send } else { ALL })
            }
            88..96 => Self::Guards(Guards {
                min_members: random.pick(&[0, 1, 1, 5]),
                max_members: random.pick(&[None, None, Some(25)]),
                max_removed: random.pick(&[20, 50, 50, 100]),
                max_changed: random.pick(&[None, None, Some(60)]),
            }),
            _ => Self::MaxRows(random.pick(&[1, 3, 7, 1_000])),
        }
    }
}
