//! Sets up lock, trail, API and engine for `run`, `once` and single commands.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::lock::StateLock;
use super::locked_disk::LockedDisk;
use super::report_publisher::ReportPublisher;
use super::witness_publisher::{self, Witness};
use super::{CommandError, logging};
use crate::api::{ApiSettings, HttpApi, RateSettings, TokenSource};
use crate::audit::{Entry, GlobalEvent, OpenedTrail, StandingAlert, Trail, TrailError};
use crate::clock::Clock;
use crate::config::{Api, Config, Environment};
use crate::core::server_event::{AlertText, RaisedAlert, ServiceAlertKind};
use crate::engine::{Engine, global_alert, queue_global_alert};
use crate::hooks::{self, RunnerLauncher};
use crate::notify::{DeliveryContext, Notifier};

/// The alert that is active while the files on disk are refused and older ones are in force.
pub(super) const REFUSED: ServiceAlertKind = ServiceAlertKind::ConfigRefused;

/// Alert that the trail may lack records. The process that finds the loss raises it; the next one
/// that finds the trail whole clears it.
const LOST: ServiceAlertKind = ServiceAlertKind::TrailLost;

/// How long the process waits, before it ends, for receivers with pending messages.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Everything that a writing process holds. The lock must be dropped last.
pub struct Service {
    pub(super) config: Config,
    pub(super) api: Arc<HttpApi>,
    pub(super) engine: Arc<Engine<HttpApi>>,
    pub(super) clock: Clock,
    pub(super) notifier: Notifier,
    /// When the files in force were read; later edits are not in force.
    pub(super) read: Arc<Mutex<Timestamp>>,
    pub(super) witness: Arc<Witness>,
    pub(super) reports: Arc<ReportPublisher>,
    trail: Trail,
    pub(super) lock: Arc<StateLock>,
}

/// Takes the lock, opens the trail and records the start. Sends nothing to the provider.
pub async fn prepare(config: Config, command: &str, clock: Clock) -> Result<Service, CommandError> {
    let lock = Arc::new(StateLock::take(&config.state_dir, command)?);
    let api =
        HttpApi::new(&api_settings(&config.api), clock.clone()).map_err(CommandError::Settings)?;
    let api = Arc::new(api);
    let now = clock.now().wall;
    let run = run_name(now);
    let (trail, mut opened) = Trail::open_on(
        Box::new(LockedDisk::new(Arc::clone(&lock))),
        &config.audit_dir,
        &config.state_dir,
        &run,
        now,
        config.rules.request_timeout,
    )?;
    let started = GlobalEvent::DaemonStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        command: command.to_owned(),
    };
    let mut events = vec![started];
    let last = opened.last.unwrap_or(now);
    let stood = opened.global_alerts.clone().into_iter();
    let mut standing: Vec<_> = stood
        .map(|((alert, about), standing)| {
            global_alert(StandingAlert {
                alert,
                about,
                standing,
            })
        })
        .collect();
    // A single command puts no configuration into force.
    if matches!(command, "run" | "once") {
        events.push(config_loaded_event(&config, Vec::new()));
        if opened.global_alerts.remove(&REFUSED.key()).is_some() {
            events.push(refusal_cleared_event());
        }
    }
    events.extend(loss(&mut opened, now));
    if command == "run" {
        remind(&opened);
    }
    let sealed = opened.sealed.take();
    let reported = std::mem::take(&mut opened.reports);
    let failed = witness_publisher::FAILED.key();
    let failed = opened.global_alerts.contains_key(&failed);
    let engine = Engine::new(
        Arc::clone(&api),
        trail.clone(),
        clock.clone(),
        opened,
        config.rules.clone(),
        config.policies.clone(),
    );
    let named = Environment::from_process().hooks;
    let socket = named.or_else(|| hooks::unit_socket(&config.file));
    engine.run_hooks_by(Arc::new(RunnerLauncher::new(
        config.file.clone(),
        socket,
        config.state_dir.clone(),
        logging::options(),
    )));
    standing.extend(engine.standing());
    let delivery = delivery_context(&config);
    let notifier = Notifier::start(&config.receivers, &delivery, &clock, &standing, last);
    engine.tap(notifier.tap());
    for event in &events {
        queue_global_alert(&notifier.tap(), event, now);
    }
    let witness = Witness::new(
        &config,
        (&engine, &trail),
        (&clock, notifier.tap()),
        delivery.credentials,
    );
    let reports = ReportPublisher::new(
        &config,
        (&engine, &api),
        (&trail, &clock),
        notifier.tap(),
        reported,
    );
    let service = Service {
        config,
        api,
        engine,
        clock,
        notifier,
        read: Arc::new(Mutex::new(now)),
        witness: Arc::new(witness),
        reports: Arc::new(reports),
        trail,
        lock,
    };
    // Not fatal: while nothing can be recorded, the engine changes nothing, except that it starts
    // servers stopped for a snapshot. It resumes once records can be written (I6).
    if let Err(error) = service.record(events).await {
        tracing::error!(%error, "the start of the service can't be recorded in the trail");
    }
    service.witness.resume(sealed, failed).await;
    for warning in &service.config.warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        policies = service.config.policies.len(),
        command,
        "daemon_started"
    );
    Ok(service)
}

impl Service {
    /// Records events that concern no single server.
    pub(super) async fn record(&self, events: Vec<GlobalEvent>) -> Result<(), TrailError> {
        let time = self.clock.now().wall;
        let entry = |event| Entry::global(time, event);
        let written = self.trail.append(events.into_iter().map(entry).collect());
        let written = written.await;
        self.engine.note_written(written.as_ref().err(), time);
        written
    }

