//! The true power states of servers.

use super::rng::Rng;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A downtime that began at most this long before the end may still be open.
const YOUNG: SignedDuration = SignedDuration::from_hours(2);

/// The party that stopped a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoppedBy {
    Rotation,
    Person,
    /// One of the two; which one can't be determined.
    Either,
}

/// A server's power state.
pub(super) struct Machine {
    /// The party that stopped it; `None`: it runs.
    pub(super) down: Option<StoppedBy>,
    pub(super) since: Timestamp,
    /// The time of the last switch, and true if the server ran before it.
    pub(super) before: (Timestamp, bool),
    /// True while a switch is under way.
    pub(super) switching: bool,
    /// The time at which a person last switched it.
    pub(super) person: Option<Timestamp>,
    /// Number of answers in a row that wrongly reported it as active.
    pub(super) misreported: u32,
    /// Number of times that the rotation's calls stopped it.
    pub(super) downs: u32,
    /// Number of stops that were sent, by snapshot.
    pub(super) stops: BTreeMap<String, u32>,
}

/// The power states of all servers, and the random stream of power faults and delays.
pub(super) struct Machines {
    pub(super) rng: Rng,
    /// True if calls fail and states lag behind.
    pub(super) wild: bool,
    pub(super) all: BTreeMap<u64, Machine>,
}

impl Machines {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            rng,
            wild: false,
            all: BTreeMap::new(),
        }
    }

    /// Returns true if the server runs, and the number of times that the rotation's calls stopped
    /// it.
    pub(super) fn runs(&mut self, server: u64) -> (bool, u32) {
        let machine = self.machine(server);
        (machine.down.is_none(), machine.downs)
    }

    pub(super) fn machine(&mut self, server: u64) -> &mut Machine {
        self.all.entry(server).or_insert(Machine {
            down: None,
            since: Timestamp::MIN,
            before: (Timestamp::MIN, true),
            switching: false,
            person: None,
            misreported: 0,
            downs: 0,
            stops: BTreeMap::new(),
        })
    }

    pub(super) fn time(&mut self, least: SignedDuration, most: SignedDuration) -> SignedDuration {
        self.rng.time(least, most)
    }

    /// Forgets the rotation's stops: the trail that recorded them is lost.
    pub(super) fn forgotten(&mut self) {
        for machine in self.all.values_mut() {
            if machine.down == Some(StoppedBy::Rotation) {
                machine.down = Some(StoppedBy::Either);
            }
        }
    }

    /// Returns the servers that a rotation stopped more than [`YOUNG`] ago and that don't run.
    pub(super) fn left_down(&self, now: Timestamp) -> Vec<(u64, Timestamp)> {
        let down = self.all.iter().filter(|(_, machine)| {
            machine.down == Some(StoppedBy::Rotation) && now.duration_since(machine.since) > YOUNG
        });
        down.map(|(server, machine)| (*server, machine.since))
            .collect()
    }
}

impl Machine {
    pub(super) fn switch(&mut self, at: Timestamp, down: Option<StoppedBy>) {
        self.before = (at, self.down.is_none());
        (self.down, self.since) = (down, at);
    }

    /// Records an answer. A server that is reported as active twice in a row is considered started,
    /// so it can no longer be determined that the rotation stopped it.
    pub(super) fn reported(&mut self, runs: bool) {
        self.misreported = if runs && self.down.is_some() {
            self.misreported + 1
        } else {
            0
        };
        if self.misreported > 1 && self.down == Some(StoppedBy::Rotation) {
            self.down = Some(StoppedBy::Either);
        }
    }

    /// Returns true if it ran at this instant.
    pub(super) fn ran_at(&self, at: Timestamp) -> bool {
        if at < self.before.0 {
            return self.before.1;
        }
        self.down.is_none()
    }
}
