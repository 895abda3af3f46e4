//! Makes the reports of receivers with `report` when their periods are over.
//!
//! The trail records each report before it is queued, so no period is reported twice, whatever
//! happens afterwards. Which period is due follows from the trail alone
//! (`core::report_period`). Rotation never waits for a report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::alerts::{News, NewsQueue, ReportNews};
use crate::api::HttpApi;
use crate::audit::{Entry, GlobalEvent, Trail, TrailError, report_tally};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::notify::Receiver;
use crate::core::report::Report;
use crate::core::report_period::{NextReport, ReportHistory, ReportPeriod, ReportSchedule};
use crate::core::report_tally::ReportTally;
use crate::core::retry_backoff::{LONGEST_BACKOFF, doubled};
use crate::engine::Engine;
use crate::status::{FleetView, ViewSource, longest_copy_age_limit, present_state, snapshot_sizes};

/// First pause before a failure is retried; it doubles each time, up to [`LONGEST_BACKOFF`].
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Pause between two looks, since the wall clock may jump.
const LOOK: Duration = Duration::from_mins(1);

/// Pause between two looks while a due report waits for the first listings.
const LOOK_AT_START: Duration = Duration::from_secs(5);

/// How long after its start the service waits for the first listing of each server. A report
/// without them would show every server as unknown.
const FIRST_LISTINGS: SignedDuration = SignedDuration::from_mins(15);

/// How long the end of the service waits for a report that is being recorded.
const LAST_REPORT: Duration = Duration::from_secs(2);

/// Makes the reports.
pub(super) struct ReportPublisher {
    engine: Arc<Engine<HttpApi>>,
    api: Arc<HttpApi>,
    trail: Trail,
    clock: Clock,
    tap: Arc<NewsQueue>,
    audit_dir: PathBuf,
    /// The receivers that get reports.
    receivers: watch::Sender<Vec<Receiver>>,
    /// Cancelled when the service ends: no further report is recorded.
    ending: CancellationToken,
    state: Mutex<PublisherState>,
}

#[derive(Default)]
struct PublisherState {
    /// The reports of each receiver, as the trail has them.
    histories: BTreeMap<String, ReportHistory>,
    /// Consecutive failures, and the earliest time of the next try.
    failures: u32,
    next_try: SignedDuration,
}

/// A report that is due.
struct DueReport {
    receiver: Receiver,
    schedule: ReportSchedule,
    period: ReportPeriod,
}

impl ReportPublisher {
    /// Returns the publisher. `histories` are the reports that the trail records.
    pub(super) fn new(
        config: &Config,
        (engine, api): (&Arc<Engine<HttpApi>>, &Arc<HttpApi>),
        (trail, clock): (&Trail, &Clock),
        tap: Arc<NewsQueue>,
        histories: BTreeMap<String, ReportHistory>,
    ) -> Self {
        Self {
            engine: Arc::clone(engine),
            api: Arc::clone(api),
            trail: trail.clone(),
            clock: clock.clone(),
            tap,
            audit_dir: config.audit_dir.clone(),
            receivers: watch::Sender::new(with_reports(config)),
            ending: CancellationToken::new(),
            state: Mutex::new(PublisherState {
                histories,
                ..PublisherState::default()
            }),
        }
    }

    /// Applies the receivers of a new configuration.
    pub(super) fn reload(&self, config: &Config) {
        self.receivers.send_replace(with_reports(config));
    }

    /// Makes reports when they are due, until the service ends.
    pub(super) async fn run(self: Arc<Self>, look: ViewSource) {
        let mut receivers = self.receivers.subscribe();
        while !self.ending.is_cancelled() {
            let none = receivers.borrow_and_update().is_empty();
            // Not cancelled halfway: a report that is recorded must also be queued.
            let pause = self.look(&look, FIRST_LISTINGS).await;
            tokio::select! {
                biased;
                () = self.ending.cancelled() => {}
                _changed = receivers.changed() => {}
                () = tokio::time::sleep(pause), if !none => {}
            }
        }
    }

    /// Ends the publisher: after this, no report is recorded whose delivery would not begin.
    pub(super) async fn finish(&self) {
        self.ending.cancel();
        // A report between its record and the queue takes as long as one sync of the disk.
        let _idle = tokio::time::timeout(LAST_REPORT, self.state.lock()).await;
    }

    /// Makes the reports that are due, and returns the pause until the next look. The first
    /// listings are waited for until `patience` has passed since the start.
    pub(super) async fn look(&self, look: &ViewSource, patience: SignedDuration) -> Duration {
        let mut state = self.state.lock().await;
        if self.clock.now().mono < state.next_try {
            return LOOK;
        }
        match self.publish(&mut state, look, patience).await {
            Ok(pause) => {
                state.failures = 0;
                pause
            }
            Err(error) => {
                tracing::warn!(%error, "a report can't be made; it is retried");
                state.next_try =
                    self.clock.now().mono + doubled(PAUSE, state.failures, LONGEST_BACKOFF);
                state.failures += 1;
                LOOK
            }
        }
    }

