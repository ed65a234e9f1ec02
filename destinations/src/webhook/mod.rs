//! A webhook: change events, sent by POST to a receiver of the user's own.
//!
//! ```text
//! write ─▶ rows to events, cut at `batch` rows and 8 MiB ─▶ sign ─▶ POST ─▶ read the answer
//!            ▲                                                               │
//!            └── the rest without rejected rows (400, 422), halves (413) ◀───┘
//! ```
//!
//! Members show as they arrive: what a `write` answered is delivered, so commit has nothing to make visible and
//! discard nothing to take back. A request that is repeated keeps its idempotency key.

mod answer;
mod client;
mod config;
mod destination;
mod events;
mod mask;
mod options;
mod publication;
mod signature;

pub use config::WebhookConfig;
pub use options::EventFormat;

use crate::contract::Kind;

/// The kind `webhook`.
pub static KIND: &dyn Kind = &config::Webhook;
