//! The erosion bound (I19), judged by what the provider truly holds, whatever it reports.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::ids;
use super::lying_listing::OWN;
use super::provider::World;
use super::true_state::TrueSnapshot;
use super::world_setup::GRACE;
use crate::core::snapshot::Status;

impl World {
    /// I19: Judges a create of the rotation, given the end of the trail. After a snapshot was
    /// stored differently from the request, no create may follow until an operator resumes the
    /// server, and none may follow the last attempt.
    pub(super) fn judge_another(&mut self, server: u64, name: &str, attempts: u32, tail: &str) {
        self.judge.ask("I19");
        let of_server = ids::about(server);
        let lines = || tail.lines().filter(|line| of_server(line));
        let is = |line: &&str, event: &str| line.contains(&format!("\"event\":\"{event}\""));
        let mut seen = lines().filter(|line| is(line, "create_mismatch") || is(line, "resumed"));
        if seen
            .next_back()
            .is_some_and(|line| is(&line, "create_mismatch"))
        {
            self.violated(
                server,
                "I19: a create was sent although a snapshot is stored differently from the request",
            );
        }
        let subject = format!("\"snapshot\":\"{name}\"");
        // A retry that an operator orders gives the slot its attempts again.
        let lines: Vec<_> = lines().filter(|line| line.contains(&subject)).collect();
        let reopened = lines.iter().rposition(|line| is(line, "slot_reopened"));
        let since = &lines[reopened.unwrap_or(0)..];
        let of_name = || since.iter().copied();
        let sent = of_name().filter(|line| is(line, "create_intent")).count();
        let later = of_name()
            .filter(|line| is(line, "create_result") && line.contains("\"outcome\":\"later\""));
        let counted = sent.saturating_sub(later.count());
        if u32::try_from(counted).is_ok_and(|counted| counted > attempts) {
            self.violated(
                server,
                &format!("I19: {counted} creates of one slot, which has {attempts} attempts"),
            );
        }
    }

    /// I19: Judges a delete of the rotation, where `id` is the snapshot that is truly deleted.
    pub(super) fn judge_erosion(&mut self, server: u64, id: u64) {
        self.judge.ask("I19");
        let row = self
            .servers
            .get(&server)
            .and_then(|s| s.rows.iter().find(|row| row.id == id));
        let good = row.is_some_and(|row| row.status == Status::Completed);
        let foreign = row.is_some_and(|row| !row.name.contains(OWN));
        if !good || self.lies.is_none() {
            return;
        }
        let last = self.trail_end();
        if foreign && self.was_foreign(server, &last) {
            self.violated(
                server,
                &format!("I19: deleted a snapshot that was listed as foreign before (id {id})"),
            );
        }
        let paid = last.contains("\"paid_by\":");
        let promised = last.contains("\"prune_first\":[");
        let (named, passed_on) = self.announced(server, id);
        // On a full server a due slot may take an announced snapshot before its grace has passed:
        // the slot's new snapshot pays for it.
        if named == Some(true) || (named.is_some() && promised) {
            // An earlier delete of it, sent before the announcement, had no effect.
            if let Some(deleted) = self.lies.as_mut().and_then(|l| l.deleted.get_mut(&server)) {
                deleted.remove(&id);
            }
            return;
        }
        let mut asked = self.asked_for(server, id, &last);
        asked.extend(self.passed_off(server, &last, passed_on));
        let there = self.servers.get(&server).map(|s| &s.rows);
        let there: BTreeSet<u64> = there.into_iter().flatten().map(|row| row.id).collect();
        let Some(lies) = &mut self.lies else {
            return;
        };
        lies.ours.extend(&asked);
        lies.made.entry(server).or_default().extend(&asked);
        let deleted = lies.deleted.entry(server).or_default();
        let ours = lies.ours.contains(&id);
        let free = !paid && !promised && !passed_on;
        if free && ours {
            // The program never saw it completed, so nothing had to pay for it: its creation no
            // longer counts.
            lies.unmade.insert(id);
        } else {
            deleted.insert(id);
            lies.unmade.remove(&id);
        }
        let made = lies.made.get(&server).into_iter().flatten();
        let made = made.filter(|id| !lies.unmade.contains(id) || there.contains(id));
        // A snapshot counts if two listings showed it as completed; a true listing counts as two.
        let made = made.filter(|id| lies.shown_completed.get(id).is_some_and(|times| *times > 1));
        let made: BTreeSet<u64> = made.copied().collect();
        if promised {
            lies.promised.insert(server, &made | &there);
        }
        // If no snapshot has been made since the last prune-first, the one that it promised counts
        // too.
        let open = lies.promised.get(&server);
        let open = open.is_some_and(|before| made.is_subset(before));
        let (deleted, made) = (deleted.len(), made.len() + usize::from(open));
        if free && !ours {
            let what = format!(
                "I19: deleted a snapshot that was not paid for and that the rotation didn't make (id {id})"
            );
            self.violated(server, &what);
        }
        if deleted > made {
            self.violated(
                server,
                &format!(
                    "I19: {deleted} good snapshots deleted, {made} made or promised (id {id})"
                ),
            );
        }
    }

