//! What is on record: receipts, dead letters, and who stands in the snapshot, read beside the processes that write it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::DataType,
};
use herald::{
    publish::Receipt,
    snapshot::{Holding, KeyCodec, Keys, Pointer, SnapshotStore},
    state::{Filter, State},
};
use tokio::runtime::Runtime;

/// How a member stands in the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) holding: Holding,
    /// The publish that acknowledged it, or tried to.
    pub(crate) sequence: u64,
}

/// Everybody in the snapshot, by the key as users see it.
pub(crate) type Entries = BTreeMap<String, Entry>;

/// The state and the snapshot.
#[derive(Debug)]
pub(crate) struct Books {
    runtime: Runtime,
    state: State,
}

impl Books {
    pub(crate) fn open(data: &Path) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let state = runtime.block_on(State::open(data)).map_err(|error| error.to_string())?;
        Ok(Self { runtime, state })
    }

    /// Receipts past a number, oldest first.
    pub(crate) fn receipts(&self, past: u64) -> Result<Vec<Receipt>, String> {
        let late = Filter { limit: 16, ..Filter::default() };
        let mut receipts = self.runtime.block_on(self.state.receipts(late)).map_err(|error| error.to_string())?;
        receipts.retain(|receipt| receipt.sequence > past);
        receipts.reverse();
        Ok(receipts)
    }

    /// Whether a publish is on record that has not ended.
    pub(crate) fn in_flight(&self) -> Result<bool, String> {
        let left = self.runtime.block_on(self.state.in_flight(Some("a"))).map_err(|error| error.to_string())?;
        Ok(!left.is_empty())
    }

    /// Everybody in the snapshot; `None`: there is none.
    pub(crate) fn entries(&self) -> Result<Option<Entries>, String> {
        let row = self.runtime.block_on(self.state.snapshot("a")).map_err(|error| error.to_string())?;
        let Some(row) = row else { return Ok(None) };
        let read = |name: &str| row.pointer.get(name).cloned().unwrap_or_default();
        let pointer: Pointer = serde_json::from_value(read("pointer")).map_err(|error| error.to_string())?;
        let types: Vec<String> = serde_json::from_value(read("key")).map_err(|error| error.to_string())?;
        let types = types.iter().map(|text| text.parse::<DataType>().map_err(|error| error.to_string()));
        let codec = KeyCodec::new(&types.collect::<Result<Vec<_>, _>>()?).map_err(|error| error.to_string())?;
        let data = self.state.data_dir();
        let store = SnapshotStore::new(data, Keys::open(data, None).map_err(|error| error.to_string())?);
        let snapshot = store.open("a", &pointer).map_err(|error| error.to_string())?;
        let mut entries = Entries::new();
        for partition in 0..pointer.partitions as usize {
            let rows = snapshot.partition(partition, pointer.partitions).map_err(|error| error.to_string())?;
            let Some(rows) = rows else { continue };
            let members = codec.members(rows.keys()).and_then(|members| cast(&members, &DataType::Utf8));
            let members = members.map_err(|error| error.to_string())?;
            let members = members.as_string::<i32>();
            for row in 0..members.len() {
                let entry = Entry { holding: rows.holding(row), sequence: u64::from(rows.sequences().value(row)) };
                if entries.insert(members.value(row).to_owned(), entry).is_some() {
                    return Err(format!("{} stands twice in the snapshot", members.value(row)));
                }
            }
        }
        if pointer.members != entries.len() as u64 || row.rows != pointer.members {
            return Err(format!("{} members, said are {} and {}", entries.len(), pointer.members, row.rows));
        }
        Ok(Some(entries))
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.runtime.block_on(self.state.clone().close());
    }
}

/// Member and operation of dead letters.
pub(crate) type Letters = BTreeSet<(String, String)>;
