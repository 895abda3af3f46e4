//! What a policy yields in the long run: which snapshots will exist, and how old the
//! recovery points are, from the policy alone.
//!
//! The rehearsal behind `plan` lives through the coming days, slot by slot, so that this
//! is the real decision and no second idea of retention. It begins with an empty server,
//! early enough that every rotation is full when the shown time begins: each rotation joins
//! keep + 1 of its own slots before, so that a yearly one costs no years of an hourly one.
//! Every step succeeds, and a create is completed at the next look (`poll_interval`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Serialize, Serializer};

use super::decide::Inventory;
use super::fact::Now;
use super::history::History;
use super::plan::{Do, Plan};
use super::policy::{Policy, Rotation, Rules};
use super::recovery::{Recovery, Usable, recovery};
use super::rehearsal::Rehearsal;
use super::snapshot::{ServerId, SnapshotId, Status};

/// One server's coming days.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The server.
    pub id: ServerId,
    /// What it is called: by the policy, else by its file.
    pub name: String,
    /// When the shown time begins.
    pub from: Timestamp,
    /// When it ends: with the last of its days.
    pub until: Timestamp,
    /// The zone of the days: the first rotation's.
    #[serde(serialize_with = "zone_name")]
    pub zone: TimeZone,
    /// The recovery points of all rotations together.
    pub recovery: Recovery,
    /// Each rotation for itself, in the order of the file.
    pub rotations: Vec<Outlook>,
    /// Every snapshot that exists at some time of the span, oldest first.
    pub snapshots: Vec<Life>,
    /// What happens, in order.
    pub events: Vec<Event>,
    /// What exists at the end of each day.
    pub days: Vec<Day>,
}

/// One rotation's part in a forecast.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// Its name.
    pub name: String,
    /// Completed slots that it keeps.
    pub keep: usize,
    /// The zone of its schedule and names.
    #[serde(serialize_with = "zone_name")]
    pub zone: TimeZone,
    /// The recovery points that it alone gives.
    pub recovery: Recovery,
}

/// One snapshot from its making to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Life {
    /// Its name.
    pub name: String,
    /// The rotation that makes it.
    pub rotation: String,
    /// Its slot's local time as far as the name tells it: of a date alone, midnight.
    #[serde(skip)]
    pub slot: DateTime,
    /// When it is made.
    pub created_at: Timestamp,
    /// When it is completed, if that is within the span.
    pub completed_at: Option<Timestamp>,
    /// When it is deleted, if that is within the span.
    pub deleted_at: Option<Timestamp>,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// A create, a delete, or that a slot finds the server blocked.
    #[serde(rename = "do")]
    pub do_: Do,
    /// The snapshot's name.
    pub name: Option<String>,
    /// Its rotation.
    pub rotation: Option<String>,
    /// Why, in one line.
    pub reason: String,
}

/// What exists at the end of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day, in the forecast's zone.
    pub date: Date,
    /// The names of the snapshots, oldest first.
    pub snapshots: Vec<String>,
}

/// Forecasts one server from `from` on: the rest of that day, and the days after it, `days`
/// in all.
pub fn forecast(policy: &Policy, rules: &Rules, from: Timestamp, days: u32) -> Forecast {
    let zone = policy.rotations.first();
    let zone = zone.map_or(TimeZone::UTC, |first| first.schedule.zone().clone());
    let ends = day_ends(&zone, from, days);
    let until = ends.last().map_or(from, |(_, end)| *end);
    let (lives, events) = live(policy, rules, from, until);
    let of = |rotation: Option<&str>| {
        let lives = lives.iter();
        let lives = lives.filter(|life| rotation.is_none_or(|name| life.rotation == name));
        recovery(lives.filter_map(Life::usable), from, until)
    };
    let rotations = policy.rotations.iter().map(|rotation| Outlook {
        name: rotation.name.clone(),
        keep: rotation.keep,
        zone: rotation.schedule.zone().clone(),
        recovery: of(Some(&rotation.name)),
    });
    let days = ends.into_iter().map(|(date, end)| Day {
        date,
        snapshots: lives
            .iter()
            .filter(|life| life.created_at < end && life.deleted_at.is_none_or(|at| at >= end))
            .map(|life| life.name.clone())
            .collect(),
    });
    Forecast {
        id: policy.server,
        name: policy.name.as_ref().unwrap_or(&policy.file).clone(),
        from,
        until,
        recovery: of(None),
        rotations: rotations.collect(),
        days: days.collect(),
        zone,
        events,
        snapshots: lives,
    }
}

/// Lives through it all; what is of the span between `from` and `until`.
fn live(
    policy: &Policy,
    rules: &Rules,
    from: Timestamp,
    until: Timestamp,
) -> (Vec<Life>, Vec<Event>) {
    let stages = stages(policy, from);
    let start = stages.first().map_or(from, |(start, _)| *start);
    let mut rehearsal = Rehearsal {
        policy,
        rules,
        inventory: Inventory {
            server_name: None,
            snapshots: Vec::new(),
            requested: SignedDuration::ZERO,
            doubt: None,
        },
        history: History::default(),
        now: Now {
            wall: start,
            mono: SignedDuration::ZERO,
        },
        created: BTreeSet::new(),
        plan: Plan {
            id: policy.server,
            name: String::new(),
            steps: Vec::new(),
            snapshots: Vec::new(),
            until: None,
        },
    };
    let mut seen = Seen::default();
    for (nth, (start, stage)) in stages.iter().enumerate() {
        let end = stages.get(nth + 1).map_or(until, |(start, _)| *start);
        rehearsal.policy = stage;
        let mut next = Some(*start);
        while let Some(at) = next.filter(|at| *at < end) {
            rehearsal.pass_until(at);
            rehearsal.run(|look| seen.take(look));
            // Blocked, it looks again when a slot is due.
            let now = rehearsal.now.wall;
            let due = stage.rotations.iter().filter_map(|r| r.next_due(now)).min();
            next = rehearsal.plan.until.or(due);
            // Ids of what is gone serve nothing any more; the newest one is always there.
            let rows = &rehearsal.inventory.snapshots;
            rehearsal
                .created
                .retain(|id| rows.iter().any(|s| s.id == *id));
        }
    }
    seen.between(from, until)
}

