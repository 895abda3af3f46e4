//! Applies an operator's `resume`: it ends a pause, gives up a hold, or agrees to deletes.

use jiff::{SignedDuration, Timestamp};

use super::downtime_record::Downtime;
use super::payment_and_promise::Payer;
use super::policy::Rules;
use super::sanitize::{counted, utc};
use super::server_event::ServerEvent;
use super::server_event::{AlertKind, ClockReading, RecordedAt, SlotOutcome};
use super::server_history::{PastPause, PendingOp, ServerHistory};
use super::snapshot::{ServerId, SnapshotId};

/// The effects of a `resume` of a server besides the end of its pause and of its restore.
struct ResumeEffects {
    /// It gives up the hold whose `after` failed.
    releases: bool,
    /// It gives up the start of the server, which stays stopped.
    gives_up_start: bool,
    /// It accepts a mismatch, or permits the deletes that wait for an operator.
    agrees: bool,
}

impl ServerHistory {
    /// Applies a `resume` of this server. The operator has looked at the server, so a hold or start
    /// that failed is given up, and a restore counts as over. A `resume` that gives up snapshots
    /// was requested by another server's alert: besides that, it only ends a pause and a restore,
    /// and accepts the clock.
    pub(super) fn apply_resume(&mut self, event: &ServerEvent, at: RecordedAt) {
        let ServerEvent::Resumed {
            ended_restore,
            gave_up,
            ..
        } = event
        else {
            return;
        };
        let ends_restore = *ended_restore || self.unknown_restore.is_some();
        let effects = self.resume_effects(ends_restore, !gave_up.is_empty());
        let agrees_to_deletes = effects.agrees && self.mismatch.is_none();
        let paused = self.paused.take();
        self.resume(paused.map(|pause| pause.since), at.wall);
        self.restore = None;
        if !agrees_to_deletes {
            self.restart_grace(at);
        }
        if !gave_up.is_empty() {
            return self.give_up_snapshots(gave_up);
        }
        self.hold.take_if(|_| effects.releases);
        self.downtime.take_if(|_| effects.gives_up_start);
        if !effects.agrees {
            return;
        }
        if self.mismatch.take().is_some() {
            self.completed.clear();
        } else {
            if self.owes_a_snapshot() {
                self.prune_first = None;
            }
            for notes in &mut self.rotations {
                notes.agree();
            }
        }
    }

    /// Returns the messages of a `resume` of this server: what it ends besides a pause, what it
    /// leaves as it is, and what the operator must have checked. `gave_up` lists the snapshots that
    /// it gives up.
    pub fn ended_by_resume(
        &self,
        rules: &Rules,
        now: ClockReading,
        gave_up: &[SnapshotId],
    ) -> Vec<String> {
        let mut ended = self.ended_by_resume_of_all(now, None);
        let mut ends_restore = self.unknown_restore.is_some();
        if self.restoring(rules, now).is_some() {
            ends_restore = true;
            ended.push("the wait after its restore has been ended".to_owned());
        }
        let ResumeEffects {
            releases,
            gives_up_start,
            agrees,
        } = self.resume_effects(ends_restore, !gave_up.is_empty());
        let failed = self.hold.as_deref().filter(|hold| hold.failures > 0);
        let down = self.downtime.as_deref();
        let started = down.filter(|_| gives_up_start);
        let goes_on = down.filter(|downtime| !gives_up_start && downtime.is_out_of_starts());
        if agrees && self.mismatch.is_some() {
            ended.push("the mismatch at the provider no longer blocks the server: make sure that you have checked it".to_owned());
        } else if agrees && self.owes_a_snapshot() {
            ended.push("a full server may be pruned for a slot again".to_owned());
        }
        let earliest = now.wall.checked_add(rules.shrink_grace).ok();
        ended.extend(self.agreement(agrees && self.mismatch.is_none(), earliest));
        if let Some(hold) = failed {
            ended.push(if releases {
                format!(
                    "the hold of {} is given up: make sure that you have released the server",
                    hold.rotation
                )
            } else {
                format!(
                    "the release after the hold of {} is still being retried: to give it up, resume again",
                    hold.rotation
                )
            });
        }
        if let Some(downtime) = started {
            ended.push(format!(
                "the server's start for {} is given up: make sure that the server is running",
                downtime.rotation
            ));
        }
        if let Some(downtime) = goes_on {
            ended.push(format!(
                "the server's start for {} is still being retried: to give it up, resume again",
                downtime.rotation
            ));
        }
        ended.extend((!gave_up.is_empty()).then(|| given_up_text(gave_up)));
        ended
    }

    /// Returns a message for everything on this server that a `resume` of all servers ends. With
    /// `server`, the message about a restore names it.
    pub fn ended_by_resume_of_all(
        &self,
        now: ClockReading,
        server: Option<&ServerId>,
    ) -> Vec<String> {
        let ahead = |at: Timestamp| at > now.wall;
        let mut ended = Vec::new();
        if self.last_intent.is_some_and(ahead) || self.restore.is_some_and(|sent| ahead(sent.wall))
        {
            ended.push("the clock counts as correct from now on".to_owned());
        }
        if let Some(id) = &self.unknown_restore {
            let of = server.map(|server| format!(" of server {server}"));
            ended.push(format!(
                "the restore{} from {id} no longer counts as unknown: make sure that you have checked its outcome",
                of.unwrap_or_default()
            ));
        }
        ended
    }

