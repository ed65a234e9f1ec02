use super::error::day;

/// When a key can serve no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// The option within `encrypt` that names it: `pgp` or `sign`.
    pub option: &'static str,
    /// The file, as it was named.
    pub file: String,
    /// The key's id.
    pub key: String,
    /// Seconds since 1970.
    pub at: i64,
}

impl Expiry {
    /// The end for people, as seen `now`: `the key 0123456789abcdef expired on 2026-11-22`.
    pub fn reason(&self, now: i64) -> String {
        let word = if self.at <= now { "expired" } else { "expires" };
        format!("the key {} {word} on {}", self.key, day(self.at))
    }
}
