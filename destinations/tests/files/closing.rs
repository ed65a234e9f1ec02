//! Parts whose uploads end while the next one is encoded.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use herald_destinations::{
    conformance::{batch, context},
    contract::{Account, Destination, Error, ErrorKind, Mode, Op, PublishContext},
    files::{FilesDestination, NewObject, Staged, Stat, Store, Upload},
    reference::MemoryFiles,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A place where an upload ends only when the test lets it.
#[derive(Debug, Clone)]
struct Slow {
    files: MemoryFiles,
    seen: Arc<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// Parts that were begun, that are ending, and the most that were ending at once.
    begun: AtomicUsize,
    ending: AtomicUsize,
    most: AtomicUsize,
    /// Ends that are allowed.
    allowed: Semaphore,
    /// Which end fails, from 1; 0: none.
    fails: AtomicUsize,
}

impl Slow {
    fn new() -> Self {
        let seen = Seen {
            begun: AtomicUsize::new(0),
            ending: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            allowed: Semaphore::new(0),
            fails: AtomicUsize::new(0),
        };
        Self { files: MemoryFiles::new("slow"), seen: Arc::new(seen) }
    }
}

#[derive(Debug)]
struct SlowUpload {
    inner: Box<dyn Upload>,
    seen: Arc<Seen>,
    number: usize,
}

#[async_trait]
impl Upload for SlowUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.inner.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<Staged, Error> {
        let ending = self.seen.ending.fetch_add(1, Ordering::SeqCst) + 1;
        self.seen.most.fetch_max(ending, Ordering::SeqCst);
        self.seen.allowed.acquire().await.expect("an open semaphore").forget();
        self.seen.ending.fetch_sub(1, Ordering::SeqCst);
        if self.seen.fails.load(Ordering::SeqCst) == self.number {
            return Err(Error::new(ErrorKind::Full, "end an upload"));
        }
        self.inner.finish().await
    }
}

#[async_trait]
impl Store for Slow {
    fn kind(&self) -> &'static str {
        self.files.kind()
    }

    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        let number = self.seen.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let inner = self.files.stage(object, cancel).await?;
        Ok(Box::new(SlowUpload { inner, seen: self.seen.clone(), number }))
    }

    async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        self.files.reveal(staged).await
    }

    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        self.files.put(object, bytes).await
    }

    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        self.files.sweep(prefix, publish).await
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.files.stat(path).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.files.read(path).await
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.files.remove(path).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.files.list(prefix).await
    }

    async fn probe(&self) -> Result<(), Error> {
        self.files.probe().await
    }
}

fn small_parts() -> PublishContext {
    let mut context = context(Mode::Full);
    context.files.max_rows = 10;
    context
}

/// Past this something hangs.
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_next_parts_are_written_while_two_uploads_end_and_no_more() {
    let store = Slow::new();
    let seen = store.seen.clone();
    let destination = FilesDestination::new(store);
    let mut publication = destination.begin(&small_parts()).await.expect("begin");
    // No upload ends before two are ending and the third part is full: were they to end one by one, it would hang.
    let let_go = async {
        while seen.ending.load(Ordering::SeqCst) < 2 || seen.begun.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        seen.allowed.add_permits(100);
    };
    let work = async {
        publication.write(batch(Op::Add, 0, 75)).await.expect("write");
        publication.seal(Account::default()).await.expect("seal")
    };
    let (ticket, ()) = tokio::time::timeout(LONG, async { tokio::join!(work, let_go) }).await.expect("no hang");
    assert_eq!(seen.most.load(Ordering::SeqCst), 2, "uploads that were ending at once");
    let delivered = destination.commit(&ticket).await.expect("commit");
    let parts: Vec<_> = delivered.files.iter().map(|file| (file.path.rsplit('-').next().unwrap(), file.rows)).collect();
    let names: Vec<String> = (0..8).map(|part| format!("{part:05}.parquet")).collect();
    let expected: Vec<_> = names.iter().map(String::as_str).zip([10, 10, 10, 10, 10, 10, 10, 5]).collect();
    assert_eq!(parts, expected, "in order");
}

#[tokio::test]
async fn an_upload_that_can_not_end_fails_the_publish() {
    for fails in [1, 2, 3, 8] {
        let store = Slow::new();
        store.seen.fails.store(fails, Ordering::SeqCst);
        store.seen.allowed.add_permits(100);
        let destination = FilesDestination::new(store);
        let context = small_parts();
        let mut publication = destination.begin(&context).await.expect("begin");
        let work = async {
            publication.write(batch(Op::Add, 0, 75)).await?;
            publication.seal(Account::default()).await
        };
        let error = tokio::time::timeout(LONG, work).await.expect("no hang").expect_err("an upload failed");
        assert_eq!(error.kind(), ErrorKind::Full);
    }
}

#[tokio::test]
async fn a_publication_dropped_while_uploads_end_leaves_nothing_once_discarded() {
    let store = Slow::new();
    let (files, seen) = (store.files.clone(), store.seen.clone());
    let destination = FilesDestination::new(store);
    let context = small_parts();
    let ticket = destination.ticket(&context);
    let mut publication = destination.begin(&context).await.expect("begin");
    publication.write(batch(Op::Add, 0, 25)).await.expect("write: two uploads are ending");
    drop(publication);
    destination.discard(&ticket).await.expect("discard");
    // Nobody is left whom this could let go on.
    seen.allowed.add_permits(100);
    tokio::task::yield_now().await;
    assert_eq!((files.staged(), files.objects().len()), (Vec::new(), 0));
}
