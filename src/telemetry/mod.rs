//! Logs on stderr: text or JSON, one span per publish; metrics; and traces on request. Never a key, an address or a secret in them.

mod logs;
pub mod metrics;
pub mod spans;
mod terminal;
pub mod traces;

pub use self::metrics::Metrics;
pub use logs::{LogError, LogFormat, init, publish_span};
pub use terminal::{Shown, show};
pub use traces::Traces;
