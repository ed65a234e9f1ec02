//! The suite that every destination passes, on OpenSSH; what it can't be made to do, the server with faults does in the
//! same folder.

use std::{fs, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use herald_destinations::{
    conformance::{Arranged, Canary, Harness, OCCUPIED, Outcome, Poison, Row, Trouble, Whole, rows_of_objects},
    contract::{Config, Destination, ErrorKind, RetryPolicy},
    kind,
    sftp::Deadlines,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{config, faulty, options, tree, with};
use crate::support::sshd::{PASSPHRASE, sshd};

struct SftpHarness {
    folder: TempDir,
}

impl SftpHarness {
    fn root(&self) -> &Path {
        self.folder.path()
    }

    async fn connected(options: Value) -> Arc<dyn Destination> {
        config(options).connect(RetryPolicy::default().into()).await.expect("connect")
    }
}

fn is_temporary(path: &str) -> bool {
    path.contains(".part-") || path.starts_with("herald-tmp/")
}

#[async_trait]
impl Harness for SftpHarness {
    async fn fresh() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    async fn destination(&self) -> Arc<dyn Destination> {
        let options = options(&sshd(), self.root());
        let config = kind("sftp").expect("the kind").parse(options, Path::new("/")).expect("options");
        config.connect(RetryPolicy::default().into()).await.expect("connect")
    }

    async fn visible(&self) -> Vec<Row> {
        let (mut files, _) = tree(self.root());
        files.retain(|path, _| !is_temporary(path));
        rows_of_objects(&files)
    }

    fn reads_json(&self) -> bool {
        false
    }

    async fn residue(&self) -> Vec<String> {
        let (files, mut left) = tree(self.root());
        left.extend(files.into_keys().filter(|path| is_temporary(path)));
        left
    }

    async fn damage(&self, path: &str) -> bool {
        let path = self.root().join(path);
        let mut content = fs::read(&path).expect("a part");
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(path, content).expect("a changed part");
        true
    }

    async fn arrange(&self, trouble: Trouble) -> Arranged {
        let root = self.root();
        let faulty = |quirk, times| Self::connected(faulty(quirk, times, root));
        let (destination, outcome, means) = match trouble {
            Trouble::WrongCredentials => (
                Self::connected(with(options(&sshd(), root), json!({ "private_key": sshd().key("stranger") }))).await,
                Outcome::Fails(ErrorKind::Unauthorized),
                "a key that the server does not know",
            ),
            Trouble::MissingTarget => (
                Self::connected(options(&sshd(), &root.join("no/such/folder"))).await,
                Outcome::Fails(ErrorKind::Missing),
                "a folder that nobody made",
            ),
            Trouble::FullTarget => (
                faulty("full", "all").await,
                Outcome::Fails(ErrorKind::Full),
                "a server that takes no byte for want of space",
            ),
            Trouble::Occupied => {
                let path = root.join(OCCUPIED);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, "not of this publish").expect("a file");
                let means = "a file has the name of the first part";
                (self.destination().await, Outcome::Fails(ErrorKind::Conflict), means)
            }
            Trouble::Throttled => (
                faulty("throttled", "2").await,
                Outcome::Passes,
                "SFTP has no word for a slower pace, nor for a pause; servers before object stores say it in a failure, twice",
            ),
            Trouble::ServerError => {
                (faulty("broken", "2").await, Outcome::Passes, "no file can be opened for writing, twice")
            }
            Trouble::CutConnection => (
                faulty("cut_write", "1").await,
                Outcome::PassesOnRepeat(ErrorKind::Unreachable),
                "the connection is cut while a part is sent, whose rows nobody holds any more",
            ),
            Trouble::AnswerLost => {
                (faulty("lose_rename", "1").await, Outcome::Passes, "a part is renamed, the answer lost")
            }
            Trouble::Deadline => {
                let deadlines = Deadlines { answer: Duration::from_secs(2), ..Deadlines::default() };
                let config = config(super::faulty("hang", "1", root)).with_deadlines(deadlines);
                let destination = config.connect(RetryPolicy::default().into()).await.expect("connect");
                let means = "a write is not answered before the deadline";
                (destination, Outcome::PassesOnRepeat(ErrorKind::TimedOut), means)
            }
            Trouble::RightsWithdrawn => (
                faulty("denied", "all").await,
                Outcome::Fails(ErrorKind::Unauthorized),
                "files may be written, but no longer renamed",
            ),
            Trouble::SlowServer => {
                (faulty("late", "all").await, Outcome::Passes, "each write waits for a fifth of a second")
            }
            Trouble::WrongClock => (self.destination().await, Outcome::Passes, "no request of SFTP bears a time"),
        };
        Arranged { destination, outcome, at_least: Duration::ZERO, means }
    }

    fn poison(&self) -> Poison {
        Poison::None { why: "a file takes any record of its columns" }
    }

    async fn refuse_whole(&self, _: usize) -> Whole {
        Whole::Never { why: "a file takes any record of its columns" }
    }

    fn canary(&self) -> Canary {
        let server = sshd();
        let key = server.key("ed25519_locked");
        let changes = json!({ "private_key": key.clone(), "passphrase": PASSPHRASE });
        let options = with(options(&server, self.root()), changes);
        let config = kind("sftp").expect("the kind").parse(options, Path::new("/")).expect("options");
        // A key's own lines; those around them are the same in every key.
        let inner =
            |key: String| key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect::<Vec<_>>();
        let mut secrets = inner(key);
        secrets.extend(inner(server.key("ed25519")));
        secrets.push(PASSPHRASE.to_owned());
        Canary { config, secrets }
    }
}

herald_destinations::conformance_suite!(conformance, SftpHarness);
