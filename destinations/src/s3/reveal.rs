//! Making objects visible, once, whatever answers get lost.

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use super::{
    client::{PartTag, Writing},
    error::Failure,
    store::Shared,
    upload::Handle,
};
use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged},
};

/// What stands where a staged object goes.
enum Standing {
    /// The object itself: it was revealed before.
    Ours,
    Another,
    Nothing,
}

impl Shared {
    /// Completes a staged upload.
    pub(super) async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        let key = self.key(&staged.object.path);
        let handle: Handle = serde_json::from_value(staged.handle.clone())
            .map_err(|error| Error::new(ErrorKind::Internal, "read an upload's parts").caused_by(error))?;
        self.settle(|| self.reveal_once(staged, &handle, &key)).await?;
        self.open().remove(&handle.upload);
        Ok(())
    }

    async fn reveal_once(&self, staged: &Staged, handle: &Handle, key: &str) -> Result<(), Error> {
        let fail = |failure| self.error(failure, "complete the upload", key);
        let conditional = !staged.object.replace && self.conditional();
        if !staged.object.replace && (self.looks_first || !conditional) {
            match self.standing(staged, key).await {
                Ok(Standing::Ours) => return Ok(()),
                Ok(Standing::Another) => return Err(self.occupied("complete the upload", key)),
                Ok(Standing::Nothing) => {}
                // A store that only takes may forbid looking; the condition stands guard alone.
                Err(failure) if conditional && failure.kind() == ErrorKind::Unauthorized => {}
                Err(failure) => return Err(fail(failure)),
            }
        }
        let complete = |conditional| self.complete(key, &handle.upload, &handle.parts, conditional);
        let failure = match complete(conditional).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if self.goes_unconditional(&failure, conditional) {
            return match self.standing(staged, key).await.map_err(fail)? {
                Standing::Ours => Ok(()),
                Standing::Another => Err(self.occupied("complete the upload", key)),
                Standing::Nothing => complete(false).await.map_err(fail),
            };
        }
        // Either the answer to an earlier completion was lost, or somebody else was faster.
        let gone = failure.is("NoSuchUpload");
        if !(gone || failure.status == Some(412) || failure.is("PreconditionFailed")) {
            return Err(fail(failure));
        }
        match self.standing(staged, key).await.map_err(fail)? {
            Standing::Ours => Ok(()),
            Standing::Another => Err(self.occupied("complete the upload", key)),
            // The store said that something stands here, and now nothing does.
            Standing::Nothing if !gone => {
                Err(Error::new(ErrorKind::Unavailable, "complete the upload").with("key", key).caused_by(failure))
            }
            Standing::Nothing => Err(Error::new(ErrorKind::Refused, "complete the upload")
                .with("bucket", self.client.bucket())
                .with("key", key)
                .with("upload", "gone: it was aborted or expired, publish again")),
        }
    }

    async fn complete(&self, key: &str, upload: &str, parts: &[PartTag], conditional: bool) -> Result<(), Failure> {
        self.client.complete(key, upload, parts, conditional).await
    }

    async fn standing(&self, staged: &Staged, key: &str) -> Result<Standing, Failure> {
        let ours = staged.object.publish.to_string();
        Ok(match self.client.head(key).await? {
            None => Standing::Nothing,
            Some(head) if head.bytes == staged.bytes && head.publish.as_ref() == Some(&ours) => Standing::Ours,
            Some(_) => Standing::Another,
        })
    }

    fn occupied(&self, operation: &'static str, key: &str) -> Error {
        Error::new(ErrorKind::Conflict, operation)
            .with("bucket", self.client.bucket())
            .with("key", key)
            .with("there", "an object that this publish did not write")
    }

    /// Writes a small object in one request.
    pub(super) async fn put(&self, object: &NewObject, bytes: &Bytes) -> Result<(), Error> {
        let key = self.key(&object.path);
        self.settle(|| self.put_once(object, bytes, &key)).await
    }

    async fn put_once(&self, object: &NewObject, bytes: &Bytes, key: &str) -> Result<(), Error> {
        let fail = |failure| self.error(failure, "write an object", key);
        let mut checked = self.checked();
        let mut conditional = !object.replace && self.conditional();
        let mut looks = !object.replace && (self.looks_first || !conditional);
        loop {
            if std::mem::take(&mut looks) {
                match self.client.head(key).await {
                    Ok(None) => {}
                    Ok(Some(_)) => return self.same_bytes(bytes, key).await,
                    Err(failure) if conditional && failure.kind() == ErrorKind::Unauthorized => {}
                    Err(failure) => return Err(fail(failure)),
                }
            }
            let writing = Writing { key, content_type: &object.content_type, publish: object.publish, checked };
            match self.client.put(writing, bytes.clone(), conditional).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.status == Some(412) || failure.is("PreconditionFailed") => {
                    return self.same_bytes(bytes, key).await;
                }
                // A store that does neither says the same to both, so one is left out at a time.
                Err(failure) if self.goes_unchecked(&failure, checked) => checked = false,
                Err(failure) if self.goes_unconditional(&failure, conditional) => (conditional, looks) = (false, true),
                Err(failure) => return Err(fail(failure)),
            }
        }
    }

    /// Whether what stands at a key is what was to be written: then it was, and the answer lost.
    async fn same_bytes(&self, bytes: &Bytes, key: &str) -> Result<(), Error> {
        let fail = |failure| self.error(failure, "compare an object", key);
        let mut chunks = self.client.get(key).await.map_err(fail)?;
        let mut found = BytesMut::new();
        while found.len() <= bytes.len() {
            match chunks.try_next().await.map_err(fail)? {
                Some(chunk) => found.extend_from_slice(&chunk),
                None if found == bytes => return Ok(()),
                None => break,
            }
        }
        Err(self.occupied("write an object", key))
    }
}
