//! Which empty folders are Herald's to remove, at targets that have real ones.
//!
//! Herald makes the folders above a file that are missing, and no target says later who made one. A folder that a partner
//! made for Herald's files must outlive them, even empty: its rights would be lost with it. So the name decides.

use uuid::Uuid;

/// Whether a folder's name, the last part of its path, is one that only a publish gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It holds an id, as those of publishes are.
    Publish,
    /// A number or a time, perhaps behind `word=`: a publish's in all likelihood, if a file of it was in there just now.
    Dated,
    /// Anybody's.
    Unknown,
}

/// What was removed in a folder just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    Nothing,
    File,
    /// The folder of this owner.
    Folder(Owner),
}

/// Length of an id as text.
const ID: usize = 36;

impl Owner {
    /// By the name, without the folders above it.
    pub(crate) fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        if bytes.windows(ID).any(|window| window.contains(&b'-') && Uuid::try_parse_ascii(window).is_ok()) {
            return Self::Publish;
        }
        let value = name.rsplit('=').next().unwrap_or(name);
        let dated = value.starts_with(|char: char| char.is_ascii_digit())
            && value.chars().all(|char| char.is_ascii_digit() || "-TZ".contains(char));
        if dated { Self::Dated } else { Self::Unknown }
    }

    /// Whether it may be removed if it is empty. Of folders that may be anybody's, only one that a publish's own folder
    /// was removed from, as is the activation's in the default path; files alone may lie in a partner's.
    pub(crate) fn may_go(self, removed: Removed) -> bool {
        match self {
            Self::Publish => true,
            Self::Dated => removed != Removed::Nothing,
            Self::Unknown => matches!(removed, Removed::Folder(Self::Publish | Self::Dated)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_publishes_give_are_heralds() {
        let id = Uuid::now_v7();
        for name in [id.to_string(), format!("x-{id}.d"), format!("publish={id}")] {
            assert_eq!(Owner::of(&name), Owner::Publish, "{name}");
        }
        for name in ["42", "2026-11-22", "20261122T063015Z", "date=2026-11-22", "2026-11-22-06-30-15-007"] {
            assert_eq!(Owner::of(name), Owner::Dated, "{name}");
        }
        for name in ["", "gold", "incoming", "drop1", "T", "-", "x=", "gold-2026", "ä2026"] {
            assert_eq!(Owner::of(name), Owner::Unknown, "{name}");
        }
    }
}
