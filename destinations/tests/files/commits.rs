//! Commits whose answers are lost, that are repeated, or that fail for good on the way.

use std::{collections::BTreeMap, fs, path::Path};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use herald_destinations::{
    conformance::{FaultyStore, Step, batch, context},
    contract::{Destination, Error, ErrorKind, Mode, Op, PublishContext, Ticket},
    files::{FileOptions, FilesDestination, NewObject, Staged, Stat, Store, Upload},
    local::LocalStore,
    reference::{MemoryFiles, Mishap, Script},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::seal;

type Faulty = FilesDestination<FaultyStore<MemoryFiles>>;

fn target() -> (MemoryFiles, Script<Step>, Faulty) {
    let (files, script) = (MemoryFiles::new("x"), Script::new());
    let destination = FilesDestination::new(FaultyStore::new(files.clone(), &script));
    (files, script, destination)
}

/// Two parts, a manifest and a marker.
fn marked() -> PublishContext {
    let mut context = context(Mode::Full);
    context.files = FileOptions {
        path: "{publish_id}/p{part}.{ext}".to_owned(),
        max_rows: 30,
        marker: Some("DONE".to_owned()),
        ..FileOptions::default()
    };
    context
}

/// The one file `customers.parquet` with its manifest and marker.
fn replacing(sequence: u64) -> PublishContext {
    let mut context = marked();
    context.sequence = sequence;
    (context.files.path, context.files.overwrite) = ("customers.{ext}".to_owned(), true);
    context
}

async fn sealed(destination: &Faulty, context: &PublishContext) -> Ticket {
    seal(destination, context, &[batch(Op::Add, 0, 50)]).await
}

async fn failure(destination: &Faulty, ticket: &Ticket) -> ErrorKind {
    destination.commit(ticket).await.expect_err("a failure").kind()
}

fn names(files: &MemoryFiles) -> Vec<String> {
    files.objects().into_keys().map(|path| path.rsplit('/').next().unwrap_or(&path).to_owned()).collect()
}

const ALL: [&str; 4] = ["DONE", "manifest.json", "p00000.parquet", "p00001.parquet"];

#[tokio::test]
async fn a_refusal_after_a_lost_answer_comes_again_and_takes_nothing_back() {
    for (step, call) in [(Step::Reveal, 1), (Step::Put, 1), (Step::Put, 2)] {
        let (files, script, destination) = target();
        let ticket = sealed(&destination, &marked()).await;
        script.at(step, call, Mishap::After(ErrorKind::Unauthorized));
        let kind = failure(&destination, &ticket).await;
        assert!(kind.passes(), "{step:?} {call}: {kind:?}");
        let delivered = destination.commit(&ticket).await.expect("commit");
        assert_eq!((delivered.files.len(), delivered.extras.len()), (2, 2));
        assert_eq!(names(&files), ALL);
    }
}

#[tokio::test]
async fn a_manifest_that_an_earlier_attempt_wrote_goes_before_the_parts_do() {
    let (files, script, destination) = target();
    let ticket = sealed(&destination, &marked()).await;
    script.next(Step::Put, 1, Mishap::After(ErrorKind::TimedOut));
    assert_eq!(failure(&destination, &ticket).await, ErrorKind::TimedOut);
    // Nobody may look any more: the manifest is not known to stand.
    script.next(Step::Stat, 20, Mishap::Before(ErrorKind::Unauthorized));
    script.next(Step::Put, 1, Mishap::Before(ErrorKind::Full));
    assert_eq!(failure(&destination, &ticket).await, ErrorKind::Full);
    assert_eq!(names(&files), [""; 0]);
}

#[tokio::test]
async fn parts_stay_while_their_manifest_can_not_be_removed() {
    let (files, script, destination) = target();
    let ticket = sealed(&destination, &marked()).await;
    script.at(Step::Put, 2, Mishap::Before(ErrorKind::Refused));
    script.next(Step::Remove, 1, Mishap::Before(ErrorKind::Refused));
    assert_eq!(failure(&destination, &ticket).await, ErrorKind::Refused);
    assert_eq!(names(&files), &ALL[1..]);
}

#[tokio::test]
async fn another_s_object_at_the_place_of_the_manifest_is_never_removed() {
    let (files, _, destination) = target();
    let context = marked();
    let ticket = sealed(&destination, &context).await;
    files.set(&format!("{}/manifest.json", context.publish), "another's");
    assert_eq!(failure(&destination, &ticket).await, ErrorKind::Conflict);
    assert_eq!(names(&files), ["manifest.json"]);
}

#[tokio::test]
async fn a_manifest_that_stands_is_written_again_before_anything_is_swept() {
    let (_, script, destination) = target();
    let ticket = sealed(&destination, &marked()).await;
    destination.commit(&ticket).await.expect("commit");
    let before = script.calls(Step::Sweep);
    script.next(Step::Put, 1, Mishap::Before(ErrorKind::TimedOut));
    assert_eq!(failure(&destination, &ticket).await, ErrorKind::TimedOut);
    assert_eq!(script.calls(Step::Sweep), before, "swept though the manifest was not written");
    destination.commit(&ticket).await.expect("commit again");
    assert_eq!(script.calls(Step::Sweep), before + 1);
}

#[tokio::test]
async fn a_manifest_that_can_be_seen_and_not_read_is_one_that_was_committed() {
    let (files, script, destination) = target();
    let ticket = sealed(&destination, &marked()).await;
    let delivered = destination.commit(&ticket).await.expect("commit");
    for path in files.objects().into_keys().filter(|path| path.ends_with(".parquet")) {
        files.unset(&path);
    }
    script.next(Step::Read, 20, Mishap::Before(ErrorKind::Unauthorized));
    assert_eq!(destination.commit(&ticket).await.expect("commit again"), delivered);
    assert_eq!(names(&files), ["DONE", "manifest.json"], "what readers took stays away");
}

#[tokio::test]
async fn nothing_that_fails_for_good_undoes_a_commit() {
    let (files, script, destination) = target();
    let ticket = sealed(&destination, &marked()).await;
    script.at(Step::Put, 2, Mishap::Before(ErrorKind::TimedOut));
    assert_eq!(failure(&destination, &ticket).await, ErrorKind::TimedOut);
    // The manifest is the first of them.
    script.at(Step::Put, 2, Mishap::Before(ErrorKind::Refused));
    script.next(Step::Sweep, 1, Mishap::Before(ErrorKind::Unauthorized));
    let delivered = destination.commit(&ticket).await.expect("commit");
    let extras: Vec<&str> = delivered.extras.iter().map(|extra| extra.path.rsplit('/').next().unwrap()).collect();
    assert_eq!(extras, ["manifest.json"], "the marker is not there");
    assert_eq!(names(&files), &ALL[1..]);
    script.next(Step::Put, 2, Mishap::Before(ErrorKind::Refused));
    assert_eq!(destination.commit(&ticket).await.expect("commit again"), delivered);
    assert_eq!(names(&files), &ALL[1..]);
}

#[tokio::test]
async fn a_manifest_that_could_not_be_withdrawn_whole_comes_back() {
    // The marker goes first, then the manifest.
    for (call, mishap) in [
        (2, Mishap::Before(ErrorKind::Refused)),
        (1, Mishap::After(ErrorKind::TimedOut)),
        (2, Mishap::After(ErrorKind::TimedOut)),
    ] {
        let (files, script, destination) = target();
        let ticket = sealed(&destination, &replacing(1)).await;
        destination.commit(&ticket).await.expect("commit");
        let first = files.objects();
        let ticket = seal(&destination, &replacing(2), &[batch(Op::Add, 0, 20)]).await;
        script.at(Step::Remove, call, mishap);
        failure(&destination, &ticket).await;
        assert_eq!(files.objects(), first, "{call} {mishap:?}");
        destination.commit(&ticket).await.expect("commit");
        assert_eq!(files.objects().len(), 3, "{:?}", names(&files));
    }
}

/// Somebody else's file takes the place of a part right after it was revealed.
#[derive(Debug)]
struct Raced {
    inner: MemoryFiles,
}

#[async_trait]
impl Store for Raced {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        self.inner.stage(object, cancel).await
    }

    async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        self.inner.reveal(staged).await?;
        if staged.object.path.ends_with("customers.parquet") || staged.object.path.ends_with("p00001.parquet") {
            self.inner.set(&staged.object.path, "another's");
        }
        Ok(())
    }

    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        self.inner.put(object, bytes).await
    }

    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        self.inner.sweep(prefix, publish).await
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.inner.stat(path).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.inner.read(path).await
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.inner.remove(path).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.list(prefix).await
    }

    async fn probe(&self) -> Result<(), Error> {
        self.inner.probe().await
    }
}

