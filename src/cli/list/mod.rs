//! `list`: prints the account's snapshots and whether each is own or foreign. Sends only GETs.

mod servers;
mod text;
mod view;

use std::collections::BTreeMap;

use self::servers::AccountServerList;
use self::view::view;
use super::api_error_hint::unread;
use super::screen::Screen;
use super::server_argument::{ServerArgument, find, unknown};
use super::{Cli, Exit, block_on, note, print_json, printable_name, say};
use crate::api::{ApiError, HttpApi, Listing};
use crate::clock::Clock;
use crate::config::{self, Config, Environment};
use crate::core::snapshot::ServerId;
use crate::daemon::read_only_plan::histories;
use crate::daemon::{CommandError, api_settings};

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which server.
    #[command(flatten)]
    pub server: ServerArgument,
    /// List the account's servers, and which have a policy
    #[arg(long, conflicts_with_all = ["bare", "named"])]
    pub servers: bool,
    /// Print the listing as JSON: times in UTC; null means unknown or none
    #[arg(long)]
    pub json: bool,
}

/// Prints the listing. Returns `Good` even if parts of it are doubtful; the output names those.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let config = loaded(cli)?;
    if args.servers {
        return servers(&config, args.json);
    }
    let wanted = args.server.one();
    let known = wanted.map(|wanted| meant(&config, wanted)).transpose()?;
    let clock = Clock::system();
    let listing = ask(&config, &clock, known.clone().flatten())?;
    let listing = listing.map_err(|error| unread(&error, &api_settings(&config.api)))?;
    let server = match (wanted, known.flatten()) {
        (Some(wanted), None) => Some(named(&config, &listing, wanted)?),
        (_, known) => known,
    };
    let now = clock.now().wall;
    let histories = histories(&config, now).unwrap_or_else(|why| {
        note(&format!("orders about snapshots are not shown: {why}"));
        BTreeMap::new()
    });
    let listed = view(&config, &listing, &histories, server.as_ref(), now);
    if let (Some(_), [one]) = (wanted, listed.servers.as_slice())
        && one.is_unseen()
        && listed.doubt.is_none()
    {
        note(&format!(
            "server {} has no policy, and the provider lists no snapshot of it: whether the server exists is unknown",
            one.id
        ));
    }
    if args.json {
        print_json(&listed)?;
        return Ok(Exit::Good);
    }
    let zone = jiff::tz::TimeZone::system();
    let width = Screen::columns_of_stdout();
    say(text::listed(&listed, &zone, width).trim_end())?;
    Ok(Exit::Good)
}

fn servers(config: &Config, json: bool) -> Result<Exit, CommandError> {
    let settings = api_settings(&config.api);
    let api = HttpApi::new(&settings, Clock::system()).map_err(CommandError::Settings)?;
    let listed = block_on(async { Ok(api.offered_servers().await) })?;
    let listed = listed.map_err(|error| unread(&error, &settings))?;
    let Some(listed) = listed else {
        return Err(CommandError::Api(
            "this provider does not offer GET /servers/: snaprotate list shows the servers that have snapshots".to_owned(),
        ));
    };
    let listed = AccountServerList::of(listed, config);
    if json {
        print_json(&listed)?;
    } else {
        let width = Screen::columns_of_stdout();
        say(listed.text(width).trim_end())?;
    }
    Ok(Exit::Good)
}

/// Loads the configuration. Without any policy the account can still be listed, since the first
/// policy needs a server's id.
fn loaded(cli: &Cli) -> Result<Config, CommandError> {
    let folder = config::policies_folder(&cli.config);
    if !config::policy_files(&folder).is_ok_and(|files| files.is_empty()) {
        return cli.load();
    }
    let config = config::load_files(&cli.config, &[], &Environment::from_process())?;
    note(&format!(
        "there is no policy in {} yet, so no snapshot counts as own; snaprotate init writes first policies",
        folder.display()
    ));
    Ok(config)
}

/// Returns the server's id from its policy, or from a bare integer. `None` if only the listing can
/// resolve it.
fn meant(config: &Config, server: &str) -> Result<Option<ServerId>, CommandError> {
    let policy = find(&config.policies, server)?.map(|policy| policy.server.clone());
    let integer = |id: &ServerId| id.number().is_some_and(|number| number != 0);
    let bare = || server.parse().ok().filter(integer);
    Ok(policy.or_else(bare))
}

/// Finds a server without a policy by its id, or by the provider's name for it.
fn named(config: &Config, listing: &Listing, name: &str) -> Result<ServerId, CommandError> {
    let rows = listing.servers.iter();
    let fits = |id: &ServerId| id.to_string() == name;
    let found: Vec<_> = rows
        .filter(|(id, rows)| rows.name == name || fits(id))
        .collect();
    match found.as_slice() {
        [(id, _)] => Ok((*id).clone()),
        [] => Err(unknown(&config.policies, name)),
        several => {
            let ids: Vec<_> = several.iter().map(|(id, _)| id.to_string()).collect();
            Err(CommandError::Settings(format!(
                "the provider has several servers named {}: give the id of one, {}",
                printable_name(name),
                ids.join(" or ")
            )))
        }
    }
}

/// Fetches the listing with sizes. Fetches it again if its pages shifted while they were read.
pub(super) fn ask(
    config: &Config,
    clock: &Clock,
    server: Option<ServerId>,
) -> Result<Result<Listing, ApiError>, CommandError> {
    let settings = api_settings(&config.api);
    let api = HttpApi::new(&settings, clock.clone()).map_err(CommandError::Settings)?;
    block_on(async { Ok(browse(&api, config, server).await) })
}

/// Like [`ask`], with an existing client.
pub(super) async fn browse(
    api: &HttpApi,
    config: &Config,
    server: Option<ServerId>,
) -> Result<Listing, ApiError> {
    let mut listing = api.browse(server.clone()).await?;
    if listing.shifted {
        listing = api.browse(server).await?;
    }
    let named = |id: &ServerId| config.policies.iter().any(|policy| policy.server == *id);
    listing.name_as_policies(named);
    Ok(listing)
}

/// Returns the schema of `list --json`.
#[cfg(test)]
pub(super) fn output_schema() -> String {
    super::output_schema::derived::<view::ListingView>("list")
}

/// Returns the schema of `list --servers --json`.
#[cfg(test)]
pub(super) fn servers_schema() -> String {
    super::output_schema::derived::<servers::AccountServerList>("list --servers")
}
