//! The target's folder, and what is done in it: writing files unseen, or, where that can't be, in their place.

use uuid::Uuid;

use super::{
    connection::Connection,
    error::Failure,
    options::{Rename, TempName},
    paths::{Root, TEMPORARIES, apart, apart_of, beside, check, folder},
    protocol::Handle,
    transfer::Writing,
    wire::{Attributes, Sort},
};
use crate::{contract::ErrorKind, files::NewObject, own_folder::Removed};

/// A folder that another publish removed, empty, in between is made again so often.
const FOLDER_TRIES: usize = 8;
/// What follows the name of a note on a file that is written in its place.
const NOTE: &str = ".note";
/// Longest note: the path of a file.
const LONGEST_NOTE: usize = 4_096;

/// The folder of a target, and how files get their names in it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) root: Root,
    pub(super) temp_name: TempName,
    pub(super) rename: Rename,
}

impl Place {
    /// Where an object stands until it is whole.
    pub(super) fn staged_at(&self, object: &NewObject) -> String {
        match self.temp_name {
            TempName::Suffix => beside(&object.path, object.publish),
            TempName::Folder => apart(&object.path, object.publish),
            TempName::None => object.path.clone(),
        }
    }

    /// Opens an object for writing. What can't be done in the end is refused before anything is sent.
    pub(super) fn open(&self, server: &mut Connection, object: &NewObject) -> Result<Writing, Failure> {
        check(&object.path)?;
        if object.replace {
            self.check_replace(server)?;
        }
        let staged = self.staged_at(object);
        let handle = match self.temp_name {
            TempName::None => self.open_in_place(server, object)?,
            // What an earlier attempt left there is of no use.
            TempName::Suffix | TempName::Folder => self.create(server, &staged, true)?,
        };
        Ok(Writing::new(handle))
    }

    fn check_replace(&self, server: &Connection) -> Result<(), Failure> {
        let why = match (self.temp_name, self.rename) {
            (TempName::None, _) => "`temp_name: none` can't replace a file: readers would see it half-written",
            (_, Rename::Plain | Rename::None) => "`rename: plain` can't replace a file: set `rename: auto`",
            (_, Rename::Auto) if server.can_replace() => return Ok(()),
            (_, Rename::Auto) => {
                "this server can't replace a file in one step (it lacks posix-rename@openssh.com): leave `overwrite` out, \
                 so that every publish writes files of its own"
            }
        };
        Err(Failure::new(ErrorKind::Refused, why))
    }

    /// Opens a file where it will stand, and leaves a note that says so, by which a sweep can tell it from one that is
    /// whole.
    fn open_in_place(&self, server: &mut Connection, object: &NewObject) -> Result<Handle, Failure> {
        let at = self.root.at(&object.path);
        let note = note(object);
        if server.look(&at)?.is_some() {
            return match server.look(&self.root.at(&note))? {
                // Begun by an attempt of the same publish.
                Some(_) => server.create(&at, true),
                None => Err(occupied(&at)),
            };
        }
        let mut writing = Writing::new(self.create(server, &note, true)?);
        server.write(&mut writing, object.path.as_bytes())?;
        server.settle(&mut writing)?;
        server.close(&writing.handle)?;
        let created = self.create(server, &object.path, false);
        // Somebody else was faster: no sweep may take that file for one that was begun here.
        if created.as_ref().is_err_and(|failure| !failure.breaks) {
            self.forget_note(server, object)?;
        }
        created
    }

    /// Says that a file which was written in its place is whole.
    pub(super) fn forget_note(&self, server: &mut Connection, object: &NewObject) -> Result<(), Failure> {
        gone_is_fine(server.remove(&self.root.at(&note(object))))?;
        self.remove_empty(server, &apart_of(object.publish), Removed::File)
    }

    /// The file that a note is about, if `name` is a note's; `None` too for a note that was not written to its end.
    pub(super) fn noted(&self, server: &mut Connection, path: &str) -> Result<Option<String>, Failure> {
        if !path.ends_with(NOTE) {
            return Ok(None);
        }
        let handle = server.open_to_read(&self.root.at(path))?;
        let text = server.read(&handle, 0, LONGEST_NOTE)?;
        server.close(&handle)?;
        Ok(String::from_utf8(text).ok().filter(|path| check(path).is_ok()))
    }

    /// Ends a file: everything is at the server, forced to its disk where it can be asked to, and of the right size.
    pub(super) fn finish(&self, server: &mut Connection, mut writing: Writing, path: &str) -> Result<u64, Failure> {
        server.settle(&mut writing)?;
        server.force(&writing.handle)?;
        // Servers in front of an object store write only now.
        server.close(&writing.handle)?;
        let at = self.root.at(path);
        let (sent, found) = (writing.bytes(), server.look(&at)?);
        match found.map(|found| found.bytes) {
            Some(Some(bytes)) if bytes != sent => {
                let message = format!("{sent} bytes were sent, and the server has {bytes}");
                Err(Failure::new(ErrorKind::Refused, message).at(&at))
            }
            Some(_) => Ok(sent),
            None => Err(Failure::new(ErrorKind::Refused, "the file is gone as soon as it was written").at(&at)),
        }
    }

