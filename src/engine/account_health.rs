//! Account-wide health: whether the provider accepts the token and can be reached.
//!
//! A 401, or a 403 on an account-wide listing, stops every mutation of the account except owed
//! starts. The token file is then read again regularly, and a listing probes the token. Once a
//! token works, the mutations resume. A token whose mutations were rejected may be read-only, so
//! after a successful listing a single mutation is sent as a trial. The alert clears, and the
//! others resume, only when the provider accepts the trial, or a listing with another token
//! succeeds.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::{Engine, lock};
use crate::api::{ApiError, ErrorKind, SnapshotApi};
use crate::audit::{Entry, GlobalEvent, StandingAlert, TrailError};
use crate::core::decide::Inventory;
use crate::core::policy::Rules;
use crate::core::retry_backoff::{LONGEST_BACKOFF, doubled};
use crate::core::server_event::ServiceAlertKind::{AccountRefused, ApiUnreachable};
use crate::core::server_event::{AlertText, ClockReading, RaisedAlert, ServiceAlertKind};

/// The alert is raised after this many consecutive failed listings, or once they have failed for
/// [`FAILING`].
const FAILURES: u32 = 3;
const FAILING: SignedDuration = SignedDuration::from_mins(1);

#[derive(Default)]
struct AccountState {
    refused: Option<ApiError>,
    refused_at: SignedDuration,
    next_probe: SignedDuration,
    /// No mutation is tried before this instant; listings go on meanwhile.
    next_trial: SignedDuration,
    /// Rejections of mutations since a trial was accepted or another token worked. Those in flight
    /// together count as one.
    barred: u32,
    /// The token generation that the rejected mutations were sent with.
    barred_token: u64,
    /// Set while a trial mutation is in flight.
    trying: bool,
    failures: u32,
    /// When the first of the consecutive failures was requested.
    failing_since: SignedDuration,
    /// Active alerts that concern no single server, by kind and subject.
    alerts: BTreeMap<(String, String), RaisedAlert>,
}

pub(super) struct AccountHealth(Mutex<AccountState>);

/// Permission to send one mutation.
pub(super) struct MutationPermit<'a> {
    account: &'a AccountHealth,
    trial: bool,
    /// Set for the start of a server that the rotation stopped.
    owed: bool,
}

impl MutationPermit<'_> {
    /// Returns true if this rejection says nothing about the token's other permissions. The token
    /// may lack only the permission to start servers, and the server's own alert reports that.
    pub(super) fn is_of_one_server(&self, error: &ApiError) -> bool {
        self.owed && error.status != Some(401)
    }

    /// Records that the provider accepted the token. Returns the event to record, if the alert
    /// clears.
    pub(super) fn record_token_accepted(&self) -> Option<GlobalEvent> {
        let mut state = lock(&self.account.0);
        // A mutation that was sent before the rejection says nothing about the token now.
        if !self.trial {
            return None;
        }
        state.barred = 0;
        let admitted = state.refused.is_none().then(|| state.clear(AccountRefused));
        admitted.flatten()
    }
}

impl Drop for MutationPermit<'_> {
    fn drop(&mut self) {
        if self.trial {
            lock(&self.account.0).trying = false;
        }
    }
}

impl AccountHealth {
    pub(super) fn new(alerts: BTreeMap<(String, String), RaisedAlert>) -> Self {
        Self(Mutex::new(AccountState {
            alerts,
            ..AccountState::default()
        }))
    }

    /// Returns true if this alert is active.
    pub(super) fn stands(&self, kind: ServiceAlertKind) -> bool {
        lock(&self.0).alerts.contains_key(&kind.key())
    }

    pub(super) fn refused(&self) -> bool {
        lock(&self.0).refused.is_some()
    }

