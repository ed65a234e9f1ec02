//! What servers do beyond version 3, by the names that they advertise.
//!
//! Source: OpenSSH's `PROTOCOL`, section 4. Other servers took several of them over.

use std::collections::BTreeMap;

use super::{error::Failure, wire::Fields};

/// A rename that replaces what stands there, in one step.
pub(super) const POSIX_RENAME: &str = "posix-rename@openssh.com";
/// Forces a file to the server's disk.
pub(super) const FSYNC: &str = "fsync@openssh.com";
/// Tells how much space is left.
pub(super) const STATVFS: &str = "statvfs@openssh.com";
/// Tells how long a packet, a read and a write may be.
pub(super) const LIMITS: &str = "limits@openssh.com";

/// The extensions of one server, each with its version.
#[derive(Debug, Clone, Default)]
pub(super) struct Extensions(BTreeMap<String, String>);

impl Extensions {
    /// Reads the pairs that follow the version in a server's greeting.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Failure> {
        let mut pairs = BTreeMap::new();
        while !fields.is_empty() {
            let name = String::from_utf8_lossy(fields.text()?).into_owned();
            let version = String::from_utf8_lossy(fields.text()?).into_owned();
            pairs.insert(name, version);
        }
        Ok(Self(pairs))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        // Two versions of statvfs differ in what they answer; 2 is the one described there.
        let expected = if name == STATVFS { "2" } else { "1" };
        self.0.get(name).is_some_and(|version| version == expected)
    }
}

/// Longest data of one request, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) read: usize,
    pub(super) write: usize,
}

/// Any server takes packets of 34,000 bytes; with these, a request with its frame also fits into one packet of SSH,
/// of 32,768 bytes.
pub(super) const ANY_SERVER: Limits = Limits { read: 32_000, write: 32_000 };
/// More gains nothing.
const LARGEST: u64 = 256 << 10;
/// Frame of a request around its data: lengths, id, handle of at most 256 bytes, offset.
const FRAME: u64 = 512;

impl Limits {
    /// Reads the answer to [`LIMITS`]: packet, read, write, handles; 0 is no answer.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Failure> {
        let (packet, read, write) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let within = |limit: u64, least: usize| {
            let packet = if packet == 0 { u64::MAX } else { packet };
            let fits = limit.min(packet.saturating_sub(FRAME)).min(LARGEST);
            if limit == 0 { least } else { usize::try_from(fits).unwrap_or(least).max(1_024) }
        };
        Ok(Self { read: within(read, ANY_SERVER.read), write: within(write, ANY_SERVER.write) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sftp::wire::Packet;

    fn body(packet: Packet) -> Vec<u8> {
        packet.bytes()[9..].to_vec()
    }

    #[test]
    fn an_extension_counts_in_the_version_that_is_known() {
        let pairs = body(Packet::new(2, 3).text(POSIX_RENAME).text("1").text(STATVFS).text("1").text(FSYNC).text("2"));
        let found = Extensions::read(&mut Fields(&pairs)).unwrap();
        assert!(found.has(POSIX_RENAME) && !found.has(STATVFS) && !found.has(FSYNC) && !found.has(LIMITS));
    }

    #[test]
    fn limits_are_those_of_the_server_within_reason() {
        let read = |packet, read, write| {
            let bytes = body(Packet::new(201, 1).u64(packet).u64(read).u64(write).u64(0));
            Limits::read(&mut Fields(&bytes)).unwrap()
        };
        // OpenSSH's own.
        assert_eq!(read(262_144, 261_120, 261_120), Limits { read: 261_120, write: 261_120 });
        assert_eq!(read(0, 0, 0), ANY_SERVER);
        assert_eq!(read(34_000, 1 << 40, 1 << 40), Limits { read: 33_488, write: 33_488 });
        assert_eq!(read(0, u64::MAX, 1), Limits { read: 256 << 10, write: 1_024 });
    }
}
