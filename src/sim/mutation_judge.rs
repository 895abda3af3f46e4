//! Judges each mutation by what the provider truly holds.

use std::collections::BTreeSet;

use super::deletable::{DeleteReason, may_delete};
use super::ids;
use super::judge::{AnsweredListing, OpenPromise, SEARCHED, TOLERANCE};
use super::provider::World;
use super::slot_outcome::is_ended;
use super::true_state::{TimedChange, TrueSnapshot};
use super::world_setup::LIMIT;
use crate::core::snapshot::Status;

impl World {
    pub(super) fn violated(&mut self, server: u64, what: &str) {
        if !self.is_judged(what) {
            return;
        }
        let now = self.now();
        self.tell(|| format!("VIOLATED server {server}: {what}"));
        let line = format!("{now:.3} server {server}: {what}");
        self.judge.violations.push(line);
    }

    /// Checks what every mutation must satisfy. Returns the sound listings on which it may be based.
    fn mutation(
        &mut self,
        server: u64,
        intent: &str,
        subject: &str,
        own: Option<u64>,
    ) -> Vec<AnsweredListing> {
        let wall = self.wall();
        for invariant in ["I4", "I5", "I6", "I11"] {
            self.judge.ask(invariant);
        }
        let answered = self.judge.answered.get(&server).copied();
        let bases = self.judge.bases.get(&server).cloned().unwrap_or_default();
        let before = self.judge.unhooked(server);
        let fresh: Vec<AnsweredListing> = before
            .into_iter()
            .chain(bases)
            .filter(|basis| answered.is_none_or(|at| basis.requested >= at))
            .collect();
        if fresh.is_empty() {
            self.violated(server, "I4: no listing was requested since the last answer");
        }
        let sound: Vec<AnsweredListing> =
            fresh.iter().copied().filter(|basis| basis.sound).collect();
        if sound.is_empty() && !fresh.is_empty() {
            self.violated(server, "I11: the listing was incomplete or wrong");
        }
        if self.judge.in_flight.get(&server).is_some_and(|n| *n > 0) {
            self.violated(server, "I5: another mutation is in flight");
        }
        // A late delete of a snapshot that is gone already changes nothing.
        let there = |id: u64| self.servers[&server].rows.iter().any(|row| row.id == id);
        let other = self.pending(server).any(|due| match due {
            TimedChange::Delete { id, .. } => Some(*id) != own && there(*id),
            _ => true,
        });
        if other {
            self.violated(server, "I5, I9: an earlier mutation may still take effect");
        }
        *self.judge.in_flight.entry(server).or_default() += 1;
        let last = self.trail_end();
        let event = format!("\"event\":\"{intent}\"");
        if !last.contains(&event) || !last.contains(subject) || !ids::about(server)(&last) {
            self.violated(server, "I6: no durable intent is the trail's last word");
        }
        if let Some(last) = self.judge.last_wall.get(&server)
            && last.duration_since(wall) > TOLERANCE
        {
            self.violated(server, "I11: the clock is behind the last mutation");
        }
        self.judge.last_wall.insert(server, wall);
        sound
    }

    /// Returns the last durable line of the trail.
    pub(super) fn trail_end(&self) -> String {
        let tail = self.trail_tail(4096);
        let last = tail.trim_end().rsplit('\n').next();
        last.unwrap_or_default().to_owned()
    }

    pub(super) fn trail_tail(&self, most: usize) -> String {
        let tail = self.disk.durable_tail(super::audit_dir(), "audit-", most);
        String::from_utf8_lossy(&tail).into_owned()
    }

