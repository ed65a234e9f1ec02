//! Tests of the destinations from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is their way to fail")]

mod azure;
mod encode;
mod files;
mod gcs;
mod liveramp;
mod local;
mod reference;
mod s3;
mod sftp;
mod support;
mod webhook;
