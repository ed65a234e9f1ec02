//! The steps after the segment's: filter, requirement, difference, last delivery.

use super::{explain, outcomes, step};
use crate::{
    publishing::{booleans, config, integers, texts, words},
    support::Home,
};

const ACTIVATION: &str = "
    segment: known
    mode: incremental
    attributes:
      id: id
      name: name
      mail: { from: contact, value: mail, order_by: n }
      half: CAST(whole AS INT) / 2
    filter: consent
    require: [name, mail]
    guards: { max_removed: 100%, min_members: 0 }
";

const SEGMENTS: &str = "  known: { from: person, where: whole <> 'none' }\n";

struct Person {
    id: &'static str,
    name: Option<&'static str>,
    consent: Option<bool>,
    whole: &'static str,
    at: i64,
}

const fn person(id: &'static str) -> Person {
    Person { id, name: Some("Secret Name"), consent: Some(true), whole: "8", at: 1 }
}

fn write(home: &Home, persons: &[Person], mails: &[(&str, Option<&str>)]) {
    home.table(
        "person",
        vec![
            ("id", words(&persons.iter().map(|one| one.id).collect::<Vec<_>>())),
            ("name", texts(&persons.iter().map(|one| one.name).collect::<Vec<_>>())),
            ("consent", booleans(&persons.iter().map(|one| one.consent).collect::<Vec<_>>())),
            ("whole", words(&persons.iter().map(|one| one.whole).collect::<Vec<_>>())),
            ("at", integers(&persons.iter().map(|one| one.at).collect::<Vec<_>>())),
        ],
    );
    let numbers: Vec<i64> = (0..mails.len() as i64).collect();
    let cids: Vec<String> = numbers.iter().map(i64::to_string).collect();
    home.table(
        "contact",
        vec![
            ("cid", words(&cids.iter().map(String::as_str).collect::<Vec<_>>())),
            ("person", words(&mails.iter().map(|mail| mail.0).collect::<Vec<_>>())),
            ("mail", texts(&mails.iter().map(|mail| mail.1).collect::<Vec<_>>())),
            ("n", integers(&numbers)),
        ],
    );
}

fn home(activation: &str) -> Home {
    let home = Home::new(&config(activation, SEGMENTS));
    write(&home, &[person("a"), person("b"), person("c")], &[("a", Some("m1")), ("b", Some("m2")), ("c", Some("m3"))]);
    home
}

#[test]
fn a_member_is_followed_from_its_first_publish_to_its_removal() {
    let home = home(ACTIVATION);
    let explained = explain(&home, "a");
    assert_eq!(outcomes(&explained), "passed passed passed added none no");
    assert_eq!(step(&explained, "delta").1, "nothing was published yet: the first publish adds it");

    let first = home.publish(&["a"]);
    let explained = explain(&home, "a");
    assert_eq!(outcomes(&explained), "passed passed passed unchanged delivered yes");
    let (id, delivered) = (first["id"].as_str().unwrap(), step(&explained, "last delivery").1);
    assert!(delivered.starts_with(&format!("publish {id} (number 1, 20")), "{delivered}");

    // a gets another address, b loses consent, c leaves, d comes.
    let without = Person { consent: None, ..person("b") };
    write(&home, &[person("a"), without, person("d")], &[("a", Some("new")), ("b", Some("m2")), ("d", Some("m4"))]);
    assert_eq!(outcomes(&explain(&home, "a")), "passed passed passed updated delivered yes");
    assert_eq!(outcomes(&explain(&home, "b")), "passed failed skipped removed delivered yes");
    assert_eq!(outcomes(&explain(&home, "c")), "failed skipped skipped removed delivered yes");
    assert_eq!(step(&explain(&home, "c"), "segment").1, "the table `person` holds no row with this key");
    assert_eq!(outcomes(&explain(&home, "d")), "passed passed passed added none no");

    let second = home.publish(&["a"]);
    let explained = explain(&home, "a");
    assert_eq!(outcomes(&explained), "passed passed passed unchanged delivered yes");
    assert!(step(&explained, "last delivery").1.contains(second["id"].as_str().unwrap()), "{explained}");
    assert_eq!(outcomes(&explain(&home, "b")), "passed failed skipped none none no");
    assert_eq!(outcomes(&explain(&home, "c")), "failed skipped skipped none none no");
}

