//! Who did what is on record: every command that changes something, and no other.

use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::runtime::Runtime;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string_contains, method},
};

use crate::{
    publishing::{config, integers, words},
    support::{Home, Ran},
};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id }
    guards: { max_removed: 100%, min_members: 0 }
";
/// Part of every member's key, and of the receiver's secret.
const CANARY: &str = "canary";
const REFUSED: &str = "canary-key-2";

/// Runs a command as somebody who claims to be another; it must end with this status.
fn run(home: &Home, arguments: &[&str], status: i32) -> Ran {
    let ran = Ran::from(home.command(arguments).env("USER", "somebody-else").output().unwrap());
    assert_eq!(ran.status, status, "{arguments:?}: {ran:?}");
    ran
}

fn audit(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let ran = run(home, &[&["audit", "--json"], arguments].concat(), 0);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `what` of each line, oldest first, with the activation and the detail.
fn said(lines: &[Value]) -> Vec<(String, String, Option<String>)> {
    let text = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
    lines
        .iter()
        .rev()
        .map(|line| (text(line, "what").unwrap(), text(line, "activation").unwrap_or_default(), text(line, "detail")))
        .collect()
}

#[test]
fn every_command_that_changes_something_is_on_record_with_its_user_and_no_member() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    runtime.block_on(async {
        let poison = Mock::given(method("POST")).and(body_string_contains(REFUSED));
        poison.respond_with(ResponseTemplate::new(422)).with_priority(1).mount(&server).await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    });
    let hook = format!("out: {{ type: webhook, url: \"{}/in?token={CANARY}\", secret: {CANARY} }}", server.uri());
    let home = Home::new(&config(ACTIVATION, "").replace("out: { type: local, path: ./out }", &hook));
    let ids = ["canary-key-1", REFUSED, "canary-key-3"];
    home.table("person", vec![("id", words(&ids)), ("at", integers(&[1, 1, 1]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
    std::fs::write(home.path("keys.txt"), "canary-key-1\n").unwrap();

    let first = run(&home, &["publish", "a", "--json"], 3);
    let first: Value = serde_json::from_str(&first.stdout).unwrap();
    let id = first["id"].as_str().unwrap();
    for reading in [
        vec!["check"],
        vec!["plan", "a"],
        vec!["status"],
        vec!["receipts"],
        vec!["receipt", id],
        vec!["rejects", "a"],
        vec!["explain", "a", "canary-key-1"],
        vec!["delete", "a", "--plan"],
        vec!["audit"],
    ] {
        run(&home, &reading, 0);
    }
    assert_eq!(said(&audit(&home, &[])), [("publish".to_owned(), "a".to_owned(), None)], "a look is no deed");

    run(&home, &["retry", id], 1);
    run(&home, &["publish", "a", "--full"], 3);
    run(&home, &["publish", "a", "--rapid", "--override", "planned"], 1);
    run(&home, &["publish", "a", "--member", "canary-key-1", "--member", "canary-key-3"], 0);
    run(&home, &["pause", "a"], 0);
    run(&home, &["resume", "a"], 0);
    run(&home, &["delete", "a", "--keep"], 0);
    run(&home, &["recreate", "a"], 0);
    run(&home, &["adopt", "a", "--keys", "keys.txt"], 0);
    // What was refused outright changed nothing.
    run(&home, &["publish", "b"], 2);
    run(&home, &["adopt", "a", "--keys", "keys.txt"], 1);

    let lines = audit(&home, &["--activation", "a"]);
    let line = |what: &str, detail: Option<&str>| (what.to_owned(), "a".to_owned(), detail.map(str::to_owned));
    assert_eq!(
        said(&lines),
        [
            line("publish", None),
            line("retry", Some(id)),
            line("publish", Some("full")),
            line("publish", None),
            line("override", Some("planned")),
            line("publish", None),
            line("pause", None),
            line("resume", None),
            line("delete", Some("keep")),
            line("recreate", None),
            line("adopt", Some("keys")),
        ]
    );
    let me = Command::new("id").arg("-un").stderr(Stdio::null()).output().unwrap();
    let me = String::from_utf8(me.stdout).unwrap();
    for line in &lines {
        assert_eq!(line["who"], me.trim(), "the environment is not believed: {line}");
        assert!(!line.to_string().contains(CANARY), "{line}");
    }
}

#[test]
fn the_audit_is_searched_by_activation_time_and_number() {
    let home = Home::new(&config(ACTIVATION, ""));
    for command in ["pause", "resume", "pause"] {
        run(&home, &[command, "a"], 0);
    }
    let (all, newest) = (audit(&home, &[]), audit(&home, &["--limit", "1"]));
    assert_eq!(all.len(), 3);
    assert_eq!(newest, all[..1]);
    assert_eq!(audit(&home, &["--since", "1h", "--activation", "a"]), all);
    assert_eq!(audit(&home, &["--since", all[1]["at"].as_str().unwrap()]), all[..2]);
    assert_eq!(audit(&home, &["--since", "2999-01-01"]), [] as [Value; 0]);
    assert!(run(&home, &["audit", "--since", "2999-01-01"], 0).stdout.contains("nothing on record of that"));
    run(&home, &["audit", "--activation", "unheard_of"], 2);
    run(&home, &["audit", "--since", "yesterday"], 2);
}
