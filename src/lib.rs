//! Herald publishes customer segments to the places that act on them, and proves each publish.
//!
//! ```text
//! config ─▶ resolve ─▶ spool ─▶ delta ─▶ guard ─▶ deliver ─▶ acknowledge
//!           members,   on disk  against  stop     batches,   snapshot and receipt
//!           records             snapshot or go    parts      in one transaction
//! ```

pub mod alerts;
pub mod cli;
pub mod config;
pub mod control;
pub mod fleet;
pub mod http;
pub mod publish;
pub mod resolve;
pub mod sample;
pub mod schedule;
pub mod snapshot;
pub mod state;
pub mod telemetry;
pub mod withheld;
