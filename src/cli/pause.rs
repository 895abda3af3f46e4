//! `pause` and `resume`: pause and resume the rotation of one server or of all.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{
    Cli, Exit, absolute, block_on, caller, control_socket, printable_name, say, server_argument,
};
use crate::config::{self, Environment};
use crate::daemon::{CommandError, run_exclusive};
use crate::engine::PauseResult;
use crate::status::pause_and_order_routes::ServerQuery;
use crate::status::{self, NoAnswer};

/// Arguments of `pause` and `resume`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server; all servers if none is named.
    #[command(flatten)]
    pub server: super::server_argument::ServerArgument,
}

/// Pauses one server or all, and lists what is still under way: open mutations, holds and
/// downtimes.
pub fn pause(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let held = held(cli, args, true)?;
    let mut text = match args.server.one() {
        Some(server) => format!(
            "{} is paused: its rotation creates and deletes nothing until snaprotate resume {0}",
            printable_name(server)
        ),
        None => {
            "every server is paused: rotation creates and deletes nothing until snaprotate resume"
                .to_owned()
        }
    };
    for begun in &held.begun {
        let server = printable_name(&begun.server);
        let _ = write!(
            text,
            "\n{server}: {}; the service follows this operation until it ends",
            begun.what
        );
    }
    say(&text)?;
    Ok(Exit::Good)
}

/// Resumes one server or all, and lists the servers that stay paused.
pub fn resume(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let held = held(cli, args, false)?;
    let mut text = match args.server.one() {
        Some(server) if held.nothing => {
            format!(
                "{} isn't paused: there was nothing to resume",
                printable_name(server)
            )
        }
        None if held.nothing => {
            "rotation isn't paused as a whole: there was nothing to resume".to_owned()
        }
        Some(server) if held.ended.is_empty() => {
            format!("{} is no longer paused", printable_name(server))
        }
        Some(server) => format!("{} is resumed", printable_name(server)),
        None => "rotation is resumed".to_owned(),
    };
    for ended in &held.ended {
        let _ = write!(text, "\n{ended}");
    }
    for server in &held.paused {
        let _ = write!(
            text,
            "\n{} was paused by name, and stays paused: snaprotate resume {0}",
            printable_name(server)
        );
    }
    say(&text)?;
    Ok(Exit::Good)
}

/// Returns the state folder of the configuration, if the configuration can be read. The service
/// compares it with its own.
pub(super) fn state_dir(cli: &Cli) -> Option<PathBuf> {
    if !cli.config.exists() {
        return None;
    }
    let folders = config::folders(&cli.config, &Environment::from_process()).ok()?;
    Some(absolute(&folders.state_dir))
}

/// Sends the request to the running service, or carries it out in this process if none runs.
fn held(cli: &Cli, args: &Args, pause: bool) -> Result<PauseResult, CommandError> {
    let which = ServerQuery {
        server: args.server.one().map(str::to_owned),
        state_dir: state_dir(cli),
    };
    let socket = control_socket();
    let asked = block_on(async {
        Ok(if pause {
            status::pause(&socket, &which).await
        } else {
            status::resume(&socket, &which).await
        })
    })?;
    match asked {
        Err(NoAnswer::NotRunning(_)) => {}
        answer => return answer.map_err(CommandError::from),
    }
    let config = cli.load()?;
    let named = args.server.one();
    let policy = named.map(|named| server_argument::one(&config.policies, named));
    let policy = policy.map(|policy| policy.map(|policy| policy.server.clone()));
    let by = caller();
    let command = if pause { "pause" } else { "resume" };
    let work = run_exclusive(config, command, async |engine| {
        let by_id = named.and_then(|named| named.parse().ok());
        let by_id = by_id.filter(|id| engine.is_resumable(id));
        let server = match (policy, by_id) {
            (Some(Err(_)), Some(id)) => Some(id),
            (policy, _) => policy.transpose()?,
        };
        let held = if pause {
            engine.pause(server, &by).await
        } else {
            engine.resume(server, &by).await
        };
        held.map_err(|why| CommandError::System(why.to_string()))
    });
    block_on(work)?
}
