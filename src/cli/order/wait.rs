//! Waits for operations that take the provider minutes, with a progress line.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::resolve::Target;
use crate::api::{ApiError, ErrorKind};
use crate::cli::block_on;
use crate::core::snapshot::{CREATE_TAKES, RESTORE_TAKES, Snapshot, SnapshotId, Status};
use crate::daemon::CommandError;

/// Consecutive failed polls that are tolerated.
const BORNE: u32 = 5;

/// Consecutive listings that may lag behind a change.
const LAGS: u32 = 3;

/// After this time a restore is assumed to have begun, even if no poll showed it.
const BEGINS: Duration = Duration::from_mins(2);

/// The state of a restore at the end of the wait.
pub(super) enum RestoreEnding {
    /// The restore is over; holds the provider's status of the server.
    Over(String),
    /// The provider still reports the restore as under way.
    Still,
    /// The state is unknown; holds the reason.
    Untold(String),
}

/// Turns a failed poll into `None` until too many have failed in a row.
fn bear<T, E>(look: Result<T, E>, failed: &mut u32) -> Result<Option<T>, E> {
    match look {
        Ok(seen) => {
            *failed = 0;
            Ok(Some(seen))
        }
        Err(why) if *failed == BORNE => Err(why),
        Err(_) => {
            *failed += 1;
            Ok(None)
        }
    }
}

/// A progress line that is rewritten on a terminal. Prints nothing elsewhere.
struct ProgressLine {
    what: String,
    /// How long it usually takes.
    usual: &'static str,
    began: Instant,
    shown: bool,
}

impl ProgressLine {
    fn new(what: String, usual: &'static str) -> Self {
        Self {
            what,
            usual,
            began: Instant::now(),
            shown: io::stderr().is_terminal(),
        }
    }

    fn tell(&self) {
        if self.shown {
            let passed = self.began.elapsed().as_secs();
            let _closed = write!(
                anstream::stderr(),
                "\r{}, usually {} … {}:{:02} ",
                self.what,
                self.usual,
                passed / 60,
                passed % 60
            );
        }
    }
}

/// Returns true if repeating the request can't help.
fn lasting(why: &ApiError) -> bool {
    matches!(
        why.kind,
        ErrorKind::Missing | ErrorKind::Refused | ErrorKind::Account
    )
}

fn unlisted(why: &ApiError) -> String {
    match why.kind {
        ErrorKind::Missing => {
            "the provider has no list of servers (GET /servers/ returned 404)".to_owned()
        }
        _ => why.to_string(),
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown {
            let _closed = writeln!(anstream::stderr());
        }
    }
}

impl Target {
    /// Waits until the snapshot is no longer in progress. Returns `None` if it disappeared or took
    /// too long.
    pub(super) fn finished(
        &mut self,
        id: &SnapshotId,
        name: &str,
    ) -> Result<Option<&Snapshot>, CommandError> {
        let progress = ProgressLine::new(format!("{name} is being made"), CREATE_TAKES);
        let (mut unseen, mut failed) = (0, 0);
        while progress.began.elapsed() < self.longest() {
            progress.tell();
            self.rest();
            if bear(self.look(), &mut failed)?.is_none() {
                continue;
            }
            let rows = &self.inventory.snapshots;
            match rows.iter().position(|s| s.id == *id) {
                Some(at) if rows[at].status == Status::InProgress => unseen = 0,
                Some(at) => return Ok(Some(&self.inventory.snapshots[at])),
                // A listing may lag behind the create.
                None if unseen < LAGS => unseen += 1,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns true if listings no longer show the snapshot. Asks again a few times, since they may
    /// lag behind the delete.
    pub(super) fn gone(&mut self, id: &SnapshotId) -> Result<bool, CommandError> {
        for nth in 0..=LAGS {
            if nth > 0 {
                self.rest();
            }
            self.look()?;
            if !self.inventory.snapshots.iter().any(|s| s.id == *id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until the provider no longer reports the server as being restored. Only the provider's
    /// list of servers shows that. Since rotation doesn't need this list, the provider may not
    /// offer it.
    pub(super) fn restored(&self) -> Result<RestoreEnding, CommandError> {
        let what = format!("{} is being restored", self.called());
        let progress = ProgressLine::new(what, RESTORE_TAKES);
        let (mut looked, mut seen, mut failed) = (false, false, 0);
        while progress.began.elapsed() < self.longest() {
            progress.tell();
            if looked {
                self.rest();
            }
            looked = true;
            let server = self.policy.server.clone();
            let asked = block_on(async { Ok(self.api.server_status(&server).await) })?;
            let asked = match asked {
                Err(why) if lasting(&why) => return Ok(RestoreEnding::Untold(unlisted(&why))),
                asked => bear(asked, &mut failed),
            };
            let status = match asked {
                Ok(Some(status)) => status,
                Ok(None) => continue,
                Err(why) => return Ok(RestoreEnding::Untold(why.to_string())),
            };
            match status.as_deref() {
                Some("restoring") => seen = true,
                // The provider stops the server first, so one that is active again has been
                // restored.
                Some("active") if seen || progress.began.elapsed() > BEGINS => {
                    return Ok(RestoreEnding::Over("active".to_owned()));
                }
                Some(_) => {}
                None => {
                    return Ok(RestoreEnding::Untold(format!(
                        "the provider's list of servers does not include server {server}"
                    )));
                }
            }
        }
        Ok(RestoreEnding::Still)
    }

    fn longest(&self) -> Duration {
        self.clock.real(self.config.rules.stuck_after)
    }

    fn rest(&self) {
        std::thread::sleep(
            self.clock
                .real(self.config.rules.poll_interval)
                .min(Duration::from_secs(5)),
        );
    }
}
