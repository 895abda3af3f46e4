//! The audit trail: what was intended, what came of it, and why; the only state there is
//! beside the provider's inventory.
//!
//! # Format
//!
//! `audit-YYYY-MM.jsonl` in the audit folder, one JSON object a line, each ended by `\n`:
//! `seq` (1, 2, 3, … across all files), `time` (RFC 3339, UTC), `event`, then `run` (the
//! process), `server` where it concerns one, the event's own fields (`rotation`, `slot`,
//! `snapshot`, `id`, `reason`, …), what applies of `policy`, `status`, `error`, `duration_ms`, then
//! `prev` and last `hash`. `hash` is the SHA-256, as 64 lowercase hexadecimal digits, of
//! the line's bytes before `,"hash":"`; `prev` is the hash of the record before, or 64
//! zeros for record 1. The last 76 bytes of a line are thus always `,"hash":"…"}\n`.
//!
//! A file begins with `checkpoint` records: one without `server` (standing alerts that
//! concern the whole account and since when, the newest loss of records), then one for each server with
//! its `history`. So a start reads the newest file alone, and older ones may be archived.
//! It is built under another name, synced and renamed: it is there wholly or not at all.
//! It begins when a record's month is later than the newest file's, never earlier.
//!
//! `head` in the state folder: `seq` in 20 digits, a space, `hash`, a newline. It names a
//! record that is durable, and is written in place after each sync of the file; 86 bytes
//! lie within one sector, so it is the old or the new one.
//!
//! # What holds after a failure
//!
//! - An append that returned without error is durable (I6). One that returned an error is
//!   not in the trail, or is cut off again before the next one; after a kill it may stay.
//! - The head is created before the first file and moves after the records do. So it may
//!   lag behind them (a kill between the two, or power loss) but never leads: a head that
//!   leads, or that names a record which is not there, means that records were lost.
//! - A kill or power loss spoils only what no sync has covered, so the first spoilt line
//!   comes after the head's record and nothing that follows it was ever relied on. Such a
//!   tail is set aside as `audit-YYYY-MM.jsonl.torn-N`. A spoilt line before the head's
//!   record is no crash: the trail is not opened.
//! - What a start reads beyond the head's record may be on no disk yet, and a failed sync of
//!   it may have been told to a process that is gone. It is written over itself and synced
//!   before anything follows it.
//! - Bytes that a failed write or sync may have left are cut off before anything is
//!   appended, and sent again by the caller: a sync that failed once may say yes the next
//!   time without having written anything.
//!
//! # What the chain shows, and what not
//!
//! It shows accidents: a line that was changed, dropped or moved, a torn or cut tail. Whoever
//! may write to both folders can compute the chain and the head anew, or remove both. `witness`
//! is about that.

mod chain;
mod disk;
mod error;
mod file_query;
#[cfg(any(test, feature = "proof"))]
pub mod memory_disk;
mod open;
mod reader;
mod record;
#[cfg(test)]
mod tests;
mod trail;
mod verify;
pub mod witness;
mod writer;

pub use disk::{Disk, RealDisk};
pub use error::TrailError;
pub use file_query::{files_since, records, tail, was_begun};
pub use open::{OpenedTrail, WitnessedPoint};
pub use record::{Details, Entry, Event, GlobalEvent, StandingAlert};
pub use trail::Trail;
#[cfg(feature = "proof")]
pub use verify::verify_on;
pub use verify::{Record, Verified, verify};
