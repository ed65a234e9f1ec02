//! One publish, from plan to receipt.

mod receipt;

pub use receipt::{Failure, PublishKind, Receipt, Status};
