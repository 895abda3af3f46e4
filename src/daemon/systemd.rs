//! What systemd is told; nothing where there is none.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::engine::EngineSummary;

/// Talks to the service manager, and remembers what it said.
#[derive(Debug, Default)]
pub struct Systemd {
    status: String,
    fed_at: Option<u64>,
}

impl Systemd {
    /// The service is up, or its reload is over.
    pub fn ready(&mut self, status: String) {
        send(&[NotifyState::Ready, NotifyState::Status(&status)]);
        self.status = status;
    }

    /// The start takes longer: it is given up only when nothing is said for so long.
    pub fn starting(status: &str, limit: Duration) {
        let limit = u32::try_from(limit.as_micros()).unwrap_or(u32::MAX);
        send(&[
            NotifyState::Status(status),
            NotifyState::ExtendTimeoutUsec(limit),
        ]);
    }

    /// A reload begins; both words in one datagram, or systemd takes it for an old one.
    pub fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(time) => send(&[NotifyState::Reloading, time]),
            Err(error) => tracing::warn!(%error, "the monotonic clock can't be read"),
        }
    }

    /// The service ends.
    pub fn stopping(&mut self, status: &str) {
        send(&[NotifyState::Stopping, NotifyState::Status(status)]);
        status.clone_into(&mut self.status);
    }

    /// How things stand, said when it changed.
    pub fn status(&mut self, status: String) {
        if status != self.status {
            send(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// Feeds the watchdog when there was progress since the last time.
    pub fn watchdog(&mut self, progress: u64) {
        if self.fed_at != Some(progress) {
            send(&[NotifyState::Watchdog]);
            self.fed_at = Some(progress);
        }
    }
}

/// How often the watchdog is to be fed: at half its time.
pub fn watchdog_period() -> Option<Duration> {
    let limit = sd_notify::watchdog_enabled()?;
    Some(limit / 2).filter(|half| !half.is_zero())
}

/// One line for `systemctl status`.
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
        parts.push("the provider refuses the token".to_owned());
    }
    parts.join(", ")
}

/// A service manager that doesn't listen changes nothing for the rotation.
fn send(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd can't be told");
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
            "12 servers, 2 at work, 1 blocked, 1 alert, the provider refuses the token"
        );
    }
}
