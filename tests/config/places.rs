//! Places, for problems that later phases find.

use herald::config::Code;

use super::support::{Files, SMALL, small};

#[test]
fn every_value_has_its_place() {
    let files = Files::one(SMALL);
    let config = files.config();
    for (at, line, column) in [
        ("segments.gold.where", 13, 12),
        ("segments.gold", 11, 3),
        ("segments.tiers.waterfall[1]", 19, 23),
        ("segments.tiers.waterfall[9]", 19, 16),
        ("activations.one.attributes.mail.value", 28, 35),
        ("activations.one.attributes.mail", 28, 7),
        ("activations.one.attributes.mail.order_by", 28, 7),
        ("activations.one.filter", 23, 3),
        ("sources.lake.tables.email.path", 8, 22),
        ("targets.partner.path", 21, 33),
    ] {
        let place = config.places.find(at).unwrap_or_else(|| panic!("{at}"));
        assert_eq!((place.line, place.column), (line, column), "{at}");
    }
    assert!(config.places.has("segments.gold.where") && !config.places.has("segments.gold.sql"));
    assert!(config.places.find("nothing").is_none());
}

#[test]
fn later_problems_are_told_like_the_others() {
    let files = Files::one(SMALL);
    let config = files.config();
    let problem = config.places.problem("segments.gold.where", Code::InvalidSql, "no column `contry`\nof individual");
    let path = files.folder.path().join("herald.yaml").display().to_string();
    assert_eq!(
        problem.to_string(),
        format!("{path}:13:12: invalid_sql: segments.gold.where: no column `contry` of individual")
    );
}

#[test]
fn problems_of_hidden_values_are_withheld() {
    let files = small("where: country = 'DE'", "where: \"${file:secret}\"").with("secret", "canary");
    let config = files.config();
    assert!(config.places.hidden("segments.gold.where") && !config.places.hidden("segments.buyers.sql"));
    assert!(!config.places.hidden("segments.gold"));
    let problem = config.places.problem("segments.gold.where", Code::InvalidSql, "no column `canary`");
    assert!(!problem.to_string().contains("canary") && problem.to_string().contains("withheld"), "{problem}");
    let files = small("value: address", "value: \"${file:secret}\"").with("secret", "canary");
    let config = files.config();
    assert!(config.places.hidden("activations.one.attributes.mail"), "a message about the whole could quote the part");
}