    /// Applies the receivers of the files in force.
    pub(super) fn renotify(&mut self) {
        let (engine, now) = (&self.engine, self.clock.now().wall);
        let standing = engine.all_standing();
        let delivery = delivery_context(&self.config);
        let receivers = &self.config.receivers;
        self.notifier.reload(receivers, &delivery, &standing, now);
    }

    /// Marks the trail as unwritable if the lock is lost, for example together with the state
    /// folder. The next record that is written clears that.
    pub(super) fn keep_lock(&self) {
        if let Err(why) = self.lock.keep() {
            let error = TrailError::state(&self.config.state_dir, why);
            let now = self.clock.now().wall;
            self.engine.note_written(Some(&error), now);
        }
    }

    /// Queues the change of an alert that concerns no single server.
    pub(super) fn tell(&self, event: &GlobalEvent) {
        queue_global_alert(&self.notifier.tap(), event, self.clock.now().wall);
    }

    /// Delivers pending messages, records the end, and returns once every record is written.
    pub(super) async fn end(mut self, reason: &str) {
        self.reports.finish().await;
        self.notifier.finish(LAST_WORDS).await;
        let stopped = GlobalEvent::DaemonStopped {
            reason: reason.to_owned(),
        };
        if let Err(error) = self.record(vec![stopped]).await {
            tracing::error!(%error, "the stop of the service can't be recorded in the trail");
        }
        tracing::info!(reason, "daemon_stopped");
        self.trail.clone().close().await;
    }
}

/// Logs the alerts that are still active. They were logged when they were raised, which may have
/// been long ago.
fn remind(opened: &OpenedTrail) {
    for ((alert, about), standing) in &opened.global_alerts {
        let reason = standing.text.reason();
        tracing::warn!(%alert, %about, %reason, "alert_standing");
    }
    for (server, history) in &opened.histories {
        for ((alert, about), standing) in &history.alerts {
            let (alert, reason) = (alert.word(), standing.text.reason());
            tracing::warn!(%server, alert, %about, %reason, "alert_standing");
        }
    }
}

/// Logs what is wrong with the trail, and returns the change of its alert. The alert goes into
/// `opened` too, so that the engine counts it from the start.
fn loss(opened: &mut OpenedTrail, now: Timestamp) -> Option<GlobalEvent> {
    let found: Vec<_> = opened.notices.iter().map(amiss).collect();
    for notice in &found {
        tracing::warn!("the trail is not as it was left: {notice}");
    }
    let key = LOST.key();
    if opened.hold_creates {
        let text = AlertText::new(found.join("; ")).run("snaprotate audit verify");
        let standing = RaisedAlert::raised(&text, now, opened.global_alerts.get(&key));
        opened.global_alerts.insert(key, standing);
        return Some(GlobalEvent::raised(LOST, text));
    }
    opened.global_alerts.remove(&key)?;
    Some(GlobalEvent::cleared(LOST))
}

fn amiss(notice: &GlobalEvent) -> String {
    match notice {
        GlobalEvent::TailCut { last, head, .. } if head <= last => format!(
            "record {head} of the trail is not the one that was written: the trail was replaced or rewritten"
        ),
        GlobalEvent::TailCut { last, head, .. } => {
            format!("the trail ends with record {last}, but record {head} was written")
        }
        GlobalEvent::TrailLost { head } => {
            format!("all files of the trail are missing, but record {head} was written")
        }
        GlobalEvent::HeadLost { last } => format!(
            "the state folder's head is missing, so it is unknown whether record {last} is the last"
        ),
        GlobalEvent::TornTail { file, bytes, .. } => {
            format!("{bytes} damaged bytes at the end of the trail were set aside in {file}")
        }
        other => format!("{other:?}"),
    }
}

/// Returns the client's settings from the configuration.
pub fn api_settings(api: &Api) -> ApiSettings {
    ApiSettings {
        base_url: api.base_url.to_string(),
        // The configuration is refused without a token, so the default is never used.
        token: TokenSource::File(api.token_file.clone().unwrap_or_default()),
        connect_timeout: api.connect_timeout,
        request_timeout: api.request_timeout,
        rate: RateSettings {
            max_in_flight: api.max_in_flight,
            per_second: api.requests_per_second,
            burst: api.burst,
        },
        max_body: api.max_body,
        ca_file: api.ca_file.clone(),
        proxy: api.proxy.clone(),
    }
}

/// Returns what deliveries to all receivers have in common.
pub fn delivery_context(config: &Config) -> DeliveryContext {
    DeliveryContext {
        ca_file: config.api.ca_file.clone(),
        proxy: config.api.proxy.clone(),
        credentials: Environment::from_process().credentials_directory,
        page: config.http.as_ref().and_then(|http| http.url.clone()),
    }
}

pub(super) fn config_loaded_event(config: &Config, deletes: Vec<String>) -> GlobalEvent {
    GlobalEvent::ConfigLoaded {
        policies: config.policies.len(),
        warnings: config.warnings.iter().map(ToString::to_string).collect(),
        deletes,
    }
}

pub(super) fn refusal_cleared_event() -> GlobalEvent {
    GlobalEvent::cleared(REFUSED)
}

/// Returns a name for this process in the trail that is unique even if an earlier process had the
/// same process id.
fn run_name(now: Timestamp) -> String {
    format!("{}-{}", now.as_second(), std::process::id())
}
