//! One publish, from plan to receipt.

pub mod code;
mod receipt;

pub use receipt::{Failure, PublishKind, Receipt, Status};
