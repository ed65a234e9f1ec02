//! Requests and answers over one channel; the content of files is in [`transfer`](super::transfer).
//!
//! libssh2's own SFTP is not used: it waits for the answers to each call's requests before it sends the next call's, sends
//! attributes with every file that it opens, and can't be asked for extensions from safe code.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Bytes, BytesMut};

use super::{
    error::{Failure, status},
    extension::{ANY_SERVER, Extensions, FSYNC, LIMITS, Limits, POSIX_RENAME, STATVFS},
    wire::{Attributes, Fields, Packet, flag, kind},
};

/// The version that is spoken.
const VERSION: u32 = 3;
/// No answer is longer: what is read in one request, or a page of a folder.
const LONGEST_ANSWER: usize = 1 << 20;
/// Bytes that are asked of the channel at once.
const RECEIVE: usize = 64 << 10;

/// A conversation with a server, one request at a time but for the content of files.
#[derive(Debug)]
pub(super) struct Sftp<C> {
    channel: C,
    /// What came and was not looked at yet.
    received: BytesMut,
    next: u32,
    extensions: Extensions,
    pub(super) limits: Limits,
    /// Set when nobody waits for the work at hand any more: then no further request is made.
    given_up: Arc<AtomicBool>,
}

/// An answer: its kind, and what follows the id.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) kind: u8,
    pub(super) id: u32,
    pub(super) body: Bytes,
}

/// What the server calls an open file or folder.
#[derive(Debug, Clone)]
pub(super) struct Handle(pub(super) Vec<u8>);

impl<C: Read + Write> Sftp<C> {
    /// Greets the server and learns what it can do.
    pub(super) fn start(channel: C) -> Result<Self, Failure> {
        let mut sftp = Self {
            channel,
            received: BytesMut::new(),
            next: 0,
            extensions: Extensions::default(),
            limits: ANY_SERVER,
            given_up: Arc::default(),
        };
        sftp.send(&Packet::new(kind::INIT, VERSION).bytes())?;
        let hello = sftp.answer()?;
        // In a greeting, the version stands where others have an id.
        if hello.kind != kind::VERSION || hello.id < VERSION {
            return Err(Failure::garbled("no version 3"));
        }
        sftp.extensions = Extensions::read(&mut Fields(&hello.body))?;
        if sftp.extensions.has(LIMITS) {
            let answer = sftp.extended(LIMITS, |packet| packet)?;
            sftp.limits = Limits::read(&mut Fields(&answer))?;
        }
        Ok(sftp)
    }

    /// From now on, work stops at the next request once `given_up` is set.
    pub(super) fn work_until(&mut self, given_up: Arc<AtomicBool>) {
        self.given_up = given_up;
    }

    /// Whether the server can replace a file in one step.
    pub(super) fn can_replace(&self) -> bool {
        self.extensions.has(POSIX_RENAME)
    }

    /// A sign of life that every server answers, and counts as use.
    pub(super) fn breathe(&mut self) -> Result<(), Failure> {
        match self.ask(kind::REALPATH, |packet| packet.text(".")) {
            Err(failure) if failure.breaks => Err(failure),
            _ => Ok(()),
        }
    }

    /// What stands under a name, itself and not what it points to; `None`: nothing.
    pub(super) fn look(&mut self, path: &str) -> Result<Option<Attributes>, Failure> {
        self.attributes(kind::LSTAT, path)
    }

    /// What a name leads to.
    pub(super) fn look_through(&mut self, path: &str) -> Result<Option<Attributes>, Failure> {
        self.attributes(kind::STAT, path)
    }

    fn attributes(&mut self, kind: u8, path: &str) -> Result<Option<Attributes>, Failure> {
        match self.ask(kind, |packet| packet.text(path)) {
            Ok((kind::ATTRS, body)) => Fields(&body).attributes().map(Some),
            Ok(_) => Err(Failure::garbled("no attributes")),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(failure) => Err(failure.at(path)),
        }
    }

    /// Opens a new file for writing; `replace`: or empties the one that stands there. No attributes go along: some
    /// servers refuse any.
    pub(super) fn create(&mut self, path: &str, replace: bool) -> Result<Handle, Failure> {
        let how = if replace { flag::TRUNCATE } else { flag::EXCLUSIVE };
        self.open(path, flag::WRITE | flag::CREATE | how)
    }

