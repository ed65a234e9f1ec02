//! The content of files: many requests on their way at once, as many as the way to the server holds.

use std::{
    collections::HashMap,
    io::{Read, Write},
};

use super::{
    error::{Failure, status},
    protocol::{Handle, Sftp, done},
    wire::{Fields, kind},
};

/// Bytes of a file on their way at once. OpenSSH lets 2 MiB be on the way in a channel, and takes the next from its
/// socket's buffers.
const ON_THE_WAY: usize = 4 << 20;

/// A file being written in order.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) handle: Handle,
    /// Where the next block begins.
    offset: u64,
    /// What does not fill a block yet.
    rest: Vec<u8>,
    /// Lengths of the writes that were not answered yet.
    waiting: HashMap<u32, usize>,
    on_the_way: usize,
}

impl Writing {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, offset: 0, rest: Vec::new(), waiting: HashMap::new(), on_the_way: 0 }
    }

    /// Bytes handed over so far.
    pub(super) fn bytes(&self) -> u64 {
        self.offset + self.rest.len() as u64
    }
}

impl<C: Read + Write> Sftp<C> {
    /// Sends bytes on their way, in whole blocks; waits only while too many are.
    pub(super) fn write(&mut self, writing: &mut Writing, mut bytes: &[u8]) -> Result<(), Failure> {
        let block = self.limits.write;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(block - writing.rest.len()));
            bytes = later;
            if now.len() == block {
                self.write_block(writing, now)?;
                continue;
            }
            writing.rest.extend_from_slice(now);
            if writing.rest.len() == block {
                self.write_rest(writing)?;
            }
        }
        Ok(())
    }

    fn write_rest(&mut self, writing: &mut Writing) -> Result<(), Failure> {
        let mut rest = std::mem::take(&mut writing.rest);
        self.write_block(writing, &rest)?;
        rest.clear();
        writing.rest = rest;
        Ok(())
    }

    fn write_block(&mut self, writing: &mut Writing, block: &[u8]) -> Result<(), Failure> {
        while writing.on_the_way > 0 && writing.on_the_way + block.len() > ON_THE_WAY {
            self.written(writing)?;
        }
        let Handle(handle) = &writing.handle;
        let id = self.request(kind::WRITE, |packet| packet.text(handle).u64(writing.offset).text(block))?;
        writing.waiting.insert(id, block.len());
        writing.on_the_way += block.len();
        writing.offset += block.len() as u64;
        Ok(())
    }

    /// Sends what is left, and waits until everything was answered.
    pub(super) fn settle(&mut self, writing: &mut Writing) -> Result<(), Failure> {
        if !writing.rest.is_empty() {
            self.write_rest(writing)?;
        }
        while writing.on_the_way > 0 {
            self.written(writing)?;
        }
        Ok(())
    }

    /// Waits for the answer to one write.
    fn written(&mut self, writing: &mut Writing) -> Result<(), Failure> {
        let answer = self.answer()?;
        let bytes = writing.waiting.remove(&answer.id).ok_or_else(|| Failure::garbled("an answer to nothing"))?;
        writing.on_the_way -= bytes;
        match done(answer.kind, &answer.body) {
            // Answers to the other writes are still to come, and would be taken for those to the next requests.
            Err(failure) => {
                while !writing.waiting.is_empty() {
                    let late = self.answer()?;
                    writing.waiting.remove(&late.id).ok_or_else(|| Failure::garbled("an answer to nothing"))?;
                }
                writing.on_the_way = 0;
                Err(failure)
            }
            answer => answer,
        }
    }

    /// Reads up to `bytes` from `offset` on; fewer only where the file ends.
    pub(super) fn read(&mut self, handle: &Handle, offset: u64, bytes: usize) -> Result<Vec<u8>, Failure> {
        let mut content = vec![0; bytes];
        let mut end = bytes;
        // Where each request begins, and how long it is. A server may answer with less than was asked for; the
        // rest is asked for again.
        let mut missing: Vec<(usize, usize)> = Vec::new();
        let mut asked = 0;
        let mut waiting: HashMap<u32, (usize, usize)> = HashMap::new();
        loop {
            while waiting.len() * self.limits.read < ON_THE_WAY / 2 {
                let (at, length) = match missing.pop() {
                    Some(piece) => piece,
                    None if asked < end => {
                        let length = self.limits.read.min(end - asked);
                        asked += length;
                        (asked - length, length)
                    }
                    None => break,
                };
                let (from, wanted) = (offset + at as u64, u32::try_from(length).unwrap_or(u32::MAX));
                let Handle(handle) = handle;
                let id = self.request(kind::READ, |packet| packet.text(handle).u64(from).u32(wanted))?;
                waiting.insert(id, (at, length));
            }
            if waiting.is_empty() {
                break;
            }
            let answer = self.answer()?;
            let (at, length) = waiting.remove(&answer.id).ok_or_else(|| Failure::garbled("an answer to nothing"))?;
            match answer.kind {
                kind::DATA => {
                    let mut fields = Fields(&answer.body);
                    let data = fields.text()?;
                    if data.is_empty() || data.len() > length {
                        return Err(Failure::garbled("data of a length that nobody asked for"));
                    }
                    content[at..at + data.len()].copy_from_slice(data);
                    if data.len() < length && at + data.len() < end {
                        missing.push((at + data.len(), length - data.len()));
                    }
                }
                _ => match done(answer.kind, &answer.body) {
                    Err(failure) if failure.status == Some(status::EOF) => end = end.min(at),
                    Err(failure) => return Err(if waiting.is_empty() { failure } else { failure.breaking() }),
                    Ok(()) => return Err(Failure::garbled("no data")),
                },
            }
        }
        content.truncate(end);
        Ok(content)
    }
}
