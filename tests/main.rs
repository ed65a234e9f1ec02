//! Herald from outside: one binary for all, so that the engine is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is their way to fail")]

mod adopt;
mod audit;
mod cli;
mod config;
mod config_examples;
mod corpus;
mod deploy;
mod explain;
mod http;
mod oracle;
mod publishing;
mod rapid;
mod schedule;
mod sending;
#[path = "../destinations/tests/support/mod.rs"]
#[allow(dead_code, reason = "the servers' other users are in the tests of the destinations")]
mod servers;
mod service;
mod simulation;
mod state;
mod support;
mod telemetry;
mod traces;
mod upkeep;
