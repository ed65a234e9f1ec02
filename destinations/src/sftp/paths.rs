//! Names at the target: where objects stand, and where they stand before they are whole.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::Failure;
use crate::contract::ErrorKind;

/// What follows a name, and precedes the publish's id, until a file is whole. No name begins with a dot or an underscore:
/// some receivers fail on those.
const PART: &str = ".part-";
/// Folder of what is not whole yet, or can be seen before it is.
pub(super) const TEMPORARIES: &str = "herald-tmp";
/// Longest name on most file systems, in bytes.
const LONGEST_NAME: usize = 255;

/// The target's own folder on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root(String);

impl Root {
    /// `path` as a config has it: absolute, or relative to where the user logs into.
    pub(super) fn new(path: &str) -> Result<Self, String> {
        let inner = path.strip_suffix('/').unwrap_or(path);
        let names = inner.strip_prefix('/').unwrap_or(inner);
        if !names.is_empty() && !names.split('/').all(is_name) {
            return Err("is no folder: it has an empty part, `.`, `..`, a backslash or a control character".to_owned());
        }
        Ok(Self(if path.starts_with('/') && names.is_empty() { "/".to_owned() } else { inner.to_owned() }))
    }

    /// The folder, as the server knows it.
    pub(super) fn itself(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }

    /// For people, and for the target's identity: `~` is where the user logs into.
    pub(super) fn shown(&self) -> String {
        match self.0.as_str() {
            "" => "/~".to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("/~/{path}"),
        }
    }

    /// Where something of the target stands on the server; an empty path is the target's own folder.
    pub(super) fn at(&self, path: &str) -> String {
        match (self.0.as_str(), path) {
            (_, "") => self.itself().to_owned(),
            ("", path) => path.to_owned(),
            ("/", path) => format!("/{path}"),
            (root, path) => format!("{root}/{path}"),
        }
    }
}

/// Whether a name may be a file's or a folder's on any server, and stays where it is. A backslash parts folders on some.
pub(super) fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\']) && !name.contains(char::is_control)
}

/// Refuses a path that would leave the target.
pub(super) fn check(path: &str) -> Result<(), Failure> {
    if path.split('/').all(is_name) {
        return Ok(());
    }
    Err(Failure::new(ErrorKind::Refused, "the path would leave the target, or is none on some servers").at(path))
}

/// The folder that a path is in; empty: the target's own.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The temporary name beside an object. It holds the publish, so that its leftovers can be told.
pub(super) fn beside(path: &str, publish: Uuid) -> String {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let mut name = format!("{name}{PART}{publish}");
    if name.len() > LONGEST_NAME {
        name = format!("{}{PART}{publish}", hash(path));
    }
    if folder.is_empty() { name } else { format!("{folder}/{name}") }
}

/// The folder of what one publish has in [`TEMPORARIES`].
pub(super) fn apart_of(publish: Uuid) -> String {
    format!("{TEMPORARIES}/{publish}")
}

/// The name of an object in [`TEMPORARIES`].
pub(super) fn apart(path: &str, publish: Uuid) -> String {
    format!("{}/{}", apart_of(publish), hash(path))
}

/// Whether a file's name is a temporary one, of this publish if one is given.
pub(super) fn is_temporary(name: &str, publish: Option<Uuid>) -> bool {
    let Some((_, id)) = name.rsplit_once(PART) else { return false };
    // A UUID has other spellings, which nobody writes here.
    Uuid::try_parse(id).is_ok_and(|found| found.to_string() == id && publish.is_none_or(|publish| publish == found))
}

fn hash(path: &str) -> String {
    faster_hex::hex_string(&Sha256::digest(path)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_target() {
        for bad in ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "..", "", "a/", "a\0b", "..\\x", "a\nb"] {
            assert_eq!(check(bad).expect_err(bad).kind, ErrorKind::Refused, "{bad}");
        }
        check("a/..b/c..d/ä ö").unwrap();
    }

    #[test]
    fn a_root_is_absolute_or_where_the_user_logs_into() {
        for (path, itself, below) in
            [("", ".", "x"), ("/", "/", "/x"), ("/in/", "/in", "/in/x"), ("in/a", "in/a", "in/a/x")]
        {
            let root = Root::new(path).unwrap();
            assert_eq!((root.itself(), root.at("x").as_str(), root.at("")), (itself, below, itself.to_owned()));
        }
    }

    #[test]
    fn temporary_names_tell_publish_and_object_and_begin_as_the_object_does() {
        let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
        let name = beside("a/part-00000.csv", one);
        assert_eq!(name, format!("a/part-00000.csv.part-{one}"));
        assert!(is_temporary(&name, None) && is_temporary(&name, Some(one)) && !is_temporary(&name, Some(two)));
        assert!(!is_temporary("part-00000.csv", None) && !is_temporary("x.part-1", None));
        let long = beside(&format!("a/{}", "x".repeat(250)), one);
        assert!(long.len() < 100 && is_temporary(&long, Some(one)), "{long}");
        assert_ne!(apart("a/x", one), apart("b/x", one));
        assert!(apart("a/x", one).split('/').all(|name| is_name(name) && !name.starts_with(['.', '_'])));
    }
}
