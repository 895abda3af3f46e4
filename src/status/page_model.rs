//! What the page and the metrics are made of: the view, kept for a moment; one server's
//! details; whether the service is well. Put together beside the loop that rotates.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::next_steps::upcoming;
use super::view::FleetView;
use crate::api::SnapshotApi;
use crate::api::call_metrics::{CallCounts, CallMetrics};
use crate::audit::{self, Record};
use crate::core::decide::{Step, decide};
use crate::core::event::ServerEvent;
use crate::core::forecast::{Forecast, forecast};
use crate::core::plan::NextChanges;
use crate::core::policy::{Policy, Rules};
use crate::core::sanitize::local;
use crate::core::snapshot::ServerId;
use crate::engine::{Engine, EngineCounters, ServerSnapshot};

/// How long a view is shown before a new one is made, to whomever asks.
const FRESH: Duration = Duration::from_secs(1);

/// Pages that are put together at once.
const AT_ONCE: usize = 2;

/// The engine moves every ten seconds at least.
const STILL: Duration = Duration::from_secs(30);

/// Records of a server that its page shows.
const MOST_RECORDS: usize = 50;

/// As much of the trail's end as is searched for them.
const TRAIL_SEARCHED: u64 = 4 << 20;

/// How things stand, made anew; it waits for nothing.
pub type ViewSource = Arc<dyn Fn() -> FleetView + Send + Sync>;

/// A view, and when it was made.
type CachedView = (Instant, Arc<FleetView>);

/// Everything that is shown, and where it comes from.
pub struct PageModel<A> {
    engine: Arc<Engine<A>>,
    look: ViewSource,
    tally: Arc<CallMetrics>,
    audit: PathBuf,
    pub(super) zone: TimeZone,
    kept: Arc<tokio::sync::Mutex<Option<CachedView>>>,
    /// The engine's progress, and when it was seen to change.
    pulse: Mutex<(u64, Instant)>,
    places: Arc<Semaphore>,
}

/// The service broke while it put an answer together.
#[derive(Debug)]
pub(super) struct RenderFailure;

/// One server beyond its view.
pub(super) struct ServerPageData {
    /// What the engine would do next, and why.
    pub(super) decision: String,
    /// What is created and deleted next.
    pub(super) upcoming: Option<NextChanges>,
    /// The coming weeks; `None` where they would hold too much to be drawn.
    pub(super) forecast: Option<Forecast>,
    /// Its newest records, oldest first, or why they can't be read.
    pub(super) records: Result<Vec<Record>, String>,
}

impl<A: SnapshotApi> PageModel<A> {
    /// Shows this engine by this look, these calls, and the trail in this folder.
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
        })
    }

    /// How things stand, a second old at most. Those who ask at once get the same, and what
    /// was made for one who went away serves the next.
    pub(super) async fn view(&self) -> Result<Arc<FleetView>, RenderFailure> {
        let mut kept = Arc::clone(&self.kept).lock_owned().await;
        if let Some((made, view)) = kept.as_ref()
            && made.elapsed() < FRESH
        {
            return Ok(Arc::clone(view));
        }
        let look = Arc::clone(&self.look);
        self.aside(move || {
            let view = Arc::new(look());
            *kept = Some((Instant::now(), Arc::clone(&view)));
            view
        })
        .await
    }

    /// Works on a thread of its own: the loop that rotates has only one. Work that is begun
    /// keeps its place to its end, though nobody may wait for it any more.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RenderFailure> {
        // It is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let work = move || {
            let _place = place;
            work()
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| {
            tracing::error!(%error, "the page broke");
            RenderFailure
        })
    }

    /// What only this server's page shows; reads the disk.
    pub(super) fn detail(&self, server: &ServerId, now: Timestamp) -> Option<ServerPageData> {
        let (decision, policy, rules, ids) = self.engine.known(server, |known| {
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

    /// What was counted.
    pub(super) fn counts(&self) -> (Vec<CallCounts>, EngineCounters) {
        (self.tally.read(), self.engine.watched())
    }

    /// Why the service can't do its work, if so.
    pub(super) fn ill(&self) -> Option<String> {
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
        let writable = self.engine.watched().writable;
        (!writable).then(|| "the audit trail can't be written, and nothing is changed".to_owned())
    }
}

/// What would be done next, by the last listing that could be relied on.
fn decision(known: ServerSnapshot<'_>, zone: &TimeZone) -> String {
    let ServerSnapshot {
        policy,
        rules,
        history,
        seen,
        now,
        ..
    } = known;
    if let Some(since) = history.paused() {
        return format!("nothing until resume: paused since {}", local(since, zone));
    }
    // It may rest on a listing that is not the one shown.
    if let Some(reason) = &history.blocked {
        return format!("nothing: {reason}");
    }
    let Some(seen) = seen else {
        return "nothing before the first listing".to_owned();
    };
    match decide(policy, &seen.inventory(), history, rules, now) {
        Step::Record(ServerEvent::SlotDue { snapshot, .. }) => {
            format!("begin with {snapshot}, whose slot is due")
        }
        Step::Record(_) => "look at the server again".to_owned(),
        Step::Create { name, reason, .. } => format!("create {name}: {reason}"),
        Step::Delete {
            id, name, reason, ..
        } => format!("delete {name} (id {id}): {reason}"),
        Step::After {
            rotation, reason, ..
        } => format!("release it by after of {rotation}: {reason}"),
        Step::AskState => "ask whether the server runs".to_owned(),
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

/// The coming weeks, or fewer days where slots come often: living through them takes time.
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
