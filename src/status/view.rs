//! How things stand, as a value: what `status --json` and the control socket say.
//!
//! Times are RFC 3339 in UTC. A field that is `null` is not known, or there is none.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{state, unlisted};
use crate::api::SnapshotApi;
use crate::core::fact::{AlertKind, Ending, Standing};
use crate::core::history::Open;
use crate::core::noted::SlotNote;
use crate::core::order;
use crate::core::plan::Upcoming;
use crate::core::policy::Rotation;
use crate::core::snapshot::{ServerId, SnapshotId, Status};
use crate::core::verdict::verdicts;
use crate::engine::{Engine, Known};
use crate::notify::ReceiverView;

/// The whole service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetView {
    /// The service's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Its main configuration file.
    pub config: String,
    /// Since when it runs.
    pub started: Timestamp,
    /// When it last began to read the files that are in force.
    #[serde(default)]
    pub read: Option<Timestamp>,
    /// When this was said.
    pub time: Timestamp,
    /// Whether no alert stands.
    pub healthy: bool,
    /// Since when every server is paused at once.
    #[serde(default)]
    pub paused: Option<Timestamp>,
    /// Every alert that stands, the whole service's first.
    pub alerts: Vec<Alert>,
    /// Every server with a policy, by id.
    pub servers: Vec<ServerView>,
    /// Who is told of alerts, and how that goes.
    #[serde(default)]
    pub receivers: Vec<ReceiverView>,
}

/// An alert that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its kind, by the trail's word.
    pub alert: String,
    /// The server that it concerns, if it is one.
    pub server: Option<ServerId>,
    /// What it is about: a rotation, a snapshot's name, the account.
    pub about: String,
    /// Why it stands, and what to do.
    pub reason: String,
    /// Since when; `null` where an older trail doesn't say.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// What a server is at, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing is due.
    Resting,
    /// A mutation is open, or a snapshot is being made.
    Working,
    /// A slot is due and not settled: it waits for its turn, its next attempt, or the provider.
    Due,
    /// Nothing may be done.
    Blocked,
    /// Nothing is done until `resume`.
    Paused,
    /// Not listed yet by this process.
    Unseen,
}

impl State {
    /// Its word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Working => "working",
            Self::Due => "due",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Unseen => "unseen",
        }
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// The provider's number of it.
    pub id: ServerId,
    /// What it is called: by the policy, else by the policy's file.
    pub name: String,
    /// The policy file's stem.
    pub file: String,
    /// What it is at.
    pub state: State,
    /// Why, where there is more to say.
    pub reason: Option<String>,
    /// Snapshots that it may hold.
    pub limit: usize,
    /// When its snapshots were listed last.
    pub listed: Option<Timestamp>,
    /// Why its snapshots can't be listed now, or what keeps the answer; `null` where all is well.
    #[serde(default)]
    pub unlisted: Option<String>,
    /// What it held then.
    pub snapshots: Vec<SnapshotView>,
    /// Its rotations, in the order of the file.
    pub rotations: Vec<RotationView>,
    /// What is created and deleted next; only of a server that is asked for by itself.
    #[serde(default)]
    pub upcoming: Option<Upcoming>,
}

impl ServerView {
    /// When the newest and the oldest completed snapshot were made, whosever they are: as far
    /// as one can go back.
    pub(super) fn back(&self) -> Option<(Timestamp, Timestamp)> {
        let completed = self.snapshots.iter().filter(|s| s.status == "completed");
        let made: Vec<_> = completed.filter_map(|s| s.created_at).collect();
        Some((*made.iter().max()?, *made.iter().min()?))
    }

    /// When the completed snapshot of this slot was made, as far as a listing showed it.
    pub(super) fn made(&self, slot: &LastSlot) -> Option<Timestamp> {
        let mut all = self.snapshots.iter();
        let own = all.find(|s| s.name == slot.snapshot && s.status == "completed")?;
        own.created_at
    }
}

