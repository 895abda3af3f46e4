//! The daemon's select loop: signals, ticks, the watchdog, reloads and the engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::CommandError;
use super::reload::{self, ReadConfig};
use super::response_drift::ResponseDriftCheck;
use super::signals::{Signal, Signals};
use super::startup::{REFUSED, Service, prepare};
use super::systemd::{Systemd, describe, watchdog_period};
use super::ticker::Ticker;
use crate::audit::StandingAlert;
use crate::clock::Clock;
use crate::config::{Config, Environment, Http};
use crate::core::server_event::{AlertText, RaisedAlert};
use crate::engine::LAST_WORK;
use crate::status::{self, ControlSocket, FleetView, PageModel, ViewSource};

/// How long shutdown may take beyond one request timeout and the engine's last work. With the
/// default request timeout, the unit's `TimeoutStopSec` exceeds the sum of the three.
const MARGIN: Duration = Duration::from_secs(5);

/// Ticks between two status texts for systemd: each counts the alerts of all servers.
const TICKS_PER_STATUS: u32 = 5;

/// Pause between two checks for room on a full disk.
const ROOM: Duration = Duration::from_secs(1);

/// Added to [`ROOM`] when the start timeout is extended.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs the daemon until a signal ends it.
pub async fn serve(config: Config, mut signals: Signals) -> Result<(), CommandError> {
    let Some(service) = prepared(config, &mut signals).await? else {
        return Ok(());
    };
    let daemon = Daemon {
        stop: CancellationToken::new(),
        systemd: Systemd::default(),
        refused: Arc::default(),
        page: watch::Sender::new(service.config.http.clone()),
        service,
    };
    daemon.run(signals).await
}

/// Starts the service as soon as the disk has room. Until then nothing is changed, and the full
/// disk is logged once. Returns `None` if a stop signal came first.
async fn prepared(config: Config, signals: &mut Signals) -> Result<Option<Service>, CommandError> {
    let mut said = false;
    loop {
        let full = match prepare(config.clone(), "run", Clock::system()).await {
            Err(why) if why.is_full_disk() => why,
            prepared => return prepared.map(Some),
        };
        if !said {
            tracing::error!(event = "disk_full", error = %full, "the disk is full: nothing is changed; startup waits until there is free space");
            said = true;
        }
        Systemd::starting("waiting for free disk space", ROOM + PATIENCE);
        tokio::select! {
            signal = signals.next() => if let Signal::Stop(_) = signal {
                return Ok(None);
            },
            () = tokio::time::sleep(ROOM) => {}
        }
    }
}

struct Daemon {
    service: Service,
    stop: CancellationToken,
    systemd: Systemd,
    /// Why the files on disk are refused, if they are, and since when.
    refused: Arc<Mutex<Option<(AlertText, Timestamp)>>>,
    /// The status page's settings; the page's server restarts when they change.
    page: watch::Sender<Option<Http>>,
}

