//! What Herald remembers between two runs: publishes and their receipts, tickets of publishes in flight, the
//! snapshot that each activation stands on, and who did what. The only folder that names `sqlx`.
//!
//! One SQLite file in `data_dir`. Each change is one transaction, written through to the disk before the call
//! returns, so that a process killed at any instant leaves a state that the next one can go on from. Any number
//! of processes may share a `data_dir`; an [`ActivationLock`] keeps two of them from publishing one activation.

mod activations;
mod audit;
mod dead_letters;
mod error;
mod history;
mod locks;
mod objects;
mod open;
mod outcomes;
mod places;
mod publishes;
mod replace;
mod sending;
mod settle;
mod snapshots;
mod standings;
mod takeover;
mod triggers;
mod watch;

pub use activations::{ActivationRow, ActivationState, Purging};
pub use audit::{AuditEntry, AuditsOf};
pub use dead_letters::{DeadLetterRow, DeadLettersOf, Looked, Refused};
pub use error::{StateError, StateErrorKind};
pub use history::History;
pub use locks::ActivationLock;
pub use objects::{Deposit, DepositsOf};
pub use open::State;
pub use outcomes::Outcome;
pub use places::PlaceRow;
pub use publishes::{Filter, NewPublish};
pub(crate) use replace::replace;
pub use sending::Answered;
pub use settle::InFlight;
pub use snapshots::SnapshotRow;
pub use standings::StandingRow;
pub use triggers::{Ask, Asked, Taken, Waiting, WhomWord};
pub use watch::{News, Watch};
