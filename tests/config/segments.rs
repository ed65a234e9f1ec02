//! The `segments` map.

use herald::config::{Part, Rule};

use super::support::{Files, SMALL, breaks, small};

/// [`SMALL`] with one more segment.
fn more(text: &str) -> Files {
    small("targets:\n", &format!("{text}\ntargets:\n"))
}

fn faults(text: &str) -> Vec<String> {
    more(text).lines()
}

#[test]
fn rules_nest_by_name_and_inline() {
    let config = more(
        "  nested:\n    from: individual\n    all_of: [gold, { any_of: [buyers, tiers.gold] }]\n    none_of: [{ where: a }]\n    limit: { members: 5, order_by: x DESC }",
    )
    .config();
    let rule = &config.segments["nested"].rule;
    assert_eq!(rule.at, "segments.nested");
    let [Part::Named { name, at }, Part::Inline(inner)] = rule.all_of.as_slice() else { panic!("{rule:?}") };
    assert_eq!((name.as_str(), at.as_str()), ("gold", "segments.nested.all_of[0]"));
    let Rule { at, any_of: Some(parts), .. } = &**inner else { panic!("{inner:?}") };
    assert_eq!((at.as_str(), parts.len()), ("segments.nested.all_of[1]", 2));
    let Part::Inline(none) = &rule.none_of[0] else { panic!("{rule:?}") };
    assert_eq!(none.filter.as_ref().unwrap().at, "segments.nested.none_of[0].where");
    let limit = rule.limit.as_ref().unwrap();
    assert_eq!((limit.members, limit.order_by.as_ref().unwrap().text.as_str()), (5, "x DESC"));
    assert_eq!(config.segments["tiers"].rule.waterfall, ["gold", "buyers"]);
}

#[test]
fn dangling_references_suggest_the_nearest_name() {
    assert_eq!(
        faults("  s:\n    from: individual\n    all_of: [golt, tiers.buyer, tears.gold, gold.x]"),
        [
            "22:14: unknown_reference: segments.s.all_of[0]: there is no segment `golt`, did you mean `gold`?",
            "22:20: unknown_reference: segments.s.all_of[1]: the waterfall `tiers` has no rung `buyer`, did you mean `buyers`?",
            "22:33: unknown_reference: segments.s.all_of[2]: there is no segment `tears.gold`, did you mean `tiers.gold`?",
            "22:45: unknown_reference: segments.s.all_of[3]: the segment `gold` is no waterfall, so it has no rung `x`",
        ]
    );
    breaks(
        "waterfall: [gold, buyers]",
        "waterfall: [gold, byers]",
        &["19:23: unknown_reference: segments.tiers.waterfall[1]: there is no segment `byers`, did you mean `buyers`?"],
    );
    breaks(
        "  gold:\n    from: individual",
        "  gold:\n    from: indvidual",
        &["12:11: unknown_reference: segments.gold.from: there is no table `indvidual`, did you mean `individual`?"],
    );
}

#[test]
fn a_reference_to_a_segment_with_an_error_of_its_own_is_not_dangling() {
    breaks(
        "where: country = 'DE'",
        "where: 5",
        &["13:12: wrong_type: segments.gold.where: text is wanted, not an integer"],
    );
    breaks(
        "waterfall: [gold, buyers]",
        "waterfall: gold",
        &["19:16: wrong_type: segments.tiers.waterfall: a list is wanted, not text"],
    );
}

#[test]
fn cycles_are_named_where_they_close() {
    assert_eq!(
        faults(
            "  a: { from: individual, all_of: [b] }\n  b: { from: individual, none_of: [{ any_of: [c] }] }\n  c: { from: individual, waterfall: [gold, a] }"
        ),
        ["22:44: cycle: segments.c.waterfall[1]: segments need each other: a → b → c → a"]
    );
    assert_eq!(
        faults("  a: { from: individual, all_of: [a] }"),
        ["20:35: cycle: segments.a.all_of[0]: segments need each other: a → a"]
    );
    assert_eq!(
        faults("  a: { from: individual, all_of: [w.a] }\n  w: { from: individual, waterfall: [gold, a] }"),
        ["21:44: cycle: segments.w.waterfall[1]: segments need each other: a → w → a"]
    );
}