    /// Returns a permit, or `None` while mutations are stopped. After mutations were rejected, one
    /// trial runs at a time.
    pub(super) fn mutation_permit(&self, now: SignedDuration) -> Option<MutationPermit<'_>> {
        let mut state = lock(&self.0);
        let trial = state.barred > 0;
        if state.refused.is_some() || (trial && (state.trying || now < state.next_trial)) {
            return None;
        }
        state.trying = trial;
        Some(MutationPermit {
            account: self,
            trial,
            owed: false,
        })
    }

    /// Returns a permit for an owed start. A rejected token does not delay the start, and a start
    /// that succeeds does not prove that the token may create snapshots.
    pub(super) fn owed_start_permit(&self) -> MutationPermit<'_> {
        MutationPermit {
            account: self,
            trial: false,
            owed: true,
        }
    }

    /// Returns true if the token is rejected, or if at least [`FAILURES`] listings in a row have
    /// failed.
    pub(super) fn down(&self) -> bool {
        let state = lock(&self.0);
        state.refused.is_some() || state.failures >= FAILURES
    }

    /// Returns true if a GET may be sent now.
    pub(super) fn may_ask(&self, mono: SignedDuration) -> bool {
        let state = lock(&self.0);
        state.refused.is_none() || mono >= state.next_probe
    }

    /// Ends the waits before the next probe and the next trial, since the token may have changed.
    pub(super) fn look_again(&self) {
        let mut state = lock(&self.0);
        (state.next_probe, state.next_trial) = (SignedDuration::ZERO, SignedDuration::ZERO);
    }

    pub(super) fn answer_refused(
        &self,
        replies: impl Iterator<Item = oneshot::Sender<Result<Inventory, ApiError>>>,
    ) {
        let Some(mut error) = lock(&self.0).refused.clone() else {
            return;
        };
        error.message = format!(
            "not requested, because the token was rejected: {}",
            error.message
        );
        for reply in replies {
            let _gone = reply.send(Err(error.clone()));
        }
    }

    /// Records the result of a listing that was requested at `requested`, with the token generation
    /// now in use. Returns the events to record.
    pub(super) fn listed(
        &self,
        error: Option<&ApiError>,
        (requested, now): (SignedDuration, ClockReading),
        token: u64,
        rules: &Rules,
    ) -> Vec<GlobalEvent> {
        let mut state = lock(&self.0);
        match error {
            Some(error) if error.kind == ErrorKind::Account => {
                let raised = state.refuse(error, now, rules.retry_after);
                raised.into_iter().collect()
            }
            Some(error) => {
                if state.failures == 0 {
                    state.failing_since = requested;
                }
                state.failures += 1;
                let long = now.mono - state.failing_since >= FAILING;
                if state.failures < FAILURES && !long {
                    return Vec::new();
                }
                let text = AlertText::new(
                    "listings fail, and until one succeeds nothing is created or deleted",
                )
                .cause(Some(&error.to_string()));
                let text = match error.status {
                    // The provider can be reached.
                    Some(429 | 503) => {
                        text.remedy("wait until the provider accepts requests again")
                    }
                    _ => text.then_run("to test the connection, run", "snaprotate check --online"),
                };
                let raised = state.raise(ApiUnreachable, text, now.wall);
                raised.into_iter().collect()
            }
            // It was requested before the rejection arrived, so it says nothing about the token
            // now.
            None if state.refused.is_some() && requested < state.refused_at => Vec::new(),
            None => {
                state.failures = 0;
                state.refused = None;
                if token != state.barred_token {
                    state.barred = 0;
                }
                let admitted = (state.barred == 0).then(|| state.clear(AccountRefused));
                let reached = state.clear(ApiUnreachable);
                admitted.flatten().into_iter().chain(reached).collect()
            }
        }
    }

    /// Records that a mutation was rejected with this token. Mutations that were in flight together
    /// count as one.
    pub(super) fn barred(
        &self,
        leave: &MutationPermit<'_>,
        error: &ApiError,
        (now, token): (ClockReading, u64),
        rules: &Rules,
    ) -> Option<GlobalEvent> {
        let mut state = lock(&self.0);
        // A successful start would not clear the alert, so the next listing decides whether the
        // token works.
        if leave.owed {
            return state.refuse(error, now, rules.retry_after);
        }
        if state.barred == 0 || state.refused.is_none() {
            state.barred += 1;
            state.barred_token = token;
        }
        state.next_trial = now.mono + doubled(rules.retry_after, state.barred - 1, LONGEST_BACKOFF);
        state.refuse(error, now, rules.retry_after)
    }

    /// Raises, updates or clears an alert of the host. Returns the event to record, if anything
    /// changed.
    fn host(
        &self,
        kind: ServiceAlertKind,
        text: Option<AlertText>,
        at: Timestamp,
    ) -> Option<GlobalEvent> {
        let mut state = lock(&self.0);
        let Some(text) = text else {
            return state.clear(kind);
        };
        let key = kind.key();
        let before = state.alerts.get(&key);
        if before.is_some_and(|standing| standing.text == text) {
            return None;
        }
        let standing = RaisedAlert::raised(&text, at, before);
        state.alerts.insert(key, standing);
        Some(GlobalEvent::raised(kind, text))
    }

    /// Returns the account's active alerts, and true if the token is rejected.
    pub(super) fn alerts(&self) -> (Vec<StandingAlert>, bool) {
        let state = lock(&self.0);
        let alerts = state.alerts.iter().map(|((alert, about), standing)| {
            let (alert, about, standing) = (alert.clone(), about.clone(), standing.clone());
            StandingAlert {
                alert,
                about,
                standing,
            }
        });
        let refused = state.refused.is_some() || state.barred > 0;
        (alerts.collect(), refused)
    }
}

