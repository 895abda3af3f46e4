//! The runner of one hold: a process of its own. It reads the programs to run from the policy's
//! file, and accepts no command from a peer.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::protocol::{BeforeStarted, FIRST, HookResult, ReleaseRequest, RunRequest, hear, say};
use super::{HookJob, HookReport};
use crate::child::{self, Program};
use crate::config::hooks_of;
use crate::core::hook_release::command;
use crate::core::name_pattern::is_accepted;
use crate::core::policy::Hooks;
use crate::core::server_event::{HookKind, HookOutcome};
use crate::core::snapshot::ServerId;
use crate::logged;
use crate::safe_fs::OpenFolder;

/// Settings from the unit of the runner, or from the service that starts it.
#[derive(Debug, Default)]
pub struct RunnerEnvironment {
    /// Folder of the credentials for hooks.
    pub credentials: Option<String>,
    /// Folder of the locks that all runners share.
    pub locks: Option<PathBuf>,
}

/// Longest wait for a previous runner that has just released the server.
const PREVIOUS: Duration = Duration::from_secs(5);

/// Interval between attempts to take the server's lock.
const LOOK: Duration = Duration::from_millis(50);

/// Serves one hold to its end; `ended` completes when the runner is asked to end.
pub async fn serve(
    config: &Path,
    environment: RunnerEnvironment,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    ended: impl Future<Output = ()>,
) -> Result<(), String> {
    let mut input = BufReader::new(input);
    let request: RunRequest = timeout(FIRST, hear(&mut input))
        .await
        .map_err(|_| "no request was received".to_owned())??
        .ok_or("no request was received")?;
    let RunRequest { job, after } = request;
    let found = hooks_of(config, &job.policy, &job.rotation);
    let found = match found {
        Ok(_) if !is_accepted(&job.snapshot) => {
            Err("the name is not valid for a snapshot".to_owned())
        }
        found => found,
    };
    let run = match found {
        Ok((hooks, server, called)) => HookRun {
            hooks,
            job,
            server,
            called,
            credentials: environment.credentials,
        },
        // Nothing was started.
        Err(why) if after.is_none() => {
            return say(&mut output, &HookReport::bad(HookOutcome::NotStarted, why)).await;
        }
        Err(why) => return say(&mut output, &HookReport::bad(HookOutcome::Failed, why)).await,
    };
    let only = alone(environment.locks.as_deref(), &run.server).await;
    if let Some(why) = after {
        // The runner of the lost hold may still run its `before`, which must not hold the server
        // after this `after`.
        let report = match only {
            Err(Occupied::ByAnother(why)) => HookReport::bad(HookOutcome::NotStarted, why),
            // Even without a lock: a server that may be held must be released.
            Ok(_) | Err(Occupied::Unknown(_)) => run.run(HookKind::After, &why).await,
        };
        return say(&mut output, &report).await;
    }
    let _only = match only {
        Ok(lock) => lock,
        Err(Occupied::ByAnother(why) | Occupied::Unknown(why)) => {
            return say(&mut output, &HookReport::bad(HookOutcome::NotStarted, why)).await;
        }
    };
    if say(&mut output, &BeforeStarted { begun: true })
        .await
        .is_err()
    {
        return Ok(());
    }
    let latest = Instant::now() + std(run.hooks.max_hold);
    // Neither a lost connection nor a request to end aborts `before`: what it started elsewhere
    // could then take effect after `after`.
    let report = run.run(HookKind::Before, "").await;
    let ran = report.ran;
    let hook = HookKind::Before;
    let heard = say(&mut output, &HookResult { hook, report }).await;
    if ran == HookOutcome::NotStarted {
        return Ok(());
    }
    let gone = "the client that started the hook has disconnected";
    let why = tokio::select! {
        biased;
        () = std::future::ready(()), if heard.is_err() => gone,
        release = hear::<ReleaseRequest>(&mut input) => match release {
            Ok(Some(release)) => return run.release(&release.why, false, &mut output).await,
            _ => gone,
        },
        () = ended => "the runner was asked to stop",
        () = sleep_until(latest) => "max_hold expired",
    };
    run.release(why, true, &mut output).await
}

/// The reason why this is not the only runner of a server.
enum Occupied {
    /// Another runner holds the server, or is still releasing it.
    ByAnother(String),
    /// The lock can't be used.
    Unknown(String),
}

