//! How large blocks are, and what they are called.

use uuid::Uuid;

/// What a blob may have of blocks (Azure, "Scalability and performance targets for Blob storage").
const MOST_BLOCKS: usize = 50_000;
/// After so many blocks the next are twice as large, twice.
const BLOCKS_OF_A_SIZE: usize = 1_000;
/// Bytes of an id before base64. Azure wants ids of one length for a blob, and takes up to 64 bytes.
const ID_BYTES: usize = 30;

/// Sizes of the blocks of a blob. With the default the first 8 GB come in blocks of 8 MiB, and 50,000 blocks, which is all
/// that a blob may have, hold 1.6 TB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSizes {
    first: usize,
}

impl Default for BlockSizes {
    fn default() -> Self {
        Self { first: 8 << 20 }
    }
}

impl BlockSizes {
    /// Begins with blocks of `first` bytes.
    pub fn starting_at(first: usize) -> Self {
        Self { first: first.max(1) }
    }

    /// Size of the block that follows `blocks` others; `None` when there may be no more.
    pub(super) fn after(self, blocks: usize) -> Option<usize> {
        (blocks < MOST_BLOCKS).then(|| self.first << (blocks / BLOCKS_OF_A_SIZE).min(2))
    }

    /// What the blocks of one upload, on their way and being filled, may hold in memory: 64 MiB with the default.
    pub(super) fn in_memory(self) -> usize {
        self.first * 8
    }
}

/// Names of the blocks of one upload. They begin with the publish's id, so that what it left can be told from another's;
/// the rest of the head differs between uploads, so that a block which arrives late never takes the place of a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockIds {
    head: [u8; ID_BYTES - 4],
}

impl BlockIds {
    /// For a new upload.
    pub(super) fn fresh(publish: Uuid) -> Self {
        // All of a UUID but the time at its beginning.
        let unique = Uuid::now_v7();
        let mut nonce = [0; ID_BYTES - 4 - 16];
        nonce.copy_from_slice(&unique.as_bytes()[6..]);
        Self::new(publish, nonce)
    }

    fn new(publish: Uuid, nonce: [u8; ID_BYTES - 4 - 16]) -> Self {
        let mut head = [0; ID_BYTES - 4];
        head[..16].copy_from_slice(publish.as_bytes());
        head[16..].copy_from_slice(&nonce);
        Self { head }
    }

    /// The part that differs between uploads, in hex.
    pub(super) fn nonce(&self) -> String {
        faster_hex::hex_string(&self.head[16..])
    }

    /// Reads what [`nonce`](Self::nonce) wrote; `None` for anything else.
    pub(super) fn parse(publish: Uuid, nonce: &str) -> Option<Self> {
        let mut bytes = [0; ID_BYTES - 4 - 16];
        faster_hex::hex_decode(nonce.as_bytes(), &mut bytes).ok()?;
        (nonce.len() == bytes.len() * 2).then(|| Self::new(publish, bytes))
    }

    /// The id of a block, numbered from 0.
    pub(super) fn id(&self, index: u32) -> Vec<u8> {
        [self.head.as_slice(), &index.to_be_bytes()].concat()
    }

    /// Whether a block is one of this upload.
    pub(super) fn holds(&self, id: &[u8]) -> bool {
        id.len() == ID_BYTES && id.starts_with(&self.head)
    }
}

/// Whether a block was staged by a publish.
pub(super) fn is_of(id: &[u8], publish: Uuid) -> bool {
    id.len() == ID_BYTES && id.starts_with(publish.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_blocks_of_a_blob_hold_more_than_a_terabyte_in_bounded_memory() {
        let sizes = BlockSizes::default();
        let all: u128 = (0..).map_while(|blocks| sizes.after(blocks)).map(|size| size as u128).sum();
        assert!(all > 1_500_000_000_000, "{all}");
        assert_eq!(sizes.after(50_000), None);
        assert_eq!((sizes.after(999), sizes.after(1_000)), (Some(8 << 20), Some(16 << 20)));
        // One on its way while the next is being filled.
        assert!(sizes.after(49_999).unwrap() * 2 <= sizes.in_memory());
        assert_eq!(sizes.in_memory(), 64 << 20);
    }

    #[test]
    fn ids_are_of_one_length_and_tell_publish_and_upload() {
        let publish = Uuid::now_v7();
        let (one, two) = (BlockIds::fresh(publish), BlockIds::fresh(publish));
        assert_ne!(one, two);
        assert_eq!(one.id(0).len(), one.id(49_999).len());
        assert!(is_of(&one.id(7), publish) && !is_of(&one.id(7), Uuid::now_v7()));
        assert!(one.holds(&one.id(7)) && !one.holds(&two.id(7)));
        assert!(!one.holds(&one.id(7)[..29]));
    }

    #[test]
    fn an_upload_is_known_again_by_what_is_stored_of_it() {
        let publish = Uuid::now_v7();
        let ids = BlockIds::fresh(publish);
        assert_eq!(BlockIds::parse(publish, &ids.nonce()), Some(ids));
        for wrong in ["", "00", "zz", &format!("{}00", ids.nonce())] {
            assert_eq!(BlockIds::parse(publish, wrong), None, "{wrong}");
        }
    }
}
