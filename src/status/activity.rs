//! Derives a server's activity and its reason.

use jiff::{SignedDuration, Timestamp};

use super::view::{Activity, RotationView, SnapshotView};
use crate::core::operator_order;
use crate::core::retry_backoff::time_to_next_attempt;
use crate::core::sanitize::{span, utc};
use crate::core::server_history::PendingOp;
use crate::engine::{AcceptedListing, ServerStateView};

/// Reason for every server while the account's alert is active.
const TOKEN_REFUSED: &str =
    "the provider rejects the token; nothing is changed until it accepts one";

/// A server's activity, with its times and its reason.
pub(super) struct CurrentActivity {
    pub(super) activity: Activity,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// The reason, if the activity alone doesn't say enough.
    pub(super) reason: Option<String>,
}

impl CurrentActivity {
    fn new(activity: Activity) -> Self {
        Self {
            activity,
            since: None,
            until: None,
            reason: None,
        }
    }

    fn since(self, since: Option<Timestamp>) -> Self {
        Self { since, ..self }
    }

    fn until(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    fn reason(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }
}

/// Returns the server's activity.
pub(super) fn activity(
    known: ServerStateView<'_>,
    refused: bool,
    snapshots: &[SnapshotView],
    rotations: &[RotationView],
) -> CurrentActivity {
    let (history, rules, now) = (known.history, known.rules, known.now);
    let of = CurrentActivity::new;
    if let Some(pause) = history.paused() {
        return of(Activity::Paused)
            .since(Some(pause.since))
            .until(pause.until)
            .reason(words(pause.by.as_deref(), pause.note.as_deref()));
    }
    if let Some(reason) = &history.blocked {
        let alert = history.blocked_alert(&known.policy.server);
        let since = alert.and_then(|alert| alert.since);
        return of(Activity::Blocked)
            .since(since)
            .reason(Some(reason.clone()));
    }
    if history.hold.is_some() || history.downtime.is_some() {
        return holding(known);
    }
    if let Some(open) = &history.open {
        let (activity, since) = match open {
            // `since` is renewed by each listing that shows the snapshot.
            PendingOp::Create { since, sent, .. } => {
                (Activity::Creating, sent.unwrap_or(since.wall))
            }
            PendingOp::Delete { since, .. } => (Activity::Deleting, since.wall),
            PendingOp::Restore { since, .. } => (Activity::Restoring, since.wall),
        };
        return of(activity)
            .since(Some(since))
            .reason(Some(begun(known, open)));
    }
    if let Some(left) = history.restoring(rules, now) {
        let until = now.wall.checked_add(left).ok();
        let since = until.and_then(|until| until.checked_sub(rules.restore_window).ok());
        let left_alone = operator_order::left_alone(known.policy, history, rules, now);
        return of(Activity::Restoring)
            .since(since)
            .until(until)
            .reason(left_alone);
    }
    let made = |s: &&SnapshotView| s.verdict == "in_progress";
    if let Some(made) = snapshots.iter().find(made) {
        return of(Activity::Creating)
            .since(made.created_at)
            .reason(Some(format!("{} is being made", made.name)));
    }
    let refused = refused.then(|| TOKEN_REFUSED.to_owned());
    let waits = |r: &RotationView| r.last.as_ref().is_some_and(|last| last.ending.is_none());
    if rotations.iter().any(waits) {
        if let Some(at) = known.creates_held.filter(|_| refused.is_none()) {
            let reason = format!(
                "nothing is created until {}: an earlier create request that is not in the trail may still take effect",
                utc(at)
            );
            return of(Activity::Waiting).until(Some(at)).reason(Some(reason));
        }
        let (reason, until) = attempts(known).unzip();
        return of(Activity::Waiting)
            .until(until.flatten())
            .reason(refused.or(reason));
    }
    if known.seen.is_none() {
        return of(Activity::Waiting).reason(refused);
    }
    let next = rotations.iter().filter_map(|r| Some(r.next.as_ref()?.at));
    of(Activity::Idle).until(next.min()).reason(refused)
}

/// Returns who gave an order and that person's note, each in words.
pub(super) fn words(by: Option<&str>, note: Option<&str>) -> Option<String> {
    let by = by.map(|by| format!("by {by}"));
    let note = note.map(|note| format!("\"{note}\""));
    let words: Vec<_> = by.into_iter().chain(note).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Returns the activity of a server that hooks hold, or that is stopped for a snapshot.
fn holding(known: ServerStateView<'_>) -> CurrentActivity {
    let history = known.history;
    let (hold, down) = (history.hold.as_deref(), history.downtime.as_deref());
    let rotation = |name: &str| known.policy.rotation(name);
    let hold_time = hold.map(|hold| {
        let hooks = rotation(&hold.rotation).and_then(|r| r.hooks.as_ref());
        (hold.since.wall, hooks.map(|hooks| hooks.max_hold))
    });
    let down_time = down.map(|down| {
        let stop = rotation(&down.rotation).and_then(|r| r.stop.as_ref());
        (down.since.wall, stop.map(|stop| stop.longest))
    });
    let times = || hold_time.into_iter().chain(down_time);
    let ends = times().map(|(since, longest)| since.checked_add(longest?).ok());
    let reasons = hold
        .map(operator_order::describe_hook_hold)
        .into_iter()
        .chain(down.map(operator_order::describe_downtime));
    CurrentActivity {
        activity: Activity::Holding,
        since: times().map(|(since, _)| since).min(),
        until: ends.max().flatten(),
        reason: Some(reasons.collect::<Vec<_>>().join("; ")),
    }
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

/// Returns the failed attempts of an unsettled slot, and the time of the next one if it is not due.
fn attempts(known: ServerStateView<'_>) -> Option<(String, Option<Timestamp>)> {
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
        let text = next.map_or_else(
            || format!("{tried}; the next one is due"),
            |at| format!("{tried}; next at {}", utc(at)),
        );
        Some((text, next))
    })
}

#[cfg(test)]
#[path = "activity_tests.rs"]
mod tests;
