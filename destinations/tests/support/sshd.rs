//! Debian's sshd on a port of its own, with keys of its own, and beside it a server with the faults of others.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::{
    free_ports,
    shared::{Facts, Shared, Start, shared},
    tool,
};

/// Opens the keys that are encrypted.
pub(crate) const PASSPHRASE: &str = "canary-passphrase";
/// User keys by name, with what makes each.
const KEYS: [(&str, &[&str]); 6] = [
    ("ed25519", &["-t", "ed25519"]),
    ("ed25519_locked", &["-t", "ed25519", "-N", PASSPHRASE]),
    ("ecdsa", &["-t", "ecdsa"]),
    ("rsa", &["-t", "rsa", "-b", "2048"]),
    ("rsa_pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
    ("rsa_pem_locked", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", PASSPHRASE]),
];

/// A running server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    /// Where the same users may only read.
    pub(crate) read_only: u16,
    data: PathBuf,
}

impl Server {
    /// A user's private key.
    pub(crate) fn key(&self, name: &str) -> String {
        fs::read_to_string(self.key_file(name)).expect("a key")
    }

    /// Where it stands.
    pub(crate) fn key_file(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Fingerprint of a host key: `ed25519`, `ecdsa` or `rsa`.
    pub(crate) fn fingerprint(&self, kind: &str) -> String {
        let file = self.data.join(format!("host_{kind}.pub"));
        let output = Command::new("ssh-keygen").arg("-lf").arg(file).output().expect("ssh-keygen");
        let text = String::from_utf8(output.stdout).expect("text");
        text.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// A host key as known hosts have it: type and blob.
    pub(crate) fn host_key(&self, kind: &str) -> String {
        let text = fs::read_to_string(self.data.join(format!("host_{kind}.pub"))).expect("a host key");
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }
}

/// OpenSSH's server.
pub(crate) fn sshd() -> Server {
    static SERVER: OnceLock<Shared> = OnceLock::new();
    server(SERVER.get_or_init(|| shared("sshd", start_sshd)))
}

/// The server of `sftp/quirky.py`.
pub(crate) fn quirky() -> Server {
    static SERVER: OnceLock<Shared> = OnceLock::new();
    server(SERVER.get_or_init(|| shared("quirky-sftp", start_quirky)))
}

/// The user that the tests run as: the only one that an sshd without root's rights can log in.
pub(crate) fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8(output.stdout).expect("a name").trim().to_owned()
}

/// A port that nobody listens on, now or while this lives.
pub(crate) fn dead_port() -> (u16, TcpListener) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    (listener.local_addr().expect("an address").port(), listener)
}

fn server(shared: &Shared) -> Server {
    let port = |name: &str| shared.facts.get(name).map_or(0, |port| port.parse().expect("a port"));
    Server { port: port("port"), read_only: port("read_only"), data: shared.facts["data"].clone().into() }
}

fn facts(data: &Path) -> Facts {
    Facts::from([("data".to_owned(), data.display().to_string())])
}

fn make_key(file: &Path, how: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-C", "test", "-f"]).arg(file).args(how);
    if !how.contains(&"-N") {
        command.args(["-N", ""]);
    }
    assert!(command.status().expect("ssh-keygen").success(), "{how:?}");
}

fn make_user_keys(data: &Path) -> PathBuf {
    let mut authorized = String::new();
    for (name, how) in KEYS {
        make_key(&data.join(name), how);
        authorized += &fs::read_to_string(data.join(format!("{name}.pub"))).expect("a public key");
    }
    // Nobody has authorized this one.
    make_key(&data.join("stranger"), &["-t", "ed25519"]);
    let file = data.join("authorized_keys");
    fs::write(&file, authorized).expect("authorized keys");
    file
}

fn start_sshd(data: &Path) -> Start {
    let [port, read_only] = free_ports();
    let authorized = make_user_keys(data);
    let mut config = format!(
        "Port {port}\nPort {read_only}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\n\
         PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 200\nMaxSessions 200\nLogLevel ERROR\n\
         AuthorizedKeysFile {}\nSubsystem sftp internal-sftp\n",
        authorized.display()
    );
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let file = data.join(format!("host_{kind}"));
        make_key(&file, &["-t", kind]);
        config += &format!("HostKey {}\n", file.display());
    }
    config += &format!("Match LocalPort {read_only}\n    ForceCommand internal-sftp -R\n");
    let file = data.join("sshd_config");
    fs::write(&file, config).expect("a config");
    // Root's sshd locks itself into it; others have no need of it, and no right to make it.
    let _ = fs::create_dir_all("/run/sshd");
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(file);
    let mut facts = facts(data);
    facts.insert("read_only".to_owned(), read_only.to_string());
    Start { command, port, facts }
}

fn start_quirky(data: &Path) -> Start {
    let [port] = free_ports();
    let authorized = make_user_keys(data);
    let host = data.join("host_ed25519");
    make_key(&host, &["-t", "ed25519"]);
    let mut command = Command::new(tool("python"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/sftp/quirky.py");
    command.arg(script).arg(port.to_string()).arg(host).arg(authorized);
    Start { command, port, facts: facts(data) }
}
