//! Parts, their sizes, their manifest and what else stands beside them, over a folder.

mod closing;
mod commits;
mod overwrite;
mod side_files;
mod sizes;

use std::{fs, path::Path, sync::Arc};

use arrow::{
    array::{Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use herald_destinations::{
    conformance::{FaultyStore, Step, batch, context, rows_of_objects},
    contract::{Account, Batch, Delivered, Destination, ErrorKind, Manifest, Mode, Op, PublishContext, Ticket},
    files::{Compression, DATA_CLOUD_PATH, FilesDestination, Format},
    local::LocalStore,
    reference::{Mishap, Script},
};
use sha2::{Digest, Sha256};

async fn deliver(root: &Path, context: &PublishContext, batches: &[Batch]) -> Delivered {
    let destination = FilesDestination::new(LocalStore::new(root));
    let ticket = seal(&destination, context, batches).await;
    destination.commit(&ticket).await.expect("commit")
}

async fn seal(destination: &dyn Destination, context: &PublishContext, batches: &[Batch]) -> Ticket {
    let mut publication = destination.begin(context).await.expect("begin");
    for batch in batches {
        assert_eq!(publication.write(batch.clone()).await.expect("write"), []);
    }
    publication.seal(Account { added: 7, ..Account::default() }).await.expect("seal")
}

/// Rows whose text can't be packed to nothing.
fn dense(first: usize, rows: usize) -> Batch {
    let hash = |row: usize| faster_hex::hex_string(&Sha256::digest(row.to_le_bytes()));
    let keys: StringArray = (first..first + rows).map(|row| Some(format!("k{row}"))).collect();
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("hash", DataType::Utf8, true),
        Field::new("n", DataType::Int64, true),
    ]));
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(keys.clone()),
        Arc::new((first..first + rows).map(|row| Some(hash(row))).collect::<StringArray>()),
        Arc::new((first..first + rows).map(|row| (row % 3 != 0).then_some(row as i64)).collect::<Int64Array>()),
    ];
    Batch {
        op: Op::Add,
        members: Arc::new(keys),
        rows: RecordBatch::try_new(schema, columns).expect("columns"),
        changes: None,
    }
}

#[tokio::test]
async fn parts_hold_exactly_max_rows() {
    for format in [Format::Parquet, Format::Csv] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut context = context(Mode::Full);
        context.files.format = format;
        context.files.compression = Compression::Zstd;
        context.files.max_rows = 20_000;
        let batches: Vec<_> = (0..9).map(|index| batch(Op::Add, index * 7_001, 7_001)).collect();
        let delivered = deliver(folder.path(), &context, &batches).await;
        let rows: Vec<u64> = delivered.files.iter().map(|file| file.rows).collect();
        assert_eq!(rows, [20_000, 20_000, 20_000, 3_009], "{format:?}");
    }
}

#[tokio::test]
async fn a_part_that_ends_with_the_rows_is_not_followed_by_an_empty_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut context = context(Mode::Full);
    context.files.max_rows = 100;
    let delivered = deliver(folder.path(), &context, &[batch(Op::Add, 0, 200)]).await;
    assert_eq!(delivered.files.iter().map(|file| file.rows).collect::<Vec<_>>(), [100, 100]);
}

#[tokio::test]
async fn sizes_and_hashes_are_those_of_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut context = context(Mode::Full);
    context.files.max_rows = 30;
    let delivered = deliver(folder.path(), &context, &[batch(Op::Add, 0, 100)]).await;
    assert_eq!(delivered.files.len(), 4);
    for file in &delivered.files {
        let content = fs::read(folder.path().join(&file.path)).expect("a part");
        assert_eq!(content.len() as u64, file.bytes);
        assert_eq!(faster_hex::hex_string(&Sha256::digest(&content)), file.sha256);
    }
    for extra in &delivered.extras {
        assert_eq!(fs::metadata(folder.path().join(&extra.path)).expect("a manifest").len(), extra.bytes);
    }
}

#[tokio::test]
async fn the_manifest_names_the_parts_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut context = context(Mode::Incremental);
    (context.sequence, context.previous, context.files.max_rows) = (5, Some(3), 30);
    let delivered = deliver(folder.path(), &context, &[batch(Op::Add, 0, 40), batch(Op::Remove, 40, 10)]).await;
    let [extra] = &delivered.extras[..] else { panic!("one manifest") };
    let own = format!("gold_to_partner/2026-11-22/{}", context.publish);
    assert_eq!(extra.path, format!("{own}/manifest.json"));
    let text = fs::read_to_string(folder.path().join(&extra.path)).expect("a manifest");
    assert!(text.starts_with("{\n  \"id\": "), "easy to read");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["id", "activation", "mode", "sequence", "previous", "counts", "columns", "files"]);
    assert_eq!(value["mode"], "incremental");
    assert_eq!((value["sequence"].as_u64(), value["previous"].as_u64()), (Some(5), Some(3)));
    assert_eq!(value["counts"]["added"], 7);
    assert_eq!(value["columns"][0], serde_json::json!({ "name": "_op", "type": "Utf8" }));
    let manifest: Manifest = serde_json::from_value(value).expect("a manifest");
    let parts: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(parts, ["part-00000.parquet", "part-00001.parquet"]);
    for (named, file) in manifest.files.iter().zip(&delivered.files) {
        assert_eq!(format!("{own}/{}", named.path), file.path);
        assert_eq!((&named.sha256, named.rows, named.bytes), (&file.sha256, file.rows, file.bytes));
    }
}

