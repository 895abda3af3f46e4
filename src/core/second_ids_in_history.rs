//! The other ids of a server and its snapshots: those recorded in the trail, and those it lacks.

use super::decide::{DecisionContext, Step};
use super::policy::Policy;
use super::second_server_id::{NameField, ServerIdentity};
use super::server_event::ServerEvent;
use super::server_history::ServerHistory;
use super::snapshot::{ServerId, SnapshotId};

impl ServerHistory {
    /// Returns the server's other id, as recorded in the trail.
    pub fn other_id(&self) -> Option<&ServerId> {
        self.identity.as_ref()?.other_id.as_ref()
    }

    /// Returns true if the policy or an order protects the snapshot by the other id that the trail
    /// has for it.
    pub(super) fn is_protected_as(&self, id: &SnapshotId, policy: &Policy) -> bool {
        let mut known = self.protected.iter();
        known.any(|(known, other)| known == id && self.protects_id(other, policy))
    }

    fn protects_id(&self, id: &SnapshotId, policy: &Policy) -> bool {
        policy.protects_id(id) || self.is_protected_by_order(id)
    }

    /// Returns true if no policy was ever in force for the server, and no call is open on it.
    pub fn is_new(&self) -> bool {
        self.rotations.is_empty() && self.open.is_none() && self.restore.is_none()
    }

    /// Takes over the history of the server under its other id.
    pub(crate) fn adopt(&mut self, past: Self) {
        let paused = self.paused.take();
        *self = past;
        self.paused = self.paused.take().or(paused);
    }
}

impl DecisionContext<'_> {
    /// Returns the record of an identity that the trail lacks. Known parts that a listing lacks are
    /// kept.
    pub(super) fn missing_identity_record(&self) -> Option<Step> {
        let known = self.history.identity.as_deref().cloned();
        let known = known.unwrap_or_default();
        let other_id = self.inventory.other_id.clone();
        let seen = ServerIdentity {
            other_id: other_id.or_else(|| known.other_id.clone()),
            named_by: self.named_by().or(known.named_by),
        };
        if seen != known {
            return Some(Step::Record(ServerEvent::ServerIdentified(seen)));
        }
        let policy = self.policy;
        let protects = |id| self.history.protects_id(id, policy);
        let ordered = |id| self.history.is_protected_by_order(id);
        let known = |id| self.history.is_protected_as(id, policy);
        self.inventory.snapshots.iter().find_map(|row| {
            let other = row.uuid.as_ref()?;
            // A later listing may show only the id that is not protected by itself.
            let (id, other_id) = if protects(other) && !protects(&row.id) {
                (&row.id, other)
            } else if ordered(&row.id) && !protects(other) {
                (other, &row.id)
            } else {
                return None;
            };
            (!known(id)).then(|| {
                Step::Record(ServerEvent::SnapshotIdentified {
                    snapshot: row.name.clone().into(),
                    id: id.clone(),
                    other_id: other_id.clone(),
                })
            })
        })
    }

    fn named_by(&self) -> Option<NameField> {
        let (wanted, hostname) = (
            self.policy.name.as_ref()?,
            self.inventory.hostname.as_ref()?,
        );
        if self.inventory.server_name.as_ref() == Some(wanted) {
            Some(NameField::Name)
        } else {
            (hostname == wanted).then_some(NameField::Hostname)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decide::Inventory;
    use crate::core::pause::Pause;
    use crate::core::test_provider::TestProvider;

    #[test]
    fn the_other_id_and_the_field_that_matches_the_policys_name_are_recorded_once() {
        let mut world = TestProvider::weekly(2);
        world.policy.name = Some("web.example".to_owned());
        let identified = |world: &TestProvider, inventory: &Inventory| {
            let (policy, history) = (&world.policy, &world.history);
            DecisionContext::of(policy, inventory, history, &world.rules, world.now)
                .missing_identity_record()
        };
        let none = Inventory::empty(world.now.mono);
        assert_eq!(identified(&world, &none), None, "nothing to record");
        let other: ServerId = "6f1c-a".parse().expect("an id");
        let two = Inventory {
            server_name: Some("web".to_owned()),
            hostname: Some("web.example".to_owned()),
            other_id: Some(other.clone()),
            ..none.clone()
        };
        let event = ServerEvent::ServerIdentified(ServerIdentity {
            other_id: Some(other.clone()),
            named_by: Some(NameField::Hostname),
        });
        assert_eq!(identified(&world, &two), Some(Step::Record(event.clone())));
        world.record(&event);
        for inventory in [&two, &none] {
            assert_eq!(identified(&world, inventory), None, "already recorded");
        }
        assert_eq!(world.history.other_id(), Some(&other));
        let by_name = Inventory {
            server_name: Some("web.example".to_owned()),
            hostname: Some("web".to_owned()),
            ..two
        };
        let event = ServerEvent::ServerIdentified(ServerIdentity {
            other_id: Some(other),
            named_by: Some(NameField::Name),
        });
        assert_eq!(identified(&world, &by_name), Some(Step::Record(event)));
    }

    #[test]
    fn the_history_of_the_other_id_is_taken_over_and_a_pause_under_either_id_stays() {
        let world = TestProvider::grown(2, 2);
        let paused = Some(Box::new(Pause::since(world.now.wall)));
        let mut history = ServerHistory {
            paused: paused.clone(),
            ..ServerHistory::default()
        };
        assert!(history.is_new() && !world.history.is_new());
        history.adopt(world.history.clone());
        let expected = ServerHistory {
            paused,
            ..world.history
        };
        assert_eq!(history, expected);
    }

    #[test]
    fn i1_a_snapshot_protected_by_one_of_its_ids_stays_protected_if_only_the_other_is_listed() {
        let mut world = TestProvider::grown(2, 2);
        let other: SnapshotId = "6f1c-a".parse().expect("an id");
        world.policy.protected_ids.insert(other.clone());
        let protects = |world: &TestProvider| {
            let nothing = Inventory::empty(world.now.mono);
            let (policy, history) = (&world.policy, &world.history);
            let server = DecisionContext::of(policy, &nothing, history, &world.rules, world.now);
            server.protects(&world.snapshots[0])
        };
        assert!(!protects(&world));
        world.snapshots[0].uuid = Some(other);
        world.recorded();
        world.snapshots[0].uuid = None;
        assert!(protects(&world));
        world.policy.protected_ids.clear();
        assert!(!protects(&world));
    }
}
