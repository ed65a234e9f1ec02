//! Who belongs.

use super::{config, floats, integers, texts, words};
use crate::support::Home;

const SEGMENTS: &str = "
  german: { from: person, where: country = 'DE' }
  rich: { from: person, where: score > 50 }
  buyers: { from: person, sql: 'SELECT person FROM contact GROUP BY person HAVING count(*) >= 2' }
  unknown: { from: person, where: country IS NULL }

  both: { from: person, all_of: [german, buyers] }
  either: { from: person, any_of: [german, buyers] }
  neither: { from: person, none_of: [german, buyers] }
  not_rich: { from: person, none_of: [rich] }
  nested: { from: person, where: score > 10, any_of: [buyers, { all_of: [german], none_of: [{ where: score > 90 }] }] }
  top: { from: person, where: score > 10, limit: { members: 2, order_by: score DESC } }
  top_buyers: { from: person, all_of: [buyers], limit: { members: 1, order_by: 'score DESC' } }
  best_of_rest: { from: person, none_of: [top], limit: { members: 1, order_by: score } }
  tiers: { from: person, waterfall: [top, german, buyers] }
";

fn members(segment: &str) -> Vec<String> {
    let activation = format!(
        "\n    segment: {segment}\n    mode: full\n    attributes: {{ id: id }}\n    guards: {{ min_members: 0 }}\n"
    );
    let text = config(&activation, SEGMENTS)
        .replace("      contact:", "      contact_owner: { path: lake/owner.parquet, key: owner }\n      contact:");
    let home = Home::new(&text);
    home.table(
        "person",
        vec![
            ("id", words(&["a", "b", "c", "d", "e"])),
            ("country", texts(&[Some("DE"), Some("FR"), Some("DE"), None, Some("GB")])),
            ("score", floats(&[95.0, 60.0, 20.0, 70.0, 5.0])),
            ("at", integers(&[1; 5])),
        ],
    );
    // x is no person: ids that the table does not hold are no members.
    home.table(
        "contact",
        vec![
            ("cid", words(&["1", "2", "3", "4", "5", "6", "7"])),
            ("person", words(&["a", "a", "b", "b", "c", "x", "x"])),
        ],
    );
    home.table("owner", vec![("owner", words(&["a", "b", "c"])), ("n", integers(&[2, 2, 1]))]);
    home.publish(&["a"]);
    home.held().into_keys().collect()
}

#[test]
fn rules_and_queries_combine() {
    for (segment, expected) in [
        ("german", "ac"),
        ("buyers", "ab"),
        ("both", "a"),
        ("either", "abc"),
        ("neither", "de"),
        ("not_rich", "ce"),
        ("nested", "abc"),
    ] {
        assert_eq!(members(segment).concat(), expected, "{segment}");
    }
}

#[test]
fn a_null_condition_is_neither_belonging_nor_exclusion() {
    assert_eq!(members("unknown"), ["d"]);
    assert!(members("neither").contains(&"d".to_owned()), "country is null, so not known to be German");
}

#[test]
fn limits_rank_and_waterfalls_take_turns() {
    assert_eq!(members("top"), ["a", "d"]);
    assert_eq!(members("top_buyers"), ["a"]);
    assert_eq!(members("best_of_rest"), ["e"]);
    assert_eq!(members("tiers.top"), ["a", "d"]);
    assert_eq!(members("tiers.german"), ["c"]);
    assert_eq!(members("tiers.buyers"), ["b"]);
    assert_eq!(members("tiers"), ["a", "b", "c", "d"]);
}
