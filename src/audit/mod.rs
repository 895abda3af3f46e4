//! The audit trail: every intent, its outcome and its reason. Apart from the provider's inventory,
//! it is the only state that decisions depend on.
//!
//! # Format
//!
//! `audit-YYYY-MM.jsonl` in the audit folder holds one JSON object per line, each ended by `\n`.
//! The keys are, in this order: `seq` (1, 2, 3, … across all files), `time` (RFC 3339, UTC),
//! `event`, `run` (the process), `server` if the record concerns one, the event's own fields
//! (`rotation`, `slot`, `snapshot`, `id`, `reason`, …), those of `policy`, `status`, `error` and
//! `duration_ms` that apply, `prev`, and last `hash`. `hash` is the SHA-256, as 64 lowercase
//! hexadecimal digits, of the line's bytes before `,"hash":"`; `prev` is the hash of the previous
//! record, or 64 zeros for record 1. The last 76 bytes of a line are thus always `,"hash":"…"}\n`.
//!
//! A file begins with `checkpoint` records. The first has no `server`. It holds the active alerts
//! of the account and the host, the time when a loss of records was last noticed, and the time when
//! the pause of every server began. One for each server follows, with its `history`. A start
//! therefore reads the newest file only, and older ones may be archived. A file is built under
//! another name, synced and renamed: it exists completely or not at all. A new file begins when a
//! record's month is later than the newest file's, never when it is earlier.
//!
//! `head` in the state folder holds `seq` in 20 digits, a space, `hash` and a newline. It names a
//! durable record and is overwritten in place after each sync of the file. Its 86 bytes lie within
//! one sector, so a reader finds either the old or the new head.
//!
//! # What holds after a failure
//!
//! - An append that returned without error is durable (I6). One that returned an error is not in
//!   the trail, or is cut off before the next append; after a kill it may stay.
//! - The head is created before the first file and moves after the records do. It may lag behind
//!   them (after a kill between the two, or a power loss) but never leads: a head that leads, or
//!   that names a missing record, means that records were lost.
//! - A kill or a power loss damages only what no sync has covered. The first damaged line therefore
//!   comes after the head's record, and nothing relied on what follows it. Such a tail is set aside
//!   as `audit-YYYY-MM.jsonl.torn-N`. If a damaged line comes before the head's record or in its
//!   place, and a newline ends it or follows it, no crash explains it: the trail is not opened.
//! - Records that a start reads beyond the head's record may not be on the disk yet, and a failed
//!   sync of them may have been reported to a process that is gone. They are overwritten with
//!   themselves and synced before anything follows them.
//! - Bytes that a failed write or sync may have left are cut off before anything is appended, and
//!   the caller has to append the records again: after a failed sync the next one may succeed
//!   without having written anything.
//!
//! # Files
//!
//! - `open`: reads the newest file, and decides what a crash or a loss did to it; `writer`: the one
//!   writer, which sets a torn tail aside; `trail`: the handle through which the engine records.
//! - `record` and `record_fields`: a record, and its fields for readers that base no decision on
//!   them; `chain`: its position; `head`: the head file; `disk`: disk operations.
//! - `reader`: folds lines into state; `file_query`: searches; `file_follow`: reads what is appended;
//!   `report_records`: what a report counts; `verify` and `witness`: what `audit verify` checks.
//!
//! # What the chain shows and doesn't
//!
//! It shows accidents: a line that was changed, dropped or moved, a torn or cut tail. It does not
//! show tampering: anyone who may write to both folders can recompute the chain and the head, or
//! remove both. Signed checkpoints (`witness`) show that.

mod chain;
mod disk;
mod error;
mod file_follow;
mod file_query;
mod head;
#[cfg(any(test, feature = "proof"))]
pub mod memory_disk;
mod open;
mod reader;
mod record;
mod record_fields;
mod report_records;
#[cfg(test)]
mod tests;
mod trail;
mod verify;
pub mod witness;
mod writer;

pub use disk::{Disk, RealDisk};
pub use error::TrailError;
pub use file_follow::TrailFollower;
pub use file_query::{files_since, ids_of, newest_records, records, tail, was_begun};
pub use open::OpenedTrail;
pub use record::{Details, Entry, Event, GlobalEvent, StandingAlert, WitnessedPoint};
pub use record_fields::RecordFields;
pub use report_records::report_tally;
pub use trail::Trail;
#[cfg(feature = "proof")]
pub use verify::verify_on;
pub use verify::{Record, Verified, verify};
