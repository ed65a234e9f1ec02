//! Who lives in the sample, and when: every fact is a function of a person's number and the generation.

/// People of generation 0.
pub(super) const BASE: u64 = 2_000;
/// People that each later generation adds.
pub(super) const ADDED: u64 = 40;

pub(super) const FIRST_NAMES: [&str; 20] = [
    "Amélie", "Bruno", "Céline", "Dagny", "Émile", "Fatima", "Göran", "Hana", "Inês", "Jürgen", "Kofi", "Lena",
    "Miloš", "Nadia", "Óscar", "Priya", "Quentin", "Rosa", "Søren", "Zoë",
];
pub(super) const LAST_NAMES: [&str; 20] = [
    "Achterberg",
    "Brandão",
    "Castellan",
    "D'Amato",
    "Eklöf",
    "Fernández",
    "Grünewald",
    "Horváth",
    "Ibsen",
    "Jónsdóttir",
    "Kowalczyk",
    "Løvstad",
    "Moreau",
    "Nguyễn",
    "O'Hare",
    "Petrović",
    "Quist",
    "Rüttimann",
    "Şahin",
    "van der Veen",
];
pub(super) const COUNTRIES: [&str; 10] = ["DE", "DE", "DE", "US", "US", "US", "FR", "FR", "GB", "AT"];
pub(super) const TIERS: [&str; 5] = ["bronze", "bronze", "silver", "gold", "platinum"];
pub(super) const DOMAINS: [&str; 5] = ["example.com", "example.org", "example.net", "mail.example", "post.example"];
pub(super) const CATEGORIES: [&str; 6] = ["books", "garden", "music", "shoes", "tea", "toys"];

/// What a fact is drawn for, so that no two facts of a person go together.
#[derive(Clone, Copy)]
pub(super) enum Fact {
    FirstName = 1,
    LastName,
    Country,
    Tier,
    Birth,
    Postal,
    Value,
    Consent,
    Updated,
    Address,
    Domain,
    OptIn,
    SecondAddress,
    HasPhone,
    PhoneForm,
    PhoneNumber,
    PhoneConsent,
    Events,
    EventKind,
    EventCategory,
    EventAmount,
    EventTime,
    Leaves,
    Changes,
    MailChanges,
}

/// A draw for a person's fact; `detail` tells rows of one person apart. SplitMix64's finisher, thrice.
pub(super) fn draw(person: u64, fact: Fact, detail: u64) -> u64 {
    let mix = |x: u64| {
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    mix(mix(mix(person.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ (fact as u64)).wrapping_add(detail))
}

/// One of `values`, evenly.
pub(super) fn pick<T: Copy>(values: &[T], draw: u64) -> T {
    values[(draw % values.len() as u64) as usize]
}

/// The generation in which a person first appears.
pub(super) fn born(person: u64) -> u32 {
    if person < BASE { 0 } else { u32::try_from((person - BASE) / ADDED + 1).unwrap_or(u32::MAX) }
}

/// Whether a person is in the lake of a generation.
pub(super) fn lives(person: u64, generation: u32) -> bool {
    born(person) <= generation && !(born(person) + 1..=generation).any(|round| leaves(person, round))
}

/// The last generation that changed a person's own row, or added it; 0: none.
pub(super) fn last_change(person: u64, generation: u32) -> u32 {
    (born(person) + 1..=generation).rev().find(|round| changes(person, *round)).unwrap_or(born(person))
}

/// How many generations changed a person's own row.
pub(super) fn times_changed(person: u64, generation: u32) -> u64 {
    (born(person) + 1..=generation).filter(|round| changes(person, *round)).count() as u64
}

/// The last generation that gave an e-mail row a new address and a new consent; 0: none.
pub(super) fn last_mail_change(person: u64, nth: u64, generation: u32) -> u32 {
    let changed = |round: &u32| draw(person, Fact::MailChanges, (u64::from(*round) << 8) | nth).is_multiple_of(50);
    (born(person) + 1..=generation).rev().find(changed).unwrap_or(born(person))
}

/// The people of a generation, in order.
pub(super) fn people(generation: u32) -> impl Iterator<Item = u64> {
    (0..BASE + ADDED * u64::from(generation)).filter(move |person| lives(*person, generation))
}

fn leaves(person: u64, round: u32) -> bool {
    draw(person, Fact::Leaves, u64::from(round)).is_multiple_of(100)
}

fn changes(person: u64, round: u32) -> bool {
    draw(person, Fact::Changes, u64::from(round)).is_multiple_of(25)
}

/// How the `individual` table of a generation differs from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Changes {
    /// People who are new.
    pub added: u64,
    /// People whose own row changed.
    pub updated: u64,
    /// People who are gone, from every table.
    pub removed: u64,
}

impl Changes {
    /// Counts them; generation 0 adds all.
    pub(super) fn of(generation: u32) -> Self {
        let Some(before) = generation.checked_sub(1) else {
            return Self { added: BASE, updated: 0, removed: 0 };
        };
        let added = people(generation).filter(|person| !lives(*person, before)).count() as u64;
        let removed = people(before).filter(|person| !lives(*person, generation)).count() as u64;
        let stayed = people(generation).filter(|person| lives(*person, before));
        let updated = stayed.filter(|person| changes(*person, generation)).count() as u64;
        Self { added, updated, removed }
    }
}
