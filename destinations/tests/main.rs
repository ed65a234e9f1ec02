//! Tests of the destinations from outside.

mod s3;
mod support;
mod local;
