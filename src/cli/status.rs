//! `status`: prints the state of the running service and its servers.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use super::screen::Screen;
use super::server_argument::ServerArgument;
use super::watch::watch;
use super::{
    Cli, Exit, absolute, block_on, config_drift, control_socket, note, print_json, printable_path,
    say, server_argument,
};
use crate::config::DEFAULT_FILE;
use crate::core::health::Health;
use crate::daemon::CommandError;
use crate::status::{self, Activity, AlertView, FleetView, ServerView};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server to show in full; an overview of all if none is named.
    #[command(flatten)]
    pub server: ServerArgument,
    /// Show every server, including those that need no administrator
    #[arg(long, conflicts_with_all = ["bare", "named"])]
    pub all: bool,
    /// Show all servers with this health or activity, and no others
    #[arg(long, value_name = "WORD", conflicts_with_all = ["bare", "named"])]
    pub state: Option<StateWord>,
    /// Redraw every two seconds, until q or Ctrl-C is pressed
    #[arg(long, conflicts_with = "json")]
    pub watch: bool,
    /// Print the status as JSON
    #[arg(long)]
    pub json: bool,
}

/// A health or an activity, by its word.
#[derive(Clone, Copy, Debug)]
pub enum StateWord {
    /// A health.
    Health(Health),
    /// An activity.
    Activity(Activity),
}

impl StateWord {
    fn fits(self, server: &ServerView) -> bool {
        match self {
            Self::Health(health) => server.health == health,
            Self::Activity(activity) => server.activity == activity,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Health(health) => health.word(),
            Self::Activity(activity) => activity.word(),
        }
    }
}

impl clap::ValueEnum for StateWord {
    fn value_variants<'a>() -> &'a [Self] {
        static WORDS: OnceLock<Vec<StateWord>> = OnceLock::new();
        WORDS.get_or_init(|| {
            let healths = Health::ALL.into_iter().map(StateWord::Health);
            let activities = Activity::ALL.into_iter().map(StateWord::Activity);
            healths.chain(activities).collect()
        })
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.word()))
    }
}

/// Asks the service. Returns `Good` if no alert is active and each server's health is `ok`.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    if args.watch {
        let exit = Cell::new(Exit::Good);
        watch(|| {
            let view = asked(cli, args, false)?;
            exit.set(verdict(&view));
            Ok(text(&view, args))
        })?;
        return Ok(exit.get());
    }
    let view = asked(cli, args, true)?;
    if args.json {
        print_json(&view)?;
    } else {
        say(&text(&view, args))?;
    }
    Ok(verdict(&view))
}

fn verdict(view: &FleetView) -> Exit {
    if view.healthy { Exit::Good } else { Exit::Bad }
}

/// Returns the view of the service, or of the requested servers alone. Prints notes about its
/// configuration if `notes` is set.
fn asked(cli: &Cli, args: &Args, notes: bool) -> Result<FleetView, CommandError> {
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
    if let Some(other) = other.as_ref().filter(|_| notes && !missing) {
        note(other);
    }
    if let Some(changed) = config_drift::changed(&view).filter(|_| notes) {
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
        only(&mut view, vec![server]);
    } else if let Some(state) = args.state {
        let servers = std::mem::take(&mut view.servers).into_iter();
        let servers: Vec<_> = servers.filter(|server| state.fits(server)).collect();
        if servers.is_empty() && notes {
            note(&format!("no server is {}", state.word()));
        }
        only(&mut view, servers);
    }
    Ok(view)
}

/// Leaves only these servers, their alerts, and those of the service.
fn only(view: &mut FleetView, servers: Vec<ServerView>) {
    let ids: BTreeSet<_> = servers.iter().map(|server| &server.id).collect();
    let concerns = |alert: &AlertView| alert.server.as_ref().is_none_or(|id| ids.contains(id));
    view.alerts.retain(concerns);
    let well = servers.iter().all(|server| server.health == Health::Ok);
    view.healthy = view.alerts.is_empty() && well;
    view.servers = servers;
}

fn text(view: &FleetView, args: &Args) -> String {
    let zone = jiff::tz::TimeZone::system();
    // Lines are wrapped only on a terminal, so that other programs can search the output.
    let screen = Screen::of_stdout();
    let width = screen.and_then(|screen| screen.width);
    let rows = screen.map(|screen| screen.rows);
    let text = match view.servers.as_slice() {
        [server] if args.server.one().is_some() => status::server(view, server, &zone, width),
        _ => status::overview(view, &zone, width, rows, args.all || args.state.is_some()),
    };
    text.trim_end().to_owned()
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
