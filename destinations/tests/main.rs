//! Tests of the destinations from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is their way to fail")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test's way to fail, in its helpers too")]

mod encode;
mod files;
mod local;
mod s3;
mod support;
