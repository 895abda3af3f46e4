//! Judges the deletes of manual snapshots that have expired, by what the provider truly holds and
//! by what its listings showed.

use serde_json::Value;

use super::provider::World;

impl World {
    /// Judges the delete of an expired snapshot, given its intent. `shown` is its id in listings,
    /// `id` the true one.
    pub(super) fn judge_expiry(&mut self, server: u64, (shown, id): (u64, u64), intent: &Value) {
        self.judge.ask("I1");
        let name = intent["snapshot"].as_str().unwrap_or_default();
        let wall = self.wall();
        let due = self.wishes.expiring.get(name).is_some_and(|at| *at <= wall);
        if !due {
            let what = format!("I1: {name} was deleted as expired, but no order says so yet");
            self.violated(server, &what);
        }
        let recorded = self.records_of(server, "\"event\":\"snapshot_expires\"");
        let of_id = |record: &&Value| record["id"] == intent["id"] && record["snapshot"] == name;
        let date = recorded.iter().rev().find(of_id);
        let date = date.and_then(|record| record["created_at"].as_str()?.parse().ok());
        let as_recorded = date.is_some_and(|date| self.shown.show(server, shown, name, date));
        if !as_recorded {
            let what = format!(
                "I1: {name} was deleted as expired, though no listing shows this name and date (id {id})"
            );
            self.violated(server, &what);
        }
        let view = self.in_force.get(&server);
        let listed = view.is_some_and(|view| view.protects(id, name));
        if listed || self.protected_by_order(server).contains(&shown) {
            self.violated(
                server,
                "I1: an expired snapshot was deleted although it is protected",
            );
        }
        let rows = self.servers[&server].rows.iter();
        let past = self.servers[&server].past.iter();
        let mut rows = rows.chain(past.flat_map(|(_, rows)| rows));
        let truly = rows.any(|row| row.id == id && row.name == name);
        if !truly && self.lies.is_none() {
            self.violated(
                server,
                "I1: another snapshot than the expired one is deleted",
            );
        }
    }
}
