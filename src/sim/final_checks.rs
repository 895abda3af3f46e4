//! What must be so when the faults have stopped for a while: everything due is settled or
//! an alert says why not (I15), nothing is left over, and the trail tells all of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::ids;
use super::provider::World;
use super::world_setup::rules;
use super::{audit_dir, state_dir};
use crate::audit::memory_disk::MemoryDisk;
use crate::audit::{Trail, verify_on};
use crate::core::event::{AlertKind, SlotOutcome};
use crate::core::server_history::{PendingOp, ServerHistory};
use crate::core::snapshot::{ServerId, Status};

/// The longest time from a slot to its snapshot or its alert, by I15: three attempts with
/// call, settle window, an hour until stuck, and an hour's pause each.
const LONGEST: SignedDuration = SignedDuration::from_hours(8);

/// The trail, without the tails that crashes left.
pub(super) fn trail_text(disk: &MemoryDisk) -> String {
    let mut files = disk.names(audit_dir());
    files.retain(|file| file.extension().is_some_and(|end| end == "jsonl"));
    files.iter().map(|file| disk.text(file)).collect()
}

pub(super) fn judge(
    world: &mut World,
    disk: &MemoryDisk,
    quiet_from: Timestamp,
    chosen: &[Option<usize>],
) {
    world.judge.checked.insert("I15", chosen.len() as u64);
    match verify_on(disk, audit_dir(), state_dir()) {
        Ok(verified) if verified.is_intact() => {}
        Ok(mut verified) => {
            let said = world.judge.loss_said;
            let loss = |what: &str| what.contains("all records before are missing, as was noticed");
            verified.problems.retain(|what| !(said && loss(what)));
            if !verified.is_intact() {
                let what = format!("the trail doesn't verify: {:?}", verified.problems);
                world.violated(0, &what);
            }
        }
        Err(error) => world.violated(0, &format!("the trail can't be verified: {error}")),
    }
    for (server, since) in world.holds.held() {
        world.violated(server, &format!("hooks: it is held since {since:.0}"));
    }
    let now = world.now();
    for (server, since) in world.machines.left_down(now) {
        world.violated(server, &format!("I20: it stays stopped since {since:.0}"));
    }
    let trail = trail_text(disk);
    for (server, what) in without_outcome(&trail) {
        world.violated(server, &format!("I6: {what}"));
    }
    if world.lies.is_some() {
        return;
    }
    let histories = histories(disk, world.wall());
    let missed = missed(&trail);
    for (index, chosen) in chosen.iter().enumerate() {
        if let Some(chosen) = chosen {
            let server = index as u64 + 1;
            let none = ServerHistory::default();
            let history = histories.get(&ids::server(server)).unwrap_or(&none);
            settled(world, server, *chosen, history, &missed, quiet_from);
        }
    }
}

/// What the next process would find.
pub(super) fn histories(disk: &MemoryDisk, wall: Timestamp) -> BTreeMap<ServerId, ServerHistory> {
    let opened = Trail::open_inline(
        Box::new(disk.clone()),
        audit_dir(),
        state_dir(),
        "the-judge",
        wall,
        rules().request_timeout,
    );
    opened.map_or_else(|_| BTreeMap::new(), |(_, opened)| opened.histories)
}

