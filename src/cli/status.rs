//! `status`: prints the state of the running service and its servers.

use std::io::IsTerminal as _;
use std::path::Path;

use super::server_argument::ServerArgument;
use super::{
    Cli, Exit, absolute, block_on, config_drift, control_socket, note, print_json, printable_path,
    say, server_argument,
};
use crate::config::DEFAULT_FILE;
use crate::core::health::Health;
use crate::daemon::CommandError;
use crate::status;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server to show in full; an overview of all if none is named.
    #[command(flatten)]
    pub server: ServerArgument,
    /// Show every server, also those that need nobody
    #[arg(long, conflicts_with_all = ["bare", "named"])]
    pub all: bool,
    /// Print the status as JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks the service. Returns `Good` if no alert is active and each server's health is `ok`.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let missing = matches!(cli.config.try_exists(), Ok(false));
    // The default file need not exist, since nobody asked for it.
    if missing && cli.config != Path::new(DEFAULT_FILE) {
        let file = printable_path(&cli.config);
        let why = format!(
            "{file}: no such file: pass the service's own file with --config, or leave --config out"
        );
        return Err(CommandError::Settings(why));
    }
    let socket = control_socket();
    let mut view = block_on(async { Ok(status::ask(&socket).await?) })?;
    let other = another(&cli.config, Path::new(&view.config));
    if let Some(other) = other.as_ref().filter(|_| !missing) {
        note(other);
    }
    if let Some(changed) = config_drift::changed(&view) {
        note(&changed);
    }
    if let Some(wanted) = args.server.one() {
        let found = server_argument::find(&view.servers, wanted)?;
        let found = found.ok_or_else(|| {
            let unknown = server_argument::unknown(&view.servers, wanted);
            // The note is left out if it was printed already.
            match other.filter(|_| missing) {
                Some(other) => CommandError::Settings(format!("{unknown}; {other}")),
                None => unknown,
            }
        });
        let mut server = found?.clone();
        // A service of an earlier version may not offer this; the rest of the output is complete.
        let next = block_on(async { Ok(status::ask_upcoming(&socket, &server.id).await) })?;
        server.upcoming = next.unwrap_or_default();
        view.alerts
            .retain(|alert| alert.server.clone().is_none_or(|id| id == server.id));
        view.healthy = view.alerts.is_empty() && server.health == Health::Ok;
        view.servers = vec![server];
    }
    let exit = if view.healthy { Exit::Good } else { Exit::Bad };
    if args.json {
        print_json(&view)?;
        return Ok(exit);
    }
    let zone = jiff::tz::TimeZone::system();
    // Lines are wrapped only on a terminal, so that other programs can search the output.
    let terminal = std::io::stdout().is_terminal();
    let width = terminal.then(terminal_size::terminal_size).flatten();
    let width = width.map(|(width, _)| width.0);
    let text = match view.servers.as_slice() {
        [server] if args.server.one().is_some() => status::server(&view, server, &zone, width),
        _ => status::overview(&view, &zone, width, args.all),
    };
    say(text.trim_end())?;
    Ok(exit)
}

/// Returns a note if the service uses a main file other than the given one.
fn another(ours: &Path, theirs: &Path) -> Option<String> {
    // The service may have been started in another folder, so its relative path can't be resolved
    // here.
    if theirs.is_relative() {
        return None;
    }
    let whole = |file: &Path| file.canonicalize().unwrap_or_else(|_| absolute(file));
    (whole(ours) != whole(theirs)).then(|| {
        let (theirs, ours) = (printable_path(theirs), printable_path(ours));
        format!("the running service uses {theirs}, not {ours}")
    })
}
