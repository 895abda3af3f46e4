//! `status`: how the running service and its servers stand.

use std::io::IsTerminal as _;

use super::servers::Which;
use super::{Cli, Exit, block_on, control_socket, say, servers};
use crate::daemon::Refusal;
use crate::status;

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which server: shown whole.
    #[command(flatten)]
    pub server: Which,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks the service; good when no alert stands.
pub fn run(_: &Cli, args: &Args) -> Result<Exit, Refusal> {
    let socket = control_socket();
    let mut view = block_on(async { Ok(status::ask(&socket).await?) })?;
    if let Some(wanted) = args.server.one() {
        let found = servers::find(&view.servers, wanted)?;
        let found = found.ok_or_else(|| servers::unknown(&view.servers, wanted));
        let mut server = found?.clone();
        // A service from before an upgrade may not know; the rest is known anyway.
        let next = block_on(async { Ok(status::ask_upcoming(&socket, server.id).await) })?;
        server.upcoming = next.unwrap_or_default();
        view.alerts
            .retain(|alert| alert.server.is_none_or(|id| id == server.id));
        view.healthy = view.alerts.is_empty();
        view.servers = vec![server];
    }
    let exit = if view.healthy { Exit::Good } else { Exit::Bad };
    if args.json {
        let json = serde_json::to_string_pretty(&view);
        say(&json.map_err(|error| Refusal::System(error.to_string()))?)?;
        return Ok(exit);
    }
    let zone = jiff::tz::TimeZone::system();
    // Elsewhere a line stays one, for other programs to find.
    let terminal = std::io::stdout().is_terminal();
    let width = terminal.then(terminal_size::terminal_size).flatten();
    let width = width.map(|(width, _)| width.0);
    let text = match view.servers.as_slice() {
        [server] if args.server.one().is_some() => status::server(&view, server, &zone, width),
        _ => status::fleet(&view, &zone, width),
    };
    say(text.trim_end())?;
    Ok(exit)
}
