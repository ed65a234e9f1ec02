//! Logs on stderr: text or JSON, one span per publish. Never a key, an address or a secret in them.

mod logs;
mod terminal;

pub use logs::{LogError, LogFormat, init, publish_span};
pub use terminal::{Shown, show};
