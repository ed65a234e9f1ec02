//! SQL functions of our own.
