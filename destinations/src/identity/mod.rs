//! Normalising and hashing of identifiers, over whole columns.
//!
//! These rules are common to all platforms. What one of them wants beyond is added by its own kind of
//! destination.

mod email;
mod error;
mod hash;
mod lower;
mod name;
mod phone;
mod phone_column;
mod text;

#[cfg(test)]
mod tests;

pub use email::{normalize_email, sha256_email};
pub use error::IdentityError;
pub use hash::sha256_hex;
pub use name::normalize_name;
pub use phone_column::{PhoneRegion, normalize_phone, sha256_phone};
pub use text::Text;
