//! A Bloom filter of member keys: rows of related tables that point to nobody are left out before they cost anything.

use std::sync::atomic::{AtomicU64, Ordering};

/// A filter that lets through every key that was added, and few others. Threads may share it.
#[derive(Debug)]
pub(super) struct Sieve {
    words: Vec<AtomicU64>,
}

/// Bits a key: about 1 % of the others pass.
const BITS_PER_KEY: u64 = 12;
/// Bits set in one word for a key.
const PROBES: u32 = 5;
/// Largest filter: 64 MiB.
const MOST_WORDS: u64 = 8 << 20;

impl Sieve {
    /// A filter for about so many keys.
    pub(super) fn new(expected: u64) -> Self {
        let words = (expected.saturating_mul(BITS_PER_KEY) / 64).clamp(64, MOST_WORDS).next_power_of_two();
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Lets a key's hash through from now on.
    pub(super) fn add(&self, hash: u64) {
        let (word, mask) = self.place(hash);
        if word.load(Ordering::Relaxed) & mask != mask {
            word.fetch_or(mask, Ordering::Relaxed);
        }
    }

    /// Whether the hash may have been added.
    pub(super) fn lets_through(&self, hash: u64) -> bool {
        let (word, mask) = self.place(hash);
        word.load(Ordering::Relaxed) & mask == mask
    }

    /// One word a key, so one cache miss. The low bits choose the word: the high ones choose the partition.
    fn place(&self, hash: u64) -> (&AtomicU64, u64) {
        let word = (hash as usize) & (self.words.len() - 1);
        let spread = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mask = (0..PROBES).fold(0, |mask, probe| mask | 1 << ((spread >> (probe * 6 + 30)) & 63));
        (&self.words[word], mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        (number ^ 0x5bd1_e995).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31).wrapping_mul(0xc4ce_b9fe_1a85_ec53)
    }

    #[test]
    fn it_lets_all_added_through_and_few_others() {
        let sieve = Sieve::new(10_000);
        (0..10_000).for_each(|number| sieve.add(hash(number)));
        assert!((0..10_000).all(|number| sieve.lets_through(hash(number))));
        let strangers = (10_000..110_000).filter(|number| sieve.lets_through(hash(*number))).count();
        assert!(strangers < 5_000, "{strangers} of 100,000 strangers passed");
    }
}
