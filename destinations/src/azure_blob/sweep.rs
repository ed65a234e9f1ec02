//! Taking back blocks that were staged and never committed.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    blocks::is_of,
    client::{Listed, Staged},
    error::Failure,
    store::Shared,
};
use crate::contract::Error;

/// A block that was on its way when its upload ended may arrive after it was looked for; so it is looked again.
const ROUNDS: usize = 3;
/// Requests at once.
const AT_ONCE: usize = 8;
/// What takes the place of a block: Azure takes none without bytes.
const BLANK: Bytes = Bytes::from_static(b"\0");

impl Shared {
    /// Empties the blocks of one publish below a prefix: each is overwritten by a single byte, under its own id. Only
    /// time removes it, or a commit of the blob that it belongs to.
    pub(super) async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        let below = self.name(prefix);
        for round in 0..ROUNDS {
            let mut emptied = 0;
            for name in self.candidates(&below, publish).await? {
                emptied += self.blank(&name, |id| is_of(id, publish)).await?;
            }
            if emptied == 0 {
                break;
            }
            tracing::debug!(blocks = emptied, round, "emptied blocks");
        }
        self.open().retain(|(owner, name)| *owner != publish || !name.starts_with(&below));
        Ok(())
    }

    /// Names for which a publish may have staged blocks.
    async fn candidates(&self, below: &str, publish: Uuid) -> Result<BTreeSet<String>, Error> {
        let mut names: BTreeSet<String> = {
            let open = self.open();
            let ours = open.iter().filter(|(owner, name)| *owner == publish && name.starts_with(below));
            ours.map(|(_, name)| name.clone()).collect()
        };
        let listed = self.below(below, true).await?;
        let ours = listed.into_iter().filter(|blob| may_wait(blob, below, publish)).map(|blob| blob.name);
        names.extend(ours);
        Ok(names)
    }

    /// Empties those of a blob's waiting blocks that `ours` picks; how many there were to be emptied.
    pub(super) async fn blank(&self, name: &str, ours: impl Fn(&[u8]) -> bool) -> Result<usize, Error> {
        let waiting = || async {
            match self.client.blocks(name).await {
                Err(failure) if failure.lacks_right() => {
                    may_not(&failure, "list blocks");
                    Ok(Vec::new())
                }
                answer => answer.map_err(|failure| self.error(failure, "list blocks", name)),
            }
        };
        let full = |block: &Staged| block.bytes > BLANK.len() as u64 && ours(&block.id);
        let blocks: Vec<Staged> = self.settle(waiting).await?.into_iter().filter(full).collect();
        let count = blocks.len();
        let empty = |block: Staged| async move {
            let once = || async {
                let sent = self.client.block(name, &block.id, BLANK).await;
                sent.map_err(|failure| self.error(failure, "empty a block", name))
            };
            self.settle(once).await
        };
        stream::iter(blocks.into_iter().map(empty)).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(count)
    }
}

/// Says what is left behind for want of a right.
pub(super) fn may_not(failure: &Failure, what: &str) {
    tracing::warn!(%failure, "no right to {what}: unfinished blocks stay until the service drops them, within a week");
}

/// Whether blocks of a publish may wait at a blob: at one of which nothing is committed, which has no bytes then; at one
/// that it wrote before; at one that it replaces; at one whose name holds its id. To ask at every blob below a prefix
/// that says little would take a request each.
fn may_wait(blob: &Listed, below: &str, publish: Uuid) -> bool {
    let written = blob.publish.as_deref().is_some_and(|writer| writer == publish.to_string());
    let named = || [publish.to_string(), publish.simple().to_string()].iter().any(|id| blob.name.contains(id));
    !blob.folder && (blob.bytes == 0 || written || blob.name == below || named())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blobs_that_may_hold_blocks_of_the_publish_are_asked() {
        let publish = Uuid::now_v7();
        let blob = |name: &str, bytes| Listed { name: name.to_owned(), bytes, publish: None, folder: false };
        let may = |blob: &Listed| may_wait(blob, "in/customers.csv", publish);
        assert!(may(&blob("in/7-00000.csv", 0)), "nothing is committed");
        assert!(!may(&blob("in/7-00000.csv", 9)), "another's blob");
        assert!(may(&blob("in/customers.csv", 9)), "the blob that it replaces");
        assert!(may(&blob(&format!("in/{publish}/part-00000.csv"), 9)), "its id in the name");
        let written = Listed { publish: Some(publish.to_string()), ..blob("in/7-00000.csv", 9) };
        assert!(may(&written), "a blob of its own");
        assert!(!may(&Listed { folder: true, ..blob("in/7", 0) }), "a folder");
    }
}
