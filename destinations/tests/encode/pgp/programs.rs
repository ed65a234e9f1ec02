//! The programs `gpg` and `sq`, each with a folder of its own.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// GnuPG with a keyring that nobody else has.
pub(super) struct Gpg(TempDir);

impl Gpg {
    pub(super) fn new() -> Self {
        // The agent's socket is in it: its path must be short.
        Self(tempfile::Builder::new().prefix("g").tempdir_in("/tmp").expect("a folder"))
    }

    fn run(&self, passphrase: &str, words: &[&str]) -> Output {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.0.path()).args(["--batch", "--yes", "--quiet", "--trust-model", "always"]);
        command.args(["--status-fd", "2", "--pinentry-mode", "loopback", "--passphrase", passphrase]).args(words);
        command.stdin(Stdio::null()).output().expect("the program gpg")
    }

    fn good(&self, passphrase: &str, words: &[&str]) -> Output {
        let output = self.run(passphrase, words);
        assert!(output.status.success(), "gpg {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Makes a key and returns its fingerprint. `algorithm`: of a primary key alone, or `future-default`, which has an
    /// encryption key too.
    pub(super) fn key(&self, user: &str, algorithm: &str, expires: &str, passphrase: &str) -> String {
        self.good(passphrase, &["--quick-generate-key", user, algorithm, "default", expires]);
        self.fingerprints(user).remove(0)
    }

    pub(super) fn subkey(&self, key: &str, algorithm: &str, expires: &str) {
        self.good("", &["--quick-add-key", key, algorithm, "encr", expires]);
    }

    /// Of the primary key and its subkeys.
    pub(super) fn fingerprints(&self, user: &str) -> Vec<String> {
        let listed = self.good("", &["--with-colons", "--with-subkey-fingerprint", "--list-keys", user]);
        let text = String::from_utf8(listed.stdout).expect("UTF-8");
        text.lines().filter_map(|line| line.strip_prefix("fpr:::::::::")).map(|rest| rest.replace(':', "")).collect()
    }

    pub(super) fn expire(&self, key: &str, subkey: &str, expires: &str) {
        self.good("", &["--quick-set-expire", key, expires, subkey]);
    }

    pub(super) fn revoke(&self, key: &str) {
        let made = self.0.path().join(format!("openpgp-revocs.d/{key}.rev"));
        // A colon keeps it from being used by mistake.
        let text = fs::read_to_string(made).expect("a revocation").replace(":-----BEGIN", "-----BEGIN");
        let path = self.file("revocation", text.as_bytes());
        self.good("", &["--import", &path]);
    }

    pub(super) fn public(&self, user: &str, armoured: bool) -> Vec<u8> {
        let words: &[&str] = if armoured { &["--armor", "--export", user] } else { &["--export", user] };
        self.good("", words).stdout
    }

    pub(super) fn private(&self, user: &str, passphrase: &str) -> Vec<u8> {
        self.good(passphrase, &["--armor", "--export-secret-keys", user]).stdout
    }

    pub(super) fn import(&self, keys: &[u8]) {
        let path = self.file("keys", keys);
        self.good("", &["--import", &path]);
    }

    /// What a message holds, and what `gpg` says of it, one word after `[GNUPG:]` a line.
    pub(super) fn decrypt(&self, message: &[u8]) -> (Vec<u8>, Vec<String>) {
        let path = self.file("message", message);
        let output = self.good("", &["--decrypt", &path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let words = said.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
        (output.stdout, words.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect())
    }

    pub(super) fn opens(&self, message: &[u8]) -> bool {
        let path = self.file("message", message);
        self.run("", &["--decrypt", &path]).status.success()
    }

    /// The packets of a message, as `gpg` lists them.
    pub(super) fn packets(&self, message: &[u8]) -> String {
        let path = self.file("message", message);
        String::from_utf8_lossy(&self.good("", &["--list-packets", &path]).stdout).into_owned()
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agents of this folder, and no others.
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).output();
    }
}

/// A key that Sequoia made.
pub(super) struct Sequoia {
    folder: TempDir,
}

impl Sequoia {
    /// `suite`: `cv25519`, `rsa3k`, ….
    pub(super) fn new(suite: &str) -> Self {
        let made = Self { folder: tempfile::tempdir().expect("a folder") };
        made.run(&["key", "generate", "--userid", "sequoia", "--cipher-suite", suite, "--export", &made.path("key")]);
        made.run(&["key", "extract-cert", "--output", &made.path("public"), &made.path("key")]);
        made
    }

    pub(super) fn public(&self) -> Vec<u8> {
        fs::read(self.path("public")).expect("a key")
    }

    pub(super) fn private(&self) -> Vec<u8> {
        fs::read(self.path("key")).expect("a key")
    }

    /// What a message holds; it must be signed by `signer` where there is one.
    pub(super) fn decrypt(&self, message: &[u8], signer: Option<&[u8]>) -> Vec<u8> {
        fs::write(self.path("message"), message).expect("a file");
        let (key, input, output) = (self.path("key"), self.path("message"), self.path("plain"));
        let mut words = vec!["decrypt", "--recipient-key", &key, "--output", &output];
        let certificate = self.path("signer");
        if let Some(signer) = signer {
            fs::write(&certificate, signer).expect("a file");
            words.extend(["--signatures", "1", "--signer-cert", &certificate]);
        }
        words.push(&input);
        self.run(&words);
        fs::read(&output).expect("what the message holds")
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    fn run(&self, words: &[&str]) {
        let output =
            Command::new("sq").arg("--force").args(words).stdin(Stdio::null()).output().expect("the program sq");
        assert!(output.status.success(), "sq {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
