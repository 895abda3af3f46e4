//! Whether the provider lets the account in and can be reached, and whether the trail can
//! be written: what concerns every server at once.
//!
//! A 401, or a 403 on a listing, stops every mutation of the account; a GET probes it now
//! and then, with the token read anew, and everything goes on when one works again.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::{Engine, lock};
use crate::api::{ApiError, ErrorKind, SnapshotApi};
use crate::audit::{Entry, Event, Extra, TrailError, Wide};
use crate::core::decide::Inventory;
use crate::core::policy::Rules;

/// The alert while the provider refuses the token.
const REFUSED: &str = "account_refused";

/// The alert while listings can't be had.
const UNREACHABLE: &str = "api_unreachable";

/// So many listings in a row must fail before it is said.
const FAILURES: u32 = 3;

#[derive(Default)]
struct State {
    refused: Option<ApiError>,
    refused_at: SignedDuration,
    next_probe: SignedDuration,
    failures: u32,
    /// What the trail says stands, by kind and subject.
    alerts: BTreeMap<(String, String), String>,
    trail_down: bool,
}

pub(super) struct Account(Mutex<State>);

impl Account {
    pub(super) fn new(alerts: BTreeMap<(String, String), String>) -> Self {
        Self(Mutex::new(State {
            alerts,
            ..State::default()
        }))
    }

    pub(super) fn refused(&self) -> bool {
        lock(&self.0).refused.is_some()
    }

    /// Whether the trouble is the whole account's.
    pub(super) fn down(&self) -> bool {
        let state = lock(&self.0);
        state.refused.is_some() || state.failures >= FAILURES
    }

    /// Whether a GET may be sent now.
    pub(super) fn may_ask(&self, mono: SignedDuration) -> bool {
        let state = lock(&self.0);
        state.refused.is_none() || mono >= state.next_probe
    }

    /// The next listing probes at once: the token may be another.
    pub(super) fn look_again(&self) {
        lock(&self.0).next_probe = SignedDuration::ZERO;
    }

    pub(super) fn answer_refused(
        &self,
        replies: impl Iterator<Item = oneshot::Sender<Result<Inventory, ApiError>>>,
    ) {
        let Some(error) = lock(&self.0).refused.clone() else {
            return;
        };
        for reply in replies {
            let _gone = reply.send(Err(error.clone()));
        }
    }

    /// Takes in how a call that was requested at `mono` ended; what is to be recorded of
    /// it, if anything changed.
    pub(super) fn heard(
        &self,
        error: Option<&ApiError>,
        mono: SignedDuration,
        rules: &Rules,
    ) -> Option<Wide> {
        let mut state = lock(&self.0);
        match error {
            Some(error) if error.kind == ErrorKind::Account => {
                state.refused_at = mono;
                state.next_probe = mono + rules.retry_after;
                state.refused = Some(error.clone());
                state.raise(REFUSED, format!("the provider refuses the token, and nothing is changed until it is taken again: {error}"))
            }
            Some(error) => {
                state.failures += 1;
                if state.failures < FAILURES {
                    return None;
                }
                state.raise(UNREACHABLE, format!("listings can't be had: {error}"))
            }
            // Requested before the refusal was heard, it says nothing of the token now.
            None if state.refused.is_some() && mono < state.refused_at => None,
            None => {
                state.failures = 0;
                state.refused = None;
                state.clear(REFUSED).or_else(|| state.clear(UNREACHABLE))
            }
        }
    }

    /// Notes whether the trail could be written; no trail, no mutation (I6).
    pub(super) fn trail_written(&self, error: Option<&TrailError>) {
        let mut state = lock(&self.0);
        match error {
            Some(error) if !state.trail_down => {
                tracing::error!(event = "alert_raised", alert = "trail_unwritable", %error, "nothing is changed while the trail can't be written");
                state.trail_down = true;
            }
            None if state.trail_down => {
                tracing::info!(
                    event = "alert_cleared",
                    alert = "trail_unwritable",
                    "the trail can be written again"
                );
                state.trail_down = false;
            }
            _ => {}
        }
    }

    /// Alerts of the account that stand, and whether it is refused.
    pub(super) fn standing(&self) -> (usize, bool) {
        let state = lock(&self.0);
        let trail = usize::from(state.trail_down);
        (state.alerts.len() + trail, state.refused.is_some())
    }
}

impl State {
    fn raise(&mut self, alert: &str, reason: String) -> Option<Wide> {
        let key = (alert.to_owned(), "account".to_owned());
        if self.alerts.contains_key(&key) {
            return None;
        }
        self.alerts.insert(key.clone(), reason.clone());
        let (alert, about) = key;
        Some(Wide::AlertRaised {
            alert,
            about,
            reason,
        })
    }

    fn clear(&mut self, alert: &str) -> Option<Wide> {
        let key = (alert.to_owned(), "account".to_owned());
        self.alerts.remove(&key)?;
        let (alert, about) = key;
        Some(Wide::AlertCleared { alert, about })
    }
}

impl<A: SnapshotApi> Engine<A> {
    /// Records what concerns no single server.
    pub(super) async fn record_wide(&self, wide: Wide) {
        super::tell::wide(&wide);
        let entry = Entry {
            time: self.clock.now().wall,
            server: None,
            event: Event::Wide(wide),
            extra: Extra::default(),
        };
        let written = self.trail.append(vec![entry]).await;
        self.account.trail_written(written.as_ref().err());
    }
}
