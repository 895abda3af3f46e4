//! `retry`: tries the newest slot again that ended without a snapshot.

use super::pause::state_dir;
use super::{
    Cli, Exit, block_on, caller, control_socket, of_service, printable_name, say, server_argument,
};
use crate::daemon::{CommandError, run_exclusive};
use crate::engine::{RetryError, RetryResult};
use crate::status;
use crate::status::control_requests::RetryRequest;

/// Arguments of `retry`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server: its id, its name, or its policy file without .toml
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// Only this rotation of the server [default: all]
    #[arg(value_name = "ROTATION")]
    pub rotation: Option<String>,
}

/// Opens the slots again and names them. Returns `Bad` if there is none.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let (done, by_service) = ordered(cli, args)?;
    let server = printable_name(&args.server);
    let mut lines: Vec<_> = done
        .opened
        .iter()
        .map(|snapshot| match (done.paused, by_service, &done.after) {
            (true, _, _) => format!(
                "{snapshot} of {server} is tried again after snaprotate resume: the server is paused"
            ),
            (_, false, _) => {
                format!("{snapshot} of {server} is tried again by the next run or once")
            }
            (_, true, Some(open)) => {
                format!("{snapshot} of {server} is tried again when this is over: {open}")
            }
            (_, true, None) => format!("{snapshot} of {server} is tried again now"),
        })
        .collect();
    lines.extend(done.nothing.iter().cloned());
    say(&lines.join("\n"))?;
    Ok(if done.opened.is_empty() {
        Exit::Bad
    } else {
        Exit::Good
    })
}

/// Sends the order to the running service, or carries it out in this process if none runs. Returns
/// true beside the result if the service has it.
fn ordered(cli: &Cli, args: &Args) -> Result<(RetryResult, bool), CommandError> {
    let request = RetryRequest {
        server: args.server.clone(),
        rotation: args.rotation.clone(),
        state_dir: state_dir(cli),
    };
    let socket = control_socket();
    if let Some(done) = of_service(status::retry(&socket, &request))? {
        return Ok((done, true));
    }
    let config = cli.load()?;
    let policy = server_argument::one(&config.policies, &args.server)?;
    let (server, by) = (policy.server.clone(), caller());
    let rotation = args.rotation.as_deref();
    let work = run_exclusive(config, "retry", async |engine| {
        let done = engine.retry(&server, rotation, &by).await;
        done.map_err(|why| match why {
            RetryError::Trail(_) => CommandError::System(why.to_string()),
            RetryError::NoPolicy | RetryError::NoRotation { .. } => {
                CommandError::Settings(why.to_string())
            }
        })
    });
    Ok((block_on(work)??, false))
}
