//! Tests of the destinations from outside.

mod local;
