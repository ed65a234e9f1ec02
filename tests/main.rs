//! Herald from outside: one binary for all, so that the engine is linked once.

mod state;
//! The application from outside, in one binary.

mod config;
