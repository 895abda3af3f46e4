//! `list`: what the provider holds, and whose each snapshot is; only GETs.

mod text;
mod view;

use self::view::view;
use super::servers::{find, unknown};
use super::{Cli, Exit, block_on, say};
use crate::api::{ApiError, HttpApi, Listing};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::snapshot::ServerId;
use crate::daemon::{Refusal, api_settings};

/// What to list.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this server: its id, its name, or its policy file's stem; the id may also be that of
    /// a server without a policy
    #[arg(value_name = "SERVER")]
    pub server: Option<String>,
    /// Print it as JSON: times in UTC; null is not known, or there is none
    #[arg(long)]
    pub json: bool,
}

/// Shows the listing; good also when parts of it can't be relied on, which is then said.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, Refusal> {
    let config = cli.load()?;
    let server = args.server.as_deref();
    let server = server.map(|server| meant(&config, server)).transpose()?;
    let clock = Clock::system();
    let listing = ask(&config, &clock, server)?.map_err(|error| Refusal::Api(error.to_string()))?;
    let now = clock.now().wall;
    let listed = view(&config, &listing, server, now);
    if args.json {
        let json = serde_json::to_string_pretty(&listed);
        say(&json.map_err(|error| Refusal::System(error.to_string()))?);
        return Ok(Exit::Good);
    }
    let zone = jiff::tz::TimeZone::system();
    let width = terminal_size::terminal_size().map(|(width, _)| width.0);
    say(text::listed(&listed, &zone, width).trim_end());
    Ok(Exit::Good)
}

/// By its policy; a bare id needs none.
fn meant(config: &Config, server: &str) -> Result<ServerId, Refusal> {
    let policy = find(&config.policies, server)?.map(|policy| policy.server);
    let bare = || server.parse().ok().filter(|id| *id > 0).map(ServerId);
    let found = policy.or_else(bare);
    found.ok_or_else(|| unknown(&config.policies, server))
}

/// The listing with sizes; once more where its pages had shifted while they were read.
pub(super) fn ask(
    config: &Config,
    clock: &Clock,
    server: Option<ServerId>,
) -> Result<Result<Listing, ApiError>, Refusal> {
    let settings = api_settings(&config.api);
    let api = HttpApi::new(&settings, clock.clone()).map_err(Refusal::Settings)?;
    block_on(async {
        let listing = api.browse(server).await;
        if listing.as_ref().is_ok_and(|listing| listing.shifted) {
            return Ok(api.browse(server).await);
        }
        Ok(listing)
    })
}
