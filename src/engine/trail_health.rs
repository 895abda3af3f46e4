//! Tracks whether the trail is writable. Without a trail nothing is mutated, except that servers
//! that the rotation stopped are started (I6).
//!
//! A disk that does not answer raises the alert too. After a failure a write is retried regularly,
//! since days may pass without a record. Once the trail is writable, the outage and the account's
//! active alerts are recorded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Engine, lock};
use crate::api::SnapshotApi;
use crate::audit::{Entry, GlobalEvent, StandingAlert, TrailError};
use crate::core::sanitize::utc;
use crate::core::server_event::{AlertText, RaisedAlert, ServiceAlertKind};

/// The alert that is active while the trail can't be written.
const TRAIL_DOWN: ServiceAlertKind = ServiceAlertKind::TrailUnwritable;

/// The text of the alert, without its cause.
const WHAT: &str = "the trail can't be written; until it can, nothing is changed, except that \
    servers stopped for a snapshot are started";

/// Longest time for one append; the trail on a slower disk is treated as unwritable.
const HANGS: Duration = Duration::from_secs(30);

/// Pause between attempts to record an outage.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// Tracks whether the trail can be written.
#[derive(Default)]
pub(super) struct TrailHealth(Mutex<TrailState>);

#[derive(Default)]
struct TrailState {
    /// When the trail became unwritable; `None` while it is writable.
    down: Option<Timestamp>,
    /// The last outage, until it is recorded.
    outage: Option<TrailOutage>,
}

struct TrailOutage {
    since: Timestamp,
    why: String,
    next_try: SignedDuration,
}

/// Returns the alert's text for this error.
fn unwritable(error: Option<&str>) -> AlertText {
    AlertText::new(WHAT)
        .cause(error)
        .remedy("check the disk, the mount and the owner of the audit and state folders")
}

impl TrailHealth {
    /// Returns true unless the last append failed or has hung for [`HANGS`].
    pub(super) fn writable(&self) -> bool {
        lock(&self.0).down.is_none()
    }

    /// Returns the alert, which the trail can't record while it is active.
    pub(super) fn alert(&self) -> Option<StandingAlert> {
        let state = lock(&self.0);
        let since = state.down?;
        let why = state.outage.as_ref().map(|outage| &outage.why);
        let (alert, about) = TRAIL_DOWN.key();
        Some(StandingAlert {
            alert,
            about,
            standing: RaisedAlert {
                text: unwritable(why.map(String::as_str)),
                since: Some(since),
                acknowledged: None,
            },
        })
    }

    /// Records the result of an append. If this raises or clears the alert, returns the event for
    /// it.
    fn written(&self, error: Option<&TrailError>, at: Timestamp) -> Option<GlobalEvent> {
        let mut state = lock(&self.0);
        match error {
            Some(error) if state.down.is_none() => {
                tracing::error!(
                    event = "alert_raised",
                    alert = TRAIL_DOWN.word(),
                    %error,
                    "while the trail can't be written, nothing is changed, except that \
                    servers stopped for a snapshot are started"
                );
                state.down = Some(at);
                state.outage.get_or_insert(TrailOutage {
                    since: at,
                    why: error.to_string(),
                    next_try: SignedDuration::MIN,
                });
                let text = unwritable(Some(&error.to_string()));
                Some(GlobalEvent::raised(TRAIL_DOWN, text))
            }
            None if state.down.is_some() => {
                tracing::info!(
                    event = "alert_cleared",
                    alert = TRAIL_DOWN.word(),
                    "the trail can be written again"
                );
                state.down = None;
                Some(GlobalEvent::cleared(TRAIL_DOWN))
            }
            _ => None,
        }
    }

    /// Returns the events that record the outage, if the next attempt to record it is due.
    fn to_tell(&self, mono: SignedDuration) -> Option<[GlobalEvent; 2]> {
        let mut state = lock(&self.0);
        let outage = state.outage.as_mut().filter(|o| o.next_try <= mono)?;
        outage.next_try = mono + PAUSE;
        let since = utc(outage.since);
        let text = AlertText::new(format!("the trail could not be written from {since} on"))
            .cause(Some(&outage.why));
        Some([
            GlobalEvent::raised(TRAIL_DOWN, text),
            GlobalEvent::cleared(TRAIL_DOWN),
        ])
    }
}

impl<A: SnapshotApi> Engine<A> {
    /// Records the result of an append and sends a change of the alert to the notifiers.
    pub fn note_written(&self, error: Option<&TrailError>, at: Timestamp) {
        if let Some(change) = self.keeper.written(error, at) {
            self.queue_global_event(&change, at);
        }
    }

    /// Checks for a disk that hangs, and tries to record a past outage.
    pub(super) fn look_after_trail(self: &Arc<Self>) {
        let (now, hangs) = (self.clock.now(), self.trail.hangs_for());
        if hangs >= HANGS {
            self.note_written(Some(&TrailError::Hangs(hangs.as_secs())), now.wall);
        } else if let Some(outage) = self.keeper.to_tell(now.mono) {
            let engine = Arc::clone(self);
            tokio::spawn(async move { engine.tell_outage(outage).await });
        }
    }

    /// Records the outage and the account's active alerts, which may have been raised during it.
    async fn tell_outage(&self, outage: [GlobalEvent; 2]) {
        let time = self.clock.now().wall;
        let (standing, _) = self.account.alerts();
        let standing = standing.into_iter().map(|one| GlobalEvent::AlertRaised {
            alert: one.alert,
            about: one.about,
            text: one.standing.text,
        });
        let events = outage.into_iter().chain(standing);
        let entries = events.map(|event| Entry::global(time, event)).collect();
        let written = self.trail.append(entries).await;
        if written.is_ok() {
            lock(&self.keeper.0).outage = None;
        }
        self.note_written(written.as_ref().err(), time);
    }
}
