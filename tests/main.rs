//! Herald from outside: one binary for all, so that the engine is linked once.

mod cli;
mod config;
mod config_examples;
mod oracle;
mod publishing;
mod state;
mod support;
#[path = "../destinations/tests/support/mod.rs"]
#[allow(dead_code, reason = "the servers' other users are in the tests of the destinations")]
mod servers;
