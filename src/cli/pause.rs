//! `pause` and `resume`: pause and resume the rotation of one server or of all.

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::{
    Cli, Exit, absolute, block_on, caller, control_socket, of_service, order_terms, printable_name,
    say, server_argument,
};
use crate::config::{self, Environment};
use crate::core::order_terms::OrderTerms;
use crate::core::sanitize::local;
use crate::daemon::{CommandError, run_exclusive};
use crate::engine::PauseResult;
use crate::status;
use crate::status::control_requests::{PauseRequest, ServerQuery};

/// Arguments of `pause`.
#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    /// The server; all servers if none is named.
    #[command(flatten)]
    pub server: super::server_argument::ServerArgument,
    /// The time at which the pause ends by itself: 2026-12-03T08:00:00Z, "2026-12-03 08:00",
    /// 2026-12-03 (its first instant) or 08:00 [default: only resume ends it]
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// How long the pause lasts: 90m, 12h, 3d
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
    pub length: Option<String>,
    /// A note for others, at most 200 characters, which status and the page show
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The server; all servers if none is named.
    #[command(flatten)]
    pub server: super::server_argument::ServerArgument,
}

/// Pauses one server or all, and lists what is still under way: open mutations, holds and
/// downtimes.
pub fn pause(cli: &Cli, args: &PauseArgs) -> Result<Exit, CommandError> {
    let until = match (&args.until, &args.length) {
        (Some(typed), _) => Some(order_terms::until(typed)?),
        (None, Some(typed)) => Some(order_terms::after("--for", typed)?),
        (None, None) => None,
    };
    let order = OrderTerms {
        by: None,
        until,
        note: order_terms::note(args.note.as_ref())?,
    };
    let named = args.server.one();
    let held = held(cli, named, Some(order))?;
    let until = held.until.map(|until| {
        let until = local(until, &TimeZone::system());
        format!("until {until}, or ")
    });
    let until = until.unwrap_or_default();
    let mut text = match named {
        Some(server) => format!(
            "{} is paused: its rotation creates and deletes nothing {until}until snaprotate resume {0}",
            printable_name(server)
        ),
        None => format!(
            "every server is paused: rotation creates and deletes nothing {until}until snaprotate resume"
        ),
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
pub fn resume(cli: &Cli, args: &ResumeArgs) -> Result<Exit, CommandError> {
    let held = held(cli, args.server.one(), None)?;
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

/// Sends the pause or, without one, a resume to the running service, or carries it out in this
/// process if none runs.
fn held(
    cli: &Cli,
    named: Option<&str>,
    pause: Option<OrderTerms>,
) -> Result<PauseResult, CommandError> {
    let (server, state_dir) = (named.map(str::to_owned), state_dir(cli));
    let socket = control_socket();
    let asked = of_service(async {
        match pause.clone() {
            Some(OrderTerms { until, note, .. }) => {
                let request = PauseRequest {
                    server,
                    state_dir,
                    until,
                    note,
                };
                status::pause(&socket, &request).await
            }
            None => status::resume(&socket, &ServerQuery { server, state_dir }).await,
        }
    })?;
    if let Some(held) = asked {
        return Ok(held);
    }
    let config = cli.load()?;
    let policy = named.map(|named| server_argument::one(&config.policies, named));
    let policy = policy.map(|policy| policy.map(|policy| policy.server.clone()));
    let by = caller();
    let command = if pause.is_some() { "pause" } else { "resume" };
    let work = run_exclusive(config, command, async |engine| {
        let by_id = named.and_then(|named| named.parse().ok());
        let by_id = by_id.filter(|id| engine.is_resumable(id));
        let server = match (policy, by_id) {
            (Some(Err(_)), Some(id)) => Some(id),
            (policy, _) => policy.transpose()?,
        };
        let held = match pause {
            Some(pause) => {
                let by = Some(by);
                engine.pause(server, OrderTerms { by, ..pause }).await
            }
            None => engine.resume(server, &by).await,
        };
        held.map_err(|why| CommandError::System(why.to_string()))
    });
    block_on(work)?
}
