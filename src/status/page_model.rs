//! The data of the status page and the metrics: a view that is cached for a moment, details of one
//! server, and the service's health. All of it is collected outside the rotation loop.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::next_changes::upcoming;
use super::rendered_pages::RenderedPages;
use super::view::FleetView;
use crate::api::SnapshotApi;
use crate::api::call_metrics::{CallCounts, CallMetrics};
use crate::audit::{self, Record};
use crate::core::decide::{Step, decide};
use crate::core::plan::NextChanges;
use crate::core::policy::{Policy, Rules};
use crate::core::sanitize::local;
use crate::core::server_event::ServerEvent;
use crate::core::snapshot::ServerId;
use crate::core::steady_state_forecast::{Forecast, forecast};
use crate::engine::{Engine, EngineCounters, ServerStateView};

/// Time for which all requests get the same view.
const FRESH: Duration = Duration::from_secs(1);

/// Maximum number of pages that are built at the same time.
const AT_ONCE: usize = 2;

/// Longest time without progress. The engine makes progress at least every ten seconds.
const STILL: Duration = Duration::from_secs(30);

/// Maximum number of records that a server's page shows.
const MOST_RECORDS: usize = 50;

/// Bytes at the trail's end that are searched for those records.
const TRAIL_SEARCHED: u64 = 4 << 20;

/// Collects the present state; never waits.
pub type ViewSource = Arc<dyn Fn() -> FleetView + Send + Sync>;

/// A view, and the time when it was made.
type CachedView = (Instant, Arc<FleetView>);

/// The source of the data that pages show.
pub struct PageModel<A> {
    engine: Arc<Engine<A>>,
    look: ViewSource,
    tally: Arc<CallMetrics>,
    audit: PathBuf,
    pub(super) zone: TimeZone,
    kept: Arc<tokio::sync::Mutex<Option<CachedView>>>,
    /// The engine's progress, and the time of its last change.
    pulse: Mutex<(u64, Instant)>,
    places: Arc<Semaphore>,
    pub(super) rendered: RenderedPages,
}

/// A panic while an answer was built.
#[derive(Debug)]
pub(super) struct RenderFailure;

/// The data of a server's page beyond its view.
pub(super) struct ServerPageData {
    /// The engine's next step, with its reason.
    pub(super) decision: String,
    /// The next creates and deletes.
    pub(super) upcoming: Option<NextChanges>,
    /// The coming weeks; `None` if they hold too many snapshots to draw.
    pub(super) forecast: Option<Forecast>,
    /// The server's newest records, oldest first, or why they can't be read.
    pub(super) records: Result<Vec<Record>, String>,
}

impl<A: SnapshotApi> PageModel<A> {
    /// Returns a model that reads from this engine, this source of views, these call counters, and
    /// the trail in this folder.
    pub fn new(
        engine: Arc<Engine<A>>,
        look: ViewSource,
        tally: Arc<CallMetrics>,
        audit: PathBuf,
    ) -> Arc<Self> {
        let pulse = (engine.progress(), Instant::now());
        Arc::new(Self {
            engine,
            look,
            tally,
            audit,
            zone: TimeZone::system(),
            kept: Arc::default(),
            pulse: Mutex::new(pulse),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            rendered: RenderedPages::default(),
        })
    }

    /// Returns a view that is at most a second old. Concurrent requests share one, and a view made
    /// for a client that left serves the next.
    pub(super) async fn view(&self) -> Result<Arc<FleetView>, RenderFailure> {
        let mut kept = Arc::clone(&self.kept).lock_owned().await;
        if let Some((made, view)) = kept.as_ref()
            && made.elapsed() < FRESH
        {
            return Ok(Arc::clone(view));
        }
        let look = Arc::clone(&self.look);
        self.run_on_worker(move || {
            let view = Arc::new(look());
            *kept = Some((Instant::now(), Arc::clone(&view)));
            view
        })
        .await
    }

