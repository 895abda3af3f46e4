//! An operator's `resume`: it ends a pause, gives up a hold, or agrees to deletions.

use jiff::{SignedDuration, Timestamp};

use super::downtime::Downtime;
use super::event::{AlertKind, ClockReading, RecordedAt, SlotOutcome};
use super::policy::Rules;
use super::sanitize::counted;
use super::server_history::{PastPause, ServerHistory};

impl ServerHistory {
    /// Somebody looked at this very server: what can't be released is theirs, and a restore is
    /// over if they say so.
    pub(super) fn resumed(&mut self, at: RecordedAt) {
        let gives_up = self.gives_up_start();
        let from = self.paused.take();
        self.resume(from, at.wall);
        let released = self.hold.take_if(|hold| hold.failures > 0).is_some();
        let released = released || self.downtime.take_if(|_| gives_up).is_some();
        self.restore = None;
        // One that ends something else agrees to nothing: its alert may not have been seen.
        if from.is_some() || released {
            return;
        }
        if self.mismatch.take().is_some() {
            self.completed.clear();
            self.foreign.clear();
        } else {
            self.prune_first = None;
            for notes in &mut self.rotations {
                notes.agree();
            }
        }
    }

    /// All that an operator's `resume` ends besides a pause, in words; for one of the server
    /// itself also what a person has to have seen to.
    pub fn ended_by_resume(&self, rules: &Rules, now: ClockReading, own: bool) -> Vec<String> {
        let ahead = |at: Timestamp| at > now.wall;
        let mut ended = Vec::new();
        if self.last_intent.is_some_and(ahead) || self.restore.is_some_and(|sent| ahead(sent.wall))
        {
            ended.push("the clock counts as right from now on".to_owned());
        }
        if let Some(id) = self.unknown_restore.clone() {
            ended.push(format!(
                "what became of the restore from {id} is yours to know"
            ));
        }
        if own && self.restoring(rules, now).is_some() {
            ended.push("the rest after its restore is over".to_owned());
        }
        let released = self.hold.as_deref().filter(|hold| own && hold.failures > 0);
        let down = self.downtime.as_deref().filter(|_| own);
        let started = down.filter(|_| self.gives_up_start());
        let goes_on = down.filter(|downtime| started.is_none() && downtime.hopeless());
        let agrees = own && self.paused.is_none() && released.is_none() && started.is_none();
        if agrees && self.mismatch.is_some() {
            ended.push("what the provider stores otherwise is yours to know".to_owned());
        } else if agrees && self.prune_first.is_some() {
            ended.push("a full server may be pruned for a slot again".to_owned());
        }
        if own {
            ended.extend(self.agreement(agrees && self.mismatch.is_none()));
        }
        if let Some(hold) = released {
            ended.push(format!(
                "the hold of {} is given up, as released by you",
                hold.rotation
            ));
        }
        if let Some(downtime) = started {
            ended.push(format!(
                "the start that {} owes is given up: whether the server runs is yours to see to",
                downtime.rotation
            ));
        }
        if let Some(downtime) = goes_on {
            ended.push(format!(
                "the start that {} owes is tried on: to give it up takes another resume",
                downtime.rotation
            ));
        }
        ended
    }

    /// Returns true if a `resume` of this very server gives up its start: only one that ends
    /// nothing else, since a server stays down by it.
    fn gives_up_start(&self) -> bool {
        let hopeless = self.downtime.as_deref().is_some_and(Downtime::hopeless);
        hopeless
            && self.paused.is_none()
            && self.mismatch.is_none()
            && self.hold.as_deref().is_none_or(|hold| hold.failures == 0)
            && self
                .rotations
                .iter()
                .all(|notes| notes.to_agree().next().is_none())
    }

    /// To which deletions a `resume` agrees, a line for each rotation.
    fn agreement(&self, agrees: bool) -> impl Iterator<Item = String> {
        self.rotations.iter().filter_map(move |notes| {
            let named = notes.to_agree().map(|id| match self.called(&id) {
                None | Some("") => format!("id {id}"),
                Some(name) => format!("{name} (id {id})"),
            });
            let named: Vec<_> = named.collect();
            if named.is_empty() {
                return None;
            }
            let disagree = (AlertKind::OddDate, notes.name.clone());
            let how = if !agrees {
                " is not agreed to: that takes another resume"
            } else if self.alerts.contains_key(&disagree) {
                " is agreed to, but nothing goes while dates and names disagree on the oldest"
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

    /// A pause ended, its own or one of all, if there was one since `from`; the clock counts
    /// as right from here on.
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
                // Nobody could react while it was paused.
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
