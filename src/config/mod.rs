//! YAML → tree with places → checked config.

mod model;

pub use model::*;

/// Where each value of the config stands.
#[derive(Debug, Default)]
pub struct Places;
