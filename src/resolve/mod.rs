//! Segments and attributes → one plan. Only here and below is the query engine named.

pub mod functions;
