//! Packets of SFTP version 3, the one that every server speaks.
//!
//! Source: draft-ietf-secsh-filexfer-02, sections 3 to 7; the extensions are in OpenSSH's `PROTOCOL`.

use super::error::Failure;

/// What a packet says or asks.
pub(super) mod kind {
    pub(in crate::sftp) const INIT: u8 = 1;
    pub(in crate::sftp) const VERSION: u8 = 2;
    pub(in crate::sftp) const OPEN: u8 = 3;
    pub(in crate::sftp) const CLOSE: u8 = 4;
    pub(in crate::sftp) const READ: u8 = 5;
    pub(in crate::sftp) const WRITE: u8 = 6;
    pub(in crate::sftp) const LSTAT: u8 = 7;
    pub(in crate::sftp) const OPENDIR: u8 = 11;
    pub(in crate::sftp) const READDIR: u8 = 12;
    pub(in crate::sftp) const REMOVE: u8 = 13;
    pub(in crate::sftp) const MKDIR: u8 = 14;
    pub(in crate::sftp) const RMDIR: u8 = 15;
    pub(in crate::sftp) const REALPATH: u8 = 16;
    pub(in crate::sftp) const STAT: u8 = 17;
    pub(in crate::sftp) const RENAME: u8 = 18;
    pub(in crate::sftp) const STATUS: u8 = 101;
    pub(in crate::sftp) const HANDLE: u8 = 102;
    pub(in crate::sftp) const DATA: u8 = 103;
    pub(in crate::sftp) const NAME: u8 = 104;
    pub(in crate::sftp) const ATTRS: u8 = 105;
    pub(in crate::sftp) const EXTENDED: u8 = 200;
    pub(in crate::sftp) const EXTENDED_REPLY: u8 = 201;
}

/// How a file is opened.
pub(super) mod flag {
    pub(in crate::sftp) const READ: u32 = 0x01;
    pub(in crate::sftp) const WRITE: u32 = 0x02;
    pub(in crate::sftp) const CREATE: u32 = 0x08;
    pub(in crate::sftp) const TRUNCATE: u32 = 0x10;
    pub(in crate::sftp) const EXCLUSIVE: u32 = 0x20;
}

/// A packet being written. The length in front is filled in at the end.
#[derive(Debug)]
pub(super) struct Packet(Vec<u8>);

impl Packet {
    /// A request. `INIT` has a version where others have an id.
    pub(super) fn new(kind: u8, id: u32) -> Self {
        let mut bytes = vec![0, 0, 0, 0, kind];
        bytes.extend_from_slice(&id.to_be_bytes());
        Self(bytes)
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn text(mut self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.0.extend_from_slice(&length(value.len()).to_be_bytes());
        self.0.extend_from_slice(value);
        self
    }

    /// The packet as it travels.
    pub(super) fn bytes(mut self) -> Vec<u8> {
        let rest = length(self.0.len() - 4);
        self.0[..4].copy_from_slice(&rest.to_be_bytes());
        self.0
    }
}

fn length(bytes: usize) -> u32 {
    // No packet comes near 4 GiB: the longest holds one block of a file.
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A packet being read. Whatever is missing or left over makes it garbled.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or_else(|| Failure::garbled("a packet ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Failure> {
        let mut value = [0; 4];
        value.copy_from_slice(self.take(4)?);
        Ok(u32::from_be_bytes(value))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Failure> {
        let mut value = [0; 8];
        value.copy_from_slice(self.take(8)?);
        Ok(u64::from_be_bytes(value))
    }

    pub(super) fn text(&mut self) -> Result<&'a [u8], Failure> {
        let bytes = self.u32()?;
        self.take(bytes as usize)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn attributes(&mut self) -> Result<Attributes, Failure> {
        let flags = self.u32()?;
        let bytes = if flags & 1 == 0 { None } else { Some(self.u64()?) };
        if flags & 2 != 0 {
            self.take(8)?;
        }
        let permissions = if flags & 4 == 0 { None } else { Some(self.u32()?) };
        if flags & 8 != 0 {
            self.take(8)?;
        }
        if flags & 0x8000_0000 != 0 {
            for _ in 0..self.u32()? {
                self.text()?;
                self.text()?;
            }
        }
        Ok(Attributes { bytes, permissions })
    }
}

/// What a server says of a file, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) bytes: Option<u64>,
    permissions: Option<u32>,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    File,
    Folder,
    /// A link, a pipe, a device.
    Other,
}

impl Attributes {
    /// `None`: the server does not say.
    pub(super) fn sort(self) -> Option<Sort> {
        match self.permissions? & 0o170_000 {
            0 => None,
            0o100_000 => Some(Sort::File),
            0o040_000 => Some(Sort::Folder),
            _ => Some(Sort::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_reads_back_as_it_was_written() {
        let bytes = Packet::new(kind::OPEN, 7).text("/in/ä").u32(flag::WRITE).u64(1 << 40).bytes();
        assert_eq!(bytes[..9], [0, 0, 0, 27, kind::OPEN, 0, 0, 0, 7]);
        let mut fields = Fields(&bytes[9..]);
        assert_eq!(fields.text().unwrap(), "/in/ä".as_bytes());
        assert_eq!(fields.u32().unwrap(), flag::WRITE);
        assert_eq!(fields.u64().unwrap(), 1 << 40);
        assert!(fields.is_empty());
    }

    #[test]
    fn a_packet_that_ends_early_or_lies_about_a_length_is_garbled() {
        assert!(Fields(&[0, 0, 0]).u32().is_err());
        assert!(Fields(&[0; 7]).u64().is_err());
        assert!(Fields(&[0xff, 0xff, 0xff, 0xff, b'x']).text().is_err());
        // As many extended attributes as a number can say, and none of them there.
        assert!(Fields(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).attributes().is_err());
    }

    #[test]
    fn attributes_say_what_they_hold_and_nothing_else() {
        let all = [
            &[0x80, 0, 0, 0x0f][..],
            &5_u64.to_be_bytes(),
            &[0; 8],
            &0o100_644_u32.to_be_bytes(),
            &[0; 8],
            &[0, 0, 0, 1, 0, 0, 0, 1, b'k', 0, 0, 0, 1, b'v'],
        ]
        .concat();
        let found = Fields(&all).attributes().unwrap();
        assert_eq!((found.bytes, found.sort()), (Some(5), Some(Sort::File)));
        let none = Fields(&[0; 4]).attributes().unwrap();
        assert_eq!((none.bytes, none.sort()), (None, None));
        let link = Fields(&[&[0, 0, 0, 4][..], &0o120_777_u32.to_be_bytes()].concat()).attributes().unwrap();
        assert_eq!(link.sort(), Some(Sort::Other));
    }
}
