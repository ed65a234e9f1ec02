//! A publish narrowed to named members yields of them what the whole yields.

use std::{collections::BTreeMap, path::Path};

use arrow::{array::AsArray, compute::cast, datatypes::DataType};
use herald::{
    config::{self, Config, Key},
    resolve::{PublishPlan, Resolver},
    snapshot::{Keys, MemberKeys},
};
use tokio_util::sync::CancellationToken;

use super::lake::{Dice, Keyed, SEGMENTS, home, shown};
use crate::support::{Home, rows};

const BUCKETS: u32 = 2;

/// Member → record.
type Records = BTreeMap<String, BTreeMap<String, String>>;

struct Lake {
    home: Home,
    config: Config,
    resolver: Resolver,
    secret: Keys,
}

/// All that resolving a plan yields, by member; and the buckets that it yields anything in.
struct Yielded {
    records: Records,
    resolved: u64,
    buckets: Vec<usize>,
}

impl Lake {
    fn new(keyed: Keyed, persons: u64, seed: u64) -> Self {
        let home = home(keyed, persons, seed);
        let config = config::load(&home.path("herald.yaml")).unwrap();
        let resolver = Resolver::new(256 << 20, &home.path("spill")).unwrap();
        Self { home, config, resolver, secret: Keys::derive(&Key([7; 32])) }
    }

    async fn plan(&self, segment: usize) -> PublishPlan {
        self.resolver.plan(&self.config, &self.config.activations[&format!("a{segment}")]).await.unwrap()
    }

    async fn resolve(&self, plan: &PublishPlan, folder: &Path) -> Yielded {
        std::fs::create_dir_all(folder).unwrap();
        let spooled = plan.spool(folder, BUCKETS, &self.secret, &CancellationToken::new()).await.unwrap();
        let mut all = Yielded { records: Records::new(), resolved: 0, buckets: Vec::new() };
        for bucket in 0..BUCKETS as usize {
            let resolved = spooled.bucket(bucket).await.unwrap();
            let members = cast(&plan.codec().members(&resolved.keys).unwrap(), &DataType::Utf8).unwrap();
            let members = members.as_string::<i32>().iter().map(|member| member.unwrap().to_owned());
            all.records.extend(members.zip(rows(&resolved.records)));
            all.resolved += resolved.resolved;
            if resolved.resolved > 0 {
                all.buckets.push(bucket);
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
        all
    }
}

fn only(all: &Records, members: &[String]) -> Records {
    all.iter().filter(|(member, _)| members.contains(member)).map(|(m, r)| (m.clone(), r.clone())).collect()
}

async fn narrowed_is_the_whole_restricted(keyed: Keyed, seed: u64, segments: &[&str]) {
    const PERSONS: u64 = 40;
    let lake = Lake::new(keyed, PERSONS, seed);
    let mut dice = Dice::new(seed + 1);
    let folder = lake.home.path("spool");
    for segment in segments {
        let number = SEGMENTS.iter().position(|known| known == segment).unwrap();
        let plan = lake.plan(number).await;
        let whole = lake.resolve(&plan, &folder).await;
        assert!(whole.resolved > 0, "{segment} of seed {seed} is empty, and tests nothing");
        // Some of them are nobody, some are named twice.
        let named: Vec<String> = (0..12).map(|_| shown(keyed, dice.below(PERSONS + 4))).collect();
        let members = MemberKeys::parse(plan.codec(), named.iter().map(String::as_str)).unwrap();
        let narrowed = lake.resolve(&plan.narrowed(&members), &folder).await;
        assert_eq!(narrowed.records, only(&whole.records, &named), "{segment}, seed {seed}, {named:?}");
        let touched = members.partitions(&lake.secret, BUCKETS);
        assert!(narrowed.buckets.iter().all(|bucket| touched.contains(bucket)), "{segment}, seed {seed}");
        // Everybody named: those who are suppressed are counted, too.
        let all: Vec<String> = (0..PERSONS).map(|person| shown(keyed, person)).collect();
        let members = MemberKeys::parse(plan.codec(), all.iter().map(String::as_str)).unwrap();
        let narrowed = lake.resolve(&plan.narrowed(&members), &folder).await;
        assert_eq!((narrowed.resolved, narrowed.records), (whole.resolved, whole.records), "{segment}, seed {seed}");
    }
}

/// Segments whose sets are drawn up in ways that depend on the key's type.
const TYPED: [&str; 5] = ["buyers", "listed", "owners", "top_owners", "tiers.buyers"];

#[tokio::test]
async fn of_text_keys_the_named_ones_get_the_records_of_the_whole() {
    narrowed_is_the_whole_restricted(Keyed::Text, 1, &SEGMENTS).await;
}

#[tokio::test]
async fn of_integer_keys_the_named_ones_get_the_records_of_the_whole() {
    narrowed_is_the_whole_restricted(Keyed::Integer, 3, &TYPED).await;
}

#[tokio::test]
async fn of_composite_keys_the_named_ones_get_the_records_of_the_whole() {
    narrowed_is_the_whole_restricted(Keyed::Both, 4, &TYPED).await;
}

#[tokio::test]
async fn a_text_that_can_be_no_key_is_nobody() {
    let lake = Lake::new(Keyed::Integer, 10, 5);
    let plan = lake.plan(0).await;
    let members = MemberKeys::parse(plan.codec(), ["abc", "1.5"]).unwrap();
    let narrowed = lake.resolve(&plan.narrowed(&members), &lake.home.path("spool")).await;
    assert_eq!((members.len(), narrowed.resolved), (0, 0));
}
