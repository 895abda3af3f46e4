//! Derives the active alerts of a server from its state and its history.
//!
//! The decision compares them with the active alerts in the trail, and records each difference. An
//! alert is therefore raised once, survives restarts and clears by itself.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::create_or_prune::disagree;
use super::decide::{CLOCK_TOLERANCE, DecisionContext, Step};
use super::due_slot_rules::LONG_WAIT;
use super::health::is_about_copies;
use super::policy::Rotation;
use super::retention;
use super::sanitize::utc;
use super::server_event::{AlertKind, AlertText, KeyedAlert, ServerEvent, SlotOutcome};
use super::snapshot::Status;

type Alerts = BTreeMap<(AlertKind, String), AlertText>;

impl DecisionContext<'_> {
    /// Returns the step, or a record that must be written before it: the server became blocked or
    /// recovered, or an alert changed.
    pub(super) fn announce(&self, step: Step, alerts: Option<Alerts>) -> Step {
        if matches!(step, Step::Record(_)) {
            return step;
        }
        let standing = &self.history.alerts;
        let blocked = match &step {
            Step::Blocked { reason } => Some(reason),
            _ => None,
        };
        if let Some(reason) = blocked
            && self.history.blocked.as_ref() != Some(reason)
        {
            return Step::Record(ServerEvent::Blocked {
                reason: reason.clone(),
                contested: self.inventory.contested.clone(),
            });
        }
        let goes_on = matches!(step, Step::Idle { .. })
            || (matches!(step, Step::Create { .. } | Step::Delete { .. })
                && !self.history.no_server);
        if self.history.blocked.is_some() && blocked.is_none() && goes_on {
            let reason = "nothing blocks the server any more".to_owned();
            return Step::Record(ServerEvent::Recovered { reason });
        }
        // A listing in doubt changes no alert that depends on it.
        let mut wanted = alerts.unwrap_or_else(|| {
            let others = standing.iter();
            others
                .filter(|((kind, _), _)| *kind != AlertKind::Blocked)
                .map(|(key, standing)| (key.clone(), standing.text.clone()))
                .collect()
        });
        if self.makes_copy(&step) {
            wanted.retain(|key, _| !is_about_copies(key.0) || standing.contains_key(key));
        }
        let still = blocked.or(self.history.blocked.as_ref());
        if let Some(reason) = still {
            let key = self.about_server(AlertKind::Blocked);
            let list = format!("snaprotate list {}", self.policy.argument());
            wanted.insert(key, AlertText::new(reason.as_str()).run(list));
        }
        let new = wanted
            .iter()
            .find(|(key, text)| standing.get(*key).map(|s| &s.text) != Some(*text));
        if let Some(((alert, about), text)) = new {
            return Step::Record(ServerEvent::AlertRaised {
                alert: *alert,
                about: about.clone(),
                text: text.clone(),
            });
        }
        if let Some((alert, about)) = standing.keys().find(|key| !wanted.contains_key(key)) {
            return Step::Record(ServerEvent::AlertCleared {
                alert: *alert,
                about: about.clone(),
            });
        }
        step
    }

    /// Returns the alert for a restore with an unknown outcome.
    pub(super) fn restore_unknown(&self) -> Option<KeyedAlert> {
        let id = self.history.unknown_restore.clone()?;
        let what = format!(
            "the outcome of the restore from the snapshot with id {id} is unknown, and the restore is not retried"
        );
        let text = AlertText::new(what).only_then_run(
            "check the server, then run",
            format!("snaprotate resume {}", self.policy.argument()),
        );
        Some(((AlertKind::RestoreUnknown, id.to_string()), text))
    }

    /// Returns the alert for a held server that `after` failed to release.
    pub(super) fn stuck_hold(&self) -> Option<KeyedAlert> {
        let hold = self.history.hold.as_deref()?;
        let fault = self.history.hook_fault(&hold.rotation)?;
        if hold.failures == 0 {
            return None;
        }
        let what = format!(
            "the server has been held since {} for {}, and can't be released: the release is retried",
            utc(hold.since.wall),
            hold.snapshot,
        );
        let text = AlertText::new(what).cause(Some(fault)).only_then_run(
            "release the server by hand, then run",
            format!("snaprotate resume {}", self.policy.argument()),
        );
        Some(((AlertKind::HookFailed, hold.rotation.clone().into()), text))
    }

    /// Returns the alerts that follow from a reliable listing.
    pub(super) fn alerts(&self) -> Alerts {
        let mut alerts = Alerts::new();
        for (snapshot, _) in self.own() {
            let name = &snapshot.name;
            let mut raise = |kind, text: AlertText| {
                alerts.insert((kind, name.clone()), text);
            };
            let id = &snapshot.id;
            let server = self.policy.argument();
            let delete = format!("snaprotate delete {server} {id}");
            match &snapshot.status {
                Status::InProgress if self.stuck(snapshot) => raise(
                    AlertKind::Stuck,
                    AlertText::new(format!(
                        "{name} (id {id}) has been in progress for too long, and takes up a place"
                    ))
                    .only_then_run("check it at the provider; to delete it, run", delete),
                ),
                Status::Unknown(word) => raise(
                    AlertKind::UnknownStatus,
                    AlertText::new(format!(
                        "{name} (id {id}) has a status that is not documented: it is kept, and takes up a place"
                    ))
                    .cause(Some(word))
                    .remedy("check it at the provider"),
                ),
                Status::Completed if !self.dated(snapshot) => raise(
                    AlertKind::OddDate,
                    AlertText::new(format!(
                        "{name} (id {id}) has an unreliable date ({}): {}",
                        snapshot.created_at.map_or("unreadable".to_owned(), utc),
                        self.misdated(snapshot)
                    ))
                    .only_then_run("to delete it, run", delete),
                ),
                Status::Failed if self.has_regressed(snapshot) => raise(
                    AlertKind::Regressed,
                    AlertText::new(format!(
                        "{name} (id {id}) was completed, and the provider now lists it as failed: it is kept{}",
                        if self.troubled() {
                            ", and nothing else on the server is deleted as long as other completed snapshots are listed as failed too"
                        } else {
                            ""
                        }
                    ))
                    .only_then_run("check it at the provider; if it is lost, run", delete),
                ),
                _ => {}
            }
            let living = |s: &&super::snapshot::Snapshot| {
                s.name == *name && !matches!(s.status, Status::Failed)
            };
            if self.inventory.snapshots.iter().filter(living).count() > 1 {
                let text = AlertText::new(format!("the provider lists {name} more than once"))
                    .run(format!("snaprotate list {server}"));
                alerts.insert((AlertKind::Copies, name.clone()), text);
            }
        }
        alerts.extend(self.restore_unknown());
        for rotation in &self.policy.rotations {
            if rotation.hooks.is_some()
                && let Some(fault) = self.history.hook_fault(&rotation.name)
            {
                let key = (AlertKind::HookFailed, rotation.name.to_string());
                let text = AlertText::new(fault).run(self.show_failed());
                alerts.insert(key, text);
            }
        }
        alerts.extend(self.stuck_hold());
        alerts.extend(self.stopped_for_long());
        // Rotations that no longer stop the server are included: their last snapshot may still be
        // one of a running server.
        let rotations = self.policy.rotations.iter();
        let ran =
            rotations.filter_map(|r| Some((&r.name, self.history.ran_during_snapshot(&r.name)?)));
        alerts.extend(ran.map(|(name, ran)| {
            let text = AlertText::new(&*ran.why)
                .run(format!("snaprotate create {} NAME", self.policy.argument()));
            ((AlertKind::ServerRan, name.to_string()), text)
        }));
        alerts.extend(self.copy_alert());
        self.shrinking(&mut alerts);
        for (index, rotation) in self.policy.rotations.iter().enumerate() {
            self.fruitless_slots(&rotation.name, &mut alerts);
            self.waiting_slot(rotation, &mut alerts);
            self.forgotten_slot(index, &mut alerts);
        }
        alerts
    }

    /// I19: adds the alert for snapshots beyond `keep` that no new snapshot replaces, and the one
    /// for snapshots that stay because their rotation's dates and names disagree.
    fn shrinking(&self, alerts: &mut Alerts) {
        let owned = self.owned();
        let spares = retention::surplus_of(self.policy, &owned);
        for (index, rotation) in self.policy.rotations.iter().enumerate() {
            let of = spares.iter().filter(|(own, _)| own.place.rotation == index);
            let of: Vec<_> = of.map(|(own, _)| *own).collect();
            if of.is_empty() {
                continue;
            }
            if let Some(Err(odd)) = retention::oldest(&owned, index) {
                let key = (AlertKind::OddDate, rotation.name.to_string());
                alerts.insert(key, disagree(&odd));
                continue;
            }
            let key = (AlertKind::Shrink, rotation.name.to_string());
            // While the announced deletes are carried out, the alert stays as it is.
            let announced = || self.history.alerts.get(&key).map(|raised| &raised.text);
            let announced = || announced().filter(|_| self.announces(rotation, &of));
            let summary = self.shrink_summary(rotation, &of);
            if let Some(text) = summary.or_else(|| announced().cloned()) {
                alerts.insert(key, text);
            }
        }
    }

    /// I15: adds the alerts for slots that ended without a snapshot after the last slot that has
    /// one.
    fn fruitless_slots(&self, rotation: &str, alerts: &mut Alerts) {
        // Slots after `latest` were recorded while the clock was ahead.
        let latest = self.now.wall.saturating_add(CLOCK_TOLERANCE);
        let latest = latest.unwrap_or(self.now.wall);
        let ended = self.history.slots(rotation).filter(|note| {
            let missing = || self.history.missing(rotation, &note.name).is_some();
            let failed = note.ending.is_some() || (note.reopened && missing());
            note.at <= latest && failed && note.ending != Some(SlotOutcome::Paused)
        });
        let mut ended: Vec<_> = ended.collect();
        // Two slots may share one instant, one of them under a former pattern. The later record
        // takes precedence.
        ended.sort_by_key(|note| note.at);
        ended.reverse();
        let good = ended
            .iter()
            .position(|note| note.ending == Some(SlotOutcome::Completed));
        let fruitless = &ended[..good.unwrap_or(ended.len())];
        let Some(last) = fruitless.first() else {
            return;
        };
        let missing = self.history.missing(rotation, &last.name);
        let why = missing.map_or_else(
            || match last.ending {
                Some(SlotOutcome::GivenUp) => "given up",
                _ => "it passed without an attempt",
            },
            |missing| &missing.why,
        );
        let said = missing.and_then(|missing| missing.said.as_deref());
        alerts.insert(
            (AlertKind::SlotFailed, rotation.to_owned()),
            self.no_snapshot(rotation, &last.name, why, said),
        );
        if fruitless.len() > 1 || last.leap {
            let none = match good.and_then(|good| ended.get(good)) {
                Some(good) => format!("no slot of {rotation} since {}", good.name),
                None => format!("none of the last slots of {rotation}"),
            };
            alerts.insert(
                (AlertKind::Overdue, rotation.to_owned()),
                AlertText::new(format!("{none} has a snapshot"))
                    .cause(said)
                    .run(self.show_failed()),
            );
        }
    }

    /// I15: adds the alert for the newest slot if tries that don't count as attempts have delayed
    /// it for too long.
    fn waiting_slot(&self, rotation: &Rotation, alerts: &mut Alerts) {
        let newest = self.history.newest(&rotation.name, self.now.wall);
        let Some(note) = newest.filter(|note| note.ending.is_none()) else {
            return;
        };
        let long = |since: Timestamp| self.now.wall.duration_since(since) >= LONG_WAIT;
        let Some(since) = note.waiting.filter(|since| long(*since)) else {
            return;
        };
        let failed = self.history.failed(&rotation.name, &note.name);
        let why = failed.map_or("its create request is temporarily refused", |failed| {
            &failed.why
        });
        let what = format!(
            "the slot of {} has been waiting since {}: {why}; it is retried automatically",
            note.name,
            utc(since),
        );
        let text = AlertText::new(what)
            .cause(failed.and_then(|failed| failed.said.as_deref()))
            .run(self.show_failed());
        alerts.insert((AlertKind::SlotWaiting, rotation.name.clone().into()), text);
    }

    /// I15: adds the alert for a due slot that ended early because the clock was ahead. Only the
    /// slot's range is left in the trail, so no note raises the alert.
    fn forgotten_slot(&self, index: usize, alerts: &mut Alerts) {
        let rotation = &self.policy.rotations[index];
        let Some(slot) = self.slot_due(rotation, self.now.wall) else {
            return;
        };
        let newest = self.history.newest(&rotation.name, self.now.wall);
        if newest.is_some_and(|note| note.at >= slot.at)
            || !self.history.passed(&rotation.name, slot.at)
            || self.completed(index, slot)
        {
            return;
        }
        let name = rotation.pattern.format(slot.local);
        let why = "it ended early because the clock was ahead";
        alerts.insert(
            (AlertKind::SlotFailed, rotation.name.clone().into()),
            self.no_snapshot(&rotation.name, &name, why, None),
        );
    }

    fn no_snapshot(&self, rotation: &str, name: &str, why: &str, said: Option<&str>) -> AlertText {
        AlertText::new(format!("the slot of {name} has no snapshot: {why}"))
            .cause(said)
            .run(self.retry_command(rotation))
    }

    /// Returns the command that retries the rotation's newest slot.
    fn retry_command(&self, rotation: &str) -> String {
        let server = self.policy.argument();
        match self.policy.rotations.as_slice() {
            [_] => format!("snaprotate retry {server}"),
            _ => format!("snaprotate retry {server} {rotation}"),
        }
    }

    /// Returns the command that shows the server's failures.
    fn show_failed(&self) -> String {
        format!("snaprotate audit show {} --failed", self.policy.argument())
    }
}

#[cfg(test)]
#[path = "clock_ahead_tests.rs"]
mod clock_ahead;
#[cfg(test)]
#[path = "fruitless_tests.rs"]
mod fruitless;
#[cfg(test)]
#[path = "alert_rules_tests.rs"]
mod tests;
