//! Reports what `init` found and wrote, and what to do next.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::proposal::Proposal;
use super::{Args, SHOWN, printable_path};
use crate::api::Listing;
use crate::cli::{block_on, control_socket};
use crate::config::{self, Config};
use crate::core::sanitize::{counted, printable};
use crate::status;

/// The path from which the service's unit loads the token.
const UNIT_TOKEN: &str = "/etc/snaprotate/api-token";

/// The result of `init` that the summary reports.
pub(super) struct InitResult<'a> {
    pub(super) args: &'a Args,
    pub(super) main: &'a Path,
    /// True if the main file is one of the new files.
    pub(super) main_is_new: bool,
    pub(super) folder: &'a Path,
    pub(super) listing: &'a Listing,
    pub(super) proposals: &'a [Proposal],
    pub(super) checked: &'a Config,
}

/// Returns the summary.
pub(super) fn told(done: &InitResult<'_>) -> String {
    let InitResult {
        args,
        main,
        folder,
        listing,
        proposals,
        checked,
        ..
    } = *done;
    let mut text = String::new();
    let rows: usize = listing
        .servers
        .values()
        .map(|rows| rows.snapshots.len())
        .sum();
    let _ = writeln!(
        text,
        "The account lists {} on {}; a server without snapshots is not listed.",
        counted(rows, "snapshot"),
        counted(listing.servers.len(), "server")
    );
    for (id, rows) in &listing.servers {
        let name = printable(&rows.name, 80);
        if let Some(doubt) = &rows.doubt {
            let doubt = printable(doubt, SHOWN);
            let _ = writeln!(
                text,
                "  server {id} {name}: left out, because its rows can't be relied on: {doubt}"
            );
        } else if !proposals.iter().any(|one| one.server == Some(id.clone())) {
            let _ = writeln!(
                text,
                "  server {id} {name}: has a policy, which stays as it is"
            );
        }
    }
    let written = if args.dry_run { "would write" } else { "wrote" };
    if done.main_is_new {
        let _ = writeln!(text, "  {written} {}: the main file", printable_path(main));
        text.push_str(&token(args, main));
    }
    for one in proposals {
        let file = printable_path(&folder.join(one.file()));
        let _ = writeln!(text, "  {written} {file}: {}", one.summary);
    }
    for warning in checked
        .warnings
        .iter()
        .filter(|warning| !warning.remedy.is_empty())
    {
        let message = printable(&warning.message, SHOWN);
        let name = warning
            .file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let _ = writeln!(text, "  note on {}: {message}", printable(&name, 80));
    }
    text.push_str("Nothing was changed at the provider.");
    if args.dry_run {
        text.push_str(" No files were written: leave out --dry-run to write them.");
        return text;
    }
    text.push_str(" Next:\n");
    let config = if main == Path::new(config::DEFAULT_FILE) {
        String::new()
    } else {
        format!(" --config {}", printable_path(main))
    };
    let mut next = |command: String, why: &str| {
        let _ = writeln!(text, "  {command}\n      {why}");
    };
    if let Some(one) = proposals.iter().find(|one| !one.read) {
        let file = printable_path(&folder.join(one.file()));
        let named = file.strip_suffix(".example").unwrap_or(&file);
        next(
            format!("mv {file} {named}"),
            "once you have edited it; likewise for each other server to rotate",
        );
    }
    next(
        format!("snaprotate check --online{config}"),
        "checks that the files are valid and fit the account",
    );
    next(
        format!("snaprotate plan{config}"),
        "shows what the first start will create and delete; from then on the oldest snapshots beyond keep are deleted",
    );
    let token = args.token_file.as_ref().filter(|_| config.is_empty());
    if let Some(token) = token.filter(|token| token.as_path() != Path::new(UNIT_TOKEN)) {
        next(
            format!("install -m 0600 {} {UNIT_TOKEN}", printable_path(token)),
            "the service's unit loads the token from there",
        );
    }
    let rotates = "starts the rotation";
    match (running(main), config.is_empty()) {
        (Some(_), true) => next(
            "systemctl reload snaprotate".to_owned(),
            "makes the running service use the files",
        ),
        (Some(pid), false) => next(
            format!("kill -HUP {pid}"),
            "makes the running service use the files",
        ),
        (None, true) => next("systemctl enable --now snaprotate".to_owned(), rotates),
        (None, false) => next(format!("snaprotate run{config}"), rotates),
    }
    text.truncate(text.trim_end().len());
    text
}

/// Returns a note if the main file names a token file outside its folder.
fn token(args: &Args, main: &Path) -> String {
    let file = args.token_file.as_deref().map(std::path::absolute);
    let folder = std::path::absolute(main.parent().unwrap_or(Path::new("")));
    match (file, folder) {
        (Some(Ok(file)), Ok(folder)) if !file.starts_with(&folder) => format!(
            "    token_file is {}, outside {}: keep it there\n",
            printable_path(&file),
            printable_path(&folder)
        ),
        _ => String::new(),
    }
}

/// Returns the process id of a running service that uses this main file.
fn running(main: &Path) -> Option<u32> {
    let socket = control_socket();
    let view = block_on(async { Ok(status::ask(&socket).await?) }).ok()?;
    let same = fs::canonicalize(main).ok()? == fs::canonicalize(&view.config).ok()?;
    same.then_some(view.pid)
}
