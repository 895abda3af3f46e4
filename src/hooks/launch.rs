//! Starts a runner for each hold: in a unit of its own behind systemd's socket, or as a child
//! process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::protocol::{BeforeStarted, HookResult, ReleaseRequest, RunRequest, hear, say};
use super::{BoxedFuture, HookJob, HookReport, Runner, RunnerHandle, RunnerLease};
use crate::config::DEFAULT_FILE;
use crate::core::server_event::{HookKind, HookOutcome};

/// Time beyond the hook's limit in which a runner asks the hook to end and then kills it.
const MARGIN: Duration = Duration::from_secs(15);

/// Maximum number of concurrent runs of `after`, however many leases are lost.
const AFTERS: usize = 8;

/// The command that makes this program a runner.
pub const RUNNER: &str = "hook-runner";

/// Environment variable with the folder of the locks, for a runner that is a child process.
pub const LOCKS: &str = "SNAPROTATE_HOOK_LOCKS";

/// Socket of the shipped unit for hooks.
const UNIT_SOCKET: &str = "/run/snaprotate-hook.sock";

/// Returns the shipped unit's socket if it exists. Commands that run beside the service use it too.
/// Its runners read the default main file, so the socket is not used with another one.
pub fn unit_socket(config: &Path) -> Option<PathBuf> {
    socket_for(config, Path::new(DEFAULT_FILE), Path::new(UNIT_SOCKET))
}

fn socket_for(config: &Path, of_unit: &Path, socket: &Path) -> Option<PathBuf> {
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    let same = whole(config)? == whole(of_unit)?;
    (same && socket.exists()).then(|| socket.to_owned())
}

/// Starts runners.
#[derive(Debug)]
pub struct RunnerLauncher {
    config: PathBuf,
    socket: Option<PathBuf>,
    locks: PathBuf,
    options: Vec<String>,
    afters: Semaphore,
}

impl RunnerLauncher {
    /// Returns a launcher for this main file. If there is a socket, only the socket is used;
    /// otherwise runners are child processes, which share the folder `locks` and get `options`.
    pub fn new(
        config: PathBuf,
        socket: Option<PathBuf>,
        locks: PathBuf,
        options: Vec<String>,
    ) -> Self {
        Self {
            config,
            socket,
            locks,
            options,
            afters: Semaphore::new(AFTERS),
        }
    }

    async fn reach(&self) -> Result<RunnerConnection, String> {
        if let Some(path) = &self.socket {
            let stream = UnixStream::connect(path).await.map_err(|error| {
                format!(
                    "the hook socket {} can't be reached: {error}; start it with systemctl enable --now snaprotate-hook.socket",
                    path.display()
                )
            })?;
            let (input, output) = stream.into_split();
            return Ok(RunnerConnection {
                input: BufReader::new(Box::new(input)),
                output: Box::new(output),
                child: None,
            });
        }
        // The running program, even if another version was installed in its place.
        let mut child = Command::new("/proc/self/exe")
            .arg(RUNNER)
            .arg("--config")
            .arg(&self.config)
            .args(&self.options)
            .env(LOCKS, &self.locks)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Otherwise a signal for the service's process group would end the runner too.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("the hook runner can't be started: {error}"))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(output), Some(input)) => Ok(RunnerConnection {
                input: BufReader::new(Box::new(input)),
                output: Box::new(output),
                child: Some(child),
            }),
            _ => Err("the hook runner can't be reached".to_owned()),
        }
    }
}

/// A connection to a runner.
struct RunnerConnection {
    input: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    output: Box<dyn AsyncWrite + Send + Unpin>,
    child: Option<Child>,
}

impl RunnerConnection {
    async fn told<T: DeserializeOwned>(&mut self, limit: Duration) -> Result<T, String> {
        let heard = timeout(limit + MARGIN, hear(&mut self.input)).await;
        let heard = heard.map_err(|_| "the hook runner does not answer".to_owned())??;
        heard.ok_or_else(|| "the hook runner has ended: see its log".to_owned())
    }

    /// Sends the request and waits until `before` starts; the error says why it doesn't.
    async fn begun(&mut self, request: RunRequest) -> Result<(), String> {
        say(&mut self.output, &request).await?;
        match self.told::<FirstMessage>(Duration::ZERO).await? {
            FirstMessage::Begun(BeforeStarted { begun: true }) => Ok(()),
            FirstMessage::Begun(_) => Err("the hook runner did not start the hook".to_owned()),
            FirstMessage::Report(report) => Err(report.reason),
        }
    }

