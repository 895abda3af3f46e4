//! The checks some time after the faults have stopped: everything due is settled or has an alert
//! that says why not (I15), no surplus remains, and the trail records all of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::provider::World;
use super::true_state::TrueServer;
use super::world_setup::rules;
use super::{audit_dir, ids, state_dir};
use crate::audit::memory_disk::MemoryDisk;
use crate::audit::{Trail, verify_on};
use crate::core::server_event::{AlertKind, SlotOutcome};
use crate::core::server_history::{PendingOp, ServerHistory};
use crate::core::snapshot::{ServerId, Status};

/// The longest time from a slot to its snapshot or its alert, by I15: three attempts, each
/// with a call, a settle window, an hour until stuck, and an hour's pause.
const LONGEST: SignedDuration = SignedDuration::from_hours(8);

/// Returns the trail, without the tails that crashes left.
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
            let loss = |what: &str| what.contains("all earlier records are missing, as noticed");
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

/// Returns the histories that the next process would read.
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

/// Returns true if only a person can tell to which server a snapshot with the name of the open
/// create belongs: some server holds two of that name, or the server is blocked and another one,
/// on which a person may have made it, holds one.
fn waits_for_person(world: &World, server: u64, history: &ServerHistory) -> bool {
    let Some(PendingOp::Create { name, .. }) = &history.open else {
        return false;
    };
    let of_name = |server: &TrueServer| {
        let rows = server.rows.iter();
        rows.filter(|row| row.name == name.as_str()).count()
    };
    let elsewhere = |(id, other): (&u64, &TrueServer)| *id != server && of_name(other) > 0;
    world.servers.values().any(|server| of_name(server) > 1)
        || (history.blocked.is_some() && world.servers.iter().any(elsewhere))
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
    // A mutation that began just before the end may still be open.
    let since = history.open.as_ref().map(|open| match open {
        PendingOp::Create { since, .. }
        | PendingOp::Delete { since, .. }
        | PendingOp::Restore { since, .. } => since.wall,
    });
    if since.is_some_and(|since| now.duration_since(since) > LONGEST)
        && !waits_for_person(world, server, history)
    {
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
            // Names of one rotation sort in the order of their slots.
            let there = rows.iter().any(|row| {
                row.status == Status::Completed
                    && view.rotation(&row.name) == Some(index)
                    && row.name >= name
            });
            let noted = history
                .slots(&rotation.name)
                .any(|note| *note.name >= *name && note.ending == Some(SlotOutcome::Completed));
            // An alert counts if it is about this slot or a later one. A slot that passed under a
            // clock that was ahead may no longer have a note, but it has a record.
            let failed = history.slots(&rotation.name).any(|note| {
                let failed = matches!(
                    note.ending,
                    Some(SlotOutcome::GivenUp | SlotOutcome::Skipped)
                );
                *note.name >= *name && failed
            });
            let which = (server, name.clone());
            // A slot that passed during a pause needs no alert, even if the clock was ahead.
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
                    && !history.is_protected_by_order(&ids::snapshot(row.id))
                    && row.shown.is_some_and(|at| at <= now)
                    // Under a clock that was ahead, a later slot's snapshot may have been made too
                    // early. It doesn't count, so the newest settled slot's snapshot stays beside
                    // it.
                    && newest.as_ref().is_none_or(|newest| row.name <= *newest)
            })
            .map(|row| row.name.as_str())
            .collect();
        // A snapshot that began in the last hour may complete at this very instant, before any
        // listing has counted it.
        let young = |at: Timestamp| now.duration_since(at) < SignedDuration::from_hours(1);
        let mut begun = rows.iter();
        let under_way =
            begun.any(|row| row.status == Status::InProgress || row.shown.is_some_and(young));
        // A surplus that nothing pays for stays until an operator agrees, and so does one on which
        // dates and names disagree. Each has an alert (I19).
        let kept = |kind| {
            let key = (kind, rotation.name.to_string());
            history.alerts.contains_key(&key)
        };
        // The newest settled slot's snapshot also stays if no later slot has one.
        let said =
            kept(AlertKind::Shrink) || kept(AlertKind::OddDate) || kept(AlertKind::SlotFailed);
        if counted.len() > rotation.keep && !blocked && !under_way && !said {
            let what = format!("{} holds more than keep: {counted:?}", rotation.name);
            world.violated(server, &what);
        }
    }
}

type SlotTable = BTreeSet<(u64, String)>;

/// Returns two sets of slots, by server and name. The first holds those that the trail records as
/// given up, or as skipped outside a pause; the second, those that were skipped in a pause by a
/// clock that was ahead.
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

/// Returns the intents that have no outcome when the server's next intent is recorded. A delete may
/// be sent again without one.
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
