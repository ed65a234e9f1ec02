//! The kind `local` in the suite that every destination passes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use herald_destinations::{
    conformance::{
        Arranged, Canary, FaultyStore, Harness, OCCUPIED, Outcome, Poison, Row, Step, Trouble, Whole, rows_of_objects,
    },
    contract::{Destination, ErrorKind, RetryPolicy},
    files::{FilesDestination, NewObject, Store},
    kind,
    local::LocalStore,
    reference::{Mishap, Script},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

struct LocalHarness {
    folder: TempDir,
}

impl LocalHarness {
    fn root(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn faulty(&self, step: Step, kind: ErrorKind, applied: bool) -> Arc<dyn Destination> {
        let script = Script::new();
        script.next(step, 1, if applied { Mishap::After(kind) } else { Mishap::Before(kind) });
        Arc::new(FilesDestination::new(FaultyStore::new(LocalStore::new(self.root()), &script)))
    }

    fn at(path: &Path) -> Arc<dyn Destination> {
        Arc::new(FilesDestination::new(LocalStore::new(path)))
    }
}

/// Everything below `folder`: files with their content, and folders that hold nothing.
fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, Bytes>, empty: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut count = 0;
    for entry in entries {
        count += 1;
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(root, &path, files, empty);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
            files.insert(name, Bytes::from(fs::read(&path).expect("a file")));
        }
    }
    if count == 0 && folder != root {
        empty.push(folder.display().to_string());
    }
}

fn is_hidden(path: &str) -> bool {
    path.split('/').any(|name| name.starts_with('.'))
}

#[async_trait]
impl Harness for LocalHarness {
    async fn fresh() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    async fn destination(&self) -> Arc<dyn Destination> {
        let options = serde_json::json!({ "path": "out" });
        let config = kind("local").expect("the kind").parse(options, self.folder.path()).expect("options");
        config.connect(RetryPolicy::default().into()).await.expect("connect")
    }

    async fn visible(&self) -> Vec<Row> {
        let (mut files, mut empty) = (BTreeMap::new(), Vec::new());
        walk(&self.root(), &self.root(), &mut files, &mut empty);
        files.retain(|path, _| !is_hidden(path));
        rows_of_objects(&files)
    }

    fn reads_json(&self) -> bool {
        false
    }

    async fn residue(&self) -> Vec<String> {
        let (mut files, mut empty) = (BTreeMap::new(), Vec::new());
        walk(&self.root(), &self.root(), &mut files, &mut empty);
        empty.extend(files.into_keys().filter(|path| is_hidden(path)));
        empty
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
        let (destination, outcome, means) = match trouble {
            Trouble::WrongCredentials => (
                // The kernel's own tree takes no folders, not even from root, whom permission bits don't stop.
                Self::at(Path::new("/sys/herald-conformance")),
                Outcome::Fails(ErrorKind::Unauthorized),
                "a folder in which this process may not write",
            ),
            Trouble::MissingTarget => (
                Self::at(&self.folder.path().join("no/such/folder")),
                Outcome::Fails(ErrorKind::Missing),
                "a folder whose parent does not exist",
            ),
            Trouble::FullTarget => (
                self.faulty(Step::Finish, ErrorKind::Full, false),
                Outcome::Fails(ErrorKind::Full),
                "no space left when a part is forced to disk, injected: a test can't fill the disk",
            ),
            Trouble::Occupied => {
                let path = self.root().join(OCCUPIED);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, "not of this publish").expect("a file");
                (self.destination().await, Outcome::Fails(ErrorKind::Conflict), "a file has the name of the first part")
            }
            Trouble::Throttled => (
                self.faulty(Step::Write, ErrorKind::Throttled, false),
                Outcome::PassesOnRepeat(ErrorKind::Throttled),
                "a disk asks for no pace; an injected answer of that kind, for the runner to repeat",
            ),
            Trouble::ServerError => (
                self.faulty(Step::Stage, ErrorKind::Unavailable, false),
                Outcome::PassesOnRepeat(ErrorKind::Unavailable),
                "a device that is busy when a part is opened, injected",
            ),
            Trouble::CutConnection => (
                self.faulty(Step::Write, ErrorKind::Unreachable, false),
                Outcome::PassesOnRepeat(ErrorKind::Unreachable),
                "a network file system that goes away in the middle of a part, injected",
            ),
            Trouble::AnswerLost => (
                self.faulty(Step::Reveal, ErrorKind::TimedOut, true),
                Outcome::PassesOnRepeat(ErrorKind::TimedOut),
                "a move that was made although the call failed, as network file systems do, injected",
            ),
            Trouble::Deadline => (
                self.faulty(Step::Put, ErrorKind::TimedOut, false),
                Outcome::PassesOnRepeat(ErrorKind::TimedOut),
                "a network file system that does not answer while the manifest is written, injected",
            ),
            Trouble::RightsWithdrawn => (
                self.faulty(Step::Reveal, ErrorKind::Unauthorized, false),
                Outcome::Fails(ErrorKind::Unauthorized),
                "a folder made read-only after a part was written, injected: permission bits don't stop root",
            ),
            Trouble::SlowServer => (self.destination().await, Outcome::Passes, "a disk has no deadline to miss"),
            Trouble::WrongClock => (self.destination().await, Outcome::Passes, "no call to a disk bears a time"),
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
        let config = kind("local").expect("the kind").parse(serde_json::json!({ "path": "out" }), self.folder.path());
        Canary { config: config.expect("options"), secrets: Vec::new() }
    }
}

herald_destinations::conformance_suite!(suite, LocalHarness);

#[tokio::test]
async fn an_empty_folder_goes_only_if_its_name_is_a_publishs() {
    let root = tempfile::tempdir().expect("a folder");
    let store = LocalStore::new(root.path());
    for kept in ["drop", "deletions", "2025"] {
        fs::create_dir_all(root.path().join(kept)).expect("a folder");
    }
    let publish = uuid::Uuid::now_v7();
    let path = format!("drop/in/2026-11-22/{publish}/x.csv");
    let object = NewObject { path: path.clone(), publish, content_type: "text/csv".to_owned(), replace: false };
    for prefix in ["drop/x", "deletions/", "2025/"] {
        store.sweep(prefix, publish).await.expect("swept");
    }
    drop(store.stage(&object, &CancellationToken::new()).await.expect("staged"));
    store.sweep(&path, publish).await.expect("swept");
    store.put(&object, Bytes::from_static(b"one")).await.expect("written");
    store.remove(&path).await.expect("removed");
    let (mut files, mut left) = (BTreeMap::new(), Vec::new());
    walk(root.path(), root.path(), &mut files, &mut left);
    left.sort();
    assert_eq!(left, ["2025", "deletions", "drop"].map(|kept| root.path().join(kept).display().to_string()));
}
