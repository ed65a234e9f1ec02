//! One file that each publish replaces.

use std::{fs, path::Path};

use herald_destinations::{
    conformance::{FaultyStore, Step, batch, context, rows_of_batch, rows_of_objects},
    contract::{Destination, ErrorKind, Mode, Op, PublishContext},
    files::{Compression, FilesDestination, Format},
    local::LocalStore,
    reference::{Mishap, Script},
};

use super::{deliver, seal};

#[tokio::test]
async fn an_overwritten_file_is_replaced_whole_and_takes_all_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    for rows in [500, 20] {
        let mut context = context(Mode::Full);
        context.files.path = "customers.csv".to_owned();
        (context.files.format, context.files.compression) = (Format::Csv, Compression::None);
        (context.files.overwrite, context.files.max_rows, context.files.max_size) = (true, 10, 100);
        let batches = [batch(Op::Add, 0, rows)];
        let delivered = deliver(folder.path(), &context, &batches).await;
        assert_eq!(delivered.files.len(), 1);
        assert_eq!(delivered.files[0].path, "customers.csv");
        assert_eq!(delivered.extras[0].path, format!("{}.manifest.json", context.publish));
        let content = fs::read(folder.path().join("customers.csv")).expect("a file").into();
        let mut found = rows_of_objects(&[("customers.csv".to_owned(), content)].into());
        found.sort();
        assert_eq!(found, rows_of_batch(&batches[0]));
    }
}

fn replacing(sequence: u64) -> PublishContext {
    let mut context = context(Mode::Full);
    context.sequence = sequence;
    (context.files.path, context.files.overwrite) = ("in/customers.{ext}".to_owned(), true);
    context.files.marker = Some("_SUCCESS".to_owned());
    context.files.checksums = true;
    context
}

/// Names in the folder, in order.
fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("in")).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

fn of(context: &PublishContext) -> Vec<String> {
    let mut names = vec![
        format!("{}._SUCCESS", context.publish),
        format!("{}.manifest.json", context.publish),
        "customers.parquet".to_owned(),
        "customers.parquet.sha256".to_owned(),
    ];
    names.sort();
    names
}

#[tokio::test]
async fn the_manifest_of_a_file_that_is_replaced_goes_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = replacing(1);
    deliver(folder.path(), &first, &[batch(Op::Add, 0, 40)]).await;
    assert_eq!(names(folder.path()), of(&first));
    // Others' manifests name other files, and stay.
    let mut other = replacing(1);
    other.files.path = "in/other.{ext}".to_owned();
    (other.files.marker, other.files.checksums) = (None, false);
    deliver(folder.path(), &other, &[batch(Op::Add, 0, 4)]).await;

    let second = replacing(2);
    let script = Script::new();
    let destination = FilesDestination::new(FaultyStore::new(LocalStore::new(folder.path()), &script));
    let ticket = seal(&destination, &second, &[batch(Op::Add, 0, 20)]).await;
    // As if it stopped between the two.
    script.next(Step::Reveal, 1, Mishap::Before(ErrorKind::TimedOut));
    destination.commit(&ticket).await.expect_err("no answer");
    let old = fs::read(folder.path().join("in/customers.parquet")).expect("the old file");
    let between = names(folder.path());
    assert!(!between.iter().any(|name| name.starts_with(&first.publish.to_string())), "{between:?}");
    assert_eq!(rows_of_objects(&[("customers.parquet".to_owned(), old.into())].into()).len(), 40);

    destination.commit(&ticket).await.expect("commit");
    let again = destination.commit(&ticket).await.expect("commit again");
    assert_eq!(again.files[0].rows, 20);
    let mut all = of(&second);
    all.extend([format!("{}.manifest.json", other.publish), "other.parquet".to_owned()]);
    all.sort();
    assert_eq!(names(folder.path()), all);
    let manifests = destination.manifests(&second).await.expect("manifests");
    let standing: Vec<u64> = manifests.iter().map(|manifest| manifest.sequence).collect();
    assert_eq!(standing, [1, 2], "that of the other file, and the new one");
}

#[tokio::test]
async fn a_file_that_could_not_be_replaced_keeps_its_manifest() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = replacing(1);
    deliver(folder.path(), &first, &[batch(Op::Add, 0, 40)]).await;
    let manifest = folder.path().join(format!("in/{}.manifest.json", first.publish));
    let text = fs::read(&manifest).expect("a manifest");
    let script = Script::new();
    script.next(Step::Reveal, 1, Mishap::Before(ErrorKind::Refused));
    let destination = FilesDestination::new(FaultyStore::new(LocalStore::new(folder.path()), &script));
    let ticket = seal(&destination, &replacing(2), &[batch(Op::Add, 0, 20)]).await;
    assert_eq!(destination.commit(&ticket).await.expect_err("refused").kind(), ErrorKind::Refused);
    destination.discard(&ticket).await.expect("discard");
    assert_eq!(names(folder.path()), of(&first));
    assert_eq!(fs::read(&manifest).expect("a manifest"), text);
}

#[tokio::test]
async fn a_file_that_is_new_has_no_old_manifest_even_if_its_own_can_not_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    deliver(folder.path(), &replacing(1), &[batch(Op::Add, 0, 40)]).await;
    let script = Script::new();
    // The checksum is the first.
    script.at(Step::Put, 2, Mishap::Before(ErrorKind::Refused));
    let destination = FilesDestination::new(FaultyStore::new(LocalStore::new(folder.path()), &script));
    let ticket = seal(&destination, &replacing(2), &[batch(Op::Add, 0, 20)]).await;
    destination.commit(&ticket).await.expect_err("refused");
    assert_eq!(names(folder.path()), ["customers.parquet", "customers.parquet.sha256"]);
}
