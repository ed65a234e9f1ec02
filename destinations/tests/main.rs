//! Tests of the destinations from outside.

mod local;
mod s3;
mod support;
mod encode;
mod files;