    /// Decides what a `resume` does. If it ends anything else, it agrees to no delete, since the
    /// operator may not have seen that alert. It also agrees to none while another server's listing
    /// shows a snapshot of this server.
    fn resume_effects(&self, ends_restore: bool, gives_up_snapshots: bool) -> ResumeEffects {
        let releases = self.hold.as_deref().is_some_and(|hold| hold.failures > 0);
        let releases = releases && !gives_up_snapshots;
        let nothing_else = !ends_restore && !gives_up_snapshots;
        let gives_up_start = nothing_else && self.gives_up_start();
        ResumeEffects {
            releases,
            gives_up_start,
            agrees: nothing_else
                && self.paused.is_none()
                && !releases
                && !gives_up_start
                && self.contested().is_none(),
        }
    }

    /// Returns true if a `resume` of this server gives up its start. It does so only if it ends
    /// nothing else, since the server then stays stopped.
    fn gives_up_start(&self) -> bool {
        let hopeless = self
            .downtime
            .as_deref()
            .is_some_and(Downtime::is_out_of_starts);
        hopeless
            && self.paused.is_none()
            && self.mismatch.is_none()
            && self.hold.as_deref().is_none_or(|hold| hold.failures == 0)
            && self
                .rotations
                .iter()
                .all(|notes| notes.to_agree().next().is_none())
    }

    /// Returns true if no snapshot keeps the promise of the last prune-first, or the one that kept
    /// it has regressed, and nothing is being made.
    fn owes_a_snapshot(&self) -> bool {
        let creating = matches!(self.open, Some(PendingOp::Create { .. }));
        if creating || self.made.iter().any(|made| made.failed.is_none()) {
            return false;
        }
        let lost = |payer: &Payer| self.regressed.iter().any(|(id, _)| *id == payer.id);
        let promise = self.prune_first.as_deref();
        promise.is_some_and(|promise| promise.kept_by.as_ref().is_none_or(lost))
    }

    /// Returns one line for each rotation with deletes that wait for an operator: the deletes, and
    /// whether the `resume` agrees to them. If it doesn't, announced ones begin at `earliest`.
    fn agreement(&self, agrees: bool, earliest: Option<Timestamp>) -> impl Iterator<Item = String> {
        self.rotations.iter().filter_map(move |notes| {
            let named = notes
                .to_agree()
                .map(|id| match self.completed_snapshot_name(&id) {
                    None | Some("") => format!("id {id}"),
                    Some(name) => format!("{name} (id {id})"),
                });
            let named: Vec<_> = named.collect();
            if named.is_empty() {
                return None;
            }
            let disagree = (AlertKind::OddDate, notes.name.to_string());
            let announced = (notes.shrink.as_ref()).and_then(|s| s.announcements().next());
            let begins = earliest
                .filter(|_| announced.is_some())
                .map(|from| format!(", and does not begin before {}", utc(from)))
                .unwrap_or_default();
            let how = if self.contested().is_some() {
                &*format!(" is not agreed to while another server's listing shows a snapshot of this one{begins}")
            } else if !agrees {
                &*format!(" is not agreed to{begins} (to agree, resume again)")
            } else if self.blocked.is_some() {
                " is agreed to, but nothing is deleted while the server is blocked"
            } else if self.alerts.contains_key(&disagree) {
                " is agreed to, but nothing is deleted while dates and names disagree on the oldest"
            } else {
                " is agreed to"
            };
            Some(format!(
                "the deletion of {} of {}{how}: {}",
                counted(named.len(), "snapshot"),
                notes.name,
                named.join(", ")
            ))
        })
    }

    /// Applies a `resume` of this server or of all servers. The pause began at `from`; `None` if
    /// there was none. From now on the clock is considered correct.
    pub fn resume(&mut self, from: Option<Timestamp>, at: Timestamp) {
        self.last_intent = None;
        if self.restore.is_some_and(|sent| sent.wall > at) {
            self.restore = None;
        }
        self.unknown_restore = None;
        // A slot in the future can have ended without a try only because the clock was ahead.
        for notes in &mut self.rotations {
            notes.slots.retain(|note| {
                let untried = matches!(
                    note.ending,
                    Some(SlotOutcome::Skipped | SlotOutcome::Paused)
                );
                note.at <= at || !untried || note.intents > 0
            });
        }
        if let Some(from) = from {
            self.end_pause(from, at);
        }
    }

    /// Records that the server was paused between these times, which gives announced deletes as
    /// much more time.
    pub fn end_pause(&mut self, from: Timestamp, until: Timestamp) {
        for shrink in self.rotations.iter_mut().filter_map(|r| r.shrink.as_mut()) {
            // A grace is extended by the pause, since no operator could react during it.
            let later = |since: RecordedAt| {
                let paused = until.duration_since(from.max(since.wall));
                let paused = paused.max(SignedDuration::ZERO);
                let wall = since.wall.saturating_add(paused).unwrap_or(until);
                RecordedAt { wall, mono: None }
            };
            shrink.since = shrink.since.map(later);
            for (_, since) in &mut shrink.instead {
                *since = later(*since);
            }
        }
        self.last_pause = Some(Box::new(PastPause { from, until }));
    }
}

/// Returns the message for snapshots that a `resume` gives up.
fn given_up_text(ids: &[SnapshotId]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    format!(
        "from now on, {} that only another server's listing shows may belong to that server, whose rotation may delete those whose names match its own patterns: id {}",
        counted(ids.len(), "snapshot"),
        ids.join(", ")
    )
}
