//! Notifications to systemd; without systemd they do nothing.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::engine::EngineSummary;

/// Sends notifications to the service manager, and stores the last status.
#[derive(Debug, Default)]
pub struct Systemd {
    status: String,
    fed_at: Option<u64>,
}

impl Systemd {
    /// Reports that the service is up, or that its reload is over.
    pub fn ready(&mut self, status: String) {
        send(&[NotifyState::Ready, NotifyState::Status(&status)]);
        self.status = status;
    }

    /// Extends the start timeout: systemd fails the start only after `limit` without another
    /// message.
    pub fn starting(status: &str, limit: Duration) {
        let limit = u32::try_from(limit.as_micros()).unwrap_or(u32::MAX);
        send(&[
            NotifyState::Status(status),
            NotifyState::ExtendTimeoutUsec(limit),
        ]);
    }

    /// Reports that a reload has begun. Both fields must be in one datagram; otherwise systemd
    /// treats the message as one about an earlier reload.
    pub fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(time) => send(&[NotifyState::Reloading, time]),
            Err(error) => tracing::warn!(%error, "the monotonic clock can't be read"),
        }
    }

    /// Reports that the service is stopping.
    pub fn stopping(&mut self, status: &str) {
        send(&[NotifyState::Stopping, NotifyState::Status(status)]);
        status.clone_into(&mut self.status);
    }

    /// Sends the status line if it changed.
    pub fn status(&mut self, status: String) {
        if status != self.status {
            send(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// Feeds the watchdog if there was progress since the last time.
    pub fn watchdog(&mut self, progress: u64) {
        if self.fed_at != Some(progress) {
            send(&[NotifyState::Watchdog]);
            self.fed_at = Some(progress);
        }
    }
}

/// Returns how often to feed the watchdog: half its limit.
pub fn watchdog_period() -> Option<Duration> {
    let limit = sd_notify::watchdog_enabled()?;
    Some(limit / 2).filter(|half| !half.is_zero())
}

/// Returns one line for `systemctl status`.
pub fn describe(summary: &EngineSummary) -> String {
    let count =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut parts = vec![count(summary.servers, "server", "servers")];
    if summary.working > 0 {
        parts.push(format!("{} at work", summary.working));
    }
    if summary.blocked > 0 {
        parts.push(format!("{} blocked", summary.blocked));
    }
    parts.push(match summary.alerts {
        0 => "no alerts".to_owned(),
        n => count(n, "alert", "alerts"),
    });
    if summary.account_refused {
        parts.push("the provider rejects the token".to_owned());
    }
    parts.join(", ")
}

/// Sends a notification. A failure is only logged, since rotation does not depend on systemd.
fn send(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd can't be notified");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_names_what_an_administrator_must_look_at() {
        let mut summary = EngineSummary {
            servers: 1,
            ..EngineSummary::default()
        };
        assert_eq!(describe(&summary), "1 server, no alerts");
        summary = EngineSummary {
            servers: 12,
            working: 2,
            blocked: 1,
            alerts: 1,
            account_refused: true,
        };
        assert_eq!(
            describe(&summary),
            "12 servers, 2 at work, 1 blocked, 1 alert, the provider rejects the token"
        );
    }
}
