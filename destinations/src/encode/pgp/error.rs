/// Why a key can't serve. Names the file as the config does, and a key by its id; never a user id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct KeyError {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong with it or with a key in it.
    pub reason: String,
}

impl KeyError {
    pub(super) fn new(file: &str, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), reason: reason.into() }
    }
}

/// A day for people, from seconds since 1970.
pub(super) fn day(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0)
        .map_or_else(|| "a day that no calendar has".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}
