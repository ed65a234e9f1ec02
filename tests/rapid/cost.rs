//! What publishes of some members write to the snapshot.

use std::collections::BTreeSet;

use herald::publish::Whom;

use super::{Keyed, Lake, config, publish, standard, touched};
use crate::{
    publishing::{integers, words},
    simulation::Random,
    support::{Home, files},
};

/// Snapshot files of the activation, by name, with their sizes.
fn snapshot(home: &Home) -> BTreeSet<(String, u64)> {
    let all = files(&home.path("herald-data/snapshots/a")).into_iter();
    all.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path.metadata().unwrap().len())).collect()
}

#[tokio::test]
async fn after_many_publishes_of_some_the_base_stands_and_the_layers_are_few() {
    let home = Home::new(&config(Keyed::Text, "everyone"));
    let mut lake = Lake::new(Keyed::Text);
    let random = &mut Random::new(11);
    for _ in 0..60 {
        lake.edit(random);
    }
    lake.write(&home);
    standard(&home, "a").await;
    let base = snapshot(&home);
    assert_eq!(base.len(), 1, "{base:?}");
    for _ in 0..16 {
        lake.edit(random);
        lake.write(&home);
        touched(&home, "a").await;
        let now = snapshot(&home);
        assert!(now.is_superset(&base), "the base was written anew: {now:?}");
        assert!(now.len() <= 9, "{now:?}");
    }
    // Whoever is gone in a layer is not there again once layers were merged.
    let member = lake.shown(3);
    publish(&home, "a", Whom::Named(vec![member]), false).await;
    standard(&home, "a").await;
    let (rapid, whole) = super::held(&home).await;
    assert_eq!(rapid, whole);
    assert_eq!(standard(&home, "a").await.counts.delivered, 0);
    let compacted = snapshot(&home);
    assert!(!compacted.is_superset(&base) && compacted.len() == 1, "{compacted:?}");
}

#[tokio::test]
async fn thousands_of_scattered_members_are_found_by_a_set() {
    let home = Home::new(&config(Keyed::Integer, "everyone").replace("mail: {", "mail0: {"));
    let ids: Vec<i64> = (0..20_000).collect();
    let write = |score: i64| {
        let scores = vec![score; ids.len()];
        home.table(
            "person",
            vec![
                ("id", integers(&ids)),
                ("name", words(&vec!["Ann"; ids.len()])),
                ("score", integers(&scores)),
                ("at", std::sync::Arc::new(arrow::array::TimestampSecondArray::from(vec![5; ids.len()]))),
            ],
        );
    };
    home.table(
        "contact",
        vec![
            ("cid", integers(&[])),
            ("person", integers(&[])),
            ("mail", words(&[])),
            ("seen", std::sync::Arc::new(arrow::array::TimestampSecondArray::from(Vec::<i64>::new()))),
        ],
    );
    write(1);
    standard(&home, "a").await;
    write(2);
    let named: Vec<String> = (0..5_000).map(|number| (number * 4).to_string()).collect();
    let receipt = publish(&home, "a", Whom::Named(named), false).await;
    assert_eq!((receipt.counts.resolved, receipt.counts.updated), (5_000, 5_000), "{receipt:?}");
    assert_eq!(standard(&home, "a").await.counts.updated, 15_000);
}