impl Daemon {
    async fn run(mut self, mut signals: Signals) -> Result<(), CommandError> {
        let engine = Arc::clone(&self.service.engine);
        let mut canary = ResponseDriftCheck::default();
        // Before the engine starts, so that its first listing is sampled.
        canary.look(&self.service).await;
        let until = self.stop.clone();
        let mut work = tokio::spawn({
            let engine = Arc::clone(&engine);
            async move { engine.run(until).await }
        });
        tokio::spawn(Arc::clone(&self.service.witness).run(self.stop.clone()));
        let look = self.look();
        tokio::spawn(Arc::clone(&self.service.reports).run(Arc::clone(&look)));
        let control = self.control(Arc::clone(&look)).await;
        self.serve_page(look).await;
        let mut ticker = Ticker::start().await;
        let mut watchdog = watchdog_period().map(every);
        let mut reading: JoinSet<ReadConfig> = JoinSet::new();
        let (mut again, mut ticks) = (false, 0_u32);
        let status = self.status();
        self.systemd.ready(status);
        let reason = loop {
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Stop(name) => break name,
                    Signal::Reload if reading.is_empty() => {
                        Systemd::reloading();
                        reading.spawn(reload::read(&self.service));
                    }
                    // The files may have changed after they were read.
                    Signal::Reload => again = true,
                },
                Some(read) = reading.join_next() => {
                    self.reload(read.unwrap_or_else(|error| ReadConfig::broken(&error))).await;
                    if std::mem::take(&mut again) {
                        reading.spawn(reload::read(&self.service));
                    } else {
                        let status = self.status();
                        self.systemd.ready(status);
                    }
                }
                ended = &mut work => {
                    // The engine ends by itself only after a failure. The service manager restarts
                    // the process.
                    let why = ended.map_or_else(|error| broken(&error), |()| {
                        CommandError::System("the engine ended unexpectedly".to_owned())
                    });
                    self.systemd.stopping("the engine failed");
                    self.service.end(&why.to_string()).await;
                    return Err(why);
                }
                () = due(watchdog.as_mut()) => self.systemd.watchdog(engine.progress()),
                came = ticker.next() => {
                    self.service.keep_lock();
                    engine.wake();
                    canary.look(&self.service).await;
                    if !came {
                        tracing::warn!("no tick for ten seconds; the ticker is restarted");
                        ticker.renew().await;
                    }
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(TICKS_PER_STATUS) {
                        let status = self.status();
                        self.systemd.status(status);
                    }
                }
            }
        };
        tracing::info!(
            signal = reason,
            "stopping: no new create, delete or stop is sent"
        );
        self.systemd.stopping("finishing the requests in flight");
        self.stop.cancel();
        if let Some(control) = control {
            control.abort();
        }
        reading.abort_all();
        ticker.stop().await;
        if let Err(error) = ended_in_time(&self.service, work).await {
            tracing::error!(%error, "the engine failed while stopping");
        }
        self.service.end(reason).await;
        Ok(())
    }

    /// Returns a function that builds the current view. It may be called from any thread.
    fn look(&self) -> ViewSource {
        let (engine, clock) = (Arc::clone(&self.service.engine), self.service.clock.clone());
        let config = self.service.config.file.clone();
        let (refused, started) = (Arc::clone(&self.refused), clock.now().wall);
        let (receivers, read) = (
            self.service.notifier.watch(),
            Arc::clone(&self.service.read),
        );
        Arc::new(move || {
            let text = refused.lock().unwrap_or_else(PoisonError::into_inner);
            let text = text.clone();
            let alert = text.map(|(text, since)| StandingAlert {
                alert: REFUSED.word().to_owned(),
                about: REFUSED.about().to_owned(),
                standing: RaisedAlert {
                    text,
                    since: Some(since),
                    acknowledged: None,
                },
            });
            let more = alert.into_iter().collect();
            let mut view = FleetView::of(&engine, more, &config, (started, clock.now().wall));
            view.receivers = receivers.view();
            view.read = Some(*read.lock().unwrap_or_else(PoisonError::into_inner));
            view
        })
    }

    /// Serves the status page while an address is configured, until the daemon ends.
    async fn serve_page(&self, look: ViewSource) {
        let site = PageModel::new(
            Arc::clone(&self.service.engine),
            look,
            self.service.api.tally(),
            self.service.config.audit_dir.clone(),
        );
        let page = status::PageServer::open(site, self.page.subscribe()).await;
        tokio::spawn(page.run());
    }

    /// Serves the control socket. Rotation does not depend on it.
    async fn control(&self, look: ViewSource) -> Option<JoinHandle<()>> {
        let path = status::socket(Environment::from_process().runtime_directory.as_deref());
        match ControlSocket::listen(&path).await {
            Ok(control) => {
                let state_dir = self.service.config.state_dir.clone();
                let asked = status::pause_and_order_routes::routes(
                    Arc::clone(&self.service.engine),
                    state_dir,
                );
                let upcoming = status::next_changes::route(Arc::clone(&self.service.engine));
                let sizes = status::snapshot_sizes::route(Arc::clone(&self.service.api));
                let more = asked.merge(upcoming).merge(sizes);
                Some(tokio::spawn(control.serve(move || look(), more)))
            }
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "no control socket: snaprotate status can't query this process");
                None
            }
        }
    }

    /// Puts the new configuration into force, or records why it is refused.
    async fn reload(&mut self, read: ReadConfig) {
        let refused = self.refused().is_some();
        let why = reload::apply(&mut self.service, read, refused).await.err();
        if let Some(why) = &why {
            let why = why.reason();
            tracing::error!("config_refused: the previous configuration stays in force: {why}");
        }
        let now = self.service.clock.now().wall;
        let mut refused = self.refused();
        let since = refused.take().map_or(now, |(_, since)| since);
        *refused = why.map(|why| (why, since));
        let http = self.service.config.http.clone();
        self.page
            .send_if_modified(|page| std::mem::replace(page, http.clone()) != http);
    }

    fn refused(&self) -> MutexGuard<'_, Option<(AlertText, Timestamp)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> String {
        let mut summary = self.service.engine.summary();
        let refused = self.refused().is_some();
        summary.alerts += usize::from(refused);
        let refused = if refused {
            ", the changed files are refused"
        } else {
            ""
        };
        describe(&summary) + refused
    }
}

/// Waits for the engine's work to end, for at most one request timeout plus [`LAST_WORK`] plus
/// [`MARGIN`]. A call that is still open then has its intent in the trail, and the next process
/// looks for its effect (I6).
pub(super) async fn ended_in_time<T: Default>(
    service: &Service,
    mut work: JoinHandle<T>,
) -> Result<T, tokio::task::JoinError> {
    let limit = service.config.api.request_timeout + LAST_WORK + MARGIN;
    if let Ok(ended) = tokio::time::timeout(limit, &mut work).await {
        return ended;
    }
    tracing::warn!("a call is still unanswered; the next start determines its outcome");
    work.abort();
    Ok(T::default())
}

/// Listens for signals from now on, so that those that arrive while the files are read are handled
/// too.
pub fn listen() -> Result<Signals, CommandError> {
    Signals::listen()
        .map_err(|why| CommandError::System(format!("signals can't be received: {why}")))
}

pub(super) fn broken(error: &tokio::task::JoinError) -> CommandError {
    CommandError::System(format!("the engine failed: {error}"))
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Waits for the interval's next instant; forever if there is no interval.
async fn due(interval: Option<&mut Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
