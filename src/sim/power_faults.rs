//! Power: rotations that stop their servers, people who switch servers, and power calls that fail.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::director_state::{Director, Disturbance};
use super::ids;
use super::machines::{Machines, StoppedBy};
use super::provider::World;
use super::rng::Rng;
use super::true_state::{TimedChange, error};
use super::world_setup::WorldSetup;
use crate::api::{CreatedSnapshot, ErrorKind, PowerAction};
use crate::core::policy::{Policy, ReleaseWhen, StopServer};
use crate::core::server_info::PowerState;

/// Faults of power calls, with their odds in a thousand; the words after the colon set the outcome.
const FAULTS: [(&str, u64); 10] = [
    ("power: 409", 30),
    ("power: 400", 20),
    ("power: 500, done", 30),
    ("power: 500, not done", 30),
    ("power: no answer, done", 40),
    ("power: no answer, not done", 40),
    ("power: no answer, done late", 40),
    ("power: connection refused", 30),
    ("power: without effect", 60),
    ("power: slow", 60),
];

/// The faults for which the answer reports a success.
pub(super) const ODD: [&str; 2] = ["power: without effect", "power: slow"];

/// The longest lag of a stale state.
pub(super) const STALE: SignedDuration = SignedDuration::from_mins(4);

pub(super) const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Makes some rotations stop their servers.
pub(super) fn draw(setting: &mut WorldSetup, seed: u64) -> Machines {
    let mut rng = Rng::new(seed ^ 0x0070_6f77_6572);
    for (policy, view) in setting.wanted.iter_mut().flatten() {
        let mut stopping = Policy::clone(policy);
        for (rotation, view) in stopping.rotations.iter_mut().zip(&mut view.rotations) {
            if !rng.chance(250) {
                continue;
            }
            view.stops = true;
            rotation.stop = Some(Box::new(StopServer {
                timeout: MINUTE * rng.pick(&[3, 5]),
                restart: rng.pick(&[
                    ReleaseWhen::Completed,
                    ReleaseWhen::Completed,
                    ReleaseWhen::Accepted,
                ]),
                longest: MINUTE * rng.pick(&[10, 15, 40]),
            }));
        }
        *policy = Arc::new(stopping);
    }
    Machines {
        wild: true,
        ..Machines::new(rng)
    }
}

/// A failed write is recent if there have been fewer disk changes than this since.
pub(super) const RECENT: u64 = 200;

impl World {
    /// Draws the fault of a power call.
    pub(super) fn power_fault(&mut self) -> Option<&'static str> {
        if self.quiet || !self.machines.wild {
            return None;
        }
        let mut drawn = self.machines.rng.below(1000);
        for (kind, share) in FAULTS {
            if drawn < share {
                self.fire(kind);
                return Some(kind);
            }
            drawn -= share;
        }
        None
    }

    /// Returns the server's state as the provider reports it.
    pub(super) fn state(&mut self, server: u64) -> PowerState {
        let now = self.now();
        let drawn = if self.quiet || !self.machines.wild {
            1000
        } else {
            self.machines.rng.below(1000)
        };
        let seen = match drawn {
            0..20 => {
                self.fire("state: no answer");
                return PowerState::Untold("no answer".into());
            }
            20..30 => {
                self.fire("state: another word");
                return PowerState::Other("suspended".into());
            }
            30..80 => {
                self.fire("state: stale");
                now - self.machines.rng.time(SignedDuration::ZERO, STALE)
            }
            _ => now,
        };
        if self.token_refused {
            return PowerState::Untold("401".into());
        }
        let machine = self.machines.machine(server);
        let runs = machine.ran_at(seen);
        machine.reported(runs);
        self.tell(|| format!("state    server {server}: runs: {runs}"));
        if runs {
            PowerState::Active
        } else {
            PowerState::Stopped
        }
    }

    /// Applies a power call, if the provider accepts it, and stores its answer.
    pub(super) fn power(
        &mut self,
        call: u64,
        server: u64,
        action: PowerAction,
        kind: Option<&str>,
    ) {
        let machine = self.machines.machine(server);
        let fits = machine.down.is_none() == (action == PowerAction::Stop);
        let fits = fits && !machine.switching;
        machine.switching |= fits && kind != Some("power: without effect");
        self.tell(|| format!("effect   server {server}: {action:?}, taken: {fits}"));
        let answer = if fits {
            Ok(nothing())
        } else {
            Err(error(ErrorKind::Refused, Some(400)))
        };
        self.answers.insert(call, answer);
        if !fits || kind == Some("power: without effect") {
            return;
        }
        let takes = match kind {
            Some("power: slow") => self.machines.rng.time(2 * MINUTE, 8 * MINUTE),
            _ => self.machines.rng.time(SignedDuration::from_secs(1), MINUTE),
        };
        self.schedule(takes, TimedChange::Switched(server, action));
    }

    /// Ends a switch: the server is up or down now.
    pub(super) fn switched(&mut self, at: Timestamp, server: u64, action: PowerAction) {
        self.tell(|| format!("effect   server {server}: {action:?} is done"));
        let machine = self.machines.machine(server);
        machine.switching = false;
        let person = machine
            .person
            .is_some_and(|then| at.duration_since(then) < 15 * MINUTE);
        machine.downs += u32::from(action == PowerAction::Stop);
        let by = if person {
            StoppedBy::Either
        } else {
            StoppedBy::Rotation
        };
        machine.switch(at, (action == PowerAction::Stop).then_some(by));
    }

    /// Shuts a server down or starts it as a person does.
    pub(super) fn switch_by_hand(&mut self, server: u64, stop: bool) {
        self.advance();
        let now = self.now();
        let owed = self.owes_a_start(server);
        let machine = self.machines.machine(server);
        if machine.switching || machine.down.is_none() != stop {
            return;
        }
        // While the rotation owes a start, a person's stop can't be distinguished from its own.
        let by = if owed {
            StoppedBy::Either
        } else {
            StoppedBy::Person
        };
        machine.person = Some(now);
        machine.switch(now, stop.then_some(by));
        self.fire(if stop {
            "person: stops the server"
        } else {
            "person: starts the server"
        });
    }
}

fn nothing() -> CreatedSnapshot {
    CreatedSnapshot {
        hostname: None,
        uuid: None,
        id: ids::snapshot(0),
        server_name: None,
        name: String::new(),
    }
}

impl Director {
    /// Draws the times at which people stop and start servers.
    pub(super) fn draw_switches(&mut self, seed: u64, start: Timestamp, servers: u64) {
        let mut rng = Rng::new(seed ^ 0x7377_6974_6368);
        let span = self.quiet_from.duration_since(start);
        for _ in 0..rng.below(servers * 3) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let server = 1 + rng.below(servers);
            let until = at + rng.time(MINUTE, 30 * 60 * MINUTE);
            self.plan(at, Disturbance::PersonSwitches(server, true));
            self.plan(until, Disturbance::PersonSwitches(server, false));
        }
    }
}
