//! A folder on a server as a place for files.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    config::SftpConfig,
    connection::Connection,
    error::Failure,
    paths::check,
    place::Place,
    pool::Pool,
    upload::{Handle, SftpUpload},
    wire::Sort,
};
use crate::{
    contract::{Error, ErrorKind, Retries},
    files::{NewObject, Staged, Stat, Store, Upload},
};

/// Bytes of a read.
const READ: usize = 4 << 20;

/// A folder on a server.
#[derive(Debug, Clone)]
pub struct SftpStore {
    pool: Arc<Pool>,
    place: Arc<Place>,
    retries: Retries,
}

impl SftpStore {
    pub(super) fn new(config: &SftpConfig, retries: Retries) -> Self {
        let place = Place { root: config.root.clone(), temp_name: config.temp_name, rename: config.rename };
        Self { pool: Pool::new(config), place: Arc::new(place), retries }
    }

    /// Does work on a connection until it succeeds or can't, or the policy is spent. No publish can cancel it: what is
    /// visible, or about to be, is settled first.
    async fn settle<T, W>(&self, operation: &'static str, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Fn(&Place, &mut Connection) -> Result<T, Failure> + Clone + Send + Sync + 'static,
    {
        let once = || async {
            let (place, work) = (self.place.clone(), work.clone());
            let answer = self.pool.run(move |server| work(&place, server)).await;
            answer.map_err(|failure| failure.into_error(operation))
        };
        self.retries.run(&CancellationToken::new(), once).await
    }
}

#[async_trait]
impl Store for SftpStore {
    fn kind(&self) -> &'static str {
        "sftp"
    }

    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        let open = || async {
            let upload = SftpUpload::open(&self.pool, &self.place, object, cancel).await;
            upload.map_err(|failure| failure.into_error("begin a part"))
        };
        let upload = self.retries.run(cancel, open).await?;
        Ok(Box::new(upload))
    }

    async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        let handle: Handle = serde_json::from_value(staged.handle.clone())
            .map_err(|error| Error::new(ErrorKind::Internal, "read where a part stands").caused_by(error))?;
        let (object, bytes) = (staged.object.clone(), staged.bytes);
        let work = move |place: &Place, server: &mut Connection| place.reveal(server, &object, &handle, bytes);
        self.settle("make a part visible", work).await
    }

    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        let object = object.clone();
        let work = move |place: &Place, server: &mut Connection| place.put(server, &object, &bytes);
        self.settle("write a file", work).await
    }

    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        self.pool.quiet().await;
        let prefix = prefix.to_owned();
        let work = move |place: &Place, server: &mut Connection| place.sweep(server, &prefix, publish);
        self.settle("remove temporary files", work).await
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        let path = path.to_owned();
        let work = move |place: &Place, server: &mut Connection| {
            check(&path)?;
            let found = server.look(&place.root.at(&path))?;
            let file = found.filter(|found| found.sort().is_none_or(|sort| sort == Sort::File));
            Ok(file.and_then(|file| file.bytes))
        };
        let bytes = self.settle("look at a file", work).await?;
        Ok(bytes.map(|bytes| Stat { bytes, checksum: None }))
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let (store, path) = (self.clone(), path.to_owned());
        let first = store.piece(&path, 0).await?;
        let rest = stream::try_unfold((store, path, Some(first), 0), |(store, path, first, offset)| async move {
            let piece = match first {
                Some(piece) => piece,
                None => store.piece(&path, offset).await?,
            };
            let next = offset + piece.len() as u64;
            Ok(if piece.is_empty() { None } else { Some((Bytes::from(piece), (store, path, None, next))) })
        });
        Ok(rest.boxed())
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        let path = path.to_owned();
        self.settle("remove a file", move |place: &Place, server: &mut Connection| place.remove(server, &path)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let prefix = prefix.to_owned();
        self.settle("list a folder", move |place: &Place, server: &mut Connection| place.list(server, &prefix)).await
    }

    async fn probe(&self) -> Result<(), Error> {
        self.settle("write into the target's folder", |place: &Place, server: &mut Connection| place.probe(server))
            .await
    }
}

impl SftpStore {
    /// A piece of a file. Each is read by itself, so that a slow reader holds no connection, and one that is lost is made
    /// anew.
    async fn piece(&self, path: &str, offset: u64) -> Result<Vec<u8>, Error> {
        let path = path.to_owned();
        let work = move |place: &Place, server: &mut Connection| {
            check(&path)?;
            let handle = server.open_to_read(&place.root.at(&path))?;
            let piece = server.read(&handle, offset, READ)?;
            server.close(&handle)?;
            Ok(piece)
        };
        self.settle("read a file", work).await
    }
}
