//! What a destination is to the rest of Herald: four stages, each a small trait.
//!
//! ```text
//! Kind ──parse──▶ Config ──connect──▶ Destination ──begin──▶ Publication ──seal──▶ Ticket
//! compiled in     checked, no I/O     connected              one publish           stored; commit or discard
//! ```
//!
//! There is one abort path for errors, cancels and crashes alike: drop the [`Publication`] and
//! [`Destination::discard`] its [`Ticket`].

mod batch;
mod capabilities;
mod config;
mod context;
mod destination;
mod error;
mod retry;
mod shape;
mod tally;
mod ticket;

pub use batch::{Batch, Changes, Op, Rejection};
pub use capabilities::{Capabilities, Visibility};
pub use config::{ActivationFacts, Config, ConfigError, Kind};
pub use context::{Account, Mode, PublishContext};
pub use destination::{Destination, Publication};
pub use error::{Error, ErrorKind};
pub use retry::{Retries, Retry, RetryPolicy};
pub use shape::{Shaped, Shaper};
pub use tally::Tally;
pub use ticket::{Column, Delivered, DeliveredFile, Depth, Extra, Manifest, Part, PartState, Ticket};
