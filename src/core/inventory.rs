//! A server's inventory: its rows in one listing, and its power state.

use jiff::SignedDuration;

use super::ownership::ContestedSnapshot;
use super::server_info::{PowerState, ServerInfo};
use super::snapshot::{ServerId, Snapshot};

/// Largest number of rows of one server that a decision accepts. The provider's limit is five
/// snapshots; the time of a decision grows with the number of rows.
pub const MOST_ROWS: usize = 100;

/// A server's listing at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The server's name in the listing; `None` if the listing has no row for it.
    pub server_name: Option<String>,
    /// Its host name, if that differs.
    pub hostname: Option<String>,
    /// Its other id, if the listing gives two. The policy may use either.
    pub other_id: Option<ServerId>,
    /// All snapshots of the server.
    pub snapshots: Vec<Snapshot>,
    /// The server's state; `None` if it was not requested.
    pub state: Option<PowerState>,
    /// Time of the listing's request, by the monotonic clock.
    pub requested: SignedDuration,
    /// Why the listing is unreliable, judged by its rows and pages (`api::wire`,
    /// `api::pagination`), by the listing before it (`engine::confirmed_inventory`), by the
    /// snapshots of other servers (`engine::snapshot_owners`), by the number of rows, or by a
    /// second policy for the server.
    pub doubt: Option<String>,
    /// A snapshot of this server that another server's listing shows too.
    pub contested: Option<ContestedSnapshot>,
}

impl Inventory {
    /// Returns the inventory of a server that has no snapshots or was not listed.
    pub fn empty(requested: SignedDuration) -> Self {
        Self {
            server_name: None,
            hostname: None,
            other_id: None,
            snapshots: Vec::new(),
            state: None,
            requested,
            doubt: None,
            contested: None,
        }
    }

    /// Adds the provider's description of the server. Its names and other id count only if no row
    /// gives them.
    pub fn add_server_info(&mut self, detail: ServerInfo) {
        self.state = Some(detail.state);
        if self.server_name.is_none() {
            (self.server_name, self.hostname) = (detail.name, detail.hostname);
        }
        self.other_id = self.other_id.take().or(detail.other_id);
    }

    /// Puts the inventory in doubt if it has more rows than a server can have; drops the excess.
    pub fn doubt_rows_beyond_limit(&mut self) {
        let rows = self.snapshots.len();
        if rows > MOST_ROWS {
            self.snapshots.truncate(MOST_ROWS);
            self.doubt.get_or_insert(format!(
                "it shows {rows} snapshots of this server, which is more than a server can have: check the provider's answer"
            ));
        }
    }

    /// Puts the inventory in doubt if the server's other id has a policy of its own: two policies
    /// would rotate one server.
    pub fn doubt_second_policy(&mut self, has_policy: impl Fn(&ServerId) -> bool) {
        let Some(other) = self.other_id.as_ref().filter(|id| has_policy(id)) else {
            return;
        };
        let twin = format!(
            "another policy is for the same server, under its other id {other}: remove one of the two"
        );
        self.doubt.get_or_insert(twin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_provider::TestProvider;

    #[test]
    fn an_inventory_with_more_rows_than_a_server_can_have_is_put_in_doubt_and_truncated() {
        let mut world = TestProvider::grown(3, 3);
        let mut row = world.snapshots[0].clone();
        for number in 0..MOST_ROWS {
            row.id = (5_000 + u64::try_from(number).expect("small")).into();
            world.snapshots.push(row.clone());
        }
        for (rows, doubted) in [(MOST_ROWS, false), (MOST_ROWS + 1, true)] {
            let mut inventory = world.inventory();
            inventory.snapshots.truncate(rows);
            inventory.doubt_rows_beyond_limit();
            assert_eq!(inventory.snapshots.len(), MOST_ROWS);
            let says = |doubt: &String| doubt.contains(&format!("it shows {rows} snapshots"));
            assert_eq!(inventory.doubt.as_ref().is_some_and(says), doubted);
        }
    }
}