fn settled(
    world: &mut World,
    server: u64,
    chosen: usize,
    history: &ServerHistory,
    (missed, paused): &(SlotTable, SlotTable),
    quiet_from: Timestamp,
) {
    let now = world.now();
    let index = usize::try_from(server - 1).unwrap_or(0);
    let (policy, view) = world.setting.wanted[index][chosen].clone();
    let rows = world.servers[&server].rows.clone();
    // What began just before the end may still be open.
    let since = history.open.as_ref().map(|open| match open {
        PendingOp::Create { since, .. }
        | PendingOp::Delete { since, .. }
        | PendingOp::Restore { since, .. } => since.wall,
    });
    if since.is_some_and(|since| now.duration_since(since) > LONGEST) {
        world.violated(server, "I6: an intent is still open");
    }
    let blocked = history
        .alerts
        .keys()
        .any(|(kind, _)| *kind == AlertKind::Blocked);
    for (index, rotation) in policy.rotations.iter().enumerate() {
        let slot = rotation.newest_due(now - LONGEST);
        let newest = slot.map(|slot| rotation.pattern.format(slot.local));
        let said = history
            .alerts
            .keys()
            .any(|(kind, about)| *kind == AlertKind::SlotFailed && *about == rotation.name);
        if let Some(slot) = slot.filter(|slot| slot.at > quiet_from) {
            let name = rotation.pattern.format(slot.local);
            // Names of one rotation are in the order of their slots.
            let there = rows.iter().any(|row| {
                row.status == Status::Completed
                    && view.rotation(&row.name) == Some(index)
                    && row.name >= name
            });
            let noted = history
                .slots(&rotation.name)
                .any(|note| note.name >= name && note.ending == Some(SlotOutcome::Completed));
            // An alert counts for its own slot, or one that has overtaken it. Of one that a
            // clock ahead let pass there may be no note any more, but a record.
            let failed = history.slots(&rotation.name).any(|note| {
                let failed = matches!(
                    note.ending,
                    Some(SlotOutcome::GivenUp | SlotOutcome::Skipped)
                );
                note.name >= name && failed
            });
            let which = (server, name.clone());
            // Nobody needs to be told of a pause, whatever clock it was by.
            let said = said && (failed || missed.contains(&which)) || paused.contains(&which);
            if !there && !noted && !blocked && !said {
                let what = format!("I15: {name} is neither there nor said to be missing");
                world.violated(server, &what);
            }
        }
        let counted: BTreeSet<&str> = rows
            .iter()
            .filter(|row| {
                row.status == Status::Completed
                    && view.rotation(&row.name) == Some(index)
                    && !view.protects(row.id, &row.name)
                    && row.shown.is_some_and(|at| at <= now)
                    // Beside one that a clock ahead made too early, the newest settled slot's stays.
                    && newest.as_ref().is_none_or(|newest| row.name <= *newest)
            })
            .map(|row| row.name.as_str())
            .collect();
        // What was begun in the last hour may be completed this very instant, and the look
        // that makes it count is yet to come.
        let young = |at: Timestamp| now.duration_since(at) < SignedDuration::from_hours(1);
        let mut begun = rows.iter();
        let under_way =
            begun.any(|row| row.status == Status::InProgress || row.shown.is_some_and(young));
        // What nothing new has replaced stays until somebody agrees, and what dates and names
        // disagree on stays; either is said (I19).
        let kept = |kind| {
            let key = (kind, rotation.name.clone());
            history.alerts.contains_key(&key)
        };
        // And the newest settled slot's, where no later slot has its own.
        let said =
            kept(AlertKind::Shrink) || kept(AlertKind::OddDate) || kept(AlertKind::SlotFailed);
        if counted.len() > rotation.keep && !blocked && !under_way && !said {
            let what = format!("{} holds more than keep: {counted:?}", rotation.name);
            world.violated(server, &what);
        }
    }
}

type SlotTable = BTreeSet<(u64, String)>;

/// The slots that the trail says to have ended without a snapshot, by server and name; and of
/// those that ended in a pause, whichever ended by a clock that was ahead.
fn missed(trail: &str) -> (SlotTable, SlotTable) {
    let (mut failed, mut paused) = (SlotTable::new(), SlotTable::new());
    let mut open: Vec<(Timestamp, (u64, String))> = Vec::new();
    for line in trail.lines() {
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let time = |key: &str| record[key].as_str()?.parse::<Timestamp>().ok();
        if let Some(now) = time("time").filter(|_| !open.is_empty()) {
            let (ahead, others) = open.into_iter().partition(|(slot, _)| *slot > now);
            open = others;
            let ahead: Vec<_> = ahead;
            paused.extend(ahead.into_iter().map(|(_, which)| which));
        }
        let server = ids::of(&record["server"]);
        let name = record["snapshot"].as_str().unwrap_or_default();
        let which = (server, name.to_owned());
        match record["event"].as_str().unwrap_or_default() {
            "slot_skipped" if record["paused"] == true => {
                open.extend(time("slot").map(|slot| (slot, which)));
            }
            "slot_skipped" | "slot_given_up" => {
                failed.insert(which);
            }
            _ => {}
        }
    }
    (failed, paused)
}

/// Intents that the trail never ends, though it goes on for that server.
fn without_outcome(trail: &str) -> Vec<(u64, String)> {
    let mut open: BTreeMap<u64, String> = BTreeMap::new();
    let mut powered: BTreeMap<u64, String> = BTreeMap::new();
    let mut missing = Vec::new();
    for line in trail.lines() {
        let Ok(record) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let server = ids::of(&record["server"]);
        let about = |key: &str| record[key].to_string();
        match record["event"].as_str().unwrap_or_default() {
            "create_intent" => {
                let what = about("snapshot");
                if let Some(before) = open.insert(server, what) {
                    missing.push((server, format!("no outcome of {before}")));
                }
            }
            "restore_intent" => {
                if let Some(before) = open.insert(server, about("id")) {
                    missing.push((server, format!("no outcome of {before}")));
                }
            }
            "delete_intent" => {
                let what = about("id");
                if let Some(before) = open.insert(server, what.clone())
                    && before != what
                {
                    missing.push((server, format!("no outcome of {before}")));
                }
            }
            "stop_intent" | "start_intent" => {
                let what = record["event"].to_string();
                if let Some(before) = powered.insert(server, what) {
                    missing.push((server, format!("no outcome of {before}")));
                }
            }
            "stop_result" | "start_result" => {
                powered.remove(&server);
            }
            "create_result" | "delete_result" | "delete_confirmed" | "restore_result" => {
                open.remove(&server);
            }
            _ => {}
        }
    }
    missing
}
