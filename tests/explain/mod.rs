//! Why a member is, or is not, at the target; and publishes narrowed to named members.

mod lake;
mod narrowing;
mod records;
mod rules;
mod running;

use serde_json::Value;

use crate::support::Home;

/// What `explain` says of a key; it must not fail.
fn explain(home: &Home, key: &str) -> Value {
    let ran = home.run(&["--json", "explain", "a", "--", key]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let explained: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&explained["activation"], &explained["member"]), (&"a".into(), &key.into()));
    explained
}

/// Outcome and detail of a step.
fn step<'e>(explained: &'e Value, name: &str) -> (&'e str, &'e str) {
    let steps = explained["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name}: {explained:#}"));
    (step["outcome"].as_str().unwrap(), step["detail"].as_str().unwrap())
}

/// The outcomes of all steps, then what is held.
fn outcomes(explained: &Value) -> String {
    let steps = explained["steps"].as_array().unwrap();
    assert_eq!(
        steps.iter().map(|step| step["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["segment", "filter", "requirement", "delta", "last delivery"]
    );
    let words = steps.iter().map(|step| step["outcome"].as_str().unwrap());
    words.chain([explained["held"].as_str().unwrap()]).collect::<Vec<_>>().join(" ")
}
