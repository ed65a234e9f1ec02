//! Herald from outside: one binary for all, so that the engine is linked once.

mod cli;
mod config;
mod config_examples;
mod oracle;
mod publishing;
mod state;
mod support;
