use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::contract::{Error, ErrorKind};

/// Temporary files are hidden, and few readers look past the dot.
const TEMPORARY: &str = ".herald-";
const TEMPORARY_END: &str = ".tmp";

/// Where an object of the target stands on disk. Refuses what would leave the target.
pub(super) fn resolve(root: &Path, path: &str) -> Result<PathBuf, Error> {
    let leaves = path.split('/').any(|name| matches!(name, "" | "." | "..") || name.contains('\0'));
    if leaves {
        return Err(Error::new(ErrorKind::Refused, "leave the target's folder").with("path", path));
    }
    Ok(root.join(path))
}

/// The temporary name of an object: it holds the publish, so that its leftovers can be told, and a hash in place
/// of the name, which may be as long as a file system allows.
pub(super) fn temporary(target: &Path, publish: Uuid) -> PathBuf {
    let hash = Sha256::digest(target.file_name().unwrap_or_default().as_encoded_bytes());
    let hash = faster_hex::hex_string(&hash[..8]);
    target.with_file_name(format!("{TEMPORARY}{publish}-{hash}{TEMPORARY_END}"))
}

/// Whether a file's name is a temporary one, of this publish if one is given.
pub(super) fn is_temporary(name: &std::ffi::OsStr, publish: Option<Uuid>) -> bool {
    let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY)) else { return false };
    rest.ends_with(TEMPORARY_END) && publish.is_none_or(|publish| rest.starts_with(&publish.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_target() {
        let root = Path::new("/out");
        for bad in ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "..", "", "a/", "a\0b"] {
            assert_eq!(resolve(root, bad).expect_err(bad).kind(), ErrorKind::Refused, "{bad}");
        }
        assert_eq!(resolve(root, "a/..b/c..d").expect("a path"), Path::new("/out/a/..b/c..d"));
    }

    #[test]
    fn temporary_names_tell_publish_and_object() {
        let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
        let long = format!("/out/a/{}", "x".repeat(255));
        let name = temporary(Path::new(&long), one);
        assert_eq!(name.parent(), Some(Path::new("/out/a")));
        let name = name.file_name().expect("a name");
        assert!(name.len() < 100);
        assert!(is_temporary(name, None) && is_temporary(name, Some(one)) && !is_temporary(name, Some(two)));
        assert!(!is_temporary("part-00000.parquet".as_ref(), None) && !is_temporary(".herald-x".as_ref(), None));
        assert_ne!(temporary(Path::new("/out/a"), one), temporary(Path::new("/out/b"), one));
    }
}
