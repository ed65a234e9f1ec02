//! The `activations` map.

use std::time::Duration;

use herald::config::{AttributeValue, Cron, OnDelete, Rapid, Refresh, Take};
use herald_destinations::contract::Mode;

use super::support::{Files, SMALL, breaks, small};

/// [`SMALL`] whose activation has more keys; the first of them stands in line 30.
fn with(keys: &str) -> Files {
    Files::one(&format!("{SMALL}{keys}"))
}

fn faults(keys: &str) -> Vec<String> {
    with(keys).lines()
}

fn refresh(value: &str) -> Result<Refresh, Vec<String>> {
    let files = small("refresh: { manual: true }", &format!("refresh: {value}"));
    match files.load() {
        Ok(config) => Ok(config.activations["one"].refresh.clone()),
        Err(_) => Err(files.lines()),
    }
}

#[test]
fn every_key_of_the_contract_is_read() {
    let config = with(
        "    was: old_one\n    paused: true\n    filter: ads_consent\n    require: [mail, id]\n    mode: incremental\n    send: [add, remove]\n    rapid: { every: 5m }\n    resync: { every: 180d }\n    freshness: 26h\n    guards: { min_members: 2, max_members: 10, max_removed: 25%, max_changed: 12.5% }\n    on_delete: purge\n    retry: { attempts: 3, max_elapsed: 2m }\n",
    )
    .config();
    let one = &config.activations["one"];
    assert_eq!((one.was.as_deref(), one.paused, one.mode), (Some("old_one"), true, Mode::Incremental));
    assert_eq!(one.filter.as_ref().map(|sql| sql.at.as_str()), Some("activations.one.filter"));
    assert_eq!(one.require, ["mail", "id"]);
    assert_eq!((one.send.add, one.send.update, one.send.remove), (true, false, true));
    assert_eq!(one.rapid, Some(Rapid { every: Duration::from_secs(300), overlap: Duration::from_secs(600) }));
    assert_eq!(one.resync, Some(Duration::from_secs(180 * 86_400)));
    assert_eq!(one.freshness, Some(Duration::from_secs(26 * 3_600)));
    assert_eq!((one.guards.min_members, one.guards.max_members), (2, Some(10)));
    assert_eq!((one.guards.max_removed, one.guards.max_changed), (0.25, Some(0.125)));
    assert_eq!(one.on_delete, OnDelete::Purge);
    assert_eq!((one.retry.attempts, one.retry.max_elapsed), (3, Duration::from_secs(120)));
}

#[test]
fn attributes_keep_their_order_and_their_places() {
    let config = small(
        "      id: individual_id\n",
        "      z: first_name || ' ' || last_name\n      Outer Name: x\n      all: { from: email, value: address, where: \"a = 'b'\", order_by: c DESC, take: all }\n      a: individual_id\n",
    )
    .config();
    let attributes = &config.activations["one"].attributes;
    let names: Vec<&str> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(names, ["z", "Outer Name", "all", "a", "mail"]);
    let AttributeValue::Related { table, value, filter, order_by, take } = &attributes[2].value else { panic!() };
    assert_eq!(
        (table.as_str(), value.at.as_str(), *take),
        ("email", "activations.one.attributes.all.value", Some(Take::All))
    );
    assert_eq!(filter.as_ref().unwrap().text, "a = 'b'");
    assert_eq!(order_by.as_ref().unwrap().at, "activations.one.attributes.all.order_by");
}

