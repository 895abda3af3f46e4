//! The filter of `audit show`: selects records by server, time, event, rotation and snapshot, or
//! only failures.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::snapshot_names::NamedRecord;
use crate::audit::{Record, RecordFields};
use crate::core::snapshot::{ServerId, SnapshotId};

/// All events of the trail.
pub(in crate::cli) const EVENTS: [&str; 63] = [
    "alert_acknowledged",
    "alert_cleared",
    "alert_raised",
    "blocked",
    "checkpoint",
    "config_loaded",
    "config_refused",
    "create_intent",
    "create_mismatch",
    "create_result",
    "daemon_started",
    "daemon_stopped",
    "delete_confirmed",
    "delete_intent",
    "delete_result",
    "head_lost",
    "hook_finished",
    "hook_started",
    "pause_ended",
    "paused",
    "policy_renamed",
    "provider_changed",
    "recovered",
    "report_made",
    "report_planned",
    "restore_intent",
    "restore_result",
    "resumed",
    "rotation_added",
    "rotation_changed",
    "rotation_removed",
    "server_id_changed",
    "server_identified",
    "server_ran",
    "server_removed",
    "slot_due",
    "slot_given_up",
    "slot_reopened",
    "slot_settled",
    "slot_skipped",
    "snapshot_completed",
    "snapshot_expires",
    "snapshot_failed",
    "snapshot_found",
    "snapshot_gone",
    "snapshot_identified",
    "snapshot_protected",
    "snapshot_regressed",
    "snapshot_renamed",
    "snapshot_stuck",
    "snapshot_unprotected",
    "start_confirmed",
    "start_intent",
    "start_result",
    "stop_confirmed",
    "stop_intent",
    "stop_result",
    "stop_withheld",
    "surplus_found",
    "tail_cut",
    "torn_tail",
    "trail_lost",
    "witnessed",
];

/// Groups of events, each named by the first word of its events.
pub(super) const GROUPS: [&str; 8] = [
    "alert", "create", "delete", "hook", "restore", "slot", "start", "stop",
];

/// Returns true if `event` is the requested event, or belongs to the requested group.
fn is_of(event: &str, asked: &str) -> bool {
    let rest = event.strip_prefix(asked);
    rest.is_some_and(|rest| rest.is_empty() || (GROUPS.contains(&asked) && rest.starts_with('_')))
}

/// A filter on records; the default one matches all.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) server: Option<ServerId>,
    /// All ids that the trail has recorded for this server.
    pub(super) ids: BTreeSet<ServerId>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// Any of these events; all events if empty.
    pub(super) events: Vec<String>,
    /// Only records that report a failure, a refusal, a loss or an alert.
    pub(super) failed: bool,
    pub(super) rotation: Option<String>,
    pub(super) snapshot: Option<SnapshotQuery>,
}

/// The requested snapshot.
#[derive(Debug, Default)]
pub(super) struct SnapshotQuery {
    /// As typed.
    pub(super) name: String,
    /// The typed text as an id.
    pub(super) id: Option<SnapshotId>,
    /// The names that this id has on each server: records before a create's answer have no id.
    pub(super) named: BTreeSet<(ServerId, String)>,
}

impl Filter {
    pub(super) fn takes(&self, named: &NamedRecord) -> bool {
        let NamedRecord { record, said, .. } = named;
        let server = record.server.as_ref();
        (self.server.is_none() || server.is_some_and(|server| self.is_meant(server)))
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time <= until)
            && (self.events.is_empty()
                || self.events.iter().any(|asked| is_of(&record.event, asked)))
            && (!self.failed || went_wrong(&record.event, said))
            && self.rotation.as_ref().is_none_or(|rotation| {
                named.rotation.as_ref() == Some(rotation) || said.about_rotation() == Some(rotation)
            })
            && (self.snapshot.as_ref()).is_none_or(|snapshot| snapshot.is_meant(named))
    }

    /// Returns true if the record is about the wanted server, or about no single one.
    pub(super) fn may_concern(&self, record: &Record) -> bool {
        let server = record.server.as_ref();
        self.server.is_none() || server.is_none_or(|server| self.is_meant(server))
    }

    /// Returns true if a record is selected by a name that perhaps only an earlier record gives.
    pub(super) fn needs_earlier_names(&self) -> bool {
        self.rotation.is_some() || self.snapshot.is_some()
    }

    fn is_meant(&self, server: &ServerId) -> bool {
        self.server.as_ref() == Some(server) || self.ids.contains(server)
    }
}

