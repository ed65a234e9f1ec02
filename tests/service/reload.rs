//! A config that changes while the service runs.

use std::fs;

use herald::{
    control::{Refused, Trigger},
    publish::Status,
};

use super::{HEAD, Live, audit, home, ops, people, until, with};
use crate::support::files;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_added_and_changed_takes_effect_and_is_named() {
    let home = home(&[("a", ""), ("b", "")]);
    let live = Live::start(&home).await;
    home.configure(&with("watch: false, concurrency: 2", &[("a", ""), ("b", "paused: true"), ("c", "")]));
    let changes = live.control.reload(&ops()).await.unwrap();
    assert_eq!((changes.added, changes.changed, changes.removed), (vec!["c".into()], vec!["b".into()], vec![]));
    assert_eq!(changes.restart, ["service.concurrency"]);
    let receipt = live.control.trigger(&ops(), "c", Trigger::default(), None).await.unwrap();
    assert_eq!(live.ended(receipt.id).await.counts.added, 20);
    assert!(live.control.publisher().config().activations["b"].paused);
    // A segment that says otherwise changes every activation over it.
    let config = with("watch: false, concurrency: 2", &[("a", ""), ("b", "paused: true"), ("c", "")]);
    home.configure(&config.replace("where: 'true'", "where: 'id < 5'"));
    let changes = live.control.reload(&ops()).await.unwrap();
    assert_eq!(changes.changed, ["a", "b", "c"]);
    assert_eq!(live.control.reload(&ops()).await.unwrap(), Default::default(), "nothing has changed since");
    assert!(audit(&live).await.contains(&("ops".into(), "reload".into(), None)));
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_token_of_a_service_that_others_reach_is_not_taken_away() {
    let open = with("watch: false", &[("a", "")]);
    let token = "listen: 0.0.0.0:0, tokens: [{ name: ops, token: some-token, scope: admin }]";
    let home = home(&[("a", "")]);
    home.configure(&open.replace("listen: 127.0.0.1:0", token));
    let live = Live::start(&home).await;
    // Well-formed in itself; the service goes on to listen where it does.
    home.configure(&open);
    let refusal = live.control.reload(&ops()).await.unwrap_err();
    assert_eq!((refusal.refused, refusal.code.as_str()), (Refused::Config, "tokens_needed"));
    assert_eq!(live.control.publisher().config().service.http.tokens.len(), 1, "nothing was changed");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_under_a_former_name_ends_and_says_why() {
    let home = home(&[("a", "")]);
    home.publish(&["a"]);
    let waiting = {
        let live = Live::idle(&home).await;
        live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap()
    };
    home.configure(&with("watch: false", &[("b", "was: a")]));
    home.publish(&["b"]);
    let live = Live::start(&home).await;
    let ended = live.ended(waiting.id).await;
    assert_eq!(ended.status, Status::Cancelled);
    assert!(ended.error.is_some_and(|error| error.message.contains("`a` is `b` now")));
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_with_errors_changes_nothing_and_says_all_of_them() {
    let home = home(&[("a", "")]);
    let live = Live::start(&home).await;
    let good = with("watch: false", &[("a", "")]);
    for (config, code) in [
        ("activations: [", None),
        (&format!("{HEAD}activations: {{}}\n"), Some("no_activations")),
        (&good.replace("where: 'true'", "where: 'nme = 1'"), None),
        (&good.replace("target: out", "target: outt"), None),
    ] {
        home.configure(config);
        let refusal = live.control.reload(&ops()).await.unwrap_err();
        assert_eq!(refusal.refused, Refused::Config, "{refusal:?}");
        match code {
            Some(code) => assert_eq!(refusal.code, code),
            None => assert!(refusal.problems.is_some_and(|problems| !problems.is_empty()), "{config}"),
        }
    }
    fs::remove_file(home.path("herald.yaml")).unwrap();
    assert_eq!(live.control.reload(&ops()).await.unwrap_err().refused, Refused::Config);
    let reloads = *live.control.reloads().borrow();
    assert_eq!((reloads.done, reloads.refused, reloads.last_refused), (0, 5, true));
    let receipt = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    assert_eq!(live.ended(receipt.id).await.counts.added, 20, "what was in force still is");
    // A source that can't be read stops nobody but those who need it.
    home.configure(&good);
    fs::remove_file(home.path("lake/person.parquet")).unwrap();
    live.control.reload(&ops()).await.unwrap();
    assert!(!live.control.reloads().borrow().last_refused);
    live.end().await;
}

/// Of a related table, and of one that a segment's SQL names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_beside_the_members_that_can_t_be_read_stops_those_alone_who_need_it() {
    let config = with("watch: false", &[("a", "")])
        .replace("key: id }", "key: id }\n      mail: { path: lake/mail.csv, key: mail, member: person }")
        .replace("segments:\n", "segments:\n  queried: { from: person, sql: SELECT person FROM mail }\n")
        + "  queried: { segment: queried, target: out, refresh: { manual: true }, attributes: { id: id } }
  related: { segment: everyone, target: out, refresh: { manual: true }, attributes: { id: id, mail: { from: mail, value: address } } }
";
    let home = home(&[("a", "")]);
    home.configure(&config);
    fs::write(home.path("lake/mail.csv"), "mail,person,address\n1,1,a@example.com\n").unwrap();
    let live = Live::start(&home).await;
    fs::remove_file(home.path("lake/mail.csv")).unwrap();
    live.control.reload(&ops()).await.unwrap();
    for (name, status, code) in [
        ("a", Status::Succeeded, None),
        ("related", Status::Failed, Some("source_unreadable")),
        ("queried", Status::Failed, Some("source_unreadable")),
    ] {
        let receipt = live.control.trigger(&ops(), name, Trigger::default(), None).await.unwrap();
        let receipt = live.ended(receipt.id).await;
        assert_eq!((receipt.status, receipt.error.as_ref().map(|error| error.code.as_str())), (status, code), "{name}");
        assert!(receipt.error.is_none_or(|error| error.retryable), "{name}");
    }
    live.end().await;
    let live = Live::start(&home).await;
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_change_and_rest_are_read_again_by_themselves() {
    let home = home(&[("a", "")]);
    home.configure(&with("watch: true", &[("a", "")]));
    let live = Live::start(&home).await;
    home.configure(&with("watch: true", &[("a", ""), ("b", "")]));
    until("the new activation is known", async || {
        live.control.publisher().config().activations.contains_key("b").then_some(())
    })
    .await;
    assert!(audit(&live).await.contains(&("file watch".into(), "reload".into(), None)));
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_vanishes_is_torn_down_as_it_was_last_defined_and_comes_back_as_new() {
    let home = home(&[("a", "on_delete: keep"), ("b", "")]);
    let live = Live::start(&home).await;
    for name in ["a", "b"] {
        let receipt = live.control.trigger(&ops(), name, Trigger::default(), None).await.unwrap();
        live.ended(receipt.id).await;
    }
    let of = |name: &str| {
        files(&home.path("out")).iter().filter(|path| path.to_str().unwrap().contains(&format!("/{name}/"))).count()
    };
    assert_eq!((of("a"), of("b")), (2, 2));
    // Never published with it, and yet what counts.
    home.configure(&with("watch: false", &[("a", "on_delete: purge"), ("b", "")]));
    live.control.reload(&ops()).await.unwrap();
    home.configure(&with("watch: false", &[("b", "")]));
    assert_eq!(live.control.reload(&ops()).await.unwrap().removed, ["a"]);
    let state = live.state();
    until("it is torn down", async || {
        (state.activation_state("a").await.unwrap() == herald::state::ActivationState::Deleted).then_some(())
    })
    .await;
    assert_eq!((of("a"), of("b")), (0, 2));
    let torn = state.last_teardown("a").await.unwrap().unwrap();
    assert_eq!((torn.status, torn.taken_back.unwrap().removed), (herald::publish::Status::Succeeded, 2));
    let gone = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap_err();
    assert_eq!(gone.refused, Refused::Conflict);

    people(&home, 10, 1);
    home.configure(&with("watch: false", &[("a", ""), ("b", "")]));
    live.control.reload(&ops()).await.unwrap();
    let receipt = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    let receipt = live.ended(receipt.id).await;
    assert_eq!((receipt.counts.added, receipt.sequence > 2), (10, true), "{receipt:?}");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_that_vanish_than_allowed_are_refused_as_a_whole() {
    let home = home(&[("a", ""), ("b", ""), ("c", "")]);
    let live = Live::start(&home).await;
    for name in ["a", "b"] {
        let receipt = live.control.trigger(&ops(), name, Trigger::default(), None).await.unwrap();
        live.ended(receipt.id).await;
    }
    home.configure(&with("watch: false", &[("c", "paused: true")]));
    let refusal = live.control.reload(&ops()).await.unwrap_err();
    assert_eq!((refusal.refused, refusal.code.as_str()), (Refused::Config, "too_many_teardowns"));
    assert!(refusal.message.contains("`a`, `b`"), "{refusal}");
    assert!(!live.control.publisher().config().activations["c"].paused, "nothing of it is in force");
    live.end().await;
    // Nor does a start do it.
    let ran = home.run(&["run"]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.stderr.contains("max_teardowns_per_reload"), "{ran:?}");
    // One that never published leaves nothing to tear down.
    home.configure(&with("watch: false, max_teardowns_per_reload: 2", &[("a", "")]));
    let live = Live::start(&home).await;
    until("b is torn down", async || {
        let state = live.state().activation_state("b").await.unwrap();
        (state == herald::state::ActivationState::Deleted).then_some(())
    })
    .await;
    assert_eq!(live.state().last_teardown("c").await.unwrap(), None);
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_renamed_is_taken_over_and_not_torn_down() {
    let home = home(&[("a", "on_delete: purge")]);
    let live = Live::start(&home).await;
    let receipt = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    live.ended(receipt.id).await;
    home.configure(&with("watch: false, max_teardowns_per_reload: 0", &[("b", "was: a")]));
    live.control.reload(&ops()).await.unwrap();
    let receipt = live.control.trigger(&ops(), "b", Trigger::default(), None).await.unwrap();
    let receipt = live.ended(receipt.id).await;
    assert_eq!((receipt.counts.unchanged, receipt.counts.added), (20, 0), "{receipt:?}");
    assert_eq!(live.state().last_teardown("a").await.unwrap(), None);
    live.end().await;
}