    async fn publish(
        &self,
        state: &mut PublisherState,
        look: &ViewSource,
        patience: SignedDuration,
    ) -> Result<Duration, TrailError> {
        let due = self.due(state).await?;
        if due.is_empty() {
            return Ok(LOOK);
        }
        let view = seen(look).await;
        if self.clock.now().mono < patience && view.as_ref().is_some_and(is_incomplete) {
            return Ok(LOOK_AT_START);
        }
        let sizes = snapshot_sizes(&self.api).await;
        let policies = self.engine.policies();
        let present = present_state(policies.values(), view.as_ref(), sizes);
        let present = Arc::new(present);
        let lookback = longest_copy_age_limit(policies.values());
        let mut read: Option<(ReportPeriod, Arc<ReportTally>)> = None;
        for due in due {
            let (audit_dir, period) = (self.audit_dir.clone(), due.period);
            // Receivers with the same schedule share a tally.
            let known = read.take().filter(|(of, _)| *of == period);
            let (present, time) = (Arc::clone(&present), self.clock.now().wall);
            // The files of a large fleet take seconds to read.
            let made = tokio::task::spawn_blocking(move || {
                let tally = match known {
                    Some((_, tally)) => tally,
                    None => Arc::new(report_tally(&audit_dir, period, lookback)?),
                };
                let report = Report::new(&tally, &present, time);
                Ok::<_, TrailError>((tally, report))
            });
            let (tally, report) = made.await.unwrap_or(Err(TrailError::Closed))?;
            read = Some((period, tally));
            self.send(state, due, report).await?;
        }
        Ok(LOOK)
    }

    /// Returns the reports that are due. A receiver that the trail lacks is recorded first.
    async fn due(&self, state: &mut PublisherState) -> Result<Vec<DueReport>, TrailError> {
        let receivers = self.receivers.borrow().clone();
        let mut due = Vec::new();
        for receiver in receivers {
            let Some(schedule) = receiver.report.clone() else {
                continue;
            };
            let now = self.clock.now().wall;
            let history = state.histories.entry(receiver.name.clone()).or_default();
            match schedule.next(history, now) {
                NextReport::Rest => {}
                NextReport::Due(period) => due.push(DueReport {
                    receiver,
                    schedule,
                    period,
                }),
                NextReport::Plan => {
                    let planned = GlobalEvent::ReportPlanned {
                        receiver: receiver.name.clone(),
                        interval: schedule.interval,
                    };
                    self.record(now, planned).await?;
                    tracing::info!(receiver = receiver.name, "report_planned");
                    history.note(now);
                }
            }
        }
        Ok(due)
    }

    /// Records a report, and queues it for its receiver.
    async fn send(
        &self,
        state: &mut PublisherState,
        due: DueReport,
        report: Report,
    ) -> Result<(), TrailError> {
        let DueReport {
            receiver,
            schedule,
            period,
        } = due;
        let servers = receiver.servers.as_ref();
        let mut report = match servers {
            Some(servers) => report.only(|id| servers.contains(id)),
            None => report,
        };
        let history = state.histories.entry(receiver.name.clone()).or_default();
        report.interval = Some(schedule.interval);
        report.sums.size_before_mb = history.size_mb;
        let size_mb = report.sums.size_mb;
        let made = GlobalEvent::ReportMade {
            receiver: receiver.name.clone(),
            interval: schedule.interval,
            from: period.from,
            until: period.until,
            missed: period.missed,
            size_mb,
        };
        if self.ending.is_cancelled() {
            // The next process makes it.
            return Ok(());
        }
        self.record(report.time, made).await?;
        tracing::info!(
            receiver = receiver.name,
            from = %period.from,
            until = %period.until,
            missed = period.missed,
            "report_made"
        );
        history.note(period.until);
        history.size_mb = size_mb.or(history.size_mb);
        self.tap.put(News::Report(Arc::new(ReportNews {
            receiver: receiver.name,
            zone: schedule.zone().clone(),
            report,
        })));
        Ok(())
    }

    async fn record(&self, time: Timestamp, event: GlobalEvent) -> Result<(), TrailError> {
        let written = self.trail.append(vec![Entry::global(time, event)]).await;
        self.engine.note_written(written.as_ref().err(), time);
        written
    }
}

fn with_reports(config: &Config) -> Vec<Receiver> {
    let receivers = config.receivers.iter();
    let receivers = receivers.filter(|receiver| receiver.report.is_some());
    receivers.cloned().collect()
}

/// Returns the view. Another thread builds it, since the rotation loop has only one.
async fn seen(look: &ViewSource) -> Option<FleetView> {
    let look = Arc::clone(look);
    let view = tokio::task::spawn_blocking(move || look()).await;
    view.ok()
}

/// Returns true if a server has not been listed yet, and nothing explains why.
fn is_incomplete(view: &FleetView) -> bool {
    let mut servers = view.servers.iter();
    servers.any(|server| server.listed.is_none() && server.unlisted.is_none())
}