    /// Keeps the connection open until the lease is released or dropped, or until the runner ends
    /// the hold by itself.
    async fn hold(mut self, leased: RunnerHandle, limit: Duration) {
        let RunnerHandle { released, ended } = leased;
        let report = tokio::select! {
            why = released => match why {
                Ok(why) => {
                    // The runner may already have ended the hold by itself and sent its report.
                    let _gone = say(&mut self.output, &ReleaseRequest { why }).await;
                    let report = timeout(limit + MARGIN, hear_after(&mut self.input)).await;
                    report.ok().flatten()
                }
                Err(_dropped) => None,
            },
            report = hear_after(&mut self.input) => report,
        };
        if let Some(report) = report {
            let _gone = ended.send(report);
        }
        self.end().await;
    }

    /// Closes the connection, and waits for a child to end.
    async fn end(self) {
        drop((self.input, self.output));
        if let Some(mut child) = self.child {
            let _gone = child.wait().await;
        }
    }
}

/// Returns the report of `after`; a late report of `before` is skipped.
async fn hear_after(input: &mut (impl AsyncBufRead + Unpin)) -> Option<HookReport> {
    loop {
        let HookResult { hook, report } = hear(input).await.ok().flatten()?;
        if hook == HookKind::After {
            return Some(report);
        }
    }
}

/// The first message of a runner.
#[derive(Deserialize)]
#[serde(untagged)]
enum FirstMessage {
    Begun(BeforeStarted),
    Report(HookReport),
}

impl Runner for RunnerLauncher {
    fn begin(&self, job: HookJob) -> BoxedFuture<'_, (HookReport, Option<RunnerLease>)> {
        Box::pin(async move {
            let limit = job.limit;
            let reached = async {
                let mut reached = self.reach().await?;
                reached.begun(RunRequest { job, after: None }).await?;
                Ok::<_, String>(reached)
            };
            let mut reached = match reached.await {
                Ok(reached) => reached,
                Err(why) => return (HookReport::bad(HookOutcome::NotStarted, why), None),
            };
            let report = reached.told::<HookReport>(limit).await;
            let report = report.unwrap_or_else(|why| HookReport::bad(HookOutcome::Failed, why));
            if report.ran == HookOutcome::NotStarted {
                tokio::spawn(reached.end());
                return (report, None);
            }
            let (lease, leased) = RunnerLease::new();
            tokio::spawn(reached.hold(leased, limit));
            (report, Some(lease))
        })
    }

    fn after(&self, job: HookJob, why: String) -> BoxedFuture<'_, HookReport> {
        Box::pin(async move {
            let _place = self.afters.acquire().await;
            let (limit, after) = (job.limit, Some(why));
            let report = async {
                let mut reached = self.reach().await?;
                say(&mut reached.output, &RunRequest { job, after }).await?;
                let report = reached.told::<HookReport>(limit).await?;
                tokio::spawn(reached.end());
                Ok::<_, String>(report)
            };
            let report = report.await;
            report.unwrap_or_else(|why| HookReport::bad(HookOutcome::Failed, why))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_report_of_before_is_not_taken_for_the_report_of_after() {
        let line = |hook: &str, reason: &str| {
            let hook = serde_json::json!({"hook": hook, "ran": "done", "reason": reason});
            format!("{hook}\n")
        };
        let said = line("before", "frozen") + &line("after", "thawed");
        let report = hear_after(&mut said.as_bytes()).await.expect("a report");
        assert_eq!(report.reason, "thawed");
        assert_eq!(
            hear_after(&mut line("before", "frozen").as_bytes()).await,
            None
        );
    }

    #[test]
    fn the_socket_of_the_unit_is_used_only_with_its_own_main_file_whatever_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (etc, other, socket) = (path("etc.toml"), path("other.toml"), path("sock"));
        for file in [&etc, &other] {
            std::fs::write(file, "").expect("written");
        }
        assert_eq!(socket_for(&etc, &etc, &socket), None, "no socket yet");
        std::fs::write(&socket, "").expect("written");
        std::os::unix::fs::symlink(&etc, path("link.toml")).expect("linked");
        for file in [etc.clone(), path("./etc.toml"), path("link.toml")] {
            assert_eq!(socket_for(&file, &etc, &socket), Some(socket.clone()));
        }
        assert_eq!(socket_for(&other, &etc, &socket), None);
    }
}
