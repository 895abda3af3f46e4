//! The erosion bound (I19), counted by what the provider truly holds, whatever it says.

use jiff::Timestamp;
use serde_json::Value;

use super::provider::World;
use super::setting::GRACE;
use crate::core::snapshot::Status;

impl World {
    /// I19: a create of the rotation is being sent, by this end of the trail: none follows
    /// one that was stored otherwise until an operator has looked, nor the last attempt.
    pub(super) fn judge_another(&mut self, server: u64, name: &str, attempts: u32, tail: &str) {
        self.judge.ask("I19");
        let of_server = format!("\"server\":{server},");
        let lines = || tail.lines().filter(|line| line.contains(&of_server));
        let is = |line: &&str, event: &str| line.contains(&format!("\"event\":\"{event}\""));
        let mut seen = lines().filter(|line| is(line, "create_mismatch") || is(line, "resumed"));
        if seen
            .next_back()
            .is_some_and(|line| is(&line, "create_mismatch"))
        {
            self.violated(
                server,
                "I19: a create although one is stored otherwise than asked for",
            );
        }
        let subject = format!("\"snapshot\":\"{name}\"");
        let of_name = || lines().filter(|line| line.contains(&subject));
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

    /// I19: a delete of the rotation is being sent for what truly is this one.
    pub(super) fn judge_erosion(&mut self, server: u64, id: u64) {
        self.judge.ask("I19");
        let row = self
            .servers
            .get(&server)
            .and_then(|s| s.rows.iter().find(|row| row.id == id));
        let good = row.is_some_and(|row| row.status == Status::Completed);
        if !good || self.lies.is_none() || self.announced(server, id) {
            return;
        }
        let tail = self.trail_tail(4096);
        let last = tail.trim_end().rsplit('\n').next().unwrap_or_default();
        let paid = last.contains("\"paid_by\":");
        let promised = last.contains("\"prune_first\":[");
        let Some(lies) = &mut self.lies else {
            return;
        };
        let made = lies.made.entry(server).or_default();
        let deleted = lies.deleted.entry(server).or_default();
        let ours = lies.ours.contains(&id);
        let free = !paid && !promised;
        if free && ours {
            // One that never was seen completed is made and unmade, and has paid for nothing.
            made.remove(&id);
        } else {
            deleted.insert(id);
        }
        // One more may be promised, by a prune-first that is open beside a payment.
        let made = made.len() + 1;
        let deleted = deleted.len();
        if free && !ours {
            let what = format!("I19: deleted unpaid, though the rotation didn't make it (id {id})");
            self.violated(server, &what);
        }
        if deleted > made {
            self.violated(
                server,
                &format!("I19: {deleted} good ones deleted, {made} made or promised (id {id})"),
            );
        }
    }

    /// Returns true if the trail announced its deletion long enough ago.
    fn announced(&self, server: u64, id: u64) -> bool {
        let trail = super::end::trail_text(&self.disk);
        let of_server = format!("\"server\":{server},");
        // By a clock that was set nobody can tell how long ago it was.
        let steady =
            !self.fired.contains_key("clock: set") && !self.fired.contains_key("clock: host slept");
        let wall = self.wall();
        let mut shrinks = trail
            .lines()
            .filter(|line| line.contains(&of_server) && line.contains("\"shrinks\":["));
        shrinks.any(|line| {
            let Ok(record) = serde_json::from_str::<Value>(line) else {
                return false;
            };
            let time = record["time"]
                .as_str()
                .and_then(|time| time.parse::<Timestamp>().ok());
            let old = time.is_some_and(|time| wall.duration_since(time) >= GRACE);
            let mut ids = record["shrinks"].as_array().into_iter().flatten();
            ids.any(|named| named.as_u64().map(|named| self.truly(named)) == Some(id))
                && (old || !steady)
        })
    }
}
