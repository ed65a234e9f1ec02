//! Tests of the destinations from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is their way to fail")]

mod azure;
mod encode;
mod files;
mod local;
mod reference;
mod s3;
mod support;
mod webhook;
