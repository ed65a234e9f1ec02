//! Destinations from outside, in one binary.