#[tokio::test]
async fn without_a_manifest_none_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut context = context(Mode::Full);
    context.files.manifest = false;
    let delivered = deliver(folder.path(), &context, &[batch(Op::Add, 0, 4)]).await;
    assert_eq!((delivered.files.len(), delivered.extras.len()), (1, 0));
    let own = folder.path().join(&delivered.files[0].path);
    assert_eq!(fs::read_dir(own.parent().expect("a folder")).expect("a folder").count(), 1);
}

#[tokio::test]
async fn a_path_that_leaves_the_target_is_refused_by_the_store_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut context = context(Mode::Full);
    context.files.path = "../{publish_id}-{part}.{ext}".to_owned();
    assert!(context.files.check().is_err());
    let destination = FilesDestination::new(LocalStore::new(folder.path().join("out")));
    let answer = destination.begin(&context).await;
    assert_eq!(answer.err().map(|error| error.kind()), Some(ErrorKind::Refused));
    let error = destination.remove(&["../outside".to_owned()]).await.expect_err("a path outside");
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_removed_member_leaves_no_attribute_even_if_the_batch_holds_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let context = context(Mode::Incremental);
    let careless = Batch { op: Op::Remove, ..batch(Op::Add, 3, 1) };
    let delivered = deliver(folder.path(), &context, &[careless]).await;
    let path = &delivered.files[0].path;
    let content = fs::read(folder.path().join(path)).expect("a part").into();
    let rows = rows_of_objects(&[(path.clone(), content)].into());
    assert_eq!((rows[0].op.as_str(), rows[0].member.as_str()), ("remove", "m000003"));
    assert!(rows[0].fields.values().all(Option::is_none));
}

#[tokio::test]
async fn a_ticket_of_another_kind_or_version_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let destination = FilesDestination::new(LocalStore::new(folder.path()));
    let ticket = seal(&destination, &context(Mode::Full), &[batch(Op::Add, 0, 3)]).await;
    let refused = [
        Ticket { kind: "s3".to_owned(), ..ticket.clone() },
        Ticket { version: 99, ..ticket.clone() },
        Ticket { sealed: false, ..ticket.clone() },
        Ticket { body: serde_json::json!({}), ..ticket.clone() },
    ];
    for wrong in refused {
        assert!(destination.commit(&wrong).await.is_err(), "{wrong:?}");
    }
    destination.commit(&ticket).await.expect("commit");
}

#[tokio::test]
async fn a_part_that_an_earlier_attempt_revealed_is_taken_back_when_the_publish_can_never_be_complete() {
    let folder = tempfile::tempdir().expect("a folder");
    let behind = |step, kind| {
        let script = Script::new();
        script.next(step, 1, Mishap::Before(kind));
        FilesDestination::new(FaultyStore::new(LocalStore::new(folder.path()), &script))
    };
    let mut context = context(Mode::Full);
    context.files.max_rows = 40;
    let first = behind(Step::Put, ErrorKind::TimedOut);
    let ticket = seal(&first, &context, &[batch(Op::Add, 0, 100)]).await;
    assert_eq!(first.commit(&ticket).await.expect_err("no manifest").kind(), ErrorKind::TimedOut);
    let second = behind(Step::Reveal, ErrorKind::Refused);
    assert_eq!(second.commit(&ticket).await.expect_err("a part").kind(), ErrorKind::Refused);
    second.discard(&ticket).await.expect("discard");
    let left: Vec<_> = fs::read_dir(folder.path()).expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn the_layout_of_data_cloud_has_a_folder_a_publish_with_its_manifest() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut context = context(Mode::Full);
    context.started_at += chrono::Duration::milliseconds(216);
    (context.files.path, context.files.max_rows) = (DATA_CLOUD_PATH.to_owned(), 30);
    (context.files.format, context.files.compression) = (Format::Csv, Compression::None);
    let delivered = deliver(folder.path(), &context, &[batch(Op::Add, 0, 50)]).await;
    let own = format!("gold_to_partner/2026-11-22/{}", context.publish);
    let name = |part| format!("{own}/gold_buyers_gold_to_partner_2026-11-22-06-30-15-216_{part}.csv");
    let paths: Vec<&String> = delivered.files.iter().map(|file| &file.path).collect();
    assert_eq!(paths, [&name("00000"), &name("00001")]);
    assert_eq!(delivered.extras[0].path, format!("{own}/manifest.json"));
    let destination = FilesDestination::new(LocalStore::new(folder.path()));
    assert_eq!(destination.manifests(&context).await.expect("manifests").len(), 1);
}
