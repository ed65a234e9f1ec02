//! Making blobs visible, once, whatever answers get lost.

use bytes::Bytes;

use super::{blocks::BlockIds, client::Writing, error::Failure, store::Shared, upload::Handle};
use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged},
};

/// What stands where a staged blob goes.
enum Standing {
    /// The blob itself: it was revealed before.
    Ours,
    Another,
    Nothing,
}

impl Shared {
    /// Commits the blocks of a staged blob.
    pub(super) async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        let name = self.name(&staged.object.path);
        let unreadable = || Error::new(ErrorKind::Internal, "read an upload's blocks");
        let handle: Handle =
            serde_json::from_value(staged.handle.clone()).map_err(|error| unreadable().caused_by(error))?;
        let ids = BlockIds::parse(staged.object.publish, &handle.upload).ok_or_else(unreadable)?;
        self.settle(|| self.reveal_once(staged, ids, handle.blocks, &name)).await?;
        self.open().remove(&(staged.object.publish, name));
        Ok(())
    }

    async fn reveal_once(&self, staged: &Staged, ids: BlockIds, blocks: u32, name: &str) -> Result<(), Error> {
        let fail = |failure| self.error(failure, "commit the blocks", name);
        let object = &staged.object;
        match self.is_whole(staged, ids, blocks, name).await {
            Ok(true) => {}
            // Committed before, or discarded.
            Ok(false) => {
                return match self.standing(staged, name).await.map_err(fail)? {
                    Standing::Ours => Ok(()),
                    Standing::Another if !object.replace => Err(self.occupied("commit the blocks", name)),
                    Standing::Another | Standing::Nothing => Err(self.gone(name)),
                };
            }
            // Whoever may only write may not look: the condition stands guard alone.
            Err(failure) if failure.lacks_right() => {}
            Err(failure) => return Err(fail(failure)),
        }
        let writing =
            Writing { name, content_type: &object.content_type, publish: object.publish, create_only: !object.replace };
        let failure = match self.client.commit(writing, (0..blocks).map(|index| ids.id(index)).collect()).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        // Either the answer to an earlier commit was lost, or somebody else was faster.
        let stands = failure.stands_already();
        if !stands && !failure.is("InvalidBlockList") {
            return Err(fail(failure));
        }
        match self.standing(staged, name).await.map_err(fail)? {
            Standing::Ours => self.blank(name, |id| ids.holds(id)).await.map(drop),
            Standing::Another if !object.replace => Err(self.occupied("commit the blocks", name)),
            Standing::Another if failure.lacks_overwrite() => Err(self.may_not_replace(failure, name)),
            // The service said that something stands here, and now nothing does.
            Standing::Nothing if stands => {
                Err(Error::new(ErrorKind::Unavailable, "commit the blocks").with("blob", name).caused_by(failure))
            }
            Standing::Another | Standing::Nothing => Err(self.gone(name)),
        }
    }

    /// Whether all blocks wait to be committed, as they were sent. Those of a publish that was discarded are still there,
    /// but overwritten.
    async fn is_whole(&self, staged: &Staged, ids: BlockIds, blocks: u32, name: &str) -> Result<bool, Failure> {
        if blocks == 0 {
            return Ok(true);
        }
        let waiting = self.client.blocks(name).await?;
        let sizes: Vec<u64> = waiting.iter().filter(|block| ids.holds(&block.id)).map(|block| block.bytes).collect();
        Ok(sizes.len() == blocks as usize && sizes.iter().sum::<u64>() == staged.bytes)
    }

    async fn standing(&self, staged: &Staged, name: &str) -> Result<Standing, Failure> {
        let ours = staged.object.publish.to_string();
        Ok(match self.client.head(name).await? {
            None => Standing::Nothing,
            Some(head) if head.bytes == staged.bytes && head.publish.as_ref() == Some(&ours) => Standing::Ours,
            Some(_) => Standing::Another,
        })
    }

    fn occupied(&self, operation: &'static str, name: &str) -> Error {
        Error::new(ErrorKind::Conflict, operation)
            .with("container", self.client.container())
            .with("blob", name)
            .with("there", "a blob that this publish did not write")
    }

    /// Where a blob may be replaced, one that stands there is no conflict: the right is missing.
    fn may_not_replace(&self, failure: Failure, name: &str) -> Error {
        Error::new(ErrorKind::Unauthorized, "replace a blob")
            .with("container", self.client.container())
            .with("blob", name)
            .with("rights", "the SAS lets blobs be created and not replaced: it needs `w`")
            .caused_by(failure)
    }

    fn gone(&self, name: &str) -> Error {
        Error::new(ErrorKind::Refused, "commit the blocks")
            .with("container", self.client.container())
            .with("blob", name)
            .with("blocks", "gone: they were discarded or expired, publish again")
    }

    /// Writes a small blob in one request.
    pub(super) async fn put(&self, object: &NewObject, bytes: &Bytes) -> Result<(), Error> {
        let name = self.name(&object.path);
        let writing = Writing {
            name: &name,
            content_type: &object.content_type,
            publish: object.publish,
            create_only: !object.replace,
        };
        let put = || async {
            match self.client.put(writing, bytes.clone()).await {
                Err(failure) if !object.replace && failure.stands_already() => self.same_bytes(bytes, &name).await,
                Err(failure) if failure.lacks_overwrite() => Err(self.may_not_replace(failure, &name)),
                answer => answer.map_err(|failure| self.error(failure, "write a blob", &name)),
            }
        };
        self.settle(put).await
    }

    /// Whether what stands there is what was to be written: then it was, and the answer lost.
    async fn same_bytes(&self, bytes: &Bytes, name: &str) -> Result<(), Error> {
        let fail = |failure| self.error(failure, "compare a blob", name);
        let length = bytes.len() as u64;
        let found = match self.client.head(name).await.map_err(fail)? {
            Some(head) if head.bytes == length && length > 0 => {
                self.client.get(name, 0..length, head.etag.as_deref()).await.map_err(fail)?
            }
            Some(head) if head.bytes == length => Bytes::new(),
            Some(_) => return Err(self.occupied("write a blob", name)),
            None => return Err(Error::new(ErrorKind::Unavailable, "write a blob").with("blob", name)),
        };
        if found == bytes { Ok(()) } else { Err(self.occupied("write a blob", name)) }
    }
}
