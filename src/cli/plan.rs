//! `plan`: prints the next steps and their reasons (I14: only GETs).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use owo_colors::OwoColorize as _;

use super::api_error_hint::unread;
use super::screen::{Screen, fitting};
use super::server_argument::{ServerArgument, chosen, may_be_another};
use super::{Cli, Exit, block_on, note, print_json, say};
use crate::api::HttpApi;
use crate::clock::Clock;
use crate::core::decide::Inventory;
use crate::core::plan::{PlannedAction, Plans};
use crate::core::policy::Policy;
use crate::core::sanitize::counted;
use crate::core::server_history::ServerHistory;
use crate::daemon::{CommandError, api_settings, read_only_plan};
use crate::status::wrap_lines;

/// Maximum number of servers that a terminal shows in full. If there are more, only those that have
/// something to do are shown.
const MOST_IN_FULL: usize = 20;

/// Rows of a screen besides the servers: what is left out, the sum, and the prompt.
const OTHER_ROWS: usize = 5;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The server; all servers if none is named.
    #[command(flatten)]
    pub server: ServerArgument,
    /// Show every server, also on a terminal and if there are many
    #[arg(long, conflicts_with_all = ["bare", "named", "json"])]
    pub all: bool,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints the steps until nothing is left to do, and a verdict on each snapshot.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let config = cli.load()?;
    let policies = chosen(&config.policies, args.server.one())?;
    let clock = Clock::system();
    let settings = api_settings(&config.api);
    let api = HttpApi::new(&settings, clock.clone()).map_err(CommandError::Settings)?;
    // The user may not be allowed to read the trail. The listing alone gives most of the plan.
    let histories = read_only_plan::histories(&config, clock.now().wall).unwrap_or_else(|error| {
        tracing::warn!(%error, "the trail can't be read: this plan assumes that there is none");
        BTreeMap::new()
    });
    let plans = block_on(async {
        let mut inventories = read_only_plan::inventories(&api, &clock, &policies)
            .await
            .map_err(|error| unread(&error, &settings))?;
        read_only_plan::doubt_contested(&config, &mut inventories, &histories);
        let now = clock.now();
        read_only_plan::ask_states(
            &api,
            &policies,
            &config.rules,
            &mut inventories,
            &histories,
            now,
        )
        .await;
        let own = |(policy, seen): (&Policy, &Inventory)| {
            let mut rows = seen.snapshots.iter();
            rows.any(|row| policy.place(&row.name).is_some())
        };
        let mut held = policies
            .iter()
            .filter_map(|policy| Some((&**policy, inventories.get(&policy.server)?)));
        if histories.is_empty() && held.any(own) {
            note(&format!(
                "the trail has no record of these servers yet: after a first start without a trail, the service creates nothing for {:#} on servers that hold snapshots of their rotations",
                config.rules.settle_window
            ));
        }
        for policy in &policies {
            let inventory = inventories.get(&policy.server);
            let alone = policies.len() == 1;
            if let Some(doubt) = inventory.and_then(|seen| doubt(policy, seen, alone)) {
                note(&doubt);
            }
            if let Some((seen, history)) = inventory.zip(histories.get(&policy.server)) {
                for line in disowned(policy, seen, history) {
                    note(&line);
                }
            }
        }
        Ok(read_only_plan::plans(
            &policies,
            &config.rules,
            &inventories,
            &histories,
            now,
        ))
    })?;
    if args.json {
        print_json(&plans)?;
    } else {
        let screen = Screen::of_stdout();
        let width = screen.and_then(|screen| screen.width);
        let text = match screen {
            Some(screen) if !args.all && plans.servers.len() > MOST_IN_FULL => {
                changes(&plans, screen)
            }
            _ => shown(&plans.text(&TimeZone::system()), width),
        };
        say(text.trim_end())?;
    }
    let mut steps = plans.servers.iter().flat_map(|plan| &plan.steps);
    let blocked = steps.any(|step| step.do_ == PlannedAction::Blocked);
    Ok(if blocked { Exit::Bad } else { Exit::Good })
}

/// Returns the servers that have something to do, as far as they fit on the screen, and the sum.
fn changes(plans: &Plans, screen: Screen) -> String {
    let changing = plans.servers.iter().filter(|plan| !plan.steps.is_empty());
    let texts = changing.map(|plan| shown(&plan.steps_text(), screen.width));
    let texts: Vec<_> = texts.collect();
    let room = usize::from(screen.rows).saturating_sub(OTHER_ROWS);
    let fit = fitting(texts.iter().map(String::as_str), room).min(texts.len());
    let mut text = texts[..fit].concat();
    let more = texts.len() - fit;
    if more > 0 {
        let more = counted(more, "more server");
        let _ = writeln!(text, "and {more} with something to do: --all shows them");
    }
    let sum = format!("\n{}", plans.sum());
    text + &shown(&sum, screen.width)
}

/// Returns the lines, each wrapped below its beginning, in the colours of their signs. They are
/// printed without colours if the output is no terminal.
fn shown(text: &str, width: Option<u16>) -> String {
    let mut shown = String::new();
    for line in text.lines() {
        for part in wrap_lines(&format!("{line}\n"), width).lines() {
            shown.push_str(&coloured(part, line));
            shown.push('\n');
        }
    }
    shown
}

/// Returns a part of a line in the colour of the line's sign.
fn coloured(part: &str, line: &str) -> String {
    match line.get(..4) {
        Some("  + ") => part.green().to_string(),
        Some("  - ") => part.red().to_string(),
        Some("  ! ") => part.yellow().to_string(),
        _ => part.to_owned(),
    }
}

/// Returns a line for each rotation whose snapshots became foreign, for example after its name or
/// pattern changed. They are never pruned and keep taking up room. Only snapshots of the newest
/// slots are found, since the trail's history names no others.
fn disowned(policy: &Policy, inventory: &Inventory, history: &ServerHistory) -> Vec<String> {
    let file = &policy.file;
    let lines = history.rotations().filter_map(|rotation| {
        let rows = inventory.snapshots.iter().map(|row| &row.name);
        let foreign = rows.filter(|name| policy.place(name).is_none());
        let known = foreign.filter_map(|name| history.slot(rotation, name));
        let newest = &known.max_by_key(|slot| slot.at)?.name;
        Some(format!(
            "with {file}.toml, snapshots of rotation {rotation}, such as {newest}, are foreign: they are never pruned, and keep taking up room; add the pattern of their names to former_names of the rotation that they belong to"
        ))
    });
    lines.collect()
}

/// Returns why the server may be the wrong one. With `alone`, also reports that it has no
/// snapshots.
fn doubt(policy: &Policy, inventory: &Inventory, alone: bool) -> Option<String> {
    let Policy { server, file, .. } = policy;
    match inventory.server_name.as_deref() {
        Some(shown) if may_be_another(policy, shown) => Some(format!(
            "{file}.toml has no server.name, and the provider's name for {server} is {shown:?}: write name = {shown:?} if that is the intended server"
        )),
        None if alone && inventory.doubt.is_none() => Some(format!(
            "{file}.toml: no snapshot of server {server} is listed, so whether the server exists is unknown before its first create"
        )),
        _ => None,
    }
}

#[cfg(test)]
#[path = "plan_screen_tests.rs"]
mod screen_tests;