#[tokio::test]
async fn a_file_that_another_writer_replaced_at_once_was_published_all_the_same() {
    let files = MemoryFiles::new("x");
    let destination = FilesDestination::new(Raced { inner: files.clone() });
    let ticket = seal(&destination, &replacing(1), &[batch(Op::Add, 0, 50)]).await;
    let delivered = destination.commit(&ticket).await.expect("commit");
    assert_eq!(delivered.files[0].checksum, None);
    assert_eq!(files.objects().len(), 3);
}

#[tokio::test]
async fn a_part_that_is_not_as_it_was_sent_ends_the_publish_and_its_manifest_goes() {
    let files = MemoryFiles::new("x");
    let destination = FilesDestination::new(Raced { inner: files.clone() });
    let ticket = seal(&destination, &marked(), &[batch(Op::Add, 0, 50)]).await;
    assert_eq!(destination.commit(&ticket).await.expect_err("another's").kind(), ErrorKind::Refused);
    assert_eq!(names(&files), ["p00001.parquet"], "what is another's stays");
}

/// Path → content of all files of a folder that readers see.
fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(root).expect("the folder").map(|entry| entry.expect("an entry").path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

#[tokio::test]
async fn a_replaced_file_whose_manifest_is_refused_has_none_even_if_an_earlier_attempt_wrote_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = Script::new();
    let destination = FilesDestination::new(FaultyStore::new(LocalStore::new(folder.path()), &script));
    let ticket = seal(&destination, &replacing(1), &[batch(Op::Add, 0, 50)]).await;
    script.next(Step::Put, 1, Mishap::After(ErrorKind::TimedOut));
    destination.commit(&ticket).await.expect_err("no answer");
    assert_eq!(contents(folder.path()).len(), 2);
    script.next(Step::Stat, 20, Mishap::Before(ErrorKind::Unauthorized));
    script.next(Step::Put, 1, Mishap::Before(ErrorKind::Refused));
    destination.commit(&ticket).await.expect_err("refused");
    assert_eq!(contents(folder.path()).into_keys().collect::<Vec<_>>(), ["customers.parquet"]);
}
