//! The course of a simulation: its world, its events, and the ends of its processes.

use super::crash::{PlannedCrash, ProcessProgress};
use super::operator_wishes::OperatorAction;
use super::provider::World;
use crate::audit::memory_disk::{Crash, MemoryDisk};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// The end of a process.
pub(super) enum ProcessEnd {
    Crash(Crash, SignedDuration),
    Restart(SignedDuration),
    TrailLost,
    Over,
}

pub(super) struct Director {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) disk: MemoryDisk,
    pub(super) events: BTreeMap<(Timestamp, u64), Disturbance>,
    pub(super) nth: u64,
    /// Index of the policy in force, for each server.
    pub(super) chosen: Vec<Option<usize>>,
    /// The state of the disk after the planned death.
    pub(super) crash: Crash,
    pub(super) quiet_from: Timestamp,
    pub(super) end: Timestamp,
    /// The planned deaths of the next processes, one each.
    pub(super) deaths: VecDeque<PlannedCrash>,
    /// The progress of the processes so far.
    pub(super) lives: Vec<ProcessProgress>,
}

/// An event that the process can't influence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disturbance {
    /// The process is killed, or the power fails; it starts again after the pause.
    Crash(Crash, SignedDuration),
    /// The process dies in one of its next mutations or disk changes.
    Doomed(PlannedCrash),
    /// The process is shut down cleanly and started again after the pause.
    Restart(SignedDuration),
    /// The disk has room for this many more bytes, for a while.
    DiskFull(usize),
    DiskFree,
    SyncsFail(u32),
    /// The wall clock is stepped by this much.
    Step(SignedDuration),
    /// The host sleeps for this long.
    Sleep(SignedDuration),
    /// The server gets another policy, or none for a while.
    Reload(u64, Option<usize>),
    TokenRefused,
    TokenTaken,
    /// The process is stopped, somebody removes the trail and, unless a call is in flight, the
    /// state folder, and the process is started again.
    TrailLost,
    PersonAdds(u64),
    PersonTakes(u64),
    /// The provider gives the server's manual snapshots other dates, for example after a move to
    /// another region.
    Redated(u64),
    /// A person makes a snapshot with the next slot's name.
    PersonForestalls(u64),
    /// A server has another name for a while.
    Renamed(u64),
    NamedBack(u64),
    /// A person stops a server (`true`) or starts it.
    PersonSwitches(u64, bool),
    Operator(OperatorAction),
    Quiet,
    End,
}