    /// Runs `work` on another thread, since the rotation loop has only one. Work that has begun
    /// keeps its place until it ends, even if nobody waits for it any more.
    pub(super) async fn run_on_worker<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RenderFailure> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let work = move || {
            let _place = place;
            work()
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| {
            tracing::error!(%error, "the page could not be rendered");
            RenderFailure
        })
    }

    /// Returns the details of one server; reads the trail from disk.
    pub(super) fn detail(&self, server: &ServerId, now: Timestamp) -> Option<ServerPageData> {
        let (decision, policy, rules, ids) = self.engine.with_server_state(server, |known| {
            let decision = decision(known, &self.zone);
            let other = known.history.other_id();
            let ids: BTreeSet<_> = other.into_iter().chain([server]).cloned().collect();
            (decision, known.policy.clone(), known.rules.clone(), ids)
        })?;
        let records = audit::tail(&self.audit, &ids, MOST_RECORDS, TRAIL_SEARCHED);
        Some(ServerPageData {
            decision,
            upcoming: upcoming(&self.engine, server),
            forecast: outlook(&policy, &rules, now),
            records: records.map_err(|error| error.to_string()),
        })
    }

    /// Returns the counters of calls and of the engine.
    pub(super) fn counts(&self) -> (Vec<CallCounts>, EngineCounters) {
        (self.tally.read(), self.engine.counters())
    }

    /// Returns why the service can't work, if it can't.
    pub(super) fn health_problem(&self) -> Option<String> {
        let progress = self.engine.progress();
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        if pulse.0 != progress {
            *pulse = (progress, Instant::now());
        }
        let still = pulse.1.elapsed();
        if still >= STILL {
            return Some(format!(
                "the engine has made no progress for {} s",
                still.as_secs()
            ));
        }
        let writable = self.engine.counters().writable;
        (!writable).then(|| "the audit trail can't be written, and nothing is changed".to_owned())
    }
}

/// Describes the next step, based on the last accepted listing.
fn decision(known: ServerStateView<'_>, zone: &TimeZone) -> String {
    let ServerStateView {
        policy,
        rules,
        history,
        seen,
        now,
        ..
    } = known;
    if let Some(pause) = history.paused() {
        let until = pause.until.map(|until| local(until, zone));
        let until = until.unwrap_or_else(|| "resume".to_owned());
        let since = local(pause.since, zone);
        return format!("nothing until {until}: paused since {since}");
    }
    // The block may come from a listing that wasn't accepted.
    if let Some(reason) = &history.blocked {
        return format!("nothing: {reason}");
    }
    let Some(seen) = seen else {
        return "nothing before the first listing".to_owned();
    };
    match decide(policy, &seen.inventory(), history, rules, now) {
        Step::Record(ServerEvent::SlotDue { snapshot, .. }) => {
            format!("start {snapshot}: its slot is due")
        }
        Step::Record(_) => "record what has changed, then decide again".to_owned(),
        Step::Create { name, reason, .. } => format!("create {name}: {reason}"),
        Step::Delete {
            id, name, reason, ..
        } => format!("delete {name} (id {id}): {reason}"),
        Step::After {
            rotation, reason, ..
        } => format!("release the server with the after hook of {rotation}: {reason}"),
        Step::AskState => "check whether the server is running".to_owned(),
        Step::Stop { name, reason, .. } => {
            format!("stop the server for {name}: {reason}")
        }
        Step::Start { reason, .. } => format!("start the server: {reason}"),
        Step::Wait { reason, .. } => format!("wait: {reason}"),
        Step::Blocked { reason } => format!("nothing: {reason}"),
        Step::Idle { until: Some(at) } => {
            format!("nothing before {}", local(at, zone))
        }
        Step::Idle { until: None } => "nothing".to_owned(),
    }
}

/// Forecasts four weeks, or less if slots are frequent, since simulating them takes time.
fn outlook(policy: &Policy, rules: &Rules, now: Timestamp) -> Option<Forecast> {
    let gaps = policy.rotations.iter().filter_map(|rotation| {
        let (_, first) = rotation.next_slot(now)?;
        let (_, second) = rotation.next_slot(first)?;
        let (_, third) = rotation.next_slot(second)?;
        Some(
            second
                .duration_since(first)
                .min(third.duration_since(second)),
        )
    });
    let days = match gaps.min() {
        Some(gap) if gap < SignedDuration::from_mins(5) => return None,
        Some(gap) if gap < SignedDuration::from_hours(1) => 1,
        Some(gap) if gap < SignedDuration::from_hours(6) => 7,
        _ => 28,
    };
    let from = Timestamp::from_second(now.as_second()).unwrap_or(now);
    Some(forecast(policy, rules, from, days))
}

#[cfg(test)]
#[path = "page_model_tests.rs"]
mod tests;
