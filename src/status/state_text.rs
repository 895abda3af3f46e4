//! Formats a server's state, its slots and their times for a terminal.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::view::{Activity, FleetView, LastSlot, NextSlot, ServerView, SnapshotView};
use crate::core::plan::{NextChanges, PlannedAction};
use crate::core::sanitize::{counted, local, shortened};

/// Returns a note for a snapshot that stays now but is among the next deletes.
pub(super) fn goes_next(upcoming: Option<&NextChanges>, snapshot: &SnapshotView) -> &'static str {
    let mut steps = upcoming.into_iter().flat_map(|next| &next.steps);
    let stays = matches!(snapshot.verdict.as_str(), "newest" | "keep");
    if stays
        && steps
            .any(|step| step.do_ == PlannedAction::Delete && step.id == Some(snapshot.id.clone()))
    {
        "; to be deleted next"
    } else {
        ""
    }
}

/// Longest reason in a row of the overview, in characters.
const REASON_SHOWN: usize = 200;

/// Returns the line about pauses. It comes first, since a forgotten pause raises no alert.
pub(super) fn paused(view: &FleetView, zone: &TimeZone) -> Option<String> {
    if let Some(since) = view.paused {
        return Some(format!("ALL PAUSED since {}", local(since, zone)));
    }
    let paused = view.servers.iter().filter(|s| s.state == Activity::Paused);
    let paused = paused.count();
    (paused > 0).then(|| format!("{} paused", counted(paused, "server")))
}

/// Returns the number of servers that can't be listed, and the age of their oldest listing.
pub(super) fn unlisted(view: &FleetView, zone: &TimeZone) -> Option<String> {
    let servers = || view.servers.iter().filter(|s| s.unlisted.is_some());
    let count = servers().count();
    let oldest = servers().map(|server| server.listed).min()?;
    let oldest = match oldest {
        None => "at least one has not been listed by this process".to_owned(),
        Some(at) => {
            let ago = span(view.time.duration_since(at));
            format!("the oldest listing is from {}, {ago} ago", local(at, zone))
        }
    };
    let servers = counted(count, "server");
    Some(format!("{servers} can't be listed now: {oldest}"))
}

/// Returns the number of servers without a completed snapshot. It isn't an alert if a person
/// deleted them all.
pub(super) fn servers_without_snapshot(view: &FleetView) -> Option<String> {
    let bare = |server: &&ServerView| server.listed.is_some() && server.restore_range().is_none();
    let servers = view.servers.iter().filter(bare).count();
    let servers = (servers > 0).then(|| counted(servers, "server"))?;
    Some(format!("{servers} without a completed snapshot to restore"))
}

/// The result of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotResult {
    /// The snapshot exists, or nothing shows otherwise.
    Well,
    /// The snapshot was completed and no longer exists.
    Gone,
    /// The slot isn't settled yet.
    On,
    /// The slot ended without a completed snapshot.
    Badly,
}

/// Returns the result of a slot, its words, and the time whose age follows them: the snapshot's if
/// it is known, else the slot's, which may have been due long before.
pub(super) fn last_slot(slot: &LastSlot, server: &ServerView) -> (SlotResult, String, Timestamp) {
    let row = server.snapshots.iter().find(|s| s.name == slot.snapshot);
    let (went, words) = match (slot.ending.as_deref(), row) {
        // The slot is settled only when the server is next looked at.
        (None, Some(row)) if row.status == "completed" => {
            (SlotResult::Well, "completed".to_owned())
        }
        (Some("completed"), _) => match server.made(slot) {
            Some(made) => return (SlotResult::Well, "made".to_owned(), made),
            None if row.is_some() || server.listed.is_none() => {
                (SlotResult::Well, "completed".to_owned())
            }
            None => (SlotResult::Gone, "gone".to_owned()),
        },
        (Some(other), Some(_)) => (SlotResult::Badly, other.replace('_', " ")),
        (Some(other), None) => (
            SlotResult::Badly,
            format!("not made ({})", other.replace('_', " ")),
        ),
        (None, Some(row)) if row.status == "failed" => (SlotResult::On, "failed so far".to_owned()),
        (None, Some(_)) => (SlotResult::On, "being made".to_owned()),
        (None, None) => (SlotResult::On, "not made yet".to_owned()),
    };
    (went, format!("{words}, due"), slot.slot)
}

pub(super) fn next_slot(slot: &NextSlot, now: Timestamp) -> String {
    format!("in {}", span(slot.at.duration_since(now)))
}

/// Returns the state for the overview. The alerts say why a server is blocked.
pub(super) fn state(server: &ServerView, now: Timestamp) -> String {
    match server.state {
        Activity::Blocked => word(server.state).to_owned(),
        _ => state_with_reason(server, now, REASON_SHOWN),
    }
}

/// Returns the state with its reason, cut to `shown` characters.
pub(super) fn state_with_reason(server: &ServerView, now: Timestamp, shown: usize) -> String {
    let word = word(server.state);
    let state = match &server.reason {
        Some(reason) if reason.starts_with(word) => shortened(reason, shown),
        Some(reason) => format!("{word}, {}", shortened(reason, shown)),
        None => word.to_owned(),
    };
    let Some(why) = not_listed(server, now) else {
        return state;
    };
    let why = shortened(&why, shown);
    match (server.state, &server.reason) {
        // The reason begins with the word for the state.
        (Activity::Unseen, None) => why,
        (_, None) => format!("{state}, {why}"),
        (_, Some(_)) => format!("{state}; {why}"),
    }
}

/// Returns the age of the last listing and the reason, if no newer one can be had.
pub(super) fn not_listed(server: &ServerView, now: Timestamp) -> Option<String> {
    let why = server.unlisted.as_ref()?;
    Some(match server.listed {
        Some(at) => format!("not listed for {}: {why}", span(now.duration_since(at))),
        None => format!("not listed yet: {why}"),
    })
}

fn word(state: Activity) -> &'static str {
    match state {
        Activity::Resting => "resting",
        Activity::Working => "working",
        Activity::Due => "due",
        Activity::Blocked => "BLOCKED",
        Activity::Paused => "paused",
        Activity::Unseen => "not listed yet",
    }
}

/// Formats a span in its two largest units: `3 d 4 h`, `12 min`, `0 s`.
pub fn span(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let two = |large: i64, unit: &str, small: i64, next: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {next}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        (_, _, _) => two(days, "d", hours, "h"),
    }
}
