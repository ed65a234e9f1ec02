//! Tests of the destinations from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is their way to fail")]

mod encode;
mod files;
mod liveramp;
mod local;
mod reference;
mod s3;
mod support;
mod webhook;
