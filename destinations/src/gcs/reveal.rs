//! Making objects visible, once, whatever answers get lost.

use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use super::{
    client::{Object, Rewritten, Writing, base64_of},
    error::Failure,
    store::Shared,
    upload::Handle,
};
use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged},
};

const REVEAL: &str = "reveal an object";
const PUT: &str = "write an object";

/// What stands where a staged object goes.
enum Standing {
    /// The object itself: it was revealed before.
    Ours,
    Another,
    Nothing,
}

/// A staged object, and all that is known of it.
struct Move<'a> {
    staged: &'a Staged,
    handle: Handle,
    /// Its temporary name.
    from: String,
    to: String,
    /// Where copying stopped, if the server copies in steps.
    token: Mutex<Option<String>>,
}

impl Move<'_> {
    fn token(&self) -> Option<String> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn goes_on(&self, token: String) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    /// Forgets where copying stopped; whether it had begun.
    fn begins_anew(&self) -> bool {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// Whether an object is the staged one, by all that the server tells.
    fn is(&self, object: &Object) -> bool {
        let publish = self.staged.object.publish.to_string();
        let crc32c = base64_of(self.handle.crc32c);
        object.size == self.staged.bytes
            && object.publish() == Some(&publish)
            && object.crc32c.as_ref().is_none_or(|found| *found == crc32c)
    }
}

impl Shared {
    /// Moves a staged object to its own name.
    pub(super) async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        let handle: Handle = serde_json::from_value(staged.handle.clone())
            .map_err(|error| Error::new(ErrorKind::Internal, "read a staged object's handle").caused_by(error))?;
        let object = &staged.object;
        let (from, to) = (self.temporary(object.publish, &object.path), self.name(&object.path));
        let moving = Move { staged, handle, from, to, token: Mutex::default() };
        self.settle(|| self.reveal_once(&moving)).await
    }

    async fn reveal_once(&self, moving: &Move<'_>) -> Result<(), Error> {
        let fail = |failure| self.error(failure, REVEAL, &moving.to);
        let replace = moving.staged.object.replace;
        if self.looks_first && !replace {
            match self.standing(moving).await.map_err(fail)? {
                Standing::Ours => return self.drop_temporary(moving).await,
                Standing::Another => return Err(self.occupied(REVEAL, &moving.to)),
                Standing::Nothing => {}
            }
        }
        let source = (moving.from.as_str(), moving.handle.generation.as_str());
        loop {
            match self.client.rewrite(source, &moving.to, !replace, moving.token().as_deref()).await {
                Ok(Rewritten::Partly(token)) => moving.goes_on(token),
                Ok(Rewritten::Whole(object)) if moving.is(&object) => return self.drop_temporary(moving).await,
                Ok(Rewritten::Whole(object)) => {
                    return Err(Error::new(ErrorKind::Refused, REVEAL)
                        .with("bucket", self.client.bucket())
                        .with("object", &moving.to)
                        .with("staged", moving.staged.bytes)
                        .with("found", object.size)
                        .caused_by("the copy is not what was staged"));
                }
                // A token that the server does not take any more: copying begins anew.
                Err(failure) if failure.status == Some(400) && moving.begins_anew() => {}
                Err(failure) if failure.is_unmet() || (failure.is_gone() && !failure.lacks_bucket()) => {
                    return self.tell_apart(moving, failure).await;
                }
                Err(failure) => return Err(fail(failure)),
            }
        }
    }

    /// Either the answer to an earlier rewrite was lost, or something stands there, or the temporary object is gone.
    async fn tell_apart(&self, moving: &Move<'_>, failure: Failure) -> Result<(), Error> {
        let fail = |failure| self.error(failure, REVEAL, &moving.to);
        match self.standing(moving).await.map_err(fail)? {
            Standing::Ours => return self.drop_temporary(moving).await,
            Standing::Another if !moving.staged.object.replace => return Err(self.occupied(REVEAL, &moving.to)),
            Standing::Another | Standing::Nothing => {}
        }
        let temporary = self.client.head(&moving.from).await.map_err(fail)?;
        if temporary.is_some_and(|object| object.generation == moving.handle.generation) {
            // The server said that something stands there, and now nothing does.
            return Err(Error::new(ErrorKind::Unavailable, REVEAL).with("object", &moving.to).caused_by(failure));
        }
        Err(Error::new(ErrorKind::Refused, REVEAL)
            .with("bucket", self.client.bucket())
            .with("object", &moving.to)
            .with("staged", "gone: it was removed or staged anew, publish again"))
    }

    async fn standing(&self, moving: &Move<'_>) -> Result<Standing, Failure> {
        Ok(match self.client.head(&moving.to).await? {
            None => Standing::Nothing,
            Some(object) if moving.is(&object) => Standing::Ours,
            Some(_) => Standing::Another,
        })
    }

    /// The object stands; what it was copied from has done its work. One that may not be removed stays, said aloud:
    /// the publish arrived all the same.
    async fn drop_temporary(&self, moving: &Move<'_>) -> Result<(), Error> {
        let Err(failure) = self.client.delete(&moving.from, Some(&moving.handle.generation)).await else {
            return Ok(());
        };
        if failure.kind().passes() {
            return Err(self.error(failure, "remove a temporary object", &moving.from));
        }
        tracing::warn!(%failure, object = %moving.from, "a temporary object could not be removed");
        Ok(())
    }

    fn occupied(&self, operation: &'static str, name: &str) -> Error {
        Error::new(ErrorKind::Conflict, operation)
            .with("bucket", self.client.bucket())
            .with("object", name)
            .with("there", "an object that this publish did not write")
    }

    /// Writes a small object in one request.
    pub(super) async fn put(&self, object: &NewObject, bytes: &Bytes) -> Result<(), Error> {
        let name = self.name(&object.path);
        self.settle(|| self.put_once(object, bytes, &name)).await
    }

    async fn put_once(&self, object: &NewObject, bytes: &Bytes, name: &str) -> Result<(), Error> {
        let fail = |failure| self.error(failure, PUT, name);
        if self.looks_first && !object.replace && self.client.head(name).await.map_err(fail)?.is_some() {
            return self.same_bytes(bytes, name).await;
        }
        let writing =
            Writing { name, content_type: &object.content_type, publish: object.publish, create_only: !object.replace };
        match self.client.put(writing, bytes).await {
            Err(failure) if failure.is_unmet() => self.same_bytes(bytes, name).await,
            answer => answer.map(drop).map_err(fail),
        }
    }

    /// Whether what stands there is what was to be written: then it was, and the answer lost.
    async fn same_bytes(&self, bytes: &Bytes, name: &str) -> Result<(), Error> {
        let fail = |failure| self.error(failure, "compare an object", name);
        let mut chunks = self.client.get(name).await.map_err(fail)?;
        let mut found = BytesMut::new();
        while found.len() <= bytes.len() {
            match chunks.try_next().await.map_err(fail)? {
                Some(chunk) => found.extend_from_slice(&chunk),
                None if found == bytes => return Ok(()),
                None => break,
            }
        }
        Err(self.occupied(PUT, name))
    }
}
