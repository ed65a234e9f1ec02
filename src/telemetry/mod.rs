//! Logs on stderr: text or JSON, one span per publish; and metrics. Never a key, an address or a secret in them.

mod logs;
pub mod metrics;
mod terminal;

pub use self::metrics::Metrics;
pub use logs::{LogError, LogFormat, init, publish_span};
pub use terminal::{Shown, show};