    pub(super) fn open_to_read(&mut self, path: &str) -> Result<Handle, Failure> {
        self.open(path, flag::READ)
    }

    fn open(&mut self, path: &str, flags: u32) -> Result<Handle, Failure> {
        self.handle(kind::OPEN, |packet| packet.text(path).u32(flags).u32(0)).map_err(|failure| failure.at(path))
    }

    fn handle(&mut self, kind: u8, fill: impl FnOnce(Packet) -> Packet) -> Result<Handle, Failure> {
        match self.ask(kind, fill)? {
            (kind::HANDLE, body) => Ok(Handle(Fields(&body).text()?.to_vec())),
            _ => Err(Failure::garbled("no handle")),
        }
    }

    pub(super) fn close(&mut self, handle: &Handle) -> Result<(), Failure> {
        self.done(kind::CLOSE, |packet| packet.text(&handle.0))
    }

    pub(super) fn remove(&mut self, path: &str) -> Result<(), Failure> {
        self.done(kind::REMOVE, |packet| packet.text(path)).map_err(|failure| failure.at(path))
    }

    pub(super) fn make_folder(&mut self, path: &str) -> Result<(), Failure> {
        self.done(kind::MKDIR, |packet| packet.text(path).u32(0)).map_err(|failure| failure.at(path))
    }

    pub(super) fn remove_folder(&mut self, path: &str) -> Result<(), Failure> {
        self.done(kind::RMDIR, |packet| packet.text(path)).map_err(|failure| failure.at(path))
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), Failure> {
        self.done(kind::RENAME, |packet| packet.text(from).text(to)).map_err(|failure| failure.at(to))
    }

    /// Renames in one step onto whatever file stands there.
    pub(super) fn rename_over(&mut self, from: &str, to: &str) -> Result<(), Failure> {
        let fill = |packet: Packet| packet.text(POSIX_RENAME).text(from).text(to);
        self.done(kind::EXTENDED, fill).map_err(|failure| failure.at(to))
    }

    /// Forces what was written to the server's disk, where it can be asked to.
    pub(super) fn force(&mut self, handle: &Handle) -> Result<(), Failure> {
        if !self.extensions.has(FSYNC) {
            return Ok(());
        }
        match self.done(kind::EXTENDED, |packet| packet.text(FSYNC).text(&handle.0)) {
            // Advertised, but not for this file system.
            Err(failure) if failure.is_unsupported() => Ok(()),
            answer => answer,
        }
    }

    /// Whether the file system at a path has no space or no file left for this user; `None`: the server does not say.
    pub(super) fn is_full(&mut self, path: &str) -> Result<Option<bool>, Failure> {
        if !self.extensions.has(STATVFS) {
            return Ok(None);
        }
        let body = match self.extended(STATVFS, |packet| packet.text(path)) {
            Err(failure) if failure.breaks => return Err(failure),
            Err(_) => return Ok(None),
            Ok(body) => body,
        };
        let mut fields = Fields(&body);
        let mut values = [0; 8];
        for value in &mut values {
            *value = fields.u64()?;
        }
        // Sizes of a block and a fragment, blocks, free, free for this user; then the same of files.
        let [_, _, blocks, _, blocks_left, files, _, files_left] = values;
        Ok(Some((blocks > 0 && blocks_left == 0) || (files > 0 && files_left == 0)))
    }

    /// Names in a folder, as the server has them, `.` and `..` left out.
    pub(super) fn list(&mut self, path: &str) -> Result<Vec<(Vec<u8>, Attributes)>, Failure> {
        let mut names = Vec::new();
        self.pages(path, |page| {
            names.extend(page);
            true
        })?;
        Ok(names)
    }

    /// Whether a folder holds nothing.
    pub(super) fn is_empty_folder(&mut self, path: &str) -> Result<bool, Failure> {
        let mut empty = true;
        self.pages(path, |page| {
            empty = page.is_empty();
            empty
        })?;
        Ok(empty)
    }

