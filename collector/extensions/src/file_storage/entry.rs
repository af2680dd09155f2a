//! The form of an entry on disk: a header, then the value.
//!
//! Header: magic (4 bytes), format version (2), zero (2), length of the value (8), CRC-32 (4) of everything before it
//! and of the value; numbers are little-endian. Reading refuses every single-bit change and every truncation.

const MAGIC: [u8; 4] = *b"WFST";
const VERSION: u16 = 1;
const CHECKED_HEADER: usize = 16;
const HEADER: usize = CHECKED_HEADER + 4;

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    /// It does not begin as an entry does.
    #[error("it is not an entry")]
    Foreign,
    /// It was written by a version that this one does not know.
    #[error("its format version {0} is unknown")]
    Version(u16),
    /// It has more or fewer bytes than its header says.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// By the header.
        expected: u64,
        /// In the file.
        found: u64,
    },
    /// Its content changed after it was written.
    #[error("its checksum is wrong")]
    Checksum,
}

/// The file that holds `value`.
pub(super) fn encode(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + value.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    let checksum = checksum(&bytes, value);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// The value that a file holds.
pub(super) fn decode(mut file: Vec<u8>) -> Result<Vec<u8>, Damage> {
    if file.len() < HEADER {
        return Err(Damage::Length { expected: HEADER as u64, found: file.len() as u64 });
    }
    let (head, value) = file.split_at(HEADER);
    if head[..4] != MAGIC {
        return Err(Damage::Foreign);
    }
    let version = u16::from_le_bytes([head[4], head[5]]);
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let length =
        u64::from_le_bytes([head[8], head[9], head[10], head[11], head[12], head[13], head[14], head[15]]);
    if length != value.len() as u64 {
        return Err(Damage::Length {
            expected: length.saturating_add(HEADER as u64),
            found: file.len() as u64,
        });
    }
    let stored = u32::from_le_bytes([head[16], head[17], head[18], head[19]]);
    if stored != checksum(&head[..CHECKED_HEADER], value) {
        return Err(Damage::Checksum);
    }
    file.drain(..HEADER);
    Ok(file)
}

fn checksum(header: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_decodes() {
        for value in [&b""[..], b"x", &[0; 1000]] {
            assert_eq!(decode(encode(value)), Ok(value.to_vec()));
        }
    }

    #[test]
    fn every_truncation_and_every_extension_is_refused() {
        let mut file = encode(b"some value");
        for length in 0..file.len() {
            assert!(decode(file[..length].to_vec()).is_err(), "cut at {length}");
        }
        file.push(0);
        assert!(matches!(decode(file), Err(Damage::Length { .. })));
    }

    #[test]
    fn every_bit_flip_is_refused() {
        let file = encode(b"some value");
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(flipped).is_err(), "bit {bit}");
        }
    }
}