impl AccountState {
    fn refuse(
        &mut self,
        error: &ApiError,
        now: ClockReading,
        pause: SignedDuration,
    ) -> Option<GlobalEvent> {
        self.refused_at = now.mono;
        self.next_probe = now.mono + pause;
        self.refused = Some(error.clone());
        let text = AlertText::new(
            "the provider rejects the token, and nothing is changed until it accepts one",
        )
        .cause(Some(&error.to_string()))
        .remedy("put a valid token into token_file, which is read again before each listing and at a reload");
        self.raise(AccountRefused, text, now.wall)
    }

    fn raise(
        &mut self,
        kind: ServiceAlertKind,
        text: AlertText,
        at: Timestamp,
    ) -> Option<GlobalEvent> {
        let key = kind.key();
        if self.alerts.contains_key(&key) {
            return None;
        }
        let standing = RaisedAlert::raised(&text, at, None);
        let raised = GlobalEvent::raised(kind, text);
        self.alerts.insert(key, standing);
        Some(raised)
    }

    fn clear(&mut self, kind: ServiceAlertKind) -> Option<GlobalEvent> {
        self.alerts.remove(&kind.key())?;
        Some(GlobalEvent::cleared(kind))
    }
}

impl<A: SnapshotApi> Engine<A> {
    /// Raises an alert that concerns the host, or clears it if `text` is `None`. A change is
    /// recorded and sent to the receivers.
    pub async fn set_alert(&self, kind: ServiceAlertKind, text: Option<AlertText>) {
        let at = self.clock.now().wall;
        if let Some(change) = self.account.host(kind, text, at) {
            self.note_global_event(change).await;
        }
    }

    /// Updates the account's health from the answer to a mutation.
    pub(super) async fn update_account_health(
        &self,
        leave: MutationPermit<'_>,
        error: Option<&ApiError>,
    ) {
        let change = match error {
            Some(error) if leave.is_of_one_server(error) => None,
            Some(error) if error.kind == ErrorKind::Account => {
                let rules = self.wanted().rules;
                let at = (self.clock.now(), self.api.token());
                self.account.barred(&leave, error, at, &rules)
            }
            // Not reached, busy or unanswered: the provider may not have checked the token.
            Some(error) if matches!(error.kind, ErrorKind::Later | ErrorKind::Unknown) => None,
            _ => leave.record_token_accepted(),
        };
        drop(leave);
        if let Some(change) = change {
            self.note_global_event(change).await;
        }
    }

    /// Records an event that concerns no single server. Fails if the trail can't be written.
    pub async fn record_global_event(&self, event: GlobalEvent) -> Result<(), TrailError> {
        self.record_global_event_at(event).await.map(|_| ())
    }

    /// Does the same as [`Self::record_global_event`], for callers that don't need the result.
    pub(super) async fn note_global_event(&self, event: GlobalEvent) {
        let _said = self.record_global_event_at(event).await;
    }

    /// Records an event that concerns no single server and returns its time.
    pub(super) async fn record_global_event_at(
        &self,
        event: GlobalEvent,
    ) -> Result<Timestamp, TrailError> {
        // A pause or a resume that can't be recorded is refused, so it is logged only after the
        // write.
        let pause = matches!(
            event,
            GlobalEvent::Paused(_) | GlobalEvent::PauseEnded { .. } | GlobalEvent::Resumed { .. }
        )
        .then(|| event.clone());
        if pause.is_none() {
            super::log_events::log_global_event(&event);
        }
        let time = self.clock.now().wall;
        // An alert is active even if the trail can't record it.
        self.queue_global_event(&event, time);
        let entry = Entry::global(time, event);
        let written = self.trail.append(vec![entry]).await;
        self.note_written(written.as_ref().err(), time);
        written?;
        if let Some(pause) = pause {
            super::log_events::log_global_event(&pause);
        }
        Ok(time)
    }
}
