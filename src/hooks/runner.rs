//! The runner of one hold: a process of its own, which reads from the policy's file what it
//! is to run, and takes no command from anybody.

use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::protocol::{Begun, FIRST, Release, Request, Told, hear, say};
use super::{Job, Report};
use crate::child::{self, Program};
use crate::config::hooks_of;
use crate::core::event::{Hook, Ran};
use crate::core::hook_lease::command;
use crate::core::name_pattern::is_accepted;
use crate::core::policy::Hooks;
use crate::core::snapshot::ServerId;
use crate::logged;

/// What the runner's unit gives it.
#[derive(Debug, Default)]
pub struct Unit {
    /// Where credentials for hooks lie.
    pub credentials: Option<String>,
    /// The folder for locks that all runners of the unit share.
    pub locks: Option<PathBuf>,
}

/// For so long a runner that has just released the server may take to end.
const PREVIOUS: Duration = Duration::from_secs(5);

/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Serves one hold to its end; `ended` comes true when the runner is asked to end.
pub async fn serve(
    config: &Path,
    unit: Unit,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    ended: impl Future<Output = ()>,
) -> Result<(), String> {
    let mut input = BufReader::new(input);
    let request: Request = timeout(FIRST, hear(&mut input))
        .await
        .map_err(|_| "nothing was asked for".to_owned())??
        .ok_or("nothing was asked for")?;
    let Request { job, after } = request;
    let found = hooks_of(config, &job.policy, &job.rotation);
    let found = match found {
        Ok(_) if !is_accepted(&job.snapshot) => Err("no snapshot has such a name".to_owned()),
        found => found,
    };
    let run = match found {
        Ok((hooks, server, called)) => Run {
            hooks,
            job,
            server,
            called,
            credentials: unit.credentials,
        },
        // Nothing is begun.
        Err(why) if after.is_none() => {
            return say(&mut output, &Report::bad(Ran::NotStarted, why)).await;
        }
        Err(why) => return say(&mut output, &Report::bad(Ran::Failed, why)).await,
    };
    if let Some(why) = after {
        let report = run.run(Hook::After, &why).await;
        return say(&mut output, &report).await;
    }
    let _only = match alone(unit.locks.as_deref(), &run.server).await {
        Ok(lock) => lock,
        Err(why) => return say(&mut output, &Report::bad(Ran::NotStarted, why)).await,
    };
    if say(&mut output, &Begun { begun: true }).await.is_err() {
        return Ok(());
    }
    let latest = Instant::now() + std(run.hooks.max_hold);
    // Never broken off: what it begun elsewhere would come to its end behind `after`.
    let report = run.run(Hook::Before, "").await;
    let ran = report.ran;
    let hook = Hook::Before;
    let heard = say(&mut output, &Told { hook, report }).await;
    if ran == Ran::NotStarted {
        return Ok(());
    }
    let gone = "whoever began it is gone";
    let why = tokio::select! {
        biased;
        () = std::future::ready(()), if heard.is_err() => gone,
        release = hear::<Release>(&mut input) => match release {
            Ok(Some(release)) => return run.release(&release.why, false, &mut output).await,
            _ => gone,
        },
        () = ended => "the runner was asked to end",
        () = sleep_until(latest) => "max_hold is over",
    };
    run.release(why, true, &mut output).await
}

/// Makes this the only hold of the server until the file is closed. The release of a hold that
/// was lost doesn't come here: a server that may be held has to be released.
async fn alone(locks: Option<&Path>, server: &ServerId) -> Result<Option<File>, String> {
    let Some(locks) = locks else { return Ok(None) };
    let path = locks.join(format!("server-{}.lock", server.component()));
    let failed = |why: std::io::Error| format!("{}: can't be locked: {why}", path.display());
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options.open(&path).map_err(failed)?;
    let latest = Instant::now() + PREVIOUS;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(why)) => return Err(failed(why)),
            Err(TryLockError::WouldBlock) if Instant::now() < latest => sleep(LOOK).await,
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "another runner holds server {server}: only one may at a time"
                ));
            }
        }
    }
}

/// What is run, and for what.
struct Run {
    hooks: Arc<Hooks>,
    job: Job,
    /// By the policy's file, whatever was asked.
    server: ServerId,
    called: String,
    credentials: Option<String>,
}

impl Run {
    async fn release(
        &self,
        why: &str,
        early: bool,
        output: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), String> {
        let mut report = self.run(Hook::After, why).await;
        report.early = early;
        if early && report.ran == Ran::Done {
            report.reason = why.to_owned();
        }
        let (server, server_name) = (logged::id(&self.server), &self.called);
        let (rotation, reason) = (&self.job.rotation, &report.reason);
        match report.ran {
            Ran::Done => {
                tracing::info!(server, server_name, rotation, reason, "after did well");
            }
            Ran::Failed | Ran::NotStarted => {
                tracing::warn!(server, server_name, rotation, reason, "after failed");
            }
        }
        // Nobody need be left to hear it.
        let hook = Hook::After;
        let _gone = say(output, &Told { hook, report }).await;
        Ok(())
    }

    async fn run(&self, hook: Hook, why: &str) -> Report {
        let (hooks, job) = (&*self.hooks, &self.job);
        let argv = command(hooks, hook);
        if argv.is_empty() {
            return Report {
                ran: Ran::Done,
                reason: "there is none to run".to_owned(),
                said: String::new(),
                early: false,
            };
        }
        let word = match hook {
            Hook::Before => "before",
            Hook::After => "after",
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
                ("SNAPROTATE_ROTATION", job.rotation.clone()),
                ("SNAPROTATE_SNAPSHOT", job.snapshot.clone()),
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
                    Hook::Before => Ran::NotStarted,
                    Hook::After => Ran::Failed,
                };
                Report::bad(ran, error)
            }
            Ok(ended) => {
                let name = &argv[0];
                let colon = if ended.output.is_empty() { "" } else { ": " };
                let output = ended.output;
                match ended.fault {
                    Some(fault) => {
                        Report::bad(Ran::Failed, format!("{name} {fault}{colon}{output}"))
                    }
                    None => Report {
                        ran: Ran::Done,
                        reason: format!("{name} did well{colon}{output}"),
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
