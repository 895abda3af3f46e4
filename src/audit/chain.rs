//! A record's position in the chain: its number and its hash.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return None;
        };
        let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
        let mut hash = [0; 32];
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(hash))
    }
}

/// Returns the value of a lowercase hexadecimal digit.
fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Hash {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        f.write_str(&digits.map(digit).collect::<String>())
    }
}

/// Upper bound of record numbers: no trail has that many records, so incrementing a number that was
/// read can't overflow.
pub(super) const TOO_MANY: u64 = 1 << 62;

/// A record's position in the chain; the default value precedes record 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChainLink {
    pub seq: u64,
    pub hash: Hash,
}

impl ChainLink {
    /// Returns the contents of the head file.
    pub(super) fn head(self) -> String {
        format!("{:020} {}\n", self.seq, self.hash)
    }

    pub(super) fn parse_head(text: &str) -> Option<Self> {
        let (seq, hash) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Self {
            seq: (seq.len() == 20)
                .then(|| seq.parse().ok())?
                .filter(|seq| *seq < TOO_MANY)?,
            hash: Hash::parse(hash)?,
        })
    }
}