#[test]
fn refresh_is_exactly_one_of_three() {
    assert_eq!(refresh("{ every: 12h }"), Ok(Refresh::Every(Duration::from_secs(43_200))));
    assert_eq!(
        refresh("{ cron: \"0 6 * * *\", timezone: Europe/Berlin }"),
        Ok(Refresh::Cron { expression: Cron::parse("0 6 * * *").unwrap(), timezone: chrono_tz::Europe::Berlin })
    );
    assert_eq!(
        refresh("{ cron: \"0 0 6 * * 1-5\" }"),
        Ok(Refresh::Cron { expression: Cron::parse("0 0 6 * * 1-5").unwrap(), timezone: chrono_tz::UTC })
    );
    for (value, expected) in [
        ("{}", "29:5: missing_key: activations.one.refresh: nothing says when to publish"),
        ("{ timezone: UTC }", "29:5: missing_key: activations.one.refresh: nothing says when to publish"),
        (
            "{ every: 1h, manual: true }",
            "29:35: conflict: activations.one.refresh.manual: `manual` does not go with `every`",
        ),
        (
            "{ every: 1h, timezone: UTC }",
            "29:37: conflict: activations.one.refresh.timezone: a time zone goes with `cron` alone",
        ),
        ("{ manual: false }", "29:24: invalid_value: activations.one.refresh.manual: `manual` is `true` or left out"),
        (
            "{ every: 0s }",
            "29:23: invalid_value: activations.one.refresh.every: a duration longer than nothing is wanted",
        ),
        (
            "{ every: 12 }",
            "29:23: wrong_type: activations.one.refresh.every: a text such as `12h` is wanted, not an integer",
        ),
        (
            "{ every: 12 hours }",
            "29:23: invalid_value: activations.one.refresh.every: a duration such as 90s, 15m, 12h or 7d is wanted, not `12 hours`",
        ),
        (
            "{ cron: \"0 6 * *\" }",
            "29:22: invalid_value: activations.one.refresh.cron: a cron expression has five fields, or six with seconds first; this one has 4, not `0 6 * *`",
        ),
        (
            "{ cron: \"0 99 * * *\" }",
            "29:22: invalid_value: activations.one.refresh.cron: the field `hour` of a cron expression takes 0 to 23, not `0 99 * * *`",
        ),
        (
            "{ cron: \"0 6 31 feb *\" }",
            "29:22: invalid_value: activations.one.refresh.cron: a cron expression names a day that some year has, not `0 6 31 feb *`",
        ),
        (
            "{ cron: \"0 6 * * *\", timezone: Europe/Berln }",
            "29:45: invalid_value: activations.one.refresh.timezone: an IANA time zone such as Europe/Berlin is wanted, not `Europe/Berln`, did you mean `Europe/Berlin`?",
        ),
        ("manual", "29:14: wrong_type: activations.one.refresh: a map is wanted, not text"),
    ] {
        assert_eq!(refresh(value), Err(vec![expected.to_owned()]), "{value}");
    }
    breaks(
        "    refresh: { manual: true }\n",
        "",
        &["23:3: missing_key: activations.one: the key `refresh` is missing"],
    );
}

#[test]
fn one_error_does_not_hide_another_in_the_same_entry() {
    let text = SMALL
        .replace("    segment: gold\n", "    segment: golt\n")
        .replace("    target: partner\n", "    target: partnr\n")
        .replace("refresh: { manual: true }", "refresh: { every: 12 }")
        .replace("value: address }", "valu: address }");
    assert_eq!(
        Files::one(&format!(
            "{text}    mode: ful\n    rapid: {{ every: 5m }}\n    require: [mail, maul]\n    oops: 1\n"
        ))
        .lines(),
        [
            "24:14: unknown_reference: activations.one.segment: there is no segment `golt`, did you mean `gold`?",
            "25:13: unknown_reference: activations.one.target: there is no target `partnr`, did you mean `partner`?",
            "28:7: missing_key: activations.one.attributes.mail: the key `value` is missing",
            "28:28: unknown_key: activations.one.attributes.mail.valu: unknown key, did you mean `value`?",
            "29:23: wrong_type: activations.one.refresh.every: a text such as `12h` is wanted, not an integer",
            "30:11: invalid_value: activations.one.mode: `ful` is not one of `full`, `incremental`, did you mean `full`?",
            "32:21: unknown_reference: activations.one.require[1]: there is no attribute `maul`",
            "33:5: unknown_key: activations.one.oops: unknown key",
        ]
    );
}