    /// Applies a rule to the server's rows at each instant since the oldest of these listings.
    /// Returns the result of the newest instant at which it holds, else the reason at the oldest
    /// one.
    fn at_some_instant<T>(
        &self,
        server: u64,
        bases: &[AnsweredListing],
        rule: impl Fn(&[TrueSnapshot]) -> Result<T, &'static str>,
    ) -> Result<T, &'static str> {
        let Some(found) = self.servers.get(&server) else {
            return Err("I1: no such server");
        };
        let mut why = match rule(&found.rows) {
            Ok(held) => return Ok(held),
            Err(why) => why,
        };
        let Some(from) = bases.iter().map(|basis| basis.seen).min() else {
            return Err(why);
        };
        for (until, rows) in found.past.iter().rev() {
            if *until <= from {
                break;
            }
            match rule(rows) {
                Ok(held) => return Ok(held),
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    /// Judges a create that is being sent.
    pub(super) fn judge_create(&mut self, server: u64, name: &str) {
        self.advance();
        let subject = format!("\"snapshot\":\"{name}\"");
        let bases = self.mutation(server, "create_intent", &subject, None);
        for invariant in ["I9", "I10"] {
            self.judge.ask(invariant);
        }
        let owned = self
            .in_force
            .get(&server)
            .and_then(|view| view.rotation(name));
        let ordered = self.wishes.takes_create(name);
        if ordered == Some(false) {
            self.violated(server, "I9: a create that was ordered once is sent twice");
        }
        if owned.is_none() && ordered.is_none() {
            self.violated(server, "I1: a create that no policy asks for");
        }
        if ordered.is_none() && self.wishes.paused(server, self.wall()) {
            self.violated(server, "paused: a create that nobody ordered");
        }
        let hooked = owned.is_some_and(|owned| {
            let view = self.in_force.get(&server);
            view.is_some_and(|view| view.rotations[owned].hooked)
        });
        if hooked && !self.holds.holds(server, name) {
            self.violated(
                server,
                "hooks: a create on a server that is not held for it",
            );
        }
        let stops = owned.is_some_and(|owned| {
            let view = self.in_force.get(&server);
            view.is_some_and(|view| view.rotations[owned].stops)
        });
        if stops {
            self.judge_stopped(server, name);
        }
        let room = self.at_some_instant(server, &bases, |rows| {
            if rows.len() < LIMIT {
                Ok(())
            } else {
                Err("I10: a create on a full server")
            }
        });
        let once = self.at_some_instant(server, &bases, |rows| {
            let there = |row: &TrueSnapshot| row.name == name && row.status != Status::Failed;
            if rows.iter().any(there) {
                Err("I9: the slot's snapshot is there already")
            } else {
                Ok(())
            }
        });
        for held in [room, once] {
            if let Err(why) = held {
                self.violated(server, why);
            }
        }
        let tail = self.trail_tail(SEARCHED);
        if is_ended(&tail, server, &subject) {
            self.violated(server, "I9: the trail says that the slot is settled");
        }
        let rotation = owned.and_then(|owned| self.in_force.get(&server)?.rotations.get(owned));
        if let Some(attempts) = rotation.map(|rotation| rotation.attempts) {
            self.judge_another(server, name, attempts, &tail);
        }
    }

    /// Returns true if nothing says that the server has the snapshot: a person made it, and only
    /// the false listing of another server has shown it.
    fn is_unknowable(&self, server: u64, id: u64) -> bool {
        let lies = self.lies.as_ref();
        lies.is_some_and(|lies| !lies.ours.contains(&id))
            && !self.servers[&server].shown.contains(&id)
    }

    /// Judges a delete that is being sent. Returns the server that has the snapshot, or had it a
    /// short while ago.
    pub(super) fn judge_delete(&mut self, id: u64) -> Option<u64> {
        self.advance();
        let shown = id;
        let id = self.truly(shown);
        let has = |rows: &[TrueSnapshot]| rows.iter().any(|row| row.id == id);
        let server = self.servers.iter().find_map(|(server, found)| {
            let ever = has(&found.rows) || found.past.iter().any(|(_, rows)| has(rows));
            ever.then_some(*server)
        });
        let Some(server) = server else {
            self.violated(0, "I1: a delete of what nobody ever had");
            return None;
        };
        if self.is_unknowable(server, id) {
            *self.judge.in_flight.entry(server).or_default() += 1;
            return Some(server);
        }
        let subject = format!("\"id\":{},", ids::json(shown));
        let bases = self.mutation(server, "delete_intent", &subject, Some(id));
        if self.wishes.takes_delete(id) {
            self.judge.ask("I17");
            // The operator deletes it, not the prune-first that was refused before.
            if has(&self.servers[&server].rows) {
                self.judge.guards.retain(|_, guard| guard.victim != id);
            }
            return Some(server);
        }
        let last = self.trail_end();
        let expired = last.contains("\"expired\":true");
        if expired {
            let intent = serde_json::from_str(&last).unwrap_or_default();
            self.judge_expiry(server, (shown, id), &intent);
        } else {
            self.judge_erosion(server, id);
        }
        if shown == id && self.is_contested(server, id, &bases) {
            self.violated(
                server,
                &format!(
                    "I19: deleted a snapshot that another server's listing shows too (id {id})"
                ),
            );
        }
        if self.wishes.paused(server, self.wall()) {
            self.violated(server, "paused: a delete that nobody ordered");
        }
        if expired {
            return Some(server);
        }
        for invariant in ["I1", "I2", "I3", "I7", "I8"] {
            self.judge.ask(invariant);
        }
        let Some(mut view) = self.in_force.get(&server).cloned() else {
            self.violated(server, "I1: a delete without a policy");
            return Some(server);
        };
        view.protected_ids.extend(self.protected_by_order(server));
        let (now, wall) = (self.now(), self.wall());
        // A date more than a day before the create is rejected only while the trail records that
        // create, so the delete may be right under either reading.
        let rule = |rows: &[TrueSnapshot]| {
            may_delete(&view, rows, id, now, wall).or_else(|why| {
                let mut rows = rows.to_vec();
                for row in rows.iter_mut().filter(|row| row.odd) {
                    row.shown = None;
                }
                may_delete(&view, &rows, id, now, wall).map_err(|_| why)
            })
        };
        match self.at_some_instant(server, &bases, rule) {
            // Deleted as surplus, it is no longer the victim of a prune-first.
            Ok(DeleteReason::Surplus) => {
                self.judge.guards.retain(|_, guard| guard.victim != id);
            }
            Ok(DeleteReason::PruneFirst) => self.pruned_first(server, id),
            Err(why) => self.violated(server, &format!("{why} (id {id})")),
        }
        Some(server)
    }

    /// Returns the snapshots of the server that are protected by order, according to the trail.
    pub(super) fn protected_by_order(&self, server: u64) -> BTreeSet<u64> {
        if !self.fired.contains_key("operator: protects") {
            return BTreeSet::new();
        }
        let mut protected = BTreeSet::new();
        for record in self.records_of(server, "protected\",\"run\"") {
            let id = ids::of(&record["id"]);
            match record["event"].as_str() {
                Some("snapshot_protected") => protected.insert(id),
                _ => protected.remove(&id),
            };
        }
        protected
    }

    /// Returns true if the listing of another server that has a policy showed this snapshot too,
    /// before these listings were requested.
    fn is_contested(&self, server: u64, id: u64, bases: &[AnsweredListing]) -> bool {
        let requested = bases.iter().map(|basis| basis.requested).min();
        let lies = self.lies.as_ref().zip(requested);
        lies.is_some_and(|(lies, at)| {
            let mut claimants = lies.claimants(server, id, at);
            claimants.any(|claimant| self.in_force.contains_key(&claimant))
        })
    }

    fn pruned_first(&mut self, server: u64, id: u64) {
        // While no policy was in force, changes of the rows did not update the promise.
        if let Some(view) = self.in_force.get(&server) {
            self.judge
                .changed(server, view, &self.servers[&server].rows);
        }
        let rows = &self.servers[&server].rows;
        let there = |id: u64| rows.iter().any(|row| row.id == id);
        let known = rows.iter().map(|row| row.id).collect();
        // If a person deleted the snapshot and a stale listing still showed it, the rotation did
        // not give it up.
        let taken_before = !there(id);
        let open = self
            .judge
            .guards
            .get(&server)
            .is_some_and(|guard| guard.victim != id && !there(guard.victim));
        if open {
            self.violated(
                server,
                "I7: a second prune-first before the first was made good",
            );
        }
        let same = self.judge.guards.get(&server);
        if !taken_before && same.is_none_or(|guard| guard.victim != id) {
            self.judge
                .guards
                .insert(server, OpenPromise { victim: id, known });
        }
    }
}
