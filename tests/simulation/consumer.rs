//! A consumer of the target: applies manifests as the contract says, and trusts nothing that it finds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use herald_destinations::contract::{Account, Manifest, Mode};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use super::{Checked, ensure};
use crate::support::{Records, files, rows};

/// What a consumer holds, and how far it has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumer {
    pub(crate) held: Records,
    pub(crate) manifests: Vec<Manifest>,
    /// Rows applied in all.
    pub(crate) applied: u64,
    seen: BTreeSet<PathBuf>,
    /// Of each manifest, in order: where it stands, and its parts.
    places: Vec<(PathBuf, Vec<PathBuf>)>,
}

/// Rows of a publish by operation.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rows {
    added: u64,
    updated: u64,
    removed: u64,
}

impl Consumer {
    /// Objects of the publishes that had their time, where so many are kept: those before the newest full one that are not
    /// among the newest.
    pub(crate) fn expired(&self, keep: Option<usize>) -> impl Iterator<Item = &PathBuf> {
        let full = self.manifests.iter().rposition(|manifest| manifest.mode == Mode::Full).unwrap_or(0);
        let old = keep.map_or(0, |keep| full.min(self.manifests.len().saturating_sub(keep)));
        self.places[..old].iter().flat_map(|(manifest, parts)| std::iter::once(manifest).chain(parts))
    }

    /// Reads what is new in the folder. `settled`: nothing is in flight, so that nothing may stand there which no
    /// manifest names. `keep`: so many publishes are kept at least.
    pub(crate) fn look(&mut self, folder: &Path, settled: bool, keep: Option<usize>) -> Checked {
        let there = files(folder);
        let is_manifest = |path: &&PathBuf| path.to_str().is_some_and(|path| path.ends_with("manifest.json"));
        let mut named: BTreeSet<PathBuf> = self.seen.clone();
        let mut fresh = Vec::new();
        for path in there.iter().filter(is_manifest).filter(|path| !self.seen.contains(*path)) {
            let text = fs::read(path).map_err(|error| error.to_string())?;
            let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| format!("{error} in {path:?}"))?;
            fresh.push((path.clone(), manifest));
        }
        fresh.sort_by_key(|(_, manifest)| manifest.sequence);
        for (path, manifest) in fresh {
            named.insert(path.clone());
            let beside = path.parent().unwrap_or(folder);
            let parts: Vec<PathBuf> = manifest.files.iter().map(|file| beside.join(&file.path)).collect();
            named.extend(parts.iter().cloned());
            self.places.push((path.clone(), parts));
            self.apply(beside, manifest, keep.is_some())?;
        }
        let expired: BTreeSet<&PathBuf> = self.expired(keep).collect();
        let gone: Vec<_> = named.iter().filter(|path| !there.contains(path) && !expired.contains(path)).collect();
        ensure!(gone.is_empty(), "manifests name what is not there: {gone:?}");
        for (manifest, parts) in self.places.iter().filter(|(manifest, _)| there.contains(manifest)) {
            ensure!(parts.iter().all(|part| there.contains(part)), "{manifest:?} promises what is gone");
        }
        let unnamed: Vec<_> = there.iter().filter(|path| !named.contains(*path)).collect();
        ensure!(!settled || unnamed.is_empty(), "no manifest names {unnamed:?}");
        self.seen = named;
        Ok(())
    }

    /// `expires`: what a full publish replaced may be gone before anybody saw it.
    fn apply(&mut self, beside: &Path, manifest: Manifest, expires: bool) -> Checked {
        let sequence = manifest.sequence;
        let last = self.manifests.last();
        ensure!(
            last.is_none_or(|last| last.sequence < sequence),
            "publish {sequence} became visible after {:?}",
            last.map(|last| last.sequence)
        );
        ensure!(
            manifest.previous == last.map(|last| last.sequence) || (expires && manifest.mode == Mode::Full),
            "publish {sequence} names {:?} as the one before, which is {:?}",
            manifest.previous,
            last.map(|last| last.sequence)
        );
        ensure!(self.manifests.iter().all(|other| other.id != manifest.id), "{} stands twice", manifest.id);
        let full = manifest.mode == Mode::Full;
        if full {
            self.held.clear();
        }
        let mut counted = Rows::default();
        for file in &manifest.files {
            let path = beside.join(&file.path);
            let bytes = fs::read(&path).map_err(|error| format!("{error}: {path:?}"))?;
            ensure!(bytes.len() as u64 == file.bytes, "{path:?} has {} bytes", bytes.len());
            let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            ensure!(digest == file.sha256, "{path:?} is not what its manifest says");
            let before = counted.added + counted.updated + counted.removed;
            self.part(&path, full, &mut counted)?;
            let rows = counted.added + counted.updated + counted.removed - before;
            ensure!(rows == file.rows, "{path:?} has {rows} rows, its manifest says {}", file.rows);
        }
        let Account { added, updated, removed, delivered, .. } = manifest.counts;
        ensure!(counted == Rows { added, updated, removed }, "publish {sequence} has {counted:?}: {manifest:?}");
        ensure!(delivered == added + updated + removed, "publish {sequence}: {manifest:?}");
        self.applied += delivered;
        self.manifests.push(manifest);
        Ok(())
    }

    fn part(&mut self, path: &Path, full: bool, counted: &mut Rows) -> Checked {
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
        for batch in reader.map_err(|error| format!("{error}: {path:?}"))? {
            for mut row in rows(&batch.map_err(|error| error.to_string())?) {
                let key = if full { row.get("id").cloned() } else { row.remove("_member") };
                let Some(member) = key else { return Err(format!("a row without a key in {path:?}")) };
                let op = row.remove("_op");
                let held = self.held.contains_key(&member);
                match op.as_deref() {
                    None | Some("add") => {
                        ensure!(!held, "{member} is added, and held already");
                        ensure!(full == op.is_none(), "{path:?}: operations in a full publish, or none");
                        counted.added += 1;
                        self.held.insert(member, row);
                    }
                    Some("update") => {
                        ensure!(held, "{member} is updated, and not held");
                        counted.updated += 1;
                        self.held.insert(member, row);
                    }
                    Some("remove") => {
                        ensure!(held, "{member} is removed, and not held");
                        ensure!(row.is_empty(), "a removal holds {row:?}");
                        counted.removed += 1;
                        self.held.remove(&member);
                    }
                    Some(other) => return Err(format!("{other} is no operation")),
                }
            }
        }
        Ok(())
    }
}

/// A record as a consumer sees it.
pub(crate) fn shown(record: &super::wanted::Record) -> BTreeMap<String, String> {
    record.0.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.text()?))).collect()
}