    /// Hands over a folder's names page by page, until `more` says no.
    fn pages(&mut self, path: &str, mut more: impl FnMut(Vec<(Vec<u8>, Attributes)>) -> bool) -> Result<(), Failure> {
        let handle = self.handle(kind::OPENDIR, |packet| packet.text(path)).map_err(|failure| failure.at(path))?;
        let end = loop {
            match self.ask(kind::READDIR, |packet| packet.text(&handle.0)) {
                Ok((kind::NAME, body)) => match names(&body) {
                    Ok(page) => match more(page) {
                        true => {}
                        false => break Ok(()),
                    },
                    Err(failure) => break Err(failure),
                },
                Ok(_) => break Err(Failure::garbled("no names")),
                Err(failure) if failure.status == Some(status::EOF) => break Ok(()),
                Err(failure) => break Err(failure.at(path)),
            }
        };
        match end {
            Err(failure) if failure.breaks => Err(failure),
            end => self.close(&handle).and(end),
        }
    }

    /// An extension's answer.
    fn extended(&mut self, name: &str, fill: impl FnOnce(Packet) -> Packet) -> Result<Bytes, Failure> {
        match self.ask(kind::EXTENDED, |packet| fill(packet.text(name)))? {
            (kind::EXTENDED_REPLY, body) => Ok(body),
            _ => Err(Failure::garbled("no answer to an extension")),
        }
    }

    /// A request that is answered by a status alone.
    fn done(&mut self, kind: u8, fill: impl FnOnce(Packet) -> Packet) -> Result<(), Failure> {
        self.ask(kind, fill).and_then(|(kind, body)| done(kind, &body))
    }

    /// A request and its answer. A status that says no is a failure.
    fn ask(&mut self, kind: u8, fill: impl FnOnce(Packet) -> Packet) -> Result<(u8, Bytes), Failure> {
        let id = self.request(kind, fill)?;
        let answer = self.answer()?;
        if answer.id != id {
            return Err(Failure::garbled("an answer to another request"));
        }
        if answer.kind == kind::STATUS {
            done(answer.kind, &answer.body)?;
        }
        Ok((answer.kind, answer.body))
    }

    pub(super) fn request(&mut self, kind: u8, fill: impl FnOnce(Packet) -> Packet) -> Result<u32, Failure> {
        if self.given_up.load(Ordering::SeqCst) {
            return Err(Failure::given_up());
        }
        self.next = self.next.wrapping_add(1);
        self.send(&fill(Packet::new(kind, self.next)).bytes())?;
        Ok(self.next)
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), Failure> {
        self.channel.write_all(packet).map_err(|error| broken(&error))
    }

    pub(super) fn answer(&mut self) -> Result<Answer, Failure> {
        let head = self.receive(9)?;
        let mut fields = Fields(&head);
        let length = fields.u32()? as usize;
        if !(5..=LONGEST_ANSWER).contains(&length) {
            return Err(Failure::garbled("a length that no packet has; does a login script print something?"));
        }
        let (kind, id) = (head[4], Fields(&head[5..]).u32()?);
        let body = self.receive(length - 5)?;
        Ok(Answer { kind, id, body })
    }

    fn receive(&mut self, bytes: usize) -> Result<Bytes, Failure> {
        while self.received.len() < bytes {
            let known = self.received.len();
            self.received.resize(known + RECEIVE, 0);
            let more = self.channel.read(&mut self.received[known..]);
            self.received.truncate(known + more.as_ref().copied().unwrap_or(0));
            match more {
                Ok(0) => return Err(Failure::lost("the server ended the connection")),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        Ok(self.received.split_to(bytes).freeze())
    }
}

/// One page of a folder, `.` and `..` left out.
fn names(body: &[u8]) -> Result<Vec<(Vec<u8>, Attributes)>, Failure> {
    let mut fields = Fields(body);
    let mut names = Vec::new();
    for _ in 0..fields.u32()? {
        let name = fields.text()?.to_vec();
        // The same for people, as `ls -l` shows it.
        fields.text()?;
        let attributes = fields.attributes()?;
        if name != b"." && name != b".." {
            names.push((name, attributes));
        }
    }
    Ok(names)
}

/// What a status says.
pub(super) fn done(kind: u8, body: &[u8]) -> Result<(), Failure> {
    if kind != kind::STATUS {
        return Err(Failure::garbled("no status"));
    }
    let mut fields = Fields(body);
    match fields.u32()? {
        status::OK => Ok(()),
        // Early servers leave the words out.
        status => Err(Failure::answered(status, fields.text().unwrap_or_default())),
    }
}

fn broken(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::late(),
        _ => Failure::lost(super::error::plain(&error.to_string())),
    }
}
