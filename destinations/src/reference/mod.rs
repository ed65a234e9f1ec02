//! Destinations in memory, and one that fails on order: what the runner's own tests publish to.
//!
//! None is a kind that a config file can name; a test puts one into a loaded config in place of a target. Every one
//! is a handle: its clones, and all that connects through them, see one target.
//!
//! - [`MemoryTarget`] shows members as they arrive, and can be told to refuse some.
//! - [`MemoryFiles`] takes files, which show at commit, through the same code as every target of files.
//! - [`FaultyTarget`] wraps either, or any other, and fails by a [`Script`].

mod faulty;
mod files;
mod script;
mod target;

pub use faulty::{FaultyDestination, FaultyTarget};
pub use files::MemoryFiles;
pub(crate) use script::around;
pub use script::{Mishap, Operation, Script};
pub use target::{Applied, MemoryTarget, Record, Refusal};

/// The kind's name of both targets in memory.
const KIND: &str = "memory";
