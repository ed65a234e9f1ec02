//! Checksums and the marker: when they come, and that they go.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use herald_destinations::{
    conformance::{FaultyStore, Step, batch, context},
    contract::{Account, Destination, ErrorKind, Mode, Op, Publication, PublishContext},
    files::{FileOptions, FilesDestination},
    local::LocalStore,
    reference::{MemoryFiles, Mishap, Script},
};

use super::{deliver, seal};

/// Two parts with all that may stand beside them.
fn all() -> PublishContext {
    let mut context = context(Mode::Full);
    context.files = FileOptions {
        path: "{publish_id}/p{part}.{ext}".to_owned(),
        max_rows: 30,
        checksums: true,
        marker: Some("DONE".to_owned()),
        ..FileOptions::default()
    };
    context
}

/// In the order in which they must become visible; the two parts and their two checksums in any.
const STEPS: [&[&str]; 4] = [
    &["p00000.parquet", "p00001.parquet"],
    &["p00000.parquet.sha256", "p00001.parquet.sha256"],
    &["manifest.json"],
    &["DONE"],
];

/// Names in the publish's folder.
fn visible(root: &Path, context: &PublishContext) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(root.join(context.publish.to_string())) else { return BTreeSet::new() };
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    names.filter(|name| !name.starts_with('.')).collect()
}

#[tokio::test]
async fn parts_come_first_then_checksums_then_the_manifest_then_the_marker() {
    // The puts are two checksums, the manifest and the marker; each in turn gets no answer, applied or not.
    for fails in 1..=4 {
        for applied in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let script = Script::new();
            let destination = FilesDestination::new(FaultyStore::new(LocalStore::new(folder.path()), &script));
            let context = all();
            let ticket = seal(&destination, &context, &[batch(Op::Add, 0, 50)]).await;
            assert!(visible(folder.path(), &context).is_empty(), "before the commit");
            let kind = ErrorKind::TimedOut;
            script.at(Step::Put, fails, if applied { Mishap::After(kind) } else { Mishap::Before(kind) });
            assert_eq!(destination.commit(&ticket).await.expect_err("no answer").kind(), kind);
            let order: Vec<&str> = STEPS.iter().flat_map(|step| step.iter().copied()).collect();
            let done = 2 + fails as usize - usize::from(!applied);
            let expected: BTreeSet<String> = order[..done].iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(visible(folder.path(), &context), expected, "put {fails}, applied: {applied}");
            let delivered = destination.commit(&ticket).await.expect("commit");
            assert_eq!(destination.commit(&ticket).await.expect("commit again"), delivered);
            assert_eq!(visible(folder.path(), &context).len(), order.len());
            let extras: Vec<_> = delivered.extras.iter().map(|extra| extra.path.rsplit('/').next().unwrap()).collect();
            assert_eq!(extras, order[2..]);
        }
    }
}

#[tokio::test]
async fn nothing_stays_of_a_publish_of_which_one_file_is_refused() {
    for fails in 1..=4 {
        let folder = tempfile::tempdir().expect("a folder");
        let script = Script::new();
        let destination = FilesDestination::new(FaultyStore::new(LocalStore::new(folder.path()), &script));
        let context = all();
        let ticket = seal(&destination, &context, &[batch(Op::Add, 0, 50)]).await;
        script.at(Step::Put, fails, Mishap::Before(ErrorKind::Refused));
        assert_eq!(destination.commit(&ticket).await.expect_err("refused").kind(), ErrorKind::Refused);
        destination.discard(&ticket).await.expect("discard");
        let left: Vec<_> = fs::read_dir(folder.path()).expect("the folder").collect();
        assert!(left.is_empty(), "put {fails}: {left:?}");
    }
}

#[tokio::test]
async fn the_command_sha256sum_takes_the_checksums() {
    let folder = tempfile::tempdir().expect("a folder");
    let context = all();
    deliver(folder.path(), &context, &[batch(Op::Add, 0, 50)]).await;
    let own = folder.path().join(context.publish.to_string());
    let check = || {
        let mut command = Command::new("sha256sum");
        command.arg("--check").arg("--strict").args(STEPS[1]).current_dir(&own).output().expect("the command")
    };
    let answer = check();
    assert!(answer.status.success(), "{answer:?}");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "p00000.parquet: OK\np00001.parquet: OK\n");
    fs::write(own.join("p00001.parquet"), "other").expect("a changed part");
    assert!(!check().status.success());
}

#[tokio::test]
async fn a_marker_may_stand_without_a_manifest_and_bears_the_publish_in_a_folder_of_many() {
    let files = MemoryFiles::new("x");
    let destination = FilesDestination::new(files.clone());
    let mut context = all();
    context.files.path = "in/{publish_id}-{part}.{ext}".to_owned();
    (context.files.manifest, context.files.checksums) = (false, false);
    let ticket = seal(&destination, &context, &[batch(Op::Add, 0, 5)]).await;
    let delivered = destination.commit(&ticket).await.expect("commit");
    let marker = format!("in/{}.DONE", context.publish);
    assert_eq!(delivered.extras.iter().map(|extra| &extra.path).collect::<Vec<_>>(), [&marker]);
    assert_eq!(files.objects()[&marker], "");
    assert_eq!(destination.commit(&ticket).await.expect("commit again"), delivered);
    assert_eq!(files.objects().len(), 2);
}

#[tokio::test]
async fn an_incremental_publish_without_a_change_has_no_marker() {
    let files = MemoryFiles::new("x");
    let destination = FilesDestination::new(files.clone());
    let context = PublishContext { mode: Mode::Incremental, ..all() };
    let publication: Box<dyn Publication> = destination.begin(&context).await.expect("begin");
    let ticket = publication.seal(Account::default()).await.expect("seal");
    let delivered = destination.commit(&ticket).await.expect("commit");
    assert_eq!((delivered.files.len(), delivered.extras.len(), files.objects().len()), (0, 0, 0));
}
