//! Applies an operator's `resume`: it ends a pause, gives up a hold, or agrees to deletes.

use jiff::{SignedDuration, Timestamp};

use super::downtime_state::Downtime;
use super::event::{AlertKind, ClockReading, RecordedAt, SlotOutcome};
use super::payment::Payer;
use super::policy::Rules;
use super::sanitize::counted;
use super::server_history::{PastPause, ServerHistory};

impl ServerHistory {
    /// Applies a `resume` of this server. A person has looked at it, so a hold or start that failed
    /// is given up and a restore counts as over.
    pub(super) fn apply_resume(&mut self, ended_restore: bool, at: RecordedAt) {
        let restored = ended_restore || self.unknown_restore.is_some();
        let gives_up = !restored && self.gives_up_start();
        let from = self.paused.take();
        self.resume(from, at.wall);
        let released = self.hold.take_if(|hold| hold.failures > 0).is_some();
        let released = released || self.downtime.take_if(|_| gives_up).is_some();
        self.restore = None;
        // A `resume` that ended something else agrees to no delete: the person may not have seen
        // that alert.
        if from.is_some() || released || restored {
            return;
        }
        if self.mismatch.take().is_some() {
            self.completed.clear();
        } else {
            self.prune_first = None;
            for notes in &mut self.rotations {
                notes.agree();
            }
        }
    }

    /// Returns a message for everything besides a pause that a `resume` ends. With `own`, the
    /// `resume` is of this server, and messages include what a person must have taken care of.
    pub fn ended_by_resume(&self, rules: &Rules, now: ClockReading, own: bool) -> Vec<String> {
        let ahead = |at: Timestamp| at > now.wall;
        let mut ended = Vec::new();
        if self.last_intent.is_some_and(ahead) || self.restore.is_some_and(|sent| ahead(sent.wall))
        {
            ended.push("the clock counts as correct from now on".to_owned());
        }
        let unknown = self.unknown_restore.clone();
        let mut restored = unknown.is_some();
        if let Some(id) = unknown {
            ended.push(format!(
                "the restore from {id} no longer counts as unknown: make sure that you have checked its outcome"
            ));
        }
        if own && self.restoring(rules, now).is_some() {
            restored = true;
            ended.push("the wait after its restore is over".to_owned());
        }
        let released = self.hold.as_deref().filter(|hold| own && hold.failures > 0);
        let down = self.downtime.as_deref().filter(|_| own);
        let started = down.filter(|_| !restored && self.gives_up_start());
        let goes_on = down.filter(|downtime| started.is_none() && downtime.is_out_of_starts());
        let only = !restored && self.paused.is_none();
        let agrees = own && only && released.is_none() && started.is_none();
        if agrees && self.mismatch.is_some() {
            ended.push("the mismatch at the provider no longer blocks the server: make sure that you have checked it".to_owned());
        } else if agrees && self.owes_a_snapshot() {
            ended.push("a full server may be pruned for a slot again".to_owned());
        }
        if own {
            ended.extend(self.agreement(agrees && self.mismatch.is_none()));
        }
        if let Some(hold) = released {
            ended.push(format!(
                "the hold of {} is given up: make sure that you have released the server",
                hold.rotation
            ));
        }
        if let Some(downtime) = started {
            ended.push(format!(
                "the server's start for {} is given up: make sure that the server runs",
                downtime.rotation
            ));
        }
        if let Some(downtime) = goes_on {
            ended.push(format!(
                "the server's start for {} is still retried: to give it up, resume again",
                downtime.rotation
            ));
        }
        ended
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

    /// Returns true if nothing that is completed was made since the last prune-first.
    fn owes_a_snapshot(&self) -> bool {
        let lost = |payer: &Payer| self.regressed.iter().any(|(id, _)| *id == payer.id);
        let promise = self.prune_first.as_deref();
        promise.is_some_and(|promise| promise.kept_by.as_ref().is_none_or(lost))
    }

    /// Returns the deletes to which a `resume` agrees, one line per rotation.
    fn agreement(&self, agrees: bool) -> impl Iterator<Item = String> {
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
            let how = if !agrees {
                " is not agreed to (to agree, resume again)"
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

    /// Applies the end of a pause of this server or of all servers, if there was one since `from`.
    /// The clock counts as right from here on.
    pub fn resume(&mut self, from: Option<Timestamp>, at: Timestamp) {
        self.last_intent = None;
        if self.restore.is_some_and(|sent| sent.wall > at) {
            self.restore = None;
        }
        self.unknown_restore = None;
        // A clock that was ahead ended slots without a try that are still to come.
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
            for shrink in self.rotations.iter_mut().filter_map(|r| r.shrink.as_mut()) {
                // A grace is extended by the pause, since no operator could react during it.
                let later = |since: RecordedAt| {
                    let paused = at.duration_since(from.max(since.wall));
                    let paused = paused.max(SignedDuration::ZERO);
                    let wall = since.wall.saturating_add(paused).unwrap_or(at);
                    RecordedAt { wall, mono: None }
                };
                shrink.since = shrink.since.map(later);
            }
            self.last_pause = Some(Box::new(PastPause { from, until: at }));
        }
    }
}
