//! `init`: writes the first configuration files from the account's snapshots. Changes nothing at
//! the provider.
//!
//! `proposal` generates the policies, `files` puts all of them in place, or none, and `summary`
//! reports what was done and what to do next.

mod files;
mod proposal;
mod summary;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::files::{NewFile, Staging};
use self::proposal::{Proposal, ProposalContext, example, main_file, proposal};
use super::api_error_hint::unread;
use super::{Cli, Exit, block_on, printable_path, say};
use crate::api::{HttpApi, Listing, SnapshotApi as _, TokenSource, secret};
use crate::clock::Clock;
use crate::config::{self, Config, Environment};
use crate::core::sanitize::printable;
use crate::daemon::{CommandError, api_settings};

/// Longest reason that is shown, in characters.
const SHOWN: usize = 300;

/// The options of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the files instead of writing them
    #[arg(long)]
    dry_run: bool,
    /// The provider's API [default: from the main file if there is one, otherwise
    /// VPS.org's]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The file that holds the API token, readable only by its owner; required if there is no
    /// main file yet
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The folder of snaprotate.toml and policies.d [default: the folder of --config]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Lists the account's snapshots, and writes the missing files.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let main = match &args.dir {
        Some(dir) => dir.join("snaprotate.toml"),
        None => cli.config.clone(),
    };
    let env = Environment::from_process();
    let staging = Staging::new()?;
    // The request and the validation use the main file that will be in force.
    let is_new = std::fs::symlink_metadata(&main).is_err();
    let mut new = Vec::new();
    let (in_force, folder) = if is_new {
        let text = main_file(args.base_url.as_deref(), &token_file(args, &main)?);
        let staged = staging.put("snaprotate.toml", &text)?;
        new.push(NewFile {
            to: main.clone(),
            text,
        });
        let folder = main.parent().unwrap_or(Path::new(""));
        (staged, folder.join(config::defaults::POLICIES))
    } else {
        (main.clone(), config::policies_folder(&main))
    };
    let present = config::policy_files(&folder).map_err(|why| {
        let folder = printable_path(&folder);
        CommandError::System(format!("the policies folder {folder} can't be read: {why}"))
    })?;
    let load = |files: &[PathBuf]| {
        let loaded = config::load_files(&in_force, files, &env);
        loaded.map_err(|problems| CommandError::from(staging.as_meant(problems, &main, &folder)))
    };
    let config = load(&present)?;
    let clock = Clock::system();
    let listing = ask(&config, args, &clock)?;

    let proposals = proposals(&config, &listing, clock.now().wall);
    let mut all = present;
    for one in &proposals {
        let name = one.file();
        all.push(staging.put(&name, &one.text)?);
        new.push(NewFile {
            to: folder.join(name),
            text: one.text.clone(),
        });
    }
    if let Some(there) = new.iter().find(|file| file.is_there()) {
        return Err(CommandError::Settings(format!(
            "{} already exists, and no file is overwritten: move it away, or name another folder with --dir; nothing was written",
            printable_path(&there.to)
        )));
    }
    let checked = load(&all)?;
    let told = summary::told(&summary::InitResult {
        args,
        main: &main,
        main_is_new: is_new,
        folder: &folder,
        listing: &listing,
        proposals: &proposals,
        checked: &checked,
    });
    if args.dry_run {
        for file in &new {
            say(&format!(
                "# ---- {} ----\n{}",
                printable_path(&file.to),
                file.text
            ))?;
        }
    } else {
        files::place(&new)?;
    }
    say(&told)?;
    Ok(Exit::Good)
}

fn token_file(args: &Args, main: &Path) -> Result<PathBuf, CommandError> {
    let Some(file) = &args.token_file else {
        return Err(CommandError::Settings(format!(
            "there is no {} yet: name the file that holds the API token with --token-file FILE (mode 0600)",
            printable_path(main)
        )));
    };
    // Checked here, since the configuration's error would name a file that doesn't exist yet.
    secret(file, None, "token").map_err(CommandError::Settings)?;
    std::path::absolute(file).map_err(|why| {
        CommandError::Settings(format!("--token-file {}: {why}", printable_path(file)))
    })
}

/// Lists the account's snapshots; once more if the pages shifted while they were read.
fn ask(config: &Config, args: &Args, clock: &Clock) -> Result<Listing, CommandError> {
    let mut settings = api_settings(&config.api);
    if let Some(url) = &args.base_url {
        settings.base_url.clone_from(url);
    }
    if let Some(file) = &args.token_file {
        settings.token = TokenSource::File(file.clone());
    }
    let api = HttpApi::new(&settings, clock.clone()).map_err(CommandError::Settings)?;
    let listing = block_on(async {
        let mut listing = api.list(None).await;
        if listing.as_ref().is_ok_and(|listing| listing.shifted) {
            listing = api.list(None).await;
        }
        listing.map_err(|error| unread(&error, &settings))
    })?;
    match &listing.doubt {
        None => Ok(listing),
        Some(doubt) => Err(CommandError::Api(format!(
            "the listing can't be relied on: {}; nothing was written",
            printable(doubt, SHOWN)
        ))),
    }
}

/// Returns a proposal for each reliably listed server without a policy. If there is neither a
/// snapshot nor a policy, returns an example.
fn proposals(config: &Config, listing: &Listing, now: Timestamp) -> Vec<Proposal> {
    let setting = ProposalContext {
        limit: config.rules.limit,
        now: now.to_zoned(TimeZone::UTC).datetime(),
    };
    let has_policy = |id| config.policies.iter().any(|policy| policy.server == id);
    let mut stems = BTreeSet::new();
    let mut proposals = Vec::new();
    for (id, rows) in &listing.servers {
        if rows.doubt.is_none() && !has_policy(id.clone()) {
            proposals.push(proposal(id.clone(), rows, &setting, &mut stems));
        }
    }
    if listing.servers.is_empty() && config.policies.is_empty() {
        proposals.push(example());
    }
    proposals
}
