//! A record's place in the chain: its number and its hash.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(hash))
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
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// No trail has as many records, so counting on from any number that is read can't overflow.
pub(super) const TOO_MANY: u64 = 1 << 62;

/// A record's place in the chain; the default comes before record 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub seq: u64,
    pub hash: Hash,
}

impl Link {
    /// The contents of the head file.
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
