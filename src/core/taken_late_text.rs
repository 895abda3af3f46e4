//! Reports how long after its slot a snapshot was taken. Its name has the slot's time, so a person
//! who restores by name must be told the time of the data.

use jiff::{SignedDuration, Timestamp};

use super::decide::DecisionContext;
use super::policy::{OwnSlot, Rotation};
use super::snapshot::Snapshot;

/// Longest delay with which a snapshot still counts as on time. It covers a splay, a retry or a
/// busy hour.
const IN_TIME: SignedDuration = SignedDuration::from_hours(1);

/// Returns how long after its slot a snapshot was taken, in words; `None` if it was on time.
fn late(slot: Timestamp, taken: Timestamp) -> Option<String> {
    let late = taken.duration_since(slot);
    let hours = late.as_hours();
    (late > IN_TIME).then(|| match (hours / 24, hours % 24) {
        (0, hours) => format!("taken {hours} h later"),
        (1, hours @ 1..) => format!("taken 1 d {hours} h later"),
        (days, _) => format!("taken {days} d later"),
    })
}

/// Returns the default description of a snapshot whose policy states none.
pub fn description(rotation: &Rotation, slot: Timestamp, now: Timestamp) -> String {
    let zone = rotation.schedule.zone();
    let local = zone
        .to_datetime(slot)
        .strftime("%Y-%m-%d %H:%M")
        .to_string();
    let zone = zone.iana_name().unwrap_or("UTC");
    let of = format!("{} of {local} {zone}", rotation.name);
    match late(slot, now) {
        Some(late) => format!("{of}, {late}"),
        None => of,
    }
}

impl DecisionContext<'_> {
    /// Returns how late this own snapshot was taken; `None` if it was on time or the delay is
    /// unknown.
    pub(super) fn lateness(&self, snapshot: &Snapshot, place: OwnSlot) -> Option<String> {
        let rotation = &self.policy.rotations[place.rotation];
        let noted = self.history.slot(&rotation.name, &snapshot.name);
        let slot = if let Some(note) = noted {
            note.at
        } else {
            // The schedule supplies the time fields that the name lacks.
            let local = rotation.schedule.local_before(place.local, true);
            let at = local.filter(|local| *local == place.local);
            let at = at.or_else(|| rotation.schedule.local_after(place.local))?;
            if rotation.pattern.format(at) != snapshot.name {
                return None;
            }
            rotation.schedule.instant(at)
        };
        late(slot, snapshot.created_at?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_provider::*;

    #[test]
    fn a_description_states_the_slot_and_how_late_the_snapshot_was_taken() {
        let rotation = rotation("weekly", "0 3 * * Sun", 3);
        let slot = time("2026-11-22T03:00:00Z");
        for (now, said) in [
            ("2026-11-22T03:01:00Z", "weekly of 2026-11-22 03:00 UTC"),
            ("2026-11-22T04:00:00Z", "weekly of 2026-11-22 03:00 UTC"),
            (
                "2026-11-22T08:30:00Z",
                "weekly of 2026-11-22 03:00 UTC, taken 5 h later",
            ),
            (
                "2026-11-24T04:00:00Z",
                "weekly of 2026-11-22 03:00 UTC, taken 2 d later",
            ),
        ] {
            assert_eq!(description(&rotation, slot, time(now)), said);
        }
    }

    #[test]
    fn a_late_snapshot_is_reported_as_late_even_if_the_trail_has_no_record_of_its_slot() {
        let world = TestProvider::weekly(3).holding(&[
            (1, "weekly-2026-11-15", DONE, "2026-11-15T03:20:00Z"),
            (2, "weekly-2026-11-22", DONE, "2026-11-24T03:20:00Z"),
            (3, "weekly-2026-11-18", DONE, "2026-11-20T03:20:00Z"),
        ]);
        let inventory = crate::core::decide::Inventory {
            snapshots: world.snapshots.clone(),
            ..crate::core::decide::Inventory::empty(world.now.mono)
        };
        let server = DecisionContext::of(
            &world.policy,
            &inventory,
            &world.history,
            &world.rules,
            world.now,
        );
        let late: Vec<_> = server
            .own()
            .map(|(s, place)| server.lateness(s, place))
            .collect();
        // The third snapshot belongs to no slot: the schedule has none on the date in its name.
        assert_eq!(late, [None, Some("taken 2 d later".to_owned()), None]);
    }
}
