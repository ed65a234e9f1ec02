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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::sftp::{extension::ANY_SERVER, wire::Packet};

    /// A server with one file. It answers only when it is listened to, and the last request first; of what is asked for
    /// it gives a little less.
    #[derive(Debug, Default)]
    struct Server {
        file: Vec<u8>,
        asked: Vec<Vec<u8>>,
        said: Vec<u8>,
        partial: Vec<u8>,
        most_waiting: usize,
        refuses: bool,
    }

    impl Write for Server {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.partial.extend_from_slice(bytes);
            while let Some(length) = self.partial.first_chunk::<4>() {
                let length = 4 + u32::from_be_bytes(*length) as usize;
                if self.partial.len() < length {
                    break;
                }
                let rest = self.partial.split_off(length);
                self.asked.push(std::mem::replace(&mut self.partial, rest));
            }
            self.most_waiting = self.most_waiting.max(self.asked.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Server {
        fn answer(&mut self, packet: &[u8]) -> Vec<u8> {
            let mut fields = Fields(&packet[5..]);
            let id = fields.u32().unwrap();
            let status = |status: u32| Packet::new(kind::STATUS, id).u32(status).text("").text("").bytes();
            match packet[4] {
                kind::INIT => Packet::new(kind::VERSION, 3).bytes(),
                kind::WRITE if self.refuses => status(4),
                kind::WRITE => {
                    fields.text().unwrap();
                    let (offset, data) = (fields.u64().unwrap() as usize, fields.text().unwrap());
                    self.file.resize(self.file.len().max(offset + data.len()), 0);
                    self.file[offset..offset + data.len()].copy_from_slice(data);
                    status(0)
                }
                kind::READ => {
                    fields.text().unwrap();
                    let (offset, length) = (fields.u64().unwrap() as usize, fields.u32().unwrap() as usize);
                    let given = (length - length / 9).min(self.file.len().saturating_sub(offset));
                    match given {
                        0 => status(status::EOF),
                        _ => Packet::new(kind::DATA, id).text(&self.file[offset..offset + given]).bytes(),
                    }
                }
                other => panic!("a request of kind {other}"),
            }
        }
    }

    impl Read for Server {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            while self.said.is_empty() {
                let packet = self.asked.pop().expect("a client that waits for an answer has asked");
                self.said = self.answer(&packet);
            }
            let given = bytes.len().min(self.said.len());
            bytes[..given].copy_from_slice(&self.said[..given]);
            self.said.drain(..given);
            Ok(given)
        }
    }

    fn content(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn many_blocks_are_on_their_way_at_once_and_answered_in_any_order() {
        let mut server = Server::default();
        let mut sftp = Sftp::start(&mut server).unwrap();
        let mut writing = Writing::new(Handle(b"h".to_vec()));
        let all = content(10_000_003);
        for piece in all.chunks(99_991) {
            sftp.write(&mut writing, piece).unwrap();
        }
        sftp.settle(&mut writing).unwrap();
        assert_eq!(writing.bytes(), 10_000_003);
        assert!(server.file == all);
        assert_eq!(server.most_waiting, ON_THE_WAY / ANY_SERVER.write);
    }

    #[test]
    fn what_is_read_is_whole_whatever_the_pieces() {
        let mut server = Server { file: content(1_000_003), ..Server::default() };
        let expected = server.file.clone();
        let mut sftp = Sftp::start(&mut server).unwrap();
        let handle = Handle(b"h".to_vec());
        let mut found = Vec::new();
        loop {
            let piece = sftp.read(&handle, found.len() as u64, 300_000).unwrap();
            if piece.is_empty() {
                break;
            }
            found.extend(piece);
        }
        assert!(found == expected);
        assert!(server.most_waiting > 5);
    }

    #[test]
    fn after_a_refusal_no_answer_is_left_over() {
        let mut server = Server { refuses: true, ..Server::default() };
        let mut sftp = Sftp::start(&mut server).unwrap();
        let mut writing = Writing::new(Handle(b"h".to_vec()));
        let refused = sftp.write(&mut writing, &content(200_000)).and_then(|()| sftp.settle(&mut writing));
        assert_eq!(refused.unwrap_err().status, Some(status::FAILURE));
        assert!(server.asked.is_empty() && server.said.is_empty());
    }
}
