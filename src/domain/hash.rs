//! A hash for maps that are only looked up in: fast on short ids and the same in every run.
//!
//! Not here: defence against chosen keys (ids come from the operator's own plans and models, and a plan's size is
//! bounded), and any order: nothing may iterate over such a map, as over no other hash map of the domain.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by id, for look-ups.
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// An empty map with room for `n`.
pub(crate) fn id_map<K, V>(n: usize) -> IdMap<K, V> {
    IdMap::with_capacity_and_hasher(n, BuildHasherDefault::default())
}

/// Multiplies eight bytes at a time into a state of 64 bits and folds the upper half back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl IdHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x243f_6a88_85a3_08d3) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0u8; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.mix(u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, n: u8) {
        self.mix(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.mix(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn ids_that_differ_little_spread_over_both_ends_of_the_hash() {
        let build = BuildHasherDefault::<IdHasher>::default();
        let hashes: Vec<u64> = (0..10_000).map(|i| build.hash_one(format!("t{i}"))).collect();
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), 10_000, "no two are the same");
        // The map takes its bucket from the low bits and its tag from the high ones.
        for part in [0, 57] {
            let mut counts = [0u32; 128];
            hashes.iter().for_each(|h| counts[(h >> part) as usize & 127] += 1);
            assert!(counts.iter().all(|n| (40..120).contains(n)), "{counts:?}");
        }
    }
}
