//! The application from outside, in one binary.

mod config_examples;
mod oracle;