/// A snapshot, and what it is to the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// The provider's number of it.
    pub id: SnapshotId,
    /// Its name, as the provider gives it.
    pub name: String,
    /// The provider's status word.
    pub status: String,
    /// When it was made, by the provider.
    pub created_at: Option<Timestamp>,
    /// The rotation whose it is; `null`: foreign.
    pub rotation: Option<String>,
    /// What becomes of it, by the words of `plan --json`.
    pub verdict: String,
    /// Why.
    pub reason: String,
}

impl SnapshotView {
    /// What takes up the room: `own` (and completed), `foreign`, or of the own ones
    /// `in_progress`, `failed` and, with any other status, `odd`.
    pub(super) fn kind(&self) -> &'static str {
        match (&self.rotation, self.status.as_str()) {
            (None, _) => "foreign",
            (_, "completed") => "own",
            (_, "in_progress") => "in_progress",
            (_, "failed") => "failed",
            _ => "odd",
        }
    }
}

/// A rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationView {
    /// Its name.
    pub name: String,
    /// How many it keeps.
    pub keep: usize,
    /// How many completed ones it holds.
    pub held: Option<usize>,
    /// When the newest completed one was made; before the first listing, for which slot.
    pub completed: Option<Timestamp>,
    /// The newest slot that is due, or that the trail knows.
    pub last: Option<LastSlot>,
    /// The next one.
    pub next: Option<NextSlot>,
}

/// A slot that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSlot {
    /// Its snapshot's name.
    pub snapshot: String,
    /// Its scheduled instant.
    pub slot: Timestamp,
    /// How it ended: `completed`, `given_up`, `skipped`, `paused`; `null` while it is worked on.
    pub ending: Option<String>,
}

/// A slot to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextSlot {
    /// Its snapshot's name.
    pub snapshot: String,
    /// When it is due, splay included.
    pub at: Timestamp,
}

#[cfg(test)]
impl FleetView {
    /// Of a service without servers.
    pub(super) fn of_nothing() -> Self {
        let time = "2026-11-25T06:00:00Z".parse().expect("a time");
        Self {
            version: "1".to_owned(),
            pid: 1,
            config: "x.toml".to_owned(),
            started: time,
            read: None,
            time,
            healthy: true,
            paused: None,
            alerts: Vec::new(),
            servers: Vec::new(),
            receivers: Vec::new(),
        }
    }
}

impl FleetView {
    /// How the engine's servers stand, and `more` alerts of the service itself, which began
    /// at the first of the two times and says this at the second.
    pub fn of<A: SnapshotApi>(
        engine: &Engine<A>,
        more: Vec<Alert>,
        config: &Path,
        (started, time): (Timestamp, Timestamp),
    ) -> Self {
        let wide = engine.account_alerts().into_iter().map(|standing| Alert {
            alert: standing.alert,
            server: None,
            about: standing.about,
            reason: standing.standing.reason,
            since: standing.standing.since,
        });
        let mut alerts: Vec<_> = more.into_iter().chain(wide).collect();
        let mut servers = Vec::new();
        let refused = engine.watched().account_refused;
        for server in engine.policies().keys() {
            engine.known(*server, |known| {
                alerts.extend(standing(known));
                servers.push(view(known, refused));
            });
        }
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            config: config.display().to_string(),
            started,
            read: None,
            time,
            healthy: alerts.is_empty(),
            paused: engine.all_paused(),
            alerts,
            servers,
            receivers: Vec::new(),
        }
    }
}

fn standing(known: Known<'_>) -> impl Iterator<Item = Alert> {
    let server = Some(known.policy.server);
    let alerts = known.history.alerts.iter();
    alerts.map(
        move |((kind, about), standing): (&(AlertKind, String), &Standing)| Alert {
            alert: kind.word().to_owned(),
            server,
            about: about.clone(),
            reason: standing.reason.clone(),
            since: standing.since,
        },
    )
}

