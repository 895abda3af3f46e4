//! Derives a server's activity and its reason.

use jiff::SignedDuration;

use super::state_text::span;
use super::view::{Activity, RotationView, SnapshotView};
use crate::core::operator_order;
use crate::core::retry_backoff::time_to_next_attempt;
use crate::core::sanitize::utc;
use crate::core::server_history::PendingOp;
use crate::engine::{AcceptedListing, ServerStateView};

/// Reason for every server while the account's alert is active.
const TOKEN_REFUSED: &str =
    "the provider rejects the token; nothing is changed until it accepts one";

/// Returns the server's activity, and its reason if the activity alone doesn't say enough.
pub(super) fn state(
    known: ServerStateView<'_>,
    refused: bool,
    snapshots: &[SnapshotView],
    rotations: &[RotationView],
) -> (Activity, Option<String>) {
    let history = known.history;
    if let Some(since) = history.paused() {
        return (
            Activity::Paused,
            Some(format!("paused since {}", utc(since))),
        );
    }
    if let Some(reason) = &history.blocked {
        return (Activity::Blocked, Some(reason.clone()));
    }
    if let Some(open) = &history.open {
        return (Activity::Working, Some(begun(known, open)));
    }
    let made = |s: &&SnapshotView| s.verdict == "in_progress";
    if let Some(made) = snapshots.iter().find(made) {
        return (
            Activity::Working,
            Some(format!("{} is being made", made.name)),
        );
    }
    if history.hold.is_some() || history.downtime.is_some() {
        return (Activity::Working, None);
    }
    let left_alone =
        operator_order::left_alone(&known.policy.server, history, known.rules, known.now);
    let held = left_alone.or_else(|| refused.then(|| TOKEN_REFUSED.to_owned()));
    let waits = |r: &RotationView| r.last.as_ref().is_some_and(|last| last.ending.is_none());
    if rotations.iter().any(waits) {
        let until = known.creates_held.map(|at| {
            format!(
                "nothing is created until {}: an earlier create request that is not in the trail may still take effect",
                utc(at)
            )
        });
        return (Activity::Due, held.or(until).or_else(|| attempts(known)));
    }
    if known.seen.is_none() {
        return (Activity::Unseen, held);
    }
    (Activity::Resting, held)
}

/// Describes the open mutation, judged by the last listing.
fn begun(known: ServerStateView<'_>, open: &PendingOp) -> String {
    let rows = known.seen.map_or(&[][..], |seen| &seen.rows);
    match open {
        PendingOp::Create {
            name, id, since, ..
        } if lacks(known.seen, open) => {
            let left = known.rules.settle_window - since.elapsed(known.now);
            let until = known.now.wall.checked_add(left.max(SignedDuration::ZERO));
            let until = until.map_or_else(|_| String::new(), |at| format!(" until {}", utc(at)));
            match id {
                Some(id) => format!(
                    "{name} (id {id}), which the provider accepted, is not in the listing yet; waiting for it{until}"
                ),
                None => format!(
                    "{name} is not in the listing, and whether it was made is unknown; waiting for it{until}"
                ),
            }
        }
        // The provider's answer alone doesn't confirm a delete.
        PendingOp::Delete { .. } => format!(
            "{}; waiting until listings confirm it",
            operator_order::describe_open_call(open, rows)
        ),
        _ => operator_order::describe_open_call(open, rows),
    }
}

/// Returns true if a listing that was requested after the create lacks its snapshot.
fn lacks(seen: Option<&AcceptedListing>, open: &PendingOp) -> bool {
    let (Some(seen), PendingOp::Create { since, .. }) = (seen, open) else {
        return false;
    };
    since.mono.is_none_or(|sent| seen.requested > sent) && open.made_in(&seen.rows).is_none()
}

/// Returns why the server can't be listed now, or for how long the provider hasn't answered.
pub(super) fn unlisted(known: ServerStateView<'_>) -> Option<String> {
    let slow = known
        .asked
        .filter(|time| *time >= known.rules.request_timeout);
    let Some(failed) = known.unlisted else {
        return slow.map(|time| format!("requested {} ago, no answer yet", span(time)));
    };
    let left = failed.again - known.now.mono;
    let next = if known.asked.is_some() || left <= SignedDuration::ZERO {
        "retrying now".to_owned()
    } else {
        format!("retry in {}", span(left))
    };
    let blocked = known.history.blocked.as_deref();
    if blocked.is_some_and(|reason| reason.contains(&*failed.why)) {
        return Some(next);
    }
    Some(format!("{}; {next}", failed.why))
}

/// Returns the failed attempts of an unsettled slot, and the time of the next one.
fn attempts(known: ServerStateView<'_>) -> Option<String> {
    let ServerStateView {
        policy,
        rules,
        history,
        now,
        ..
    } = known;
    policy.rotations.iter().find_map(|rotation| {
        let mut slots = history.slots(&rotation.name);
        let note = slots.rfind(|note| note.ending.is_none() && note.tries > 0)?;
        let which = match policy.rotations.as_slice() {
            [_] => String::new(),
            _ => format!(" of {}", rotation.name),
        };
        let tried = match (note.attempts, note.tries) {
            (0, 1) => format!("1 try{which} failed"),
            (0, tries) => format!("{tries} tries{which} failed"),
            (nth, _) => format!("attempt {nth} of {}{which} failed", rotation.attempts),
        };
        let left = time_to_next_attempt(&policy.server, note, rules, now);
        let next = left.and_then(|left| now.wall.checked_add(left).ok());
        Some(next.map_or_else(
            || format!("{tried}; the next one is due"),
            |at| format!("{tried}; next at {}", utc(at)),
        ))
    })
}

#[cfg(test)]
#[path = "activity_tests.rs"]
mod tests;
