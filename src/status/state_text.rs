//! Formats a server's state, its slots and their times for a terminal.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::activity::words;
use super::view::{Activity, AlertView, FleetView, LastSlot, NextSlot, ServerView, SnapshotView};
use crate::core::plan::{NextChanges, PlannedAction};
use crate::core::sanitize::{counted, fitted, local, span};
use crate::core::snapshot::CREATE_TAKES;

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

/// Returns the line about pauses. It comes first, since a forgotten pause raises no alert.
pub(super) fn paused(view: &FleetView, zone: &TimeZone) -> Option<String> {
    if let Some(since) = view.paused {
        let pause = view.pause.as_ref();
        let until = pause.and_then(|pause| pause.until);
        let until = until.map_or_else(String::new, |at| format!(" until {}", local(at, zone)));
        let words = pause.and_then(|p| words(p.by.as_deref(), p.note.as_deref()));
        let words = words.map_or_else(String::new, |words| format!(" ({words})"));
        return Some(format!(
            "ALL PAUSED since {}{until}{words}",
            local(since, zone)
        ));
    }
    let paused = view
        .servers
        .iter()
        .filter(|s| s.activity == Activity::Paused);
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

/// Returns the result of a slot, and its age.
pub(super) fn last_slot_with_age(slot: &LastSlot, server: &ServerView, now: Timestamp) -> String {
    let (_, words, at) = last_slot(slot, server);
    format!("{words} {} ago", span(now.duration_since(at)))
}

pub(super) fn next_slot(slot: &NextSlot, now: Timestamp) -> String {
    format!("in {}", span(slot.at.duration_since(now)))
}

/// Returns who has acknowledged the alert, until when and why; `None` if nobody has.
pub(super) fn acknowledged(alert: &AlertView, zone: &TimeZone) -> Option<String> {
    let acknowledged = alert.acknowledged.as_ref()?;
    let until = acknowledged.until.map(|until| local(until, zone));
    let until = until.map(|until| format!("until {until}"));
    let words = words(acknowledged.by.as_deref(), acknowledged.note.as_deref());
    let parts: Vec<_> = words.into_iter().chain(until).collect();
    Some(parts.join("; "))
}

/// Returns the activity with its times, without its reason: `creating for 2 min`.
pub(super) fn activity(server: &ServerView, now: Timestamp, zone: &TimeZone) -> String {
    let for_ = || match server.activity_since {
        Some(since) => format!(" for {}", span(now.duration_since(since))),
        None => String::new(),
    };
    let at_most = || match server.activity_until.filter(|until| *until > now) {
        Some(until) => format!(", until {} at most", clock(until, now, zone)),
        None => String::new(),
    };
    match server.activity {
        Activity::Idle => match server.activity_until {
            Some(next) => format!("idle until {}", clock(next, now, zone)),
            None => "idle, no slot follows".to_owned(),
        },
        Activity::Creating => format!("creating{}, usually {CREATE_TAKES}", for_()),
        Activity::Holding | Activity::Restoring => {
            format!("{}{}{}", server.activity.word(), for_(), at_most())
        }
        Activity::Waiting if server.listed.is_none() => "not listed yet".to_owned(),
        Activity::Paused => {
            let until = server.activity_until;
            let until = until.map(|until| format!(" until {}", clock(until, now, zone)));
            format!("paused{}{}", for_(), until.unwrap_or_default())
        }
        Activity::Waiting | Activity::Deleting | Activity::Blocked => {
            format!("{}{}", server.activity.word(), for_())
        }
    }
}

/// Returns the activity with its reason, cut to `shown` characters, and why the server can't be
/// listed.
pub(super) fn activity_with_reason(
    server: &ServerView,
    now: Timestamp,
    zone: &TimeZone,
    shown: usize,
) -> String {
    let mut parts = vec![activity(server, now, zone)];
    parts.extend(server.reason.clone());
    if let Some(why) = &server.unlisted {
        parts.push(match server.listed {
            Some(_) => not_listed(server, now).unwrap_or_default(),
            None => why.clone(),
        });
    }
    fitted(&parts.join("; "), shown)
}

/// Returns the time of day with its zone; with `tomorrow` or the date if it is on another day.
pub(super) fn clock(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let name = at.to_zoned(zone.clone()).strftime("%Z").to_string();
    format!("{} {name}", clock_without_zone(at, now, zone))
}

/// Does the same as [`clock`], for a page that names its zone once.
pub(super) fn clock_without_zone(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let time = at.strftime("%H:%M");
    if at.date() == now.date() {
        return time.to_string();
    }
    if now.date().tomorrow().ok() == Some(at.date()) {
        return format!("tomorrow {time}");
    }
    at.strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// Returns the age of the newest copy: `copy 1 d 3 h`, `no copy`.
pub(super) fn copy_age(server: &ServerView, now: Timestamp) -> String {
    match (server.newest_copy, server.listed) {
        (Some(at), _) => format!("copy {}", span(now.duration_since(at))),
        (None, Some(_)) => "no copy".to_owned(),
        (None, None) => "copy unknown".to_owned(),
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
