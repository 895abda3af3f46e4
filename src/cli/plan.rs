//! `plan`: what would be done now, and why (I14: only GETs).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Cli, Exit, block_on, say};
use crate::api::{HttpApi, printable};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::policy::Policy;
use crate::daemon::{Refusal, api_settings, rehearse};

/// What to plan.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this server: its id, its name, or its policy file's stem
    #[arg(long, value_name = "SERVER")]
    pub server: Option<String>,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints the steps to rest, and each snapshot's fate.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, Refusal> {
    let config = cli.load()?;
    let policies = chosen(&config, args.server.as_deref())?;
    let clock = Clock::system();
    let api = HttpApi::new(&api_settings(&config.api), clock.clone()).map_err(Refusal::Settings)?;
    // Whoever plans need not be who may read the trail; the listing alone says most of it.
    let histories = rehearse::histories(&config, clock.now().wall).unwrap_or_else(|error| {
        tracing::warn!(%error, "the trail can't be read: planned as if there were none");
        BTreeMap::new()
    });
    let plans = block_on(async {
        let inventories = rehearse::inventories(&api, &clock, &policies)
            .await
            .map_err(|error| Refusal::Api(error.to_string()))?;
        let now = clock.now();
        Ok(rehearse::plans(
            &policies,
            &config.rules,
            &inventories,
            &histories,
            now,
        ))
    })?;
    if args.json {
        let json = serde_json::to_string_pretty(&plans)
            .map_err(|error| Refusal::System(error.to_string()))?;
        say(&json);
    } else {
        say(plans.to_string().trim_end());
    }
    Ok(Exit::Good)
}

/// The policies of the server that was asked for: by id, else file, else name.
fn chosen(config: &Config, server: Option<&str>) -> Result<Vec<Arc<Policy>>, Refusal> {
    let Some(server) = server else {
        return Ok(config.policies.clone());
    };
    let by_id = |policy: &Policy| policy.server.to_string() == server;
    let by_file = |policy: &Policy| policy.file == server;
    let by_name = |policy: &Policy| policy.name.as_deref() == Some(server);
    let ways: [&dyn Fn(&Policy) -> bool; 3] = [&by_id, &by_file, &by_name];
    for fits in ways {
        let found: Vec<_> = config
            .policies
            .iter()
            .filter(|policy| fits(policy))
            .collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(vec![Arc::clone(one)]),
            several => {
                let files: Vec<_> = several.iter().map(|policy| policy.file.as_str()).collect();
                return Err(Refusal::Settings(format!(
                    "several policies are for a server {}: {}; name one by its file",
                    printable(server, 80),
                    files.join(", ")
                )));
            }
        }
    }
    Err(Refusal::Settings(format!(
        "no policy is for server {}; name it by its id, its name, or its policy file without .toml",
        printable(server, 80)
    )))
}
