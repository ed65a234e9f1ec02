//! `herald completions`, `herald man` and `herald healthcheck`.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use tokio::runtime::Runtime;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::done;
use crate::{
    cli::{document, herald, stderr, stdout},
    support::Home,
};

/// The commands that help lists.
fn commands() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let help = stdout(&herald(dir.path(), "--help"));
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names =
        list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn completions_know_every_command_in_every_shell() {
    let dir = tempfile::tempdir().unwrap();
    let commands = commands();
    assert!(commands.contains("publish") && commands.contains("completions"), "{commands:?}");
    assert!(!commands.contains("healthcheck"), "it is for images");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = herald(dir.path(), &format!("completions {shell}"));
        assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
        let script = stdout(&ran);
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell} does not know {command}");
        }
        assert!(!script.contains("healthcheck"), "{shell} offers what nobody types");
        let json = herald(dir.path(), &format!("completions {shell} --json"));
        assert_eq!(document(&json)["shell"], shell);
        assert_eq!(document(&json)["script"].as_str().unwrap(), script.trim_end());
    }
}

#[test]
fn bash_completes_a_command_and_an_option() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("herald.bash");
    std::fs::write(&script, herald(dir.path(), "completions bash").stdout).unwrap();
    let completed = |words: &str| {
        let last = words.split(' ').count() - 1;
        let ask = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={last}; _herald herald \"${{COMP_WORDS[-1]}}\" \"\"; echo ${{COMPREPLY[@]}}",
            script.display()
        );
        done(Command::new("bash").args(["--norc", "-c", &ask])).trim().to_owned()
    };
    assert_eq!(completed("herald publi"), "publish");
    assert_eq!(completed("herald publish --over"), "--override");
}

#[test]
fn every_command_has_a_manual_page_that_man_reads_without_complaint() {
    let dir = tempfile::tempdir().unwrap();
    let ran = herald(dir.path(), "man pages/man1 --json");
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    let written: BTreeSet<String> =
        document(&ran)["files"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    let mut expected: BTreeSet<String> = commands().iter().map(|name| format!("herald-{name}.1")).collect();
    expected.insert("herald.1".to_owned());
    assert_eq!(written, expected);
    let folder = dir.path().join("pages/man1");
    let there: BTreeSet<String> =
        folder.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, expected);
    for name in &expected {
        let page = folder.join(name);
        let output = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-P-cbou"])
            .arg(&page)
            .stdin(Stdio::null())
            .output()
            .expect("groff is missing: run tests/setup.sh");
        assert!(output.status.success() && output.stderr.is_empty(), "{name}: {}", super::said(&output));
    }
    let publish = std::fs::read_to_string(folder.join("herald-publish.1")).unwrap();
    for part in ["herald\\-publish", "\\-\\-no\\-wait", "\\-\\-config"] {
        assert!(publish.contains(part), "{part} is missing in {publish}");
    }
    let one = stdout(&herald(dir.path(), "man"));
    assert!(one.contains("Exit status"), "{one}");
    std::fs::write(dir.path().join("file"), "").unwrap();
    assert_eq!(herald(dir.path(), "man file/below").status.code(), Some(2));
}

#[test]
fn a_health_check_tells_a_living_service_from_a_sick_and_a_missing_one() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    let answer = |status: u16| {
        runtime.block_on(async {
            server.reset().await;
            let healthz = Mock::given(matchers::method("GET")).and(matchers::path("/healthz"));
            healthz.respond_with(ResponseTemplate::new(status)).mount(&server).await;
        });
    };
    // Broken: what is asked for is the data folder alone.
    let home = Home::new("service: { data_dir: data, no_such_key: 1 }\nactivations: { a: { segment: none } }\n");
    std::fs::create_dir(home.path("data")).unwrap();
    let note = |scheme: &str| {
        let note = serde_json::json!({ "scheme": scheme, "address": server.address() });
        std::fs::write(home.path("data/listens.json"), note.to_string()).unwrap();
    };
    // A proxy that nobody serves: it must not be asked.
    let check = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        let command = command.env("HTTP_PROXY", "http://127.0.0.1:9").env("http_proxy", "http://127.0.0.1:9");
        command.output().unwrap().status.code()
    };
    answer(200);
    assert_eq!(check(&["healthcheck"]), Some(1), "none listens");
    note("https");
    assert_eq!(check(&["healthcheck"]), Some(1), "it does not speak TLS");
    note("http");
    assert_eq!(check(&["healthcheck"]), Some(0));
    assert_eq!(check(&["healthcheck", "--url", &format!("{}/", server.uri())]), Some(0));
    for status in [503, 404, 302] {
        answer(status);
        assert_eq!(check(&["healthcheck"]), Some(1), "{status}");
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(check(&["healthcheck", "--url", &format!("http://{gone}")]), Some(1));
}