#[test]
fn filter_and_requirement_name_what_fails_and_the_first_that_does_counts() {
    let home = Home::new(&config(ACTIVATION, SEGMENTS));
    write(
        &home,
        &[
            Person { consent: Some(false), name: None, ..person("refuses") },
            Person { consent: None, ..person("unasked") },
            Person { name: None, ..person("nameless") },
            person("mailless"),
        ],
        &[("nameless", None), ("mailless", None)],
    );
    for key in ["refuses", "unasked"] {
        let explained = explain(&home, key);
        assert_eq!(outcomes(&explained), "passed failed skipped none none no");
        assert_eq!(step(&explained, "filter").1, "`activations.a.filter` is false or null: it is suppressed");
    }
    for (key, field) in [("nameless", "name"), ("mailless", "mail")] {
        let explained = explain(&home, key);
        assert_eq!(outcomes(&explained), "passed passed failed none none no");
        let detail = format!("the required attribute `{field}` is null: it is suppressed");
        assert_eq!(step(&explained, "requirement").1, detail);
    }
}

#[test]
fn of_several_rows_it_says_how_many_belong() {
    let home = Home::new(&config(ACTIVATION, SEGMENTS));
    write(
        &home,
        &[
            Person { at: 1, ..person("a") },
            Person { at: 2, whole: "none", ..person("a") },
            Person { at: 3, consent: Some(false), ..person("a") },
        ],
        &[("a", Some("m"))],
    );
    let explained = explain(&home, "a");
    assert_eq!(outcomes(&explained), "passed failed skipped none none no", "the latest row that belongs counts");
    let detail = step(&explained, "segment").1;
    assert!(detail.ends_with(
        "; 3 rows hold this key and 2 of them belong: the one with the latest `at`, then the smallest of those counts"
    ), "{detail}");
}

#[test]
fn an_attribute_that_fails_for_others_does_not_matter() {
    let home = Home::new(&config(ACTIVATION, SEGMENTS));
    // `none` is no number, and no member.
    write(&home, &[Person { whole: "none", ..person("a") }, person("b")], &[("b", Some("m"))]);
    assert_eq!(outcomes(&explain(&home, "a")), "failed skipped skipped none none no");
    assert_eq!(outcomes(&explain(&home, "b")), "passed passed passed added none no");
}

#[test]
fn what_send_leaves_out_and_what_a_full_publish_does_is_said() {
    let adds = home(&format!("{ACTIVATION}    send: [add]\n"));
    adds.publish(&["a"]);
    write(&adds, &[Person { name: Some("Other"), ..person("a") }], &[("a", Some("m1"))]);
    for (key, outcome) in [("a", "updated"), ("b", "removed")] {
        let explained = explain(&adds, key);
        let (said, detail) = step(&explained, "delta");
        assert_eq!(said, outcome);
        assert!(detail.ends_with("; but `send` leaves that out, and the target keeps what it has"), "{detail}");
    }
    let full = home(&ACTIVATION.replace("mode: incremental", "mode: full"));
    full.publish(&["a"]);
    let explained = explain(&full, "a");
    assert_eq!(outcomes(&explained), "passed passed passed unchanged delivered yes");
    assert!(step(&explained, "delta").1.contains("each publish is full"), "{explained}");
}

#[test]
fn no_value_is_shown_but_the_key_that_was_given() {
    let home = home(ACTIVATION);
    home.publish(&["a"]);
    let ran = home.command(&["explain", "a", "b"]).env("HERALD_LOG", "trace").output().unwrap();
    let (stdout, stderr) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert!(stdout.starts_with("a  b  held\n"), "{stdout}");
    for secret in ["Secret", "m2"] {
        assert!(!stdout.contains(secret) && !stderr.contains(secret), "{secret} in {stdout}{stderr}");
    }
}
