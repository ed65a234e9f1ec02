//! Tests of the destinations from outside.

mod encode;
mod files;
mod local;
mod s3;
mod support;
