//! Derives the outcome of a call from its answer, and the further details of its record.

use tokio::time::Instant;

use crate::api::{ApiError, CreatedSnapshot, ErrorKind, NewSnapshot, StatusCell};
use crate::audit::Details;
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::server_event::Outcome;
use crate::core::snapshot::SnapshotId;

/// Judges the answer to a create. An answer with the id of a known snapshot, or with a different
/// name, proves nothing; the new snapshot is then looked for by its name (I9, I19).
pub(super) fn judge_create_answer(
    made: &CreatedSnapshot,
    asked: &NewSnapshot,
    is_known: impl Fn(&SnapshotId) -> bool,
) -> (Outcome, Option<SnapshotId>, Option<String>) {
    let id = made.id.clone();
    if is_known(&id) || made.uuid.as_ref().is_some_and(is_known) {
        let odd = format!("the answer names a snapshot that existed before (id {id})");
        return (Outcome::Unknown, None, Some(odd));
    }
    if made.name != asked.name {
        let name = printable(&made.name, NAME_SHOWN);
        let odd = format!("the answer is about a snapshot named {name} (id {id})");
        return (Outcome::Unknown, Some(id), Some(odd));
    }
    (Outcome::Done, Some(id), None)
}

pub(super) fn outcome(error: &ApiError, missing: Outcome) -> Outcome {
    match error.kind {
        ErrorKind::Later | ErrorKind::Account => Outcome::Later,
        ErrorKind::Unknown => Outcome::Unknown,
        ErrorKind::Missing => missing,
        ErrorKind::Refused => Outcome::Failed,
    }
}

pub(super) fn extra(began: Instant, error: Option<&ApiError>, heard: &StatusCell) -> Details {
    Details {
        policy: None,
        status: error.map_or_else(|| heard.status(), |error| error.status),
        error: error.map(|error| error.message.clone()),
        duration_ms: u64::try_from(began.elapsed().as_millis()).ok(),
    }
}
