//! Taking back uploads that were begun and never completed.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{client::OpenUpload, store::Shared};
use crate::{contract::Error, files::NewObject};

/// A part that was on its way when its upload was aborted may bring the upload back; so it is looked again.
const ROUNDS: usize = 3;

impl Shared {
    /// Aborts the uploads of one publish below a prefix.
    pub(super) async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        let below = self.key(prefix);
        for round in 0..ROUNDS {
            let listed = self.open_below(&below).await?;
            // A store that can't list its uploads still aborts those that this process began.
            let mut mine: BTreeMap<String, String> = BTreeMap::new();
            for (upload, (owner, key)) in self.open().iter() {
                if *owner == publish && key.starts_with(&below) {
                    mine.insert(upload.clone(), key.clone());
                }
            }
            let known = |upload: &str| self.open().get(upload).map(|(owner, _)| *owner);
            for open in listed {
                if belongs(&open, known(&open.id), &below, prefix, publish) {
                    mine.insert(open.id, open.key);
                }
            }
            if mine.is_empty() {
                return Ok(());
            }
            tracing::debug!(uploads = mine.len(), round, "aborting uploads");
            for (upload, key) in mine {
                let abort = || async {
                    let gone = self.client.abort(&key, &upload).await;
                    gone.map_err(|failure| self.error(failure, "abort an upload", &key))
                };
                self.settle(abort).await?;
                self.open().remove(&upload);
            }
        }
        Ok(())
    }

    /// Aborts what was begun for an object by requests whose answers were lost: all of the publish's uploads but `kept`.
    pub(super) async fn abort_lost(&self, object: &NewObject, key: &str, kept: &str) -> Result<(), Error> {
        for open in self.open_below(key).await? {
            let owner = self.open().get(&open.id).map(|(owner, _)| *owner);
            if open.id != kept && open.key == key && belongs(&open, owner, key, &object.path, object.publish) {
                let abort = || async {
                    let gone = self.client.abort(key, &open.id).await;
                    gone.map_err(|failure| self.error(failure, "abort an upload", key))
                };
                self.settle(abort).await?;
            }
        }
        Ok(())
    }

    async fn open_below(&self, below: &str) -> Result<Vec<OpenUpload>, Error> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = || async {
                match self.client.uploads(below, after.clone()).await {
                    Err(failure) if failure.unsupported() => {
                        tracing::warn!(%failure, "the store can't list uploads: those of an earlier process stay");
                        Ok((Vec::new(), None))
                    }
                    answer => answer.map_err(|failure| self.error(failure, "list uploads", below)),
                }
            };
            let (uploads, next) = self.settle(page).await?;
            all.extend(uploads);
            if next.is_none() {
                return Ok(all);
            }
            after = next;
        }
    }
}

/// Whether an upload is the publish's. Its key tells where the path holds the publish's id; where this process
/// began it, it is known. A path without ids holds a sequence or a time, and the prefix holds them too; an empty
/// prefix says nothing, and a key with another id is another's.
fn belongs(open: &OpenUpload, owner: Option<Uuid>, below: &str, prefix: &str, publish: Uuid) -> bool {
    // Some stores take the prefix for a folder, or overlook it.
    let Some(_) = open.key.strip_prefix(below) else { return false };
    match owner {
        Some(owner) => owner == publish,
        None => {
            let ids: Vec<Uuid> = ids_in(&open.key).collect();
            ids.contains(&publish) || (ids.is_empty() && !prefix.is_empty())
        }
    }
}

/// Every UUID in a key, written with hyphens or without.
fn ids_in(key: &str) -> impl Iterator<Item = Uuid> {
    [36, 32].into_iter().flat_map(move |length| {
        (0..key.len()).filter_map(move |start| Uuid::try_parse(key.get(start..start + length)?).ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(key: &str) -> OpenUpload {
        OpenUpload { key: key.to_owned(), id: "1".to_owned() }
    }

    #[test]
    fn an_upload_is_told_by_the_id_in_its_key() {
        let (ours, other) = (Uuid::now_v7(), Uuid::now_v7());
        let key = |id: Uuid| open(&format!("in/a/{id}/part-00000.parquet"));
        assert!(belongs(&key(ours), None, "in/a/", "a/", ours));
        assert!(!belongs(&key(other), None, "in/a/", "a/", ours));
        let simple = open(&format!("in/a/{}-0.csv", ours.simple()));
        assert!(belongs(&simple, None, "in/", "", ours));
    }

    #[test]
    fn a_key_without_ids_belongs_to_whoever_names_a_prefix() {
        let ours = Uuid::now_v7();
        assert!(belongs(&open("in/a/7-0.csv"), None, "in/a/7-", "a/7-", ours));
        assert!(!belongs(&open("in/a/8-0.csv"), None, "in/a/7-", "a/7-", ours));
        assert!(!belongs(&open("in/photo.jpg"), None, "in/", "", ours));
    }

    #[test]
    fn what_this_process_began_is_known() {
        let (ours, other) = (Uuid::now_v7(), Uuid::now_v7());
        assert!(belongs(&open("in/customers.csv"), Some(ours), "in/", "", ours));
        assert!(!belongs(&open("in/customers.csv"), Some(other), "in/customers.csv", "customers.csv", ours));
    }
}
