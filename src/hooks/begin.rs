//! A runner for each hold: behind a socket of systemd's, in a unit of its own, or a child.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::talk::{Release, Request, hear, say};
use super::{Job, Lease, Leased, Promised, Report, Runner};
use crate::core::fact::Ran;

/// A runner that says nothing for so long is given up: hooks have limits of their own below.
const PATIENCE: Duration = Duration::from_hours(2);

/// The command that makes this program a runner.
pub const RUNNER: &str = "hook-runner";

/// Begins runners.
#[derive(Clone, Debug)]
pub struct Runners {
    config: PathBuf,
    socket: Option<PathBuf>,
}

impl Runners {
    /// By this main file; through this socket where there is one, and then by no other way.
    pub fn new(config: PathBuf, socket: Option<PathBuf>) -> Self {
        Self { config, socket }
    }

    async fn reach(&self) -> Result<Reached, String> {
        if let Some(path) = &self.socket {
            let stream = UnixStream::connect(path).await.map_err(|error| {
                format!(
                    "the socket {} of the hooks can't be reached: {error}; start it with systemctl enable --now snaprotate-hook.socket",
                    path.display()
                )
            })?;
            let (input, output) = stream.into_split();
            return Ok(Reached {
                input: BufReader::new(Box::new(input)),
                output: Box::new(output),
                child: None,
            });
        }
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .arg(RUNNER)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A signal that is meant for us would end it too.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("no runner of hooks can be started: {error}"))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(output), Some(input)) => Ok(Reached {
                input: BufReader::new(Box::new(input)),
                output: Box::new(output),
                child: Some(child),
            }),
            _ => Err("no runner of hooks can be talked to".to_owned()),
        }
    }
}

/// A runner, and the way to it.
struct Reached {
    input: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    output: Box<dyn AsyncWrite + Send + Unpin>,
    child: Option<Child>,
}

impl Reached {
    async fn report(&mut self) -> Result<Report, String> {
        let heard = timeout(PATIENCE, hear(&mut self.input)).await;
        let heard = heard.map_err(|_| "the runner of the hooks says nothing".to_owned())??;
        heard.ok_or_else(|| "the runner of the hooks is gone: see its log".to_owned())
    }

    async fn ask(&mut self, request: Request) -> Result<Report, String> {
        say(&mut self.output, &request).await?;
        self.report().await
    }

    /// Has the lease until it is released or dropped.
    async fn hold(mut self, leased: Leased) {
        let Leased { released, ended } = leased;
        let report = tokio::select! {
            why = released => match why {
                Ok(why) => match say(&mut self.output, &Release { why }).await {
                    Ok(()) => self.report().await,
                    // It may have ended by itself, and said so.
                    Err(error) => self.report().await.map_err(|_| error),
                },
                Err(_dropped) => Err(String::new()),
            },
            report = hear(&mut self.input) => match report {
                Ok(Some(report)) => Ok(report),
                Ok(None) => Err("the runner of the hooks is gone: see its log".to_owned()),
                Err(error) => Err(error),
            },
        };
        let report = report.unwrap_or_else(|error| Report::bad(Ran::Failed, error));
        let _gone = ended.send(report);
        self.end().await;
    }

    /// Closes the way to it; a child is waited for.
    async fn end(self) {
        drop((self.input, self.output));
        if let Some(mut child) = self.child {
            let _gone = child.wait().await;
        }
    }
}

impl Runner for Runners {
    fn begin(&self, job: Job) -> Promised<'_, (Report, Option<Lease>)> {
        Box::pin(async move {
            let mut reached = match self.reach().await {
                Ok(reached) => reached,
                Err(why) => return (Report::bad(Ran::NotStarted, why), None),
            };
            let request = Request { job, after: None };
            match reached.ask(request).await {
                Ok(report) if report.ran == Ran::NotStarted => {
                    tokio::spawn(reached.end());
                    (report, None)
                }
                Ok(report) => {
                    let (lease, leased) = Lease::new();
                    tokio::spawn(reached.hold(leased));
                    (report, Some(lease))
                }
                Err(why) => {
                    tokio::spawn(reached.end());
                    (Report::bad(Ran::Failed, why), None)
                }
            }
        })
    }

    fn after(&self, job: Job, why: String) -> Promised<'_, Report> {
        Box::pin(async move {
            let mut reached = match self.reach().await {
                Ok(reached) => reached,
                Err(why) => return Report::bad(Ran::Failed, why),
            };
            let request = Request {
                job,
                after: Some(why),
            };
            let report = reached.ask(request).await;
            tokio::spawn(reached.end());
            report.unwrap_or_else(|why| Report::bad(Ran::Failed, why))
        })
    }
}