#[test]
fn references_of_an_activation_exist() {
    breaks(
        "    segment: gold\n",
        "    segment: tiers.golt\n",
        &[
            "24:14: unknown_reference: activations.one.segment: the waterfall `tiers` has no rung `golt`, did you mean `gold`?",
        ],
    );
    breaks(
        "    segment: gold\n",
        "    segment: platinum\n",
        &["24:14: unknown_reference: activations.one.segment: there is no segment `platinum`"],
    );
    breaks(
        "    target: partner\n",
        "    target: partners\n",
        &["25:13: unknown_reference: activations.one.target: there is no target `partners`, did you mean `partner`?"],
    );
    breaks(
        "{ from: email, value: address }",
        "{ from: emails, value: address }",
        &[
            "28:21: unknown_reference: activations.one.attributes.mail.from: there is no table `emails`, did you mean `email`?",
        ],
    );
    assert_eq!(
        faults("    require: [mail, mial, mail]\n"),
        [
            "30:21: unknown_reference: activations.one.require[1]: there is no attribute `mial`, did you mean `mail`?",
            "30:27: duplicate_name: activations.one.require[2]: the attribute `mail` is given twice",
        ]
    );
    assert!(small("    segment: gold\n", "    segment: tiers.buyers\n").load().is_ok());
}

#[test]
fn related_tables_point_to_members() {
    breaks(
        "{ from: email, value: address }",
        "{ from: individual, value: address }",
        &[
            "28:21: conflict: activations.one.attributes.mail.from: the table `individual` has no `member`, so its rows belong to nobody",
        ],
    );
    breaks(
        "member: individual_id }",
        "member: [individual_id, kq] }",
        &[
            "28:21: conflict: activations.one.attributes.mail.from: `member` of the table `email` has 2 columns, and the key of the segment's table `individual` has 1",
        ],
    );
    breaks(
        "{ from: email, value: address }",
        "{ from: email, valu: address }",
        &[
            "28:7: missing_key: activations.one.attributes.mail: the key `value` is missing",
            "28:28: unknown_key: activations.one.attributes.mail.valu: unknown key, did you mean `value`?",
        ],
    );
    breaks(
        "value: address }",
        "value: address, take: last }",
        &["28:50: invalid_value: activations.one.attributes.mail.take: `last` is not one of `first`, `all`"],
    );
}

#[test]
fn field_names_that_start_with_an_underscore_are_reserved() {
    breaks(
        "      id: individual_id",
        "      _op: individual_id",
        &["27:7: invalid_value: activations.one.attributes._op: field names that start with _ are reserved"],
    );
    breaks(
        "      id: individual_id\n      mail: { from: email, value: address }",
        "      {}",
        &["27:7: invalid_value: activations.one.attributes: the map is empty"],
    );
    breaks(
        "      id: individual_id",
        "      id: 5",
        &["27:11: wrong_type: activations.one.attributes.id: text or a map is wanted, not an integer"],
    );
}

#[test]
fn some_keys_go_with_incremental_alone() {
    assert_eq!(
        faults("    mode: full\n    send: [add]\n    rapid: { every: 5m }\n"),
        [
            "31:11: conflict: activations.one.send: it goes with `mode: incremental` alone",
            "32:5: conflict: activations.one.rapid: it goes with `mode: incremental` alone",
        ]
    );
    assert_eq!(
        faults("    send: [add, add, delete]\n"),
        ["30:22: invalid_value: activations.one.send[2]: `delete` is not one of `add`, `update`, `remove`"]
    );
    assert_eq!(
        faults("    send: [add, add]\n"),
        ["30:17: duplicate_name: activations.one.send[1]: the operation is given twice"]
    );
    assert_eq!(faults("    send: []\n"), ["30:11: invalid_value: activations.one.send: the list is empty"]);
    assert_eq!(
        faults("    mode: ful\n"),
        ["30:11: invalid_value: activations.one.mode: `ful` is not one of `full`, `incremental`, did you mean `full`?"]
    );
}

