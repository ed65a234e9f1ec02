//! Who the server is, and who the user is.

use std::{fs, path::Path, process::Command};

use herald_destinations::{
    contract::{Error, ErrorKind, RetryPolicy},
    files::Store,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{config, faulty, once, options, with};
use crate::support::sshd::{PASSPHRASE, dead_port, sshd};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn probed(changes: Value) -> Result<(), Error> {
    let root = folder();
    once(with(options(&sshd(), root.path()), changes)).probe().await
}

/// A file of known hosts with these lines; the target that trusts it.
async fn known(lines: &str) -> Result<(), Error> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), lines).expect("known hosts");
    probed(json!({ "host_key": null, "known_hosts": file.path() })).await
}

fn host() -> String {
    format!("[127.0.0.1]:{}", sshd().port)
}

#[tokio::test]
async fn every_sort_of_key_logs_in_whatever_it_is_written_as() {
    for (key, passphrase) in [
        ("ed25519", None),
        ("ed25519_locked", Some(PASSPHRASE)),
        ("ecdsa", None),
        ("rsa", None),
        ("rsa_pem", None),
        ("rsa_pem_locked", Some(PASSPHRASE)),
    ] {
        let changes = json!({ "private_key": sshd().key(key), "passphrase": passphrase });
        probed(changes).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}

#[tokio::test]
async fn a_wrong_passphrase_or_key_is_named_and_never_shown() {
    for (changes, said) in [
        (json!({ "private_key": sshd().key("ed25519_locked"), "passphrase": "canary-wrong" }), "passphrase"),
        (json!({ "private_key": sshd().key("ed25519_locked") }), "passphrase"),
        (json!({ "private_key": sshd().key("stranger") }), "private_key"),
        (json!({ "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n" }), "passphrase"),
        (json!({ "private_key": null, "password": "canary-word" }), "takes no password"),
    ] {
        let error = probed(changes).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
        assert!(error.to_string().contains(said) && !format!("{error:?}").contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn a_password_answers_a_password_and_a_prompt() {
    for quirk in ["password", "prompts"] {
        let root = folder();
        let options = faulty(quirk, "all", root.path());
        let word = options["user"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        let login = |password: String| with(options.clone(), json!({ "private_key": null, "password": password }));
        once(login(format!("secret-{word}"))).probe().await.unwrap_or_else(|error| panic!("{quirk}: {error}"));
        let error = once(login("canary-wrong".to_owned())).probe().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{quirk}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn an_agent_logs_in_with_whichever_of_its_keys_is_known() {
    let (root, sockets) = (folder(), folder());
    let socket = sockets.path().join("agent");
    let mut agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).spawn().expect("ssh-agent");
    while !socket.exists() {
        assert!(agent.try_wait().expect("a child").is_none(), "the agent ended at once");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let add = |key: &str| {
        let file = folder();
        let path = file.path().join("key");
        fs::copy(sshd().key_file(key), &path).unwrap();
        let added =
            Command::new("ssh-add").arg("-q").arg(path).env("SSH_AUTH_SOCK", &socket).status().expect("ssh-add");
        assert!(added.success());
    };
    let by = |socket: &Path| config(options(&sshd(), root.path())).with_agent(socket).store(RetryPolicy::ONCE);
    add("stranger");
    let none = by(&socket).probe().await;
    add("rsa");
    let second = by(&socket).probe().await;
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!(none.unwrap_err().kind(), ErrorKind::Unauthorized);
    second.unwrap();
    let gone = by(&sockets.path().join("gone")).probe().await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Unauthorized, "{gone}");
}

#[tokio::test]
async fn a_pinned_key_may_be_any_that_the_server_has() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let pinned = probed(json!({ "host_key": sshd().fingerprint(kind) })).await;
        pinned.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[tokio::test]
async fn another_key_is_refused_and_every_one_that_the_server_has_is_shown() {
    let error = probed(json!({ "host_key": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU" })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    for kind in ["ed25519", "ecdsa", "rsa"] {
        assert!(error.to_string().contains(&sshd().fingerprint(kind)), "{kind}: {error}");
    }
    assert!(error.to_string().contains("host_key: \"SHA256:"), "{error}");
}

#[tokio::test]
async fn known_hosts_are_found_by_the_type_that_stands_there() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        known(&format!("{} {}\n", host(), sshd().host_key(kind)))
            .await
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    // As OpenSSH hashes them.
    let file = folder();
    let path = file.path().join("known");
    fs::write(&path, format!("{} {}\n", host(), sshd().host_key("rsa"))).unwrap();
    assert!(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&path).status().unwrap().success());
    let hashed = fs::read_to_string(&path).unwrap();
    assert!(hashed.starts_with("|1|"), "{hashed}");
    known(&hashed).await.unwrap();
}

#[tokio::test]
async fn an_unknown_changed_or_revoked_host_is_refused_with_what_to_do() {
    let stranger = sshd().key_file("stranger.pub");
    let stranger = fs::read_to_string(stranger).unwrap();
    let right = sshd().host_key("ed25519");
    for (lines, said) in [
        ("other.example.com ssh-ed25519 AAAA\n".to_owned(), "not among the known hosts"),
        (format!("127.0.0.1 {right}\n"), "not among the known hosts"),
        (format!("{} {stranger}", host()), "has changed"),
        (format!("@revoked {} {right}\n{} {right}\n", host(), host()), "revoked"),
    ] {
        let error = known(&lines).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.to_string().contains(said), "{said}: {error}");
        assert!(error.to_string().contains(&sshd().fingerprint("ed25519")), "{error}");
    }
    let error = known("").await.unwrap_err();
    assert!(error.to_string().contains(&format!("{} {right}", host())), "the line to add: {error}");
    let error = probed(json!({ "host_key": null, "known_hosts": "/no/such/file" })).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[tokio::test]
async fn a_file_of_known_hosts_is_read_afresh() {
    let (root, file) = (folder(), tempfile::NamedTempFile::new().expect("a file"));
    let changes = json!({ "host_key": null, "known_hosts": file.path() });
    let store = once(with(options(&sshd(), root.path()), changes));
    store.probe().await.unwrap_err();
    fs::write(file.path(), format!("{} {}\n", host(), sshd().host_key("ecdsa"))).unwrap();
    store.probe().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let (port, listener) = dead_port();
    drop(listener);
    let error = probed(json!({ "port": port })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    let error = probed(json!({ "host": "no-such-host.invalid" })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}
