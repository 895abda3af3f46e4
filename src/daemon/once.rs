//! `once`: settles what is due, ends, and reports the reasons if it did not succeed.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::CommandError;
use super::main_loop::{broken, ended_in_time};
use super::response_drift::ResponseDriftCheck;
use super::signals::{Signal, Signals};
use super::startup::{Service, prepare};
use crate::clock::Clock;
use crate::config::Config;
use crate::logged;
use crate::status::{FleetView, ViewSource};

/// Maximum number of alerts, and of slots, named when `once` does not succeed.
const MOST_SAID: usize = 20;

/// How long `once` waits for the witness before it ends.
const WITNESS: Duration = Duration::from_secs(10);

/// Settles what is due now. Returns true if every slot is settled and no alert is active.
pub async fn once(mut config: Config, mut signals: Signals) -> Result<bool, CommandError> {
    let clock = Clock::system();
    // Slots that become due during the run are left to the next run, and every attempt counts, so
    // that the run always ends (docs/design.md, "Attempts").
    config.rules.due_until = Some(clock.now().wall);
    config.rules.count_all = true;
    let service = prepare(config, "once", clock).await?;
    let stop = CancellationToken::new();
    let mut canary = ResponseDriftCheck::default();
    canary.look(&service).await;
    let engine = Arc::clone(&service.engine);
    let until = stop.clone();
    let mut work = tokio::spawn(async move { engine.once(until).await });
    let (settled, reason) = loop {
        tokio::select! {
            biased;
            ended = &mut work => {
                let reason = match ended {
                    Ok(true) => "everything that was due is done",
                    Ok(false) => "ended with unsettled slots or active alerts",
                    Err(_) => "the engine failed",
                };
                break (ended, reason);
            }
            signal = signals.next() => if let Signal::Stop(name) = signal {
                stop.cancel();
                break (ended_in_time(&service, work).await, name);
            },
        }
    };
    canary.look(&service).await;
    let settled = settled.map_err(|error| broken(&error));
    let settled = settled.map(|settled| settled && !stop.is_cancelled());
    if matches!(settled, Ok(false)) {
        say_why(&service, reason);
    }
    // No server waits any more. A witness that hangs must not keep a timer's run from ending.
    if tokio::time::timeout(WITNESS, service.witness.look())
        .await
        .is_err()
    {
        tracing::warn!(
            "the checkpoint of the trail has not been delivered yet; the next run will try again"
        );
    }
    make_reports(&service).await;
    service.end(reason).await;
    settled
}

/// Makes the reports that are due. Every server that can be listed has been listed.
async fn make_reports(service: &Service) {
    let (engine, clock) = (Arc::clone(&service.engine), service.clock.clone());
    let (config, started) = (service.config.file.clone(), clock.now().wall);
    let look: ViewSource =
        Arc::new(move || FleetView::of(&engine, Vec::new(), &config, (started, clock.now().wall)));
    service.reports.look(&look, SignedDuration::ZERO).await;
}

/// Logs why the exit code is 1, as errors, so that every log level shows it. An alert may be older
/// than this process.
fn say_why(service: &Service, reason: &str) {
    if matches!(reason, "SIGTERM" | "SIGINT") {
        tracing::error!(signal = reason, "ended before everything was settled");
    }
    let alerts = service.engine.all_standing();
    for one in alerts.iter().take(MOST_SAID) {
        let server = one.server.as_ref().map(|place| logged::id(&place.id));
        let server_name = one.server.as_ref().map(|place| place.name.as_str());
        let (alert, about, reason) = (&one.kind, &one.about, one.text.reason());
        tracing::error!(server, server_name, alert, about, reason, "alert_standing");
    }
    let slots = service.engine.unsettled();
    for one in slots.iter().take(MOST_SAID) {
        let (server, server_name) = (logged::id(&one.server), &one.server_name);
        let (rotation, snapshot) = (one.rotation.as_str(), one.snapshot.as_str());
        let reason = &one.reason;
        tracing::error!(
            server,
            server_name,
            rotation,
            snapshot,
            reason,
            "slot_unsettled"
        );
    }
    for (what, all) in [("alerts", alerts.len()), ("slots", slots.len())] {
        let more = all.saturating_sub(MOST_SAID);
        if more > 0 {
            tracing::error!("more {what}, not shown: {more}");
        }
    }
}
