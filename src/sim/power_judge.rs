//! The invariants of power calls (I20), judged by which servers truly run.

use super::ids;
use super::machines::StoppedBy;
use super::power_faults::{MINUTE, RECENT, STALE};
use super::provider::World;
use crate::api::PowerAction;

/// Bytes at the trail's end that are searched for a start that is owed.
const SEARCHED: usize = 256 * 1024;

/// Events of a downtime; a server's last one shows whether its start is owed.
const EVENTS: [&str; 5] = [
    "stop_intent",
    "stop_confirmed",
    "start_intent",
    "start_result",
    "start_confirmed",
];

impl World {
    /// Returns true while the trail says that the rotation owes the server a start.
    pub(super) fn owes_a_start(&self, server: u64) -> bool {
        let of = ids::about(server);
        let tail = self.trail_tail(SEARCHED);
        let mut powered = tail.lines().rev().filter(|line| of(line));
        let last = powered.find_map(|line| {
            let mut events = EVENTS.iter();
            events.find(|event| line.contains(&format!("\"event\":\"{event}\"")))
        });
        last.is_some_and(|event| *event != "start_confirmed")
    }

    /// Judges a power call that is being sent.
    pub(super) fn judge_power(&mut self, server: u64, action: PowerAction) {
        self.advance();
        self.judge.ask("I20");
        let event = match action {
            PowerAction::Stop => "stop_intent",
            PowerAction::Start => "start_intent",
        };
        let last = self.trail_end();
        let said = last.contains(&format!("\"event\":\"{event}\"")) && ids::about(server)(&last);
        // A start is sent even if the trail can't be written.
        let unwritable = action == PowerAction::Start && {
            let disk = self.disk.set();
            let since = disk.failed.map(|failed| disk.changes - failed);
            since.is_some_and(|changes| changes < RECENT)
        };
        if !unwritable && !said {
            self.violated(server, "I6: no durable intent is the trail's last word");
        }
        let now = self.now();
        if action == PowerAction::Start {
            if self.machines.machine(server).down == Some(StoppedBy::Person) {
                self.violated(server, "I20: a start of a server that a person stopped");
            }
            return;
        }
        if self.wishes.paused(server, self.wall()) {
            self.violated(server, "paused: a stop");
        }
        let name = last.split("\"snapshot\":\"").nth(1);
        let name = name
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default();
        let attempts = self.in_force.get(&server).and_then(|view| {
            let rotation = view.rotation(name)?;
            Some(view.rotations[rotation].attempts)
        });
        let machine = self.machines.machine(server);
        // The state on which the program decided may be several minutes old.
        if machine.down == Some(StoppedBy::Person) && now.duration_since(machine.since) < 2 * STALE
        {
            machine.down = Some(StoppedBy::Either);
        }
        let stops = machine.stops.entry(name.to_owned()).or_default();
        *stops += 1;
        // The factor allows for stops that were refused only for now, which don't count as
        // attempts, and for a lost trail.
        if attempts.is_none_or(|attempts| *stops > 6 * attempts) {
            let what = format!("I20: it is stopped again and again for {name}");
            self.violated(server, &what);
        }
    }

    /// Judges a create that is being sent for a rotation that stops its server.
    pub(super) fn judge_stopped(&mut self, server: u64, name: &str) {
        self.judge.ask("I20");
        let now = self.now();
        let machine = self.machines.machine(server);
        let stood = !machine.ran_at(now) || !machine.ran_at(now - 2 * STALE);
        let person = machine
            .person
            .is_some_and(|at| now.duration_since(at) < 60 * MINUTE);
        if !stood && !person {
            let what = format!("I20: {name} is made of a running server");
            self.violated(server, &what);
        }
    }
}
