//! Making files visible, once, whatever answers get lost.

use super::{
    connection::Connection,
    error::Failure,
    options::{Rename, TempName},
    paths::{apart_of, check, folder},
    place::{Place, gone_is_fine, occupied},
    upload::Handle,
    wire::{Attributes, Sort},
};
use crate::{contract::ErrorKind, files::NewObject, own_folder::Removed};

/// Bytes that are compared at once.
const COMPARE: usize = 1 << 20;

impl Place {
    /// Gives a staged file its name. Where `replace` is not set, nothing that stands there is touched, unless it is what an
    /// earlier attempt moved there.
    pub(super) fn reveal(
        &self,
        server: &mut Connection,
        object: &NewObject,
        handle: &Handle,
        bytes: u64,
    ) -> Result<(), Failure> {
        let staged = handle.at.as_str();
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
            // Moved before, by an attempt whose answer was lost. What may be replaced may also be of an earlier publish.
            (None, Some(found)) if is_whole(found, bytes) => {
                if object.replace && !has_content(server, &to, handle.crc32c)? {
                    return Err(vanished(&from));
                }
            }
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
            true => self.remove_empty(server, folder(staged), Removed::File),
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
            let ours = match server.open_to_read(&at) {
                // Who may only write can't look; the name holds the publish, and the size is right.
                Err(failure) if failure.kind == ErrorKind::Unauthorized && !failure.breaks => true,
                handle => {
                    let handle = handle?;
                    let found = server.read(&handle, 0, bytes.len())?;
                    server.close(&handle)?;
                    found == bytes
                }
            };
            if ours {
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
        let handle = Handle { at: staged, crc32c: crc32c::crc32c(bytes) };
        self.reveal(server, object, &handle, bytes.len() as u64)
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

/// Whether a file is the one that was sent.
fn has_content(server: &mut Connection, at: &str, crc32c: u32) -> Result<bool, Failure> {
    let handle = server.open_to_read(at)?;
    let (mut offset, mut found) = (0, 0);
    loop {
        let piece = server.read(&handle, offset, COMPARE)?;
        if piece.is_empty() {
            break;
        }
        found = crc32c::crc32c_append(found, &piece);
        offset += piece.len() as u64;
    }
    server.close(&handle)?;
    Ok(found == crc32c)
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