pub(super) fn view(known: Known<'_>, refused: bool) -> ServerView {
    let Known {
        policy,
        rules,
        history,
        seen,
        now,
        ..
    } = known;
    let snapshots = seen.map_or_else(Vec::new, |seen| {
        let inventory = seen.inventory();
        let verdicts = verdicts(policy, &inventory, history, rules, now);
        let deleted = match &history.open {
            Some(Open::Delete { id, .. }) => Some(*id),
            _ => None,
        };
        let rows = inventory.snapshots.into_iter().zip(verdicts);
        rows.map(|(row, verdict)| SnapshotView {
            id: row.id,
            status: row.status.word().to_owned(),
            created_at: row.created_at,
            rotation: policy
                .place(&row.name)
                .map(|place| policy.rotations[place.rotation].name.clone()),
            verdict: verdict.fate.word().to_owned(),
            reason: match deleted {
                Some(id) if id == row.id => {
                    "it is being deleted, until listings agree that it is gone".to_owned()
                }
                _ => verdict.reason,
            },
            name: row.name,
        })
        .collect()
    });
    let rotations = policy.rotations.iter();
    let rotations: Vec<_> = rotations.map(|r| rotation(known, r, &snapshots)).collect();
    let (state, reason) = state(known, refused, &snapshots, &rotations);
    let hold = history.hold.as_deref().map(order::holding);
    let reasons: Vec<_> = reason.into_iter().chain(hold).collect();
    ServerView {
        id: policy.server,
        name: policy.called().to_owned(),
        file: policy.file.clone(),
        state,
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        limit: rules.limit,
        listed: seen.map(|seen| seen.at),
        unlisted: unlisted(known),
        rotations,
        snapshots,
        upcoming: None,
    }
}

fn rotation(known: Known<'_>, rotation: &Rotation, snapshots: &[SnapshotView]) -> RotationView {
    let completed = Status::Completed;
    let held = snapshots
        .iter()
        .filter(|s| s.rotation.as_ref() == Some(&rotation.name) && s.status == completed.word());
    let made = if known.seen.is_some() {
        held.clone().filter_map(|s| s.created_at).max()
    } else {
        let slots = known.history.slots(&rotation.name);
        let settled = slots.filter(|note| note.ending == Some(Ending::Completed));
        settled.map(|note| note.at).max()
    };
    let now = known.now.wall;
    let noted = known.history.newest(&rotation.name, now);
    let due = rotation.newest_due(now).filter(|slot| {
        noted.is_none_or(|note| note.at < slot.at) && rotation.within_catch_up(*slot, now)
    });
    let last = match (due, noted) {
        // The trail hears of it when the server is looked at.
        (Some(slot), _) => Some(LastSlot {
            snapshot: rotation.pattern.format(slot.local),
            slot: slot.at,
            ending: None,
        }),
        (None, noted) => noted.map(|note| LastSlot {
            snapshot: settled_by(known, rotation, note),
            slot: note.at,
            ending: note.ending.map(|ending| ending_word(ending).to_owned()),
        }),
    };
    RotationView {
        name: rotation.name.clone(),
        keep: rotation.keep,
        held: known.seen.map(|_| held.count()),
        completed: made,
        last,
        next: rotation.next_slot(now).map(|(slot, at)| NextSlot {
            snapshot: rotation.pattern.format(slot.local),
            at,
        }),
    }
}

/// The name of the snapshot that a slot has: where none bears its own, it may be that of a
/// former pattern.
fn settled_by(known: Known<'_>, rotation: &Rotation, note: &SlotNote) -> String {
    let rows = known.seen.map_or(&[][..], |seen| &seen.rows);
    let there = |name: &String| rows.iter().any(|row| row.name == *name);
    let place = known
        .policy
        .place(&note.name)
        .filter(|_| !there(&note.name));
    let names = place.into_iter().flat_map(|place| {
        let patterns = rotation.slot_patterns();
        patterns.map(move |pattern| pattern.format(place.local))
    });
    let former = names.into_iter().find(there);
    former.unwrap_or_else(|| note.name.clone())
}

fn ending_word(ending: Ending) -> &'static str {
    match ending {
        Ending::Completed => "completed",
        Ending::GivenUp => "given_up",
        Ending::Skipped => "skipped",
        Ending::Paused => "paused",
    }
}
