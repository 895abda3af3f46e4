//! The runner of one hold: a process of its own, which reads from the policy's file what it
//! is to run, and takes no command from anybody.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::time::{Instant, sleep_until, timeout};

use super::talk::{FIRST, Release, Request, hear, say};
use super::{Job, Report};
use crate::child::{self, Program};
use crate::config::hooks_of;
use crate::core::fact::{Hook, Ran};
use crate::core::hold::command;
use crate::core::policy::Hooks;

/// Serves one hold to its end; `ended` comes true when the runner is asked to end. Hooks are
/// told where `credentials` of their unit lie, if it has any.
pub async fn serve(
    config: &Path,
    credentials: Option<String>,
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
    let hooks = match hooks_of(config, &job.policy, &job.rotation) {
        Ok(hooks) => Run {
            hooks,
            job,
            credentials,
        },
        Err(why) => {
            let ran = match after {
                None => Ran::NotStarted,
                Some(_) => Ran::Failed,
            };
            return say(&mut output, &Report::bad(ran, why)).await;
        }
    };
    if let Some(why) = after {
        let report = hooks.run(Hook::After, &why).await;
        return say(&mut output, &report).await;
    }
    let mut released = pin!(async {
        match hear::<Release>(&mut input).await {
            Ok(Some(release)) => Some(release.why),
            _ => None,
        }
    });
    let mut ended = pin!(ended);
    let latest = Instant::now() + std(hooks.hooks.max_hold);
    let before = tokio::select! {
        report = hooks.run(Hook::Before, "") => Some(report),
        _ = &mut released => None,
        () = &mut ended => None,
    };
    let gone = "whoever began it is gone";
    let why = match before {
        None => "it was broken off",
        Some(report) => {
            let heard = say(&mut output, &report).await;
            if report.ran == Ran::NotStarted {
                return Ok(());
            }
            tokio::select! {
                why = &mut released, if heard.is_ok() => match why {
                    Some(why) => return hooks.release(&why, false, &mut output).await,
                    None => gone,
                },
                () = std::future::ready(()), if heard.is_err() => gone,
                () = &mut ended => "the runner was asked to end",
                () = sleep_until(latest) => "max_hold is over",
            }
        }
    };
    hooks.release(why, true, &mut output).await
}

/// What is run, and for what.
struct Run {
    hooks: Arc<Hooks>,
    job: Job,
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
        let (rotation, reason) = (&self.job.rotation, &report.reason);
        tracing::info!(rotation, ran = ?report.ran, reason, "after");
        // Nobody need be left to hear it.
        let _gone = say(output, &report).await;
        Ok(())
    }

    async fn run(&self, hook: Hook, why: &str) -> Report {
        let (hooks, job) = (&*self.hooks, &self.job);
        let argv = command(hooks, hook);
        if argv.is_empty() {
            return Report {
                ran: Ran::Done,
                reason: "there is none to run".to_owned(),
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
            "server": job.server,
            "server_name": job.server_name,
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
                ("SNAPROTATE_SERVER", job.server.to_string()),
                ("SNAPROTATE_SERVER_NAME", job.server_name.clone()),
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
                        early: false,
                    },
                }
            }
        }
    }
}

fn std(time: jiff::SignedDuration) -> Duration {
    time.try_into().unwrap_or(Duration::MAX)
}
