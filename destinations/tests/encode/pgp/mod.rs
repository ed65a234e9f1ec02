//! Encrypted parts, read by GnuPG and by Sequoia, with keys that they made.

mod keys;
mod programs;
mod reading;

use arrow::array::RecordBatch;
use herald_destinations::{
    conformance::context,
    contract::{Account, Batch, Destination, Mode, Op},
    encode::pgp::Encryption,
    files::{Compression, FileOptions, FilesDestination, Format},
    local::LocalStore,
};

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// One part of these rows, as it stands in a folder.
async fn part(files: FileOptions, rows: RecordBatch) -> (String, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let destination = FilesDestination::new(LocalStore::new(folder.path()));
    let context = herald_destinations::contract::PublishContext { schema: rows.schema(), files, ..context(Mode::Full) };
    let mut publication = destination.begin(&context).await.expect("begin");
    let members = rows.column(0).clone();
    publication.write(Batch { op: Op::Add, members, rows, changes: None }).await.expect("write");
    let ticket = publication.seal(Account::default()).await.expect("seal");
    let delivered = destination.commit(&ticket).await.expect("commit");
    let [file] = &delivered.files[..] else { panic!("one part") };
    let content = std::fs::read(folder.path().join(&file.path)).expect("the part");
    assert_eq!(content.len() as u64, file.bytes);
    (file.path.clone(), content)
}

fn csv(encryption: Option<Encryption>) -> FileOptions {
    FileOptions { format: Format::Csv, compression: Compression::None, encrypt: encryption, ..FileOptions::default() }
}