#[test]
fn ratios_are_never_bare_numbers() {
    for (value, expected) in [
        ("0.5", "wrong_type: activations.one.guards.max_removed: a text such as `50%` is wanted, not a number"),
        ("50", "wrong_type: activations.one.guards.max_removed: a text such as `50%` is wanted, not an integer"),
        (
            "\"50\"",
            "invalid_value: activations.one.guards.max_removed: a share of the whole such as 50% is wanted, not `50`",
        ),
        ("150%", "invalid_value: activations.one.guards.max_removed: a share is at most 100%, not `150%`"),
    ] {
        assert_eq!(
            faults(&format!("    guards: {{ max_removed: {value} }}\n")),
            [format!("30:28: {expected}")],
            "{value}"
        );
    }
    assert_eq!(
        faults("    guards: { min_members: 5, max_members: 4 }\n"),
        ["30:44: conflict: activations.one.guards.max_members: it is less than `min_members`, which is 5"]
    );
    assert_eq!(
        faults("    guards: { min_members: -1 }\n"),
        ["30:28: invalid_value: activations.one.guards.min_members: at least 0 is wanted"]
    );
    assert_eq!(
        faults("    guards: { max_remvoed: 5% }\n"),
        ["30:15: unknown_key: activations.one.guards.max_remvoed: unknown key, did you mean `max_removed`?"]
    );
}

#[test]
fn was_names_an_activation_that_is_gone() {
    assert_eq!(
        faults("    was: one\n"),
        ["30:10: conflict: activations.one.was: an activation can't be renamed to its own name"]
    );
    let two = "  two:\n    segment: gold\n    target: partner\n    attributes: { id: individual_id }\n    refresh: { manual: true }\n";
    assert_eq!(
        faults(&format!("    was: two\n{two}")),
        [
            "30:10: conflict: activations.one.was: the activation `two` is still in the config, so its snapshot can't be taken over"
        ]
    );
    assert_eq!(
        faults(&format!("    was: old\n{two}    was: old\n")),
        ["36:10: duplicate_name: activations.two.was: the activation `one` takes over `old` already"]
    );
    assert_eq!(
        faults("    was: Old One\n"),
        ["30:10: invalid_value: activations.one.was: a name starts with a letter a-z and goes on with a-z, 0-9 and _"]
    );
}

#[test]
fn identifiers_are_not_for_file_targets() {
    breaks(
        "    attributes:\n      id: individual_id\n      mail: { from: email, value: address }",
        "    identifiers:\n      email: { from: email, value: address }",
        &[
            "26:5: conflict: activations.one.identifiers: targets that take identifiers are not in this build yet; file targets take `attributes`",
        ],
    );
    breaks(
        "    attributes:\n      id: individual_id\n      mail: { from: email, value: address }\n",
        "",
        &["23:3: missing_key: activations.one: the key `attributes` is missing"],
    );
    breaks(
        "    attributes:\n      id: individual_id\n      mail: { from: email, value: address }",
        "    identifiers:\n      emial: x",
        &[
            "26:5: conflict: activations.one.identifiers: targets that take identifiers are not in this build yet; file targets take `attributes`",
            "27:7: unknown_key: activations.one.identifiers.emial: unknown key, did you mean `email`?",
        ],
    );
}

#[test]
fn shapes_of_the_remaining_keys_are_checked() {
    for (key, expected) in [
        ("retry: { attempts: 0 }", "30:24: invalid_value: activations.one.retry.attempts: at least 1 is wanted"),
        (
            "freshness: soon",
            "30:16: invalid_value: activations.one.freshness: a duration such as 90s, 15m, 12h or 7d is wanted, not `soon`",
        ),
        (
            "resync: { every: 0d }",
            "30:22: invalid_value: activations.one.resync.every: a duration longer than nothing is wanted",
        ),
        ("rapid: { overlap: 5m }", "30:5: missing_key: activations.one.rapid: the key `every` is missing"),
        ("paused: maybe", "30:13: wrong_type: activations.one.paused: a boolean is wanted, not text"),
        (
            "on_delete: purgee",
            "30:16: invalid_value: activations.one.on_delete: `purgee` is not one of `keep`, `purge`, did you mean `purge`?",
        ),
        ("filter: ''", "30:13: invalid_value: activations.one.filter: the text is empty"),
        ("filter: true", "30:13: wrong_type: activations.one.filter: text is wanted, not a boolean"),
    ] {
        assert_eq!(faults(&format!("    {key}\n")), [expected], "{key}");
    }
}
