//! Names and rotations of snapshots, collected from earlier records. A create's result names no
//! rotation, and a delete's result has only an id, but people search for both by the names of
//! snapshots and rotations.

use std::collections::BTreeMap;

use crate::audit::{Record, RecordFields};
use crate::core::snapshot::{ServerId, SnapshotId};

/// Maximum number of snapshots stored for each server, so that memory stays bounded whatever the
/// trail holds. Deleted ones are removed, so this is far more than a server holds.
const REMEMBERED: usize = 64;

/// The snapshots of each server, and the name that its policy last had.
#[derive(Debug, Default)]
pub(super) struct SnapshotNames {
    snapshots: BTreeMap<ServerId, Vec<NamedSnapshot>>,
    policies: BTreeMap<ServerId, String>,
}

#[derive(Clone, Debug)]
struct NamedSnapshot {
    name: String,
    rotation: Option<String>,
    id: Option<SnapshotId>,
}

/// A record, its fields, and the names that it or an earlier record gives.
#[derive(Clone, Debug)]
pub(super) struct NamedRecord {
    pub(super) record: Record,
    pub(super) said: RecordFields,
    /// The name of its snapshot.
    pub(super) name: Option<String>,
    /// The rotation of its snapshot.
    pub(super) rotation: Option<String>,
    /// The name of the server's policy in the newest record that gave one.
    pub(super) policy: Option<String>,
}

impl SnapshotNames {
    /// Adds the names in a record to it, and those in the record to the known ones.
    pub(super) fn named(&mut self, record: Record) -> NamedRecord {
        let said = RecordFields::of(&record);
        let server = record.server.as_ref();
        self.learn(server, &said);
        let named = NamedRecord {
            name: self.name(server, &said).map(str::to_owned),
            rotation: self.rotation(server, &said).map(str::to_owned),
            policy: server.and_then(|id| self.policies.get(id)).cloned(),
            said,
            record,
        };
        if named.record.event == "delete_confirmed" {
            self.forget(named.record.server.as_ref(), named.said.id.as_ref());
        }
        named
    }

    /// Adds the names in a record.
    fn learn(&mut self, server: Option<&ServerId>, said: &RecordFields) {
        let Some(server) = server else { return };
        if let Some(policy) = &said.policy {
            self.policies.insert(server.clone(), policy.clone());
        }
        for (rotation, snapshot) in said.earlier_slots() {
            self.note(server.clone(), snapshot, Some(rotation), None);
        }
        if let Some(name) = &said.snapshot {
            self.note(
                server.clone(),
                name,
                said.rotation.as_deref(),
                said.id.clone(),
            );
        }
    }

    fn note(
        &mut self,
        server: ServerId,
        name: &str,
        rotation: Option<&str>,
        id: Option<SnapshotId>,
    ) {
        let all = self.snapshots.entry(server).or_default();
        let rotation = rotation.map(str::to_owned).or_else(|| {
            all.iter()
                .rev()
                .find(|one| one.name == name)?
                .rotation
                .clone()
        });
        let fits = |one: &&mut NamedSnapshot| {
            one.name == name && (id.is_none() || one.id.is_none() || one.id == id)
        };
        if let Some(one) = all.iter_mut().rev().find(fits) {
            one.rotation = rotation;
            one.id = id.or(one.id.clone());
            return;
        }
        if all.len() == REMEMBERED {
            all.remove(0);
        }
        let name = name.to_owned();
        all.push(NamedSnapshot { name, rotation, id });
    }

    /// Removes a deleted snapshot.
    fn forget(&mut self, server: Option<&ServerId>, id: Option<&SnapshotId>) {
        if let Some(all) = server.and_then(|server| self.snapshots.get_mut(server)) {
            all.retain(|one| one.id.is_none() || one.id.as_ref() != id);
        }
    }

    /// Returns the name of the record's snapshot.
    fn name<'a>(&'a self, server: Option<&ServerId>, said: &'a RecordFields) -> Option<&'a str> {
        if said.snapshot.is_some() {
            return said.snapshot.as_deref();
        }
        let id = said.id.as_ref()?;
        let mut all = self.snapshots.get(server?)?.iter().rev();
        all.find(|one| one.id.as_ref() == Some(id))
            .map(|one| one.name.as_str())
    }

    /// Returns the rotation that the record, or an earlier one, names for its snapshot.
    fn rotation<'a>(
        &'a self,
        server: Option<&ServerId>,
        said: &'a RecordFields,
    ) -> Option<&'a str> {
        if said.rotation.is_some() {
            return said.rotation.as_deref();
        }
        let name = self.name(server, said)?;
        let mut all = self.snapshots.get(server?)?.iter().rev();
        all.find(|one| one.name == name)?.rotation.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: Option<&ServerId> = Some(&ServerId::integer(7));

    fn said(json: &str) -> RecordFields {
        serde_json::from_str(json).expect("a record's fields")
    }

    #[test]
    fn a_record_with_only_an_id_gets_the_name_and_rotation_of_the_create() {
        let mut known = SnapshotNames::default();
        known.learn(WEB, &said(r#"{"snapshot":"daily-1","rotation":"daily"}"#));
        known.learn(WEB, &said(r#"{"snapshot":"daily-1","id":801}"#));
        let result = said(r#"{"id":801,"outcome":"done"}"#);
        assert_eq!(known.name(WEB, &result), Some("daily-1"));
        assert_eq!(known.rotation(WEB, &result), Some("daily"));
        // Names are stored by server, though ids are unique in the account.
        assert_eq!(known.name(Some(&ServerId::from(8)), &result), None);
    }

    #[test]
    fn a_second_snapshot_of_the_same_name_has_its_own_id() {
        let mut known = SnapshotNames::default();
        known.learn(WEB, &said(r#"{"snapshot":"daily-1","rotation":"daily"}"#));
        for id in [801, 802] {
            known.learn(
                WEB,
                &said(&format!(r#"{{"snapshot":"daily-1","id":{id}}}"#)),
            );
        }
        assert_eq!(known.name(WEB, &said(r#"{"id":801}"#)), Some("daily-1"));
        known.forget(WEB, Some(&SnapshotId::from(801)));
        assert_eq!(known.name(WEB, &said(r#"{"id":801}"#)), None);
        let second = said(r#"{"id":802}"#);
        assert_eq!(known.rotation(WEB, &second), Some("daily"));
    }

    #[test]
    fn a_checkpoint_supplies_the_rotations_of_earlier_months() {
        let mut known = SnapshotNames::default();
        let checkpoint = r#"{"history":{"paused":null,"rotations":[{"name":"weekly","since":null,"slots":[{"name":"w-1","at":"x"}]}]}}"#;
        known.learn(WEB, &said(checkpoint));
        assert_eq!(
            known.rotation(WEB, &said(r#"{"snapshot":"w-1","id":5}"#)),
            Some("weekly")
        );
    }

    #[test]
    fn memory_stays_bounded_whatever_the_trail_holds() {
        let mut known = SnapshotNames::default();
        for number in 0..10_000 {
            known.learn(
                WEB,
                &said(&format!(r#"{{"snapshot":"s-{number}","id":{number}}}"#)),
            );
        }
        assert_eq!(known.snapshots[&ServerId::from(7)].len(), REMEMBERED);
        assert_eq!(known.name(WEB, &said(r#"{"id":9999}"#)), Some("s-9999"));
    }
}