impl SnapshotQuery {
    pub(super) fn new(typed: &str) -> Self {
        Self {
            name: typed.to_owned(),
            id: typed.parse().ok(),
            named: BTreeSet::new(),
        }
    }

    fn is_meant(&self, named: &NamedRecord) -> bool {
        let (server, said) = (named.record.server.as_ref(), &named.said);
        if said.id.is_some() && said.id == self.id {
            return true;
        }
        // The record of a loaded configuration names the snapshots that the change will delete.
        if said.deletes.iter().any(|line| holds(line, &self.name)) {
            return true;
        }
        let Some(name) = named.name.as_deref().or(said.about.as_deref()) else {
            return false;
        };
        let of_the_id = |server: &ServerId| self.named.contains(&(server.clone(), name.to_owned()));
        name == self.name || (said.id.is_none() && server.is_some_and(of_the_id))
    }
}

/// Returns true if a line contains the name as a whole word, not as part of a longer name.
fn holds(line: &str, name: &str) -> bool {
    let part = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    line.split(part).any(|word| word == name)
}

/// Returns true if the record reports a failure, a refusal, a loss or an alert.
pub(super) fn went_wrong(event: &str, said: &RecordFields) -> bool {
    match event {
        "alert_raised" | "blocked" | "config_refused" | "head_lost" | "slot_given_up"
        | "create_mismatch" | "snapshot_failed" | "snapshot_gone" | "snapshot_regressed"
        | "snapshot_renamed" | "snapshot_stuck" | "surplus_found" | "tail_cut" | "torn_tail"
        | "trail_lost" => true,
        "slot_skipped" => !said.paused,
        _ => said
            .outcome
            .as_ref()
            .is_some_and(|outcome| outcome != "done"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot_names::SnapshotNames;
    use super::*;
    use crate::audit::GlobalEvent;
    use crate::core::server_event::ServerEvent;

    fn record(server: Option<u64>, event: &str, fields: &str) -> Record {
        Record {
            seq: 1,
            time: "2026-11-25T03:00:00Z".parse().expect("a time"),
            run: "test".to_owned(),
            server: server.map(ServerId::from),
            event: event.to_owned(),
            json: format!("{{{fields}}}"),
        }
    }

    fn takes(filter: &Filter, record: &Record) -> bool {
        filter.takes(&SnapshotNames::default().named(record.clone()))
    }

    #[test]
    fn the_filter_offers_every_event_that_the_trail_can_hold() {
        // Serde lists all variants in its error for an unknown one.
        let unknown = r#"{"event":"none_such"}"#;
        let event = serde_json::from_str::<ServerEvent>(unknown)
            .expect_err("no event")
            .to_string();
        let wide = serde_json::from_str::<GlobalEvent>(unknown)
            .expect_err("no event")
            .to_string();
        let words = |text: &str| -> BTreeSet<String> {
            let quoted = text.split('`').skip(1).step_by(2);
            quoted
                .filter(|word| *word != "none_such")
                .map(str::to_owned)
                .collect()
        };
        let mut all = words(&event);
        all.extend(words(&wide));
        assert_eq!(all.into_iter().collect::<Vec<_>>(), EVENTS);
    }

    #[test]
    fn an_empty_filter_matches_every_record() {
        assert!(takes(
            &Filter::default(),
            &record(None, "daemon_started", "")
        ));
        assert!(takes(&Filter::default(), &record(Some(7), "slot_due", "")));
    }

    #[test]
    fn a_server_filter_matches_only_the_records_of_that_server() {
        let filter = Filter {
            server: Some(ServerId::from(7)),
            ..Filter::default()
        };
        assert!(takes(&filter, &record(Some(7), "blocked", "")));
        assert!(!takes(&filter, &record(Some(8), "blocked", "")));
        assert!(!takes(&filter, &record(None, "daemon_started", "")));
    }

    #[test]
    fn both_bounds_of_a_time_range_are_inclusive() {
        let at = |text: &str| Some(text.parse::<Timestamp>().expect("a time"));
        let one = record(Some(7), "slot_due", "");
        for (since, until, taken) in [
            (at("2026-11-25T03:00:00Z"), None, true),
            (at("2026-11-25T03:00:00.000000001Z"), None, false),
            (None, at("2026-11-25T03:00:00Z"), true),
            (None, at("2026-11-25T02:59:59.999999999Z"), false),
        ] {
            let filter = Filter {
                since,
                until,
                ..Filter::default()
            };
            assert_eq!(takes(&filter, &one), taken, "{since:?} {until:?}");
        }
    }

    #[test]
    fn a_group_matches_all_of_its_events_and_no_others() {
        let of = |group: &str| -> Vec<_> {
            let events = EVENTS.iter().copied();
            events.filter(|event| is_of(event, group)).collect()
        };
        assert_eq!(
            of("delete"),
            ["delete_confirmed", "delete_intent", "delete_result"]
        );
        assert_eq!(
            of("create"),
            ["create_intent", "create_mismatch", "create_result"]
        );
        assert_eq!(of("delete_intent"), ["delete_intent"]);
        assert!(GROUPS.iter().all(|group| of(group).len() > 1));
    }

    #[test]
    fn a_filter_matches_any_of_its_events_and_the_records_of_its_rotation() {
        let events = vec!["slot_due".to_owned(), "blocked".to_owned()];
        let filter = Filter {
            events,
            ..Filter::default()
        };
        assert!(takes(&filter, &record(Some(7), "blocked", "")));
        assert!(!takes(&filter, &record(Some(7), "recovered", "")));
        let filter = Filter {
            rotation: Some("daily".to_owned()),
            ..Filter::default()
        };
        for (fields, taken) in [
            (r#""rotation":"daily""#, true),
            (r#""rotation":"daily2""#, false),
            (r#""alert":"slot_failed","about":"daily""#, true),
            (r#""alert":"overdue","about":"daily""#, true),
            (r#""alert":"hook_failed","about":"daily""#, true),
            (r#""alert":"stuck","about":"daily""#, false),
            ("", false),
        ] {
            assert_eq!(
                takes(&filter, &record(Some(7), "x", fields)),
                taken,
                "{fields}"
            );
        }
    }

    #[test]
    fn a_snapshot_is_found_by_name_by_id_and_in_the_deletes_of_a_reload() {
        let by = |typed: &str| Filter {
            snapshot: Some(SnapshotQuery::new(typed)),
            ..Filter::default()
        };
        for (typed, fields, taken) in [
            ("daily-1", r#""snapshot":"daily-1""#, true),
            ("daily-1", r#""snapshot":"daily-11""#, false),
            ("daily-1", r#""about":"daily-1""#, true),
            (
                "daily-1",
                r#""deletes":["web (id 7): delete daily-1 (id 8): beyond keep"]"#,
                true,
            ),
            (
                "daily-1",
                r#""deletes":["web (id 7): delete daily-11 (id 8): beyond keep"]"#,
                false,
            ),
            ("801", r#""id":801"#, true),
            ("801", r#""id":802"#, false),
            ("801", r#""snapshot":"daily-1""#, false),
        ] {
            assert_eq!(
                takes(&by(typed), &record(Some(7), "x", fields)),
                taken,
                "{typed} {fields}"
            );
        }
        let mut filter = by("801");
        let asked = filter.snapshot.as_mut().expect("a snapshot query");
        asked
            .named
            .insert((ServerId::from(7), "daily-1".to_owned()));
        let intent = r#""snapshot":"daily-1""#;
        assert!(takes(&filter, &record(Some(7), "create_intent", intent)));
        assert!(!takes(&filter, &record(Some(8), "create_intent", intent)));
        let other = r#""snapshot":"daily-1","id":802"#;
        assert!(!takes(&filter, &record(Some(7), "create_result", other)));
    }

    #[test]
    fn records_of_failures_are_distinguished_from_other_records() {
        for (event, fields, wrong) in [
            ("create_result", r#""outcome":"done""#, false),
            ("create_result", r#""outcome":"unknown""#, true),
            ("delete_result", r#""outcome":"later""#, true),
            ("slot_skipped", r#""paused":true"#, false),
            ("slot_skipped", r#""paused":false"#, true),
            ("alert_raised", "", true),
            ("alert_cleared", "", false),
            ("delete_intent", "", false),
        ] {
            let said = RecordFields::of(&record(Some(7), event, fields));
            assert_eq!(went_wrong(event, &said), wrong, "{event} {fields}");
        }
    }
}
