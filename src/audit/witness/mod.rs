//! Signed checkpoints of the trail that are kept elsewhere. They show whether a trail was truncated
//! or rewritten, even if its head was changed to match.
//!
//! # Format
//!
//! A checkpoint is a signed note (`signed_note`) whose text is that of C2SP `tlog-checkpoint`:
//!
//! ```text
//! snaprotate/admin-01                             the origin: which trail
//! 1234                                            `seq` of a record, in decimal digits
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=    that record's `hash`, in base64
//! time 2026-11-28T03:00:00Z                       an extension line: when it was signed
//! ```
//!
//! **The trail is a hash chain, not a Merkle tree.** The number of the last record takes the place
//! of the specification's tree size, and that record's hash, which covers every record before it,
//! takes the place of the root hash. Any reader of checkpoints can parse and verify such a note,
//! but there are no Merkle proofs.
//!
//! # What it shows
//!
//! If the trail still has a signed record with the hash that was signed, no record up to it was
//! changed. Nothing proves what happened after the newest checkpoint. A checkpoint proves nothing
//! if the trail's writer can replace it and also has the key.
//!
//! `checkpoint_scan` finds checkpoints in any text; `compare` compares them with the trail.

mod checkpoint_scan;
mod compare;
mod signed_note;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::chain::{Hash, TOO_MANY};

pub use checkpoint_scan::{FoundCheckpoint, find};
pub use compare::{ComparedCheckpoint, Comparison, Verdict, verify_witnessed};
pub use signed_note::{SignerKey, VerifierKey, is_name};

/// Prefix of the extension line with the time of signing.
const TIME: &str = "time ";

/// The last durable record at some instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailPosition {
    /// Its number.
    pub seq: u64,
    /// Name of its file.
    pub file: String,
    pub(super) hash: Hash,
}

/// The contents of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the trail.
    pub origin: String,
    /// The record that it names.
    pub record: u64,
    /// When it was signed, if the note has a time.
    pub time: Option<Timestamp>,
    hash: Hash,
}

impl Checkpoint {
    /// Returns the checkpoint of a record at this time.
    pub fn new(origin: &str, mark: &TrailPosition, time: Timestamp) -> Self {
        Self {
            origin: origin.to_owned(),
            record: mark.seq,
            time: Some(time),
            hash: mark.hash,
        }
    }

    /// Returns the text to sign.
    pub fn text(&self) -> String {
        let Self { origin, record, .. } = self;
        let root = STANDARD.encode(self.hash.bytes());
        let time = self.time.map(|time| format!("{TIME}{time}\n"));
        format!(
            "{origin}\n{record}\n{root}\n{}",
            time.as_deref().unwrap_or_default()
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let mut rest = lines.clone();
        if origin.is_empty() || rest.any(str::is_empty) {
            return None;
        }
        let time = lines.find_map(|line| line.strip_prefix(TIME)?.parse().ok());
        Some(Self {
            origin: origin.to_owned(),
            record: size_of(size)?,
            time,
            hash: root_of(root)?,
        })
    }
}

/// Parses a tree size: decimal digits without a leading zero.
fn size_of(line: &str) -> Option<u64> {
    let plain = line.bytes().all(|b| b.is_ascii_digit()) && (line == "0" || !line.starts_with('0'));
    let size = line.parse().ok().filter(|_| plain)?;
    (size < TOO_MANY).then_some(size)
}

/// Parses a root hash.
fn root_of(line: &str) -> Option<Hash> {
    Some(Hash::from(
        <[u8; 32]>::try_from(STANDARD.decode(line).ok()?).ok()?,
    ))
}
