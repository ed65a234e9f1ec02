//! Tests of the destinations from outside.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test's way to fail, in its helpers too")]

mod encode;
mod files;
mod local;
