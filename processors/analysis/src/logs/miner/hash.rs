//! A keyed 64-bit hash of a line's template-to-be: its words, its punctuation and where its variable parts are.
//!
//! Whoever does not know the key cannot make two lines meet in the cache, or make them all go to one place.

use crate::logs::mask::{Kind, Masked, Role};

const MULTIPLIER: u64 = 0xd6e8_feb8_6659_fd93;

/// A hasher with its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(u64, u64);

impl Key {
    pub(super) fn new(seed: u64) -> Self {
        let first = fold(seed ^ 0x9e37_79b9_7f4a_7c15, MULTIPLIER);
        Self(first, fold(first, 0xa076_1d64_78bd_642f) | 1)
    }

    /// The hash of a line taken apart, of its first `most` positions.
    pub(super) fn of(self, masked: &Masked<'_>, most: usize) -> u64 {
        let bytes = masked.text.as_bytes();
        let mut hash = self.0;
        let mut end = 0;
        let mut positions = 0;
        for part in masked.parts {
            let (start, stop) = (part.start as usize, part.end as usize);
            if let Role::Position(kind) = part.role {
                if positions == most {
                    return fold(hash ^ u64::MAX, self.1);
                }
                positions += 1;
                hash = self.glue(hash, &bytes[end..start]);
                hash = match kind {
                    Kind::Word => self.bytes(hash, &bytes[start..stop]),
                    kind => fold(hash ^ (kind as u64) << 32, self.1),
                };
            }
            end = stop;
        }
        let hash = if masked.is_cut { !hash } else { self.glue(hash, &bytes[end..]) };
        fold(hash, MULTIPLIER)
    }

    /// What is between two positions; how much white space does not matter.
    #[inline]
    fn glue(self, hash: u64, glue: &[u8]) -> u64 {
        match glue {
            [] => hash.rotate_left(1),
            b" " => hash.rotate_left(7) ^ 0x20,
            _ => {
                let mut all = 0u64;
                let mut was_space = false;
                for byte in glue {
                    let is_space = *byte <= b' ' || *byte == 0x7f;
                    if !(is_space && was_space) {
                        all = all.rotate_left(8).wrapping_mul(0x100_0000_01b3)
                            ^ u64::from(if is_space { b' ' } else { *byte });
                    }
                    was_space = is_space;
                }
                if all == u64::from(b' ') {
                    hash.rotate_left(7) ^ 0x20
                } else {
                    fold(hash ^ all, self.1 ^ 0x5bd1)
                }
            }
        }
    }

    #[inline]
    fn bytes(self, hash: u64, bytes: &[u8]) -> u64 {
        let mut hash = hash ^ (bytes.len() as u64) << 56;
        let mut rest = bytes;
        while let Some((head, tail)) = rest.split_first_chunk::<8>() {
            hash = fold(hash ^ u64::from_le_bytes(*head), self.1);
            rest = tail;
        }
        if rest.is_empty() {
            return hash;
        }
        let mut word = 0;
        if let Some((head, tail)) = rest.split_first_chunk::<4>() {
            word = u64::from(u32::from_le_bytes(*head));
            rest = tail;
        }
        for byte in rest {
            word = word << 8 | u64::from(*byte);
        }
        fold(hash ^ word, self.1)
    }
}

/// Multiplies into 128 bits and folds the halves.
#[inline]
fn fold(value: u64, by: u64) -> u64 {
    let wide = u128::from(value) * u128::from(by);
    (wide >> 64) as u64 ^ wide as u64
}
