//! Tests of the destinations from outside.

mod s3;
mod support;
mod encode;
mod files;
mod local;