    /// What a failure to write means, once the server's disk was looked at. The connection is given up with it: the file
    /// is still open.
    pub(super) fn explained(&self, server: &mut Connection, failure: Failure, path: &str) -> Failure {
        let failure = failure.at(&self.root.at(path));
        let full = failure.is_vague() && matches!(server.is_full(self.root.itself()), Ok(Some(true)));
        let failure = match full {
            true => failure.of_kind(ErrorKind::Full).adding("the file system has no space left"),
            false => failure,
        };
        failure.breaking()
    }

    /// Opens a new file and makes its folders.
    fn create(&self, server: &mut Connection, path: &str, replace: bool) -> Result<Handle, Failure> {
        let at = self.root.at(path);
        let failure = match self.with_folders(server, path, |server| server.create(&at, replace)) {
            Err(failure) if failure.is_gone() || failure.is_vague() => failure,
            answer => return answer,
        };
        // Servers have few words; a look tells more.
        let above = self.root.at(folder(path));
        if matches!(server.look_through(&above)?.map(Attributes::sort), Some(Some(Sort::File | Sort::Other))) {
            return Err(occupied(&above));
        }
        match server.look(&at)? {
            Some(found) if !replace || found.sort() == Some(Sort::Folder) => Err(occupied(&at)),
            _ => Err(self.explained(server, failure, path)),
        }
    }

    /// Does what needs the folders above a path; those that are missing are made, and made again where another publish
    /// removes them, empty, in between.
    pub(super) fn with_folders<T>(
        &self,
        server: &mut Connection,
        path: &str,
        mut work: impl FnMut(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut tries = 0;
        loop {
            let failure = match work(server) {
                Err(failure) if failure.is_gone() || failure.is_vague() => failure,
                answer => return answer,
            };
            tries += 1;
            let above = server.look_through(&self.root.at(folder(path)))?.map(Attributes::sort);
            match above {
                _ if tries >= FOLDER_TRIES => return Err(failure),
                None => match self.make_folders(server, path) {
                    Err(gone) if gone.is_gone() => {}
                    answer => answer?,
                },
                // Made by another publish meanwhile, perhaps.
                Some(None | Some(Sort::Folder)) if failure.is_gone() => {}
                Some(_) => return Err(failure),
            }
        }
    }

    /// Makes the folders above a path. The target's own must be there.
    pub(super) fn make_folders(&self, server: &mut Connection, path: &str) -> Result<(), Failure> {
        self.check_root(server)?;
        let path = folder(path);
        let ends = path.match_indices('/').map(|(at, _)| at).chain((!path.is_empty()).then_some(path.len()));
        for end in ends {
            let at = self.root.at(&path[..end]);
            match server.look_through(&at)?.map(|found| found.sort()) {
                Some(Some(Sort::File | Sort::Other)) => return Err(occupied(&at)),
                Some(_) => continue,
                None => {}
            }
            if let Err(failure) = server.make_folder(&at)
                && server.look_through(&at)?.is_none()
            {
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Whether the target's own folder is there.
    pub(super) fn check_root(&self, server: &mut Connection) -> Result<(), Failure> {
        let root = self.root.itself();
        match server.look_through(root)?.map(|found| found.sort()) {
            None => {
                Err(Failure::new(ErrorKind::Missing, "the target's folder is not there, or not for this user").at(root))
            }
            Some(Some(Sort::File | Sort::Other)) => Err(occupied(root)),
            Some(_) => Ok(()),
        }
    }

    /// Writes a file as a publish would, and removes it.
    pub(super) fn probe(&self, server: &mut Connection) -> Result<(), Failure> {
        self.check_root(server)?;
        // A publish id that is no publish's: the file can't be mistaken for one's.
        let publish = Uuid::now_v7();
        let path = match self.temp_name {
            TempName::Suffix => beside("herald-probe", publish),
            TempName::Folder | TempName::None => apart("herald-probe", publish),
        };
        let mut writing = Writing::new(self.create(server, &path, true)?);
        let written = server.write(&mut writing, b"probe").and_then(|()| self.finish(server, writing, &path));
        if !written.as_ref().is_err_and(|failure| failure.breaks) {
            gone_is_fine(server.remove(&self.root.at(&path)))?;
            self.remove_empty(server, folder(&path), Removed::File)?;
        }
        written.map(drop).map_err(|failure| self.explained(server, failure, &path))
    }
}

/// The note on an object.
fn note(object: &NewObject) -> String {
    format!("{}{NOTE}", apart(&object.path, object.publish))
}

/// Whether a path is in the folder of what is not whole.
pub(super) fn is_apart(path: &str) -> bool {
    path.split('/').next() == Some(TEMPORARIES)
}

/// What stands in the way is not Herald's to remove.
pub(super) fn occupied(at: &str) -> Failure {
    Failure::new(ErrorKind::Conflict, "something that this publish did not write stands there").at(at)
}

/// Removing what is not there is done.
pub(super) fn gone_is_fine(answer: Result<(), Failure>) -> Result<(), Failure> {
    match answer {
        Err(failure) if failure.is_gone() => Ok(()),
        answer => answer,
    }
}