#[test]
fn long_chains_of_segments_are_no_cycle() {
    let chain: String = (0..2_000).map(|n| format!("  c{n}: {{ from: individual, all_of: [c{}] }}\n", n + 1)).collect();
    more(&format!("{chain}  c2000: {{ from: individual, where: x }}")).config();
}

#[test]
fn a_segment_says_who_belongs() {
    assert_eq!(faults("  s: { from: individual }"), ["20:3: missing_key: segments.s: nothing says who belongs"]);
    assert_eq!(
        faults("  s: { from: individual, limit: { members: 5 } }"),
        ["20:3: missing_key: segments.s: nothing says who belongs"]
    );
    assert_eq!(
        faults("  s: { from: individual, all_of: [{ limit: { members: 1 } }] }"),
        ["20:35: missing_key: segments.s.all_of[0]: nothing says who belongs"]
    );
    assert_eq!(faults("  s: { where: x }"), ["20:3: missing_key: segments.s: the key `from` is missing"]);
    assert_eq!(
        faults("  s: { from: individual, where: '  ' }"),
        ["20:33: invalid_value: segments.s.where: the SQL is empty"]
    );
    assert_eq!(
        faults("  s: { from: individual, where: '' }"),
        ["20:33: invalid_value: segments.s.where: the text is empty"]
    );
    assert_eq!(
        faults("  s: { from: individual, all_of: [] }"),
        ["20:34: invalid_value: segments.s.all_of: the list is empty"]
    );
    assert_eq!(faults("  s:"), ["20:3: wrong_type: segments.s: there is no value"]);
}

#[test]
fn a_waterfall_stands_alone_and_holds_each_segment_once() {
    assert_eq!(
        faults("  s: { from: individual, waterfall: [gold, gold], where: x, limit: { members: 1 } }"),
        [
            "20:44: duplicate_name: segments.s.waterfall[1]: the segment `gold` is given twice",
            "20:58: conflict: segments.s.where: `where` does not go with `waterfall`",
            "20:61: conflict: segments.s.limit: `limit` does not go with `waterfall`",
        ]
    );
}

#[test]
fn limits_take_at_least_one_member() {
    assert_eq!(
        faults("  s: { from: individual, where: x, limit: { members: 0 } }"),
        ["20:54: invalid_value: segments.s.limit.members: at least 1 is wanted"]
    );
    assert_eq!(
        faults("  s: { from: individual, where: x, limit: { members: many } }"),
        ["20:54: wrong_type: segments.s.limit.members: an integer is wanted, not text"]
    );
    assert_eq!(
        faults("  s: { from: individual, where: x, limit: { order_by: a } }"),
        ["20:36: missing_key: segments.s.limit: the key `members` is missing"]
    );
}

#[test]
fn names_of_entries_have_a_shape() {
    assert_eq!(
        faults("  Gold-DE: { from: individual, where: x }"),
        ["20:3: invalid_value: segments.Gold-DE: a name starts with a letter a-z and goes on with a-z, 0-9 and _"]
    );
}

#[test]
fn text_that_yaml_reads_as_something_else_is_a_wrong_type() {
    let files = more("  s: { from: individual, where: true }");
    assert_eq!(files.lines(), ["20:33: wrong_type: segments.s.where: text is wanted, not a boolean"]);
    assert_eq!(files.problems().iter().next().unwrap().remedy.as_deref(), Some("put it in quotes"));
    assert_eq!(
        faults("  s: { from: individual, all_of: [1, [x]] }"),
        [
            "20:35: wrong_type: segments.s.all_of[0]: text or a map is wanted, not an integer",
            "20:38: wrong_type: segments.s.all_of[1]: text or a map is wanted, not a list",
        ]
    );
}

#[test]
fn segments_that_are_combined_have_keys_of_one_width() {
    let text = SMALL
        .replace("key: email_id,", "key: [email_id, kq],")
        .replace("targets:\n", "  mails: { from: email, all_of: [gold] }\ntargets:\n");
    assert_eq!(
        Files::one(&text).lines(),
        ["20:34: conflict: segments.mails.all_of[0]: the key of `gold` has 1 columns, and the key of `mails` has 2"]
    );
}