/// The policy as it grows: from when on with which rotations; at last with all.
fn stages(policy: &Policy, from: Timestamp) -> Vec<(Timestamp, Policy)> {
    let starts = policy
        .rotations
        .iter()
        .map(|rotation| begin(rotation, from));
    let starts: Vec<_> = starts.collect();
    let order: BTreeSet<_> = starts.iter().copied().collect();
    let stage = |start: Timestamp| {
        let rotations = policy.rotations.iter().zip(&starts);
        let rotations = rotations.filter(|(_, begins)| **begins <= start);
        Policy {
            rotations: rotations.map(|(rotation, _)| rotation.clone()).collect(),
            ..policy.clone()
        }
    };
    order
        .into_iter()
        .map(|start| (start, stage(start)))
        .collect()
}

/// When the rotation's slot is due that lies keep + 1 slots back; one that never fired
/// begins with the span.
fn begin(rotation: &Rotation, from: Timestamp) -> Timestamp {
    let before = |at: Timestamp| {
        let instant = at.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        rotation.schedule.previous(instant)
    };
    let slots = std::iter::successors(rotation.newest_due(from), |slot| before(slot.at));
    let first = slots.take(rotation.keep.saturating_add(1)).last();
    let due = first.and_then(|slot| slot.at.checked_add(rotation.splay).ok());
    due.unwrap_or(from)
}

/// The days, and when each ends: with the first instant of the next.
fn day_ends(zone: &TimeZone, from: Timestamp, days: u32) -> Vec<(Date, Timestamp)> {
    let today = zone.to_datetime(from).date();
    let end = |nth: u32| {
        let date = today.checked_add(Span::new().try_days(nth).ok()?).ok()?;
        let next = date.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
        Some((date, next.timestamp()))
    };
    (0..days).map_while(end).collect()
}

/// What the rehearsal showed.
#[derive(Default)]
struct Seen {
    alive: BTreeMap<SnapshotId, Life>,
    gone: Vec<Life>,
    events: Vec<Event>,
    /// How many of the plan's steps are among the events.
    steps: usize,
}

impl Seen {
    fn take(&mut self, look: &Rehearsal<'_>) {
        let now = look.now.wall;
        let rotation = |name: &str| {
            let place = look.policy.place(name)?;
            Some((look.policy.rotations[place.rotation].name.clone(), place))
        };
        for step in &look.plan.steps[self.steps..] {
            if step.do_ != Do::Wait {
                let of = step.name.as_deref().and_then(rotation);
                self.events.push(Event {
                    time: now,
                    do_: step.do_,
                    name: step.name.clone(),
                    rotation: of.map(|(rotation, _)| rotation),
                    reason: step.reason.clone(),
                });
            }
        }
        self.steps = look.plan.steps.len();
        let rows = &look.inventory.snapshots;
        for row in rows {
            if !self.alive.contains_key(&row.id)
                && let Some((rotation, place)) = rotation(&row.name)
            {
                let life = Life {
                    name: row.name.clone(),
                    rotation,
                    slot: place.local,
                    created_at: row.created_at.unwrap_or(now),
                    completed_at: None,
                    deleted_at: None,
                };
                self.alive.insert(row.id, life);
            }
            if row.status == Status::Completed
                && let Some(life) = self.alive.get_mut(&row.id)
            {
                life.completed_at.get_or_insert(now);
            }
        }
        if self.alive.len() > rows.len() {
            let left = |id: &SnapshotId| !rows.iter().any(|row| row.id == *id);
            let gone: Vec<_> = self.alive.keys().copied().filter(left).collect();
            let gone = gone.into_iter().filter_map(|id| self.alive.remove(&id));
            self.gone.extend(gone.map(|life| Life {
                deleted_at: Some(now),
                ..life
            }));
        }
    }

    /// What is of the span; what comes later is not known in it.
    fn between(self, from: Timestamp, until: Timestamp) -> (Vec<Life>, Vec<Event>) {
        let within = |at: &Timestamp| *at < until;
        let all = self.gone.into_iter().chain(self.alive.into_values());
        let mut lives: Vec<_> = all
            .filter(|life| life.created_at < until && life.deleted_at.is_none_or(|at| at > from))
            .map(|life| Life {
                completed_at: life.completed_at.filter(within),
                deleted_at: life.deleted_at.filter(within),
                ..life
            })
            .collect();
        lives.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
        let mut events = self.events;
        events.retain(|event| event.time >= from && event.time < until);
        (lives, events)
    }
}

impl Life {
    fn usable(&self) -> Option<Usable> {
        Some(Usable {
            made: self.created_at,
            since: self.completed_at?,
            until: self.deleted_at,
        })
    }
}

fn zone_name<S: Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
    zone.iana_name().serialize(serializer)
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;
