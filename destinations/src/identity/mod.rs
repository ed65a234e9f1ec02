//! Normalising and hashing of identifiers.
