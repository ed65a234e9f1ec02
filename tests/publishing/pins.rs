//! A lake that is replaced while a publish reads it.

use std::fs;

use herald::{config, resolve::Resolver, snapshot::Keys};
use tokio_util::sync::CancellationToken;

use super::{config as text, integers, words};
use crate::support::Home;

fn lake(home: &Home, ids: &[&str]) {
    home.table("person", vec![("id", words(ids)), ("at", integers(&vec![1; ids.len()]))]);
    home.table("contact", vec![("cid", words(&["1"])), ("person", words(&["a"]))]);
}

/// Plans and spools a publish, then does something to the lake; the code of what the publish then says.
async fn replaced(home: &Home, meddle: impl FnOnce()) -> Option<String> {
    let config = config::load(&home.path("herald.yaml")).unwrap();
    let resolver = Resolver::new(64 << 20, &home.path("spill")).unwrap();
    let plan = resolver.plan(&config, &config.activations["a"]).await.unwrap();
    let folder = home.path("spool");
    fs::create_dir_all(&folder).unwrap();
    let keys = Keys::derive(&config::Key([1; 32]));
    plan.spool(&folder, 4, &keys, &CancellationToken::new()).await.unwrap();
    assert!(plan.check_sources().await.is_ok(), "nothing changed yet");
    meddle();
    plan.check_sources().await.err().map(|failure| {
        assert!(failure.retryable);
        failure.code
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_removed_or_joined_by_another_fails_the_publish() {
    let activation = "
    segment: everyone
    mode: full
    attributes:
      id: id
      n: { from: contact, value: count(*) }
";
    let home = Home::new(&text(activation, "").replace("lake/person.parquet", "lake/person*.parquet"));
    let changed = Some("source_changed".to_owned());
    lake(&home, &["a", "b"]);
    assert_eq!(replaced(&home, || {}).await, None);
    assert_eq!(replaced(&home, || lake(&home, &["a", "c"])).await, changed, "other rows, the same size");
    let related = || home.table("contact", vec![("cid", words(&["1", "2"])), ("person", words(&["a", "b"]))]);
    assert_eq!(replaced(&home, related).await, changed, "a related table counts too");
    let more = || {
        fs::copy(home.path("lake/person.parquet"), home.path("lake/person2.parquet")).unwrap();
    };
    assert_eq!(replaced(&home, more).await, changed, "a file that appeared");
    let fewer = || fs::remove_file(home.path("lake/person2.parquet")).unwrap();
    assert_eq!(replaced(&home, fewer).await, changed, "a file that went");
}
