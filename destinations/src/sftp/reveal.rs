//! Making files visible, once, whatever answers get lost.

use super::{
    connection::Connection,
    error::Failure,
    options::{Rename, TempName},
    paths::{apart_of, check, folder},
    place::{Place, gone_is_fine, occupied},
    wire::{Attributes, Sort},
};
use crate::{contract::ErrorKind, files::NewObject};

/// Bytes that are compared at once.
const COMPARE: usize = 1 << 20;

impl Place {
    /// Gives a staged file its name. Where `replace` is not set, nothing that stands there is touched, unless it is what an
    /// earlier attempt moved there.
    pub(super) fn reveal(
        &self,
        server: &mut Connection,
        object: &NewObject,
        staged: &str,
        bytes: u64,
    ) -> Result<(), Failure> {
        check(&object.path)?;
        check(staged)?;
        let (from, to) = (self.root.at(staged), self.root.at(&object.path));
        if staged == object.path {
            return match server.look(&to)? {
                Some(found) if is_whole(found, bytes) => self.forget_note(server, object),
                Some(_) => Err(occupied(&to)),
                None => Err(vanished(&to)),
            };
        }
        match (server.look(&from)?, server.look(&to)?) {
            // Moved before, by an attempt whose answer was lost.
            (None, Some(found)) if is_whole(found, bytes) => {}
            (None, Some(_)) => return Err(occupied(&to)),
            (None, None) => return Err(vanished(&from)),
            (Some(_), there) if object.replace => {
                if there.is_some_and(|there| there.sort() == Some(Sort::Folder)) {
                    return Err(occupied(&to));
                }
                self.move_over(server, &from, object)?;
            }
            (Some(_), None) => self.move_to_free(server, &from, object, bytes)?,
            // A rename in two steps that was broken off, or a publish that was repeated as a whole.
            (Some(_), Some(found)) => {
                if !is_whole(found, bytes) || !same_content(server, &from, &to)? {
                    return Err(occupied(&to));
                }
                gone_is_fine(server.remove(&from))?;
            }
        }
        match staged.starts_with(&apart_of(object.publish)) {
            true => self.remove_empty(server, folder(staged), true),
            false => Ok(()),
        }
    }

    fn move_over(&self, server: &mut Connection, from: &str, object: &NewObject) -> Result<(), Failure> {
        let to = self.root.at(&object.path);
        self.with_folders(server, &object.path, |server| server.rename_over(from, &to))
    }

    /// Moves a file to where nothing stood when it was looked. Most servers refuse if something does now; to those that
    /// would replace it, the look leaves a gap, which names that hold the publish make harmless.
    fn move_to_free(&self, server: &mut Connection, from: &str, object: &NewObject, bytes: u64) -> Result<(), Failure> {
        let to = self.root.at(&object.path);
        let mut answer = self.with_folders(server, &object.path, |server| server.rename(from, &to));
        if self.rename == Rename::Auto
            && server.can_replace()
            && answer.as_ref().is_err_and(Failure::is_unsupported)
            && server.look(&to)?.is_none()
        {
            answer = server.rename_over(from, &to);
        }
        let Err(failure) = answer else { return Ok(()) };
        if failure.breaks {
            return Err(failure);
        }
        match (server.look(from)?, server.look(&to)?) {
            // Done all the same.
            (None, Some(found)) if is_whole(found, bytes) => Ok(()),
            (_, Some(_)) => Err(occupied(&to)),
            _ if failure.is_unsupported() => {
                Err(failure.adding("this server can't rename: set `temp_name: none` in the target"))
            }
            _ => Err(failure),
        }
    }

    /// Writes a small file whole.
    pub(super) fn put(&self, server: &mut Connection, object: &NewObject, bytes: &[u8]) -> Result<(), Failure> {
        check(&object.path)?;
        let (staged, at) = (self.staged_at(object), self.root.at(&object.path));
        let there = if object.replace { None } else { server.look(&at)? };
        if there.is_some_and(|found| is_whole(found, bytes.len() as u64)) {
            let handle = server.open_to_read(&at)?;
            let found = server.read(&handle, 0, bytes.len())?;
            server.close(&handle)?;
            if found == bytes {
                return match self.temp_name {
                    TempName::None => self.forget_note(server, object),
                    TempName::Suffix | TempName::Folder => gone_is_fine(server.remove(&self.root.at(&staged))),
                };
            }
        }
        // Where it is written in its place, what stands there may be an attempt that was broken off.
        if there.is_some() && self.temp_name != TempName::None {
            return Err(occupied(&at));
        }
        let mut writing = self.open(server, object)?;
        let written = server.write(&mut writing, bytes).and_then(|()| self.finish(server, writing, &staged));
        written.map_err(|failure| self.explained(server, failure, &staged))?;
        self.reveal(server, object, &staged, bytes.len() as u64)
    }
}

/// Whether what stands there is a file of this size, as far as the server says.
fn is_whole(found: Attributes, bytes: u64) -> bool {
    found.sort().is_none_or(|sort| sort == Sort::File) && found.bytes == Some(bytes)
}

fn vanished(at: &str) -> Failure {
    let message = "the file that was written there is gone: somebody removed it, publish again";
    Failure::new(ErrorKind::Refused, message).at(at)
}

fn same_content(server: &mut Connection, one: &str, two: &str) -> Result<bool, Failure> {
    let (left, right) = (server.open_to_read(one)?, server.open_to_read(two)?);
    let mut offset = 0;
    let same = loop {
        let (here, there) = (server.read(&left, offset, COMPARE)?, server.read(&right, offset, COMPARE)?);
        if here != there {
            break false;
        }
        if here.len() < COMPARE {
            break true;
        }
        offset += COMPARE as u64;
    };
    server.close(&left)?;
    server.close(&right)?;
    Ok(same)
}
