//! Who asks.

use crate::config::Scope;

/// Who asks, and what he may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name of a token; `anybody` where none is set; `signal` or `file watch` for what comes from the machine.
    pub name: String,
    /// What he may.
    pub scope: Scope,
}

impl Caller {
    /// Somebody, on a loopback address without tokens.
    pub fn anybody() -> Self {
        Self { name: "anybody".to_owned(), scope: Scope::Admin }
    }

    /// The machine itself.
    pub fn machine(name: &str) -> Self {
        Self { name: name.to_owned(), scope: Scope::Admin }
    }
}