/// Makes this the only runner of the server until the returned file is closed.
async fn alone(locks: Option<&Path>, server: &ServerId) -> Result<Option<File>, Occupied> {
    let Some(locks) = locks else { return Ok(None) };
    let name = format!("hooks-{}.lock", server.component());
    let failed = |why: std::io::Error| {
        let folder = locks.display();
        Occupied::Unknown(format!("{folder}/{name}: can't be locked: {why}"))
    };
    let flags = OFlags::RDWR | OFlags::CREATE;
    let opened = OpenFolder::open(locks);
    let opened = opened.and_then(|folder| folder.file(OsStr::new(&name), flags, 0o600));
    let file = opened.map_err(failed)?;
    let latest = Instant::now() + PREVIOUS;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(why)) => return Err(failed(why)),
            Err(TryLockError::WouldBlock) if Instant::now() < latest => sleep(LOOK).await,
            Err(TryLockError::WouldBlock) => {
                return Err(Occupied::ByAnother(format!(
                    "another runner holds server {server}: only one may hold it at a time"
                )));
            }
        }
    }
}

/// The programs of a hold, and their context.
struct HookRun {
    hooks: Arc<Hooks>,
    job: HookJob,
    /// From the policy's file; the request's id is ignored.
    server: ServerId,
    called: String,
    credentials: Option<String>,
}

impl HookRun {
    async fn release(
        &self,
        why: &str,
        early: bool,
        output: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), String> {
        let mut report = self.run(HookKind::After, why).await;
        report.early = early;
        if early && report.ran == HookOutcome::Done {
            report.reason = why.to_owned();
        }
        let (server, server_name) = (logged::id(&self.server), &self.called);
        let (rotation, reason) = (self.job.rotation.as_str(), &report.reason);
        match report.ran {
            HookOutcome::Done => {
                tracing::info!(
                    server,
                    server_name,
                    rotation,
                    reason,
                    "the hook after succeeded"
                );
            }
            HookOutcome::Failed | HookOutcome::NotStarted => {
                tracing::warn!(
                    server,
                    server_name,
                    rotation,
                    reason,
                    "the hook after failed"
                );
            }
        }
        // The service may be gone, so a failed send is ignored.
        let hook = HookKind::After;
        let _gone = say(output, &HookResult { hook, report }).await;
        Ok(())
    }

    async fn run(&self, hook: HookKind, why: &str) -> HookReport {
        let (hooks, job) = (&*self.hooks, &self.job);
        let argv = command(hooks, hook);
        if argv.is_empty() {
            return HookReport {
                ran: HookOutcome::Done,
                reason: "no hook is configured".to_owned(),
                said: String::new(),
                early: false,
            };
        }
        let word = match hook {
            HookKind::Before => "before",
            HookKind::After => "after",
        };
        let context = serde_json::json!({
            "hook": word,
            "policy": job.policy,
            "server": self.server,
            "server_name": self.called,
            "rotation": job.rotation,
            "snapshot": job.snapshot,
            "reason": why,
        });
        let credentials = self.credentials.clone();
        let credentials = credentials.map(|folder| ("CREDENTIALS_DIRECTORY", folder));
        let program = Program {
            argv,
            env: [
                ("SNAPROTATE_HOOK", word.to_owned()),
                ("SNAPROTATE_POLICY", job.policy.clone()),
                ("SNAPROTATE_SERVER", self.server.to_string()),
                ("SNAPROTATE_SERVER_NAME", self.called.clone()),
                ("SNAPROTATE_ROTATION", job.rotation.clone().into()),
                ("SNAPROTATE_SNAPSHOT", job.snapshot.clone().into()),
                ("SNAPROTATE_REASON", why.to_owned()),
            ]
            .into_iter()
            .chain(credentials)
            .collect(),
            input: context.to_string() + "\n",
            limit: std(hooks.timeout),
        };
        match child::run(program).await {
            Err(error) => {
                let ran = match hook {
                    HookKind::Before => HookOutcome::NotStarted,
                    HookKind::After => HookOutcome::Failed,
                };
                HookReport::bad(ran, error)
            }
            Ok(ended) => {
                let name = &argv[0];
                let colon = if ended.output.is_empty() { "" } else { ": " };
                let output = ended.output;
                match ended.fault {
                    Some(fault) => HookReport::bad(
                        HookOutcome::Failed,
                        format!("{name} {fault}{colon}{output}"),
                    ),
                    None => HookReport {
                        ran: HookOutcome::Done,
                        reason: format!("{name} succeeded{colon}{output}"),
                        said: output,
                        early: false,
                    },
                }
            }
        }
    }
}

fn std(time: jiff::SignedDuration) -> Duration {
    time.try_into().unwrap_or_default()
}