    /// Returns the ids of the rows whose name the rotation requested and which its intent did not
    /// list as known. If an answer was lost or unusable, nobody can tell who made such a row.
    /// `intent` is the delete intent for the snapshot whose true id is `id`.
    fn asked_for(&self, server: u64, id: u64, intent: &str) -> Vec<u64> {
        let intents = self.records_of(server, "\"event\":\"create_intent\"");
        let shown: Value = serde_json::from_str(intent).unwrap_or_default();
        let rows = self.servers.get(&server).map(|s| &s.rows);
        let new = |name: &Value, id: &Value| {
            intents.iter().any(|intent| {
                let known = intent["known"].as_array();
                let listed = known.is_some_and(|known| known.contains(id));
                intent["snapshot"] == *name && !listed
            })
        };
        let asked = rows.into_iter().flatten().filter(|row| {
            let as_shown = row.id == id && new(&shown["snapshot"], &shown["id"]);
            as_shown || new(&row.name.as_str().into(), &row.id.into())
        });
        asked.map(|row| row.id).collect()
    }

    /// Returns the snapshot that pays for this delete if it exists only in listings, under the
    /// name of a create that was refused or whose answer was lost. Nobody but the provider can
    /// tell it from what that create made; one such snapshot is accepted for each such create. With
    /// `passed_on`, the payer is the snapshot that kept the last promise.
    fn passed_off(&self, server: u64, intent: &str, passed_on: bool) -> Option<u64> {
        let intent: Value = serde_json::from_str(intent).unwrap_or_default();
        let completed = self.records_of(server, "\"event\":\"snapshot_completed\"");
        let mut kept = completed.iter().rev().filter(|_| passed_on);
        let kept = kept.find(|record| record["pays"] == true);
        let payer = intent.get("paid_by").or(kept.map(|record| &record["id"]))?;
        let id = ids::of(payer);
        let real = |rows: &Vec<TrueSnapshot>| rows.iter().any(|row| row.id == self.truly(id));
        if self.servers.get(&server).map(|s| &s.rows).is_some_and(real) {
            return None;
        }
        let name = &completed.iter().find(|record| record["id"] == *payer)?["snapshot"];
        let same: BTreeSet<u64> = completed
            .iter()
            .filter(|record| record["snapshot"] == *name)
            .map(|record| ids::of(&record["id"]))
            .collect();
        let results = self.records_of(server, "\"event\":\"create_result\"");
        let open = results.iter().filter(|record| {
            let outcome = &record["outcome"];
            record["snapshot"] == *name && (*outcome == "unknown" || *outcome == "failed")
        });
        (same.len() <= open.count()).then_some(id)
    }

    /// Returns two facts about a snapshot's deletion. The first is `None` if it was never
    /// announced, else true if the announcement is old enough. The second is true if the
    /// announcement of another snapshot has passed to it.
    fn announced(&self, server: u64, id: u64) -> (Option<bool>, bool) {
        // After the clock was set, the age of an announcement can't be determined.
        let steady =
            !self.fired.contains_key("clock: set") && !self.fired.contains_key("clock: host slept");
        let wall = self.wall();
        let (mut named, mut passed_on, mut any) = (None, false, false);
        for record in self.records_of(server, "\"shrinks\":[") {
            let time = record["time"]
                .as_str()
                .and_then(|time| time.parse::<Timestamp>().ok());
            let old = !steady || time.is_some_and(|time| wall.duration_since(time) >= GRACE);
            let mut shrunk = record["shrinks"].as_array().into_iter().flatten();
            let it = shrunk.any(|shown| self.truly(ids::of(shown)) == id);
            if record["event"] == "surplus_found" {
                passed_on |= it && any;
            } else {
                any |= old;
                if it {
                    named = Some(old || named == Some(true));
                }
            }
        }
        (named, passed_on)
    }

    /// Returns true if the trail says that the snapshot of this delete intent was listed under a
    /// name that no pattern of any policy produces.
    fn was_foreign(&self, server: u64, intent: &str) -> bool {
        let intent: Value = serde_json::from_str(intent).unwrap_or_default();
        let found = self.records_of(server, "\"event\":\"snapshot_found\"");
        found.iter().any(|record| {
            let name = record["snapshot"].as_str().unwrap_or_default();
            record["foreign"] == true && record["id"] == intent["id"] && !name.contains(OWN)
        })
    }

    pub(super) fn records_of(&self, server: u64, with: &str) -> Vec<Value> {
        let trail = super::final_checks::trail_text(&self.disk);
        let of_server = ids::about(server);
        let lines = trail
            .lines()
            .filter(|line| of_server(line) && line.contains(with));
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}
