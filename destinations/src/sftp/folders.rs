//! Looking into folders, and clearing away what is left in them.

use uuid::Uuid;

use super::{
    connection::Connection,
    error::Failure,
    paths::{TEMPORARIES, apart_of, check, folder, is_name, is_temporary},
    place::{Place, gone_is_fine, is_apart},
    wire::{Attributes, Sort},
};
use crate::own_folder::{Owner, Removed};

/// Folders within folders; deeper than any publish makes.
const DEEPEST: usize = 32;

impl Place {
    /// Removes what one publish left below a path prefix, and its files that are not whole.
    pub(super) fn sweep(&self, server: &mut Connection, prefix: &str, publish: Uuid) -> Result<(), Failure> {
        let within = folder(prefix);
        if !within.is_empty() {
            check(within)?;
        }
        let mut removed = Removed::Nothing;
        for (name, _) in self.entries(server, within)?.unwrap_or_default() {
            if is_temporary(&name, Some(publish)) {
                gone_is_fine(server.remove(&self.root.at(&joined(within, &name))))?;
                removed = Removed::File;
            }
        }
        self.remove_empty(server, within, removed)?;
        let apart = apart_of(publish);
        let Some(entries) = self.entries(server, &apart)? else { return Ok(()) };
        for (name, _) in entries {
            let path = joined(&apart, &name);
            if let Some(begun) = self.noted(server, &path)? {
                gone_is_fine(server.remove(&self.root.at(&begun)))?;
                self.remove_empty(server, folder(&begun), Removed::File)?;
            }
            gone_is_fine(server.remove(&self.root.at(&path)))?;
        }
        self.remove_empty(server, &apart, Removed::File)
    }

    /// Removes `path` and the folders above it for as long as they are empty and Herald's own. The target's own stays.
    /// `removed`: what was removed in `path` just now.
    pub(super) fn remove_empty(
        &self,
        server: &mut Connection,
        mut path: &str,
        mut removed: Removed,
    ) -> Result<(), Failure> {
        while !path.is_empty() {
            let owner = Owner::of(path.rsplit('/').next().unwrap_or(path));
            if path != TEMPORARIES && !owner.may_go(removed) {
                return Ok(());
            }
            let at = self.root.at(path);
            // A server may remove a folder with all that is in it, so it is not asked to before it was looked into.
            match server.is_empty_folder(&at) {
                Ok(true) => match server.remove_folder(&at) {
                    Err(failure) if failure.breaks => return Err(failure),
                    // Filled meanwhile, or not ours to remove.
                    Err(failure) if !failure.is_gone() => return Ok(()),
                    _ => removed = Removed::Folder(owner),
                },
                Err(failure) if failure.breaks => return Err(failure),
                Err(failure) if failure.is_gone() => {}
                _ => return Ok(()),
            }
            path = folder(path);
        }
        Ok(())
    }

    /// Removes a visible object, and folders of Herald's own that this leaves empty.
    pub(super) fn remove(&self, server: &mut Connection, path: &str) -> Result<(), Failure> {
        check(path)?;
        let at = self.root.at(path);
        match server.remove(&at) {
            // Some servers have no word for what is gone.
            Err(failure) if failure.is_vague() && server.look(&at)?.is_none() => {}
            answer => gone_is_fine(answer)?,
        }
        self.remove_empty(server, folder(path), Removed::File)
    }

    /// Paths of visible files below a path prefix. Links are not followed.
    pub(super) fn list(&self, server: &mut Connection, prefix: &str) -> Result<Vec<String>, Failure> {
        let within = folder(prefix);
        if !within.is_empty() {
            check(within)?;
        }
        let mut paths = Vec::new();
        let mut folders = vec![(within.to_owned(), 0)];
        while let Some((within, depth)) = folders.pop() {
            for (name, attributes) in self.entries(server, &within)?.unwrap_or_default() {
                let path = joined(&within, &name);
                if is_apart(&path) || is_temporary(&name, None) {
                    continue;
                }
                match self.sort(server, &path, attributes)? {
                    Some(Sort::Folder) if depth < DEEPEST => folders.push((path, depth + 1)),
                    Some(Sort::File) if path.starts_with(prefix) => paths.push(path),
                    _ => {}
                }
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn sort(&self, server: &mut Connection, path: &str, known: Attributes) -> Result<Option<Sort>, Failure> {
        match known.sort() {
            None => Ok(server.look(&self.root.at(path))?.and_then(Attributes::sort)),
            sort => Ok(sort),
        }
    }

    /// What a folder holds; names that could lead elsewhere, or that nobody could name, are passed over. `None`: it is
    /// not there.
    fn entries(&self, server: &mut Connection, path: &str) -> Result<Option<Vec<(String, Attributes)>>, Failure> {
        let at = self.root.at(path);
        let names = match server.list(&at) {
            Err(failure) if failure.is_gone() => return Ok(None),
            // Some servers have no word for what is gone.
            Err(failure) if failure.is_vague() && server.look_through(&at)?.is_none() => return Ok(None),
            answer => answer?,
        };
        let readable = |(name, attributes): (Vec<u8>, Attributes)| {
            let name = String::from_utf8(name).ok().filter(|name| is_name(name))?;
            Some((name, attributes))
        };
        Ok(Some(names.into_iter().filter_map(readable).collect()))
    }
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
