//! Looks after the trail: no trail, no mutation (I6). A disk that doesn't answer is said; where
//! the trail couldn't be written it is tried again, since nothing else may come for days; and
//! when it can be, it is told of the outage and of what happened meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Engine, lock};
use crate::api::SnapshotApi;
use crate::audit::{Entry, GlobalEvent, StandingAlert, TrailError};
use crate::core::event::RaisedAlert;
use crate::core::sanitize::utc;

/// The alert while the trail can't be written.
const TRAIL_DOWN: &str = "trail_unwritable";

/// What that alert is about.
const TRAIL: &str = "trail";

/// Why it stands.
const REASON: &str = "the trail can't be written, and nothing is changed until it can";

/// A disk that takes longer for one append counts as one that can't be written.
const HANGS: Duration = Duration::from_secs(30);

/// Between two tries.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// Whether the trail can be written.
#[derive(Default)]
pub(super) struct TrailHealth(Mutex<TrailState>);

#[derive(Default)]
struct TrailState {
    /// Since when it can't.
    down: Option<Timestamp>,
    /// The last time in which it couldn't, until the trail tells of that.
    outage: Option<TrailOutage>,
}

struct TrailOutage {
    since: Timestamp,
    why: String,
    next_try: SignedDuration,
}

impl TrailHealth {
    /// Whether the last record could be written.
    pub(super) fn writable(&self) -> bool {
        lock(&self.0).down.is_none()
    }

    /// The alert, which the trail can't tell of itself.
    pub(super) fn alert(&self) -> Option<StandingAlert> {
        let state = lock(&self.0);
        let since = state.down?;
        let why = state.outage.as_ref().map(|outage| &outage.why);
        Some(StandingAlert {
            alert: TRAIL_DOWN.to_owned(),
            about: TRAIL.to_owned(),
            standing: RaisedAlert {
                reason: why.map_or(REASON.to_owned(), |why| format!("{REASON}: {why}")),
                since: Some(since),
            },
        })
    }

    /// Takes in how an append ended; what changed by it.
    fn written(&self, error: Option<&TrailError>, at: Timestamp) -> Option<GlobalEvent> {
        let mut state = lock(&self.0);
        match error {
            Some(error) if state.down.is_none() => {
                tracing::error!(event = "alert_raised", alert = TRAIL_DOWN, %error, "nothing is changed while the trail can't be written");
                state.down = Some(at);
                state.outage.get_or_insert(TrailOutage {
                    since: at,
                    why: error.to_string(),
                    next_try: SignedDuration::MIN,
                });
                let reason = format!("{REASON}: {error}");
                Some(GlobalEvent::raised(TRAIL_DOWN, TRAIL, reason))
            }
            None if state.down.is_some() => {
                tracing::info!(
                    event = "alert_cleared",
                    alert = TRAIL_DOWN,
                    "the trail can be written again"
                );
                state.down = None;
                Some(GlobalEvent::cleared(TRAIL_DOWN, TRAIL))
            }
            _ => None,
        }
    }

    /// The outage as it is recorded, if it is time to try that.
    fn to_tell(&self, mono: SignedDuration) -> Option<[GlobalEvent; 2]> {
        let mut state = lock(&self.0);
        let outage = state.outage.as_mut().filter(|o| o.next_try <= mono)?;
        outage.next_try = mono + PAUSE;
        let (since, why) = (utc(outage.since), &outage.why);
        let reason = format!("it couldn't be written since {since}: {why}");
        Some([
            GlobalEvent::raised(TRAIL_DOWN, TRAIL, reason),
            GlobalEvent::cleared(TRAIL_DOWN, TRAIL),
        ])
    }
}

impl<A: SnapshotApi> Engine<A> {
    /// Notes whether the trail could be written, and lets it be known where that is news.
    pub fn note_written(&self, error: Option<&TrailError>, at: Timestamp) {
        if let Some(change) = self.keeper.written(error, at) {
            self.tap_wide(&change, at);
        }
    }

    /// One look, in passing.
    pub(super) fn look_after_trail(self: &Arc<Self>) {
        let (now, hangs) = (self.clock.now(), self.trail.hangs_for());
        if hangs >= HANGS {
            self.note_written(Some(&TrailError::Hangs(hangs.as_secs())), now.wall);
        } else if let Some(outage) = self.keeper.to_tell(now.mono) {
            let engine = Arc::clone(self);
            tokio::spawn(async move { engine.tell_outage(outage).await });
        }
    }

    /// Records the outage, and what stands of the account: that may have been raised in it.
    async fn tell_outage(&self, outage: [GlobalEvent; 2]) {
        let time = self.clock.now().wall;
        let (standing, _) = self.account.alerts();
        let standing = standing
            .into_iter()
            .map(|one| GlobalEvent::raised(&one.alert, &one.about, one.standing.reason));
        let events = outage.into_iter().chain(standing);
        let entries = events.map(|wide| Entry::wide(time, wide)).collect();
        let written = self.trail.append(entries).await;
        if written.is_ok() {
            lock(&self.keeper.0).outage = None;
        }
        self.note_written(written.as_ref().err(), time);
    }
}
