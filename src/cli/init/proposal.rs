//! Generates the text of a server's first policy from its snapshots.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use jiff::SignedDuration;
use jiff::civil::DateTime;

use crate::api::ServerRows;
use crate::config::defaults;
use crate::core::name_pattern::Pattern;
use crate::core::name_pattern_detection::{DetectedPattern, TimeSource, recognise};
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::snapshot::{ServerId, Snapshot};

/// The first lines of the files, which point editors to the installed schemas.
const CONFIG_SCHEMA: &str = "#:schema file:///usr/share/snaprotate/schema/config.json";
const POLICY_SCHEMA: &str = "#:schema file:///usr/share/snaprotate/schema/policy.json";

/// A pattern has stopped if its newest date is more than this many intervals ago.
const STOPPED_AFTER: i32 = 3;

/// Longest stem of a file name, in characters, without an added id.
const LONGEST_STEM: usize = 60;
/// Maximum number of foreign snapshots that a comment names.
const NAMED: usize = 10;

/// The settings that proposals depend on.
pub(super) struct ProposalContext {
    /// Maximum number of snapshots that a server may hold.
    pub(super) limit: usize,
    /// The present time in UTC.
    pub(super) now: DateTime,
}

/// A proposed policy file.
#[derive(Debug)]
pub(super) struct Proposal {
    /// The server; `None` for the example.
    pub(super) server: Option<ServerId>,
    stem: String,
    /// True if the service reads the file; else its name ends in `.example`.
    pub(super) read: bool,
    pub(super) text: String,
    /// A summary of what the policy does, in a few words.
    pub(super) summary: String,
}

impl Proposal {
    /// Returns the file's name. The service reads only names that end in `.toml`.
    pub(super) fn file(&self) -> String {
        let example = if self.read { "" } else { ".example" };
        format!("{}.toml{example}", self.stem)
    }
}

/// Returns the text of the main file: the settings without a default, and a note on where the
/// others are described.
pub(super) fn main_file(base_url: Option<&str>, token_file: &Path) -> String {
    let base_url = match base_url {
        Some(url) => format!("base_url = {}", quoted(url)),
        None => format!("#base_url = {}", quoted(defaults::BASE_URL)),
    };
    let token_file = quoted(&token_file.display().to_string());
    format!(
        "{CONFIG_SCHEMA}
# snaprotate: the main file, written by `snaprotate init`. Every key that is left out has its
# default; `man snaprotate.toml` lists all keys. The policies are in policies.d beside this file.

[api]
{base_url}

# The file that holds the API token, alone on one line, readable only by its owner. Under
# systemd, the unit's credential takes precedence over it.
token_file = {token_file}
"
    )
}

/// Returns the policy for a server's snapshots. `stems` holds the stems already used for other
/// servers.
pub(super) fn proposal(
    server: ServerId,
    rows: &ServerRows,
    setting: &ProposalContext,
    stems: &mut BTreeSet<String>,
) -> Proposal {
    let found = recognise(&rows.snapshots);
    let goes_on = |one: &DetectedPattern| {
        let quiet = setting.now.duration_since(one.newest);
        quiet <= one.interval * STOPPED_AFTER
    };
    let (alive, stopped): (Vec<_>, Vec<_>) = found.into_iter().partition(goes_on);
    let stem = stem(&rows.name, &server, stems);
    let mut text = format!("{POLICY_SCHEMA}\n");
    if alive.is_empty() {
        let summary = idle(&mut text, &server, rows, &stopped, setting, &stem);
        return Proposal {
            server: Some(server),
            stem,
            read: false,
            text,
            summary,
        };
    }
    let alive = bounded(alive, setting.limit);
    let _ = writeln!(
        text,
        "# {}, as `snaprotate init` found it on {}.
#
# With this file the service takes the snapshots below, and DELETES the oldest snapshots of each
# pattern beyond `keep`. It warns before it deletes those that exist at its first start
# (daemon.shrink_grace). To see which: snaprotate plan
# Stop whatever has been making these snapshots; otherwise it and the service both make them.
",
        called(&server, rows),
        setting.now.date(),
    );
    head(&mut text, &server, rows);
    comments(&mut text, rows, &alive, &stopped);
    for one in &alive {
        rotation(&mut text, one);
    }
    let each = alive
        .iter()
        .map(|one| format!("{} [{}] keep {}", one.rotation, one.schedule, one.keep));
    Proposal {
        server: Some(server),
        stem,
        read: true,
        text,
        summary: each.collect::<Vec<_>>().join(", "),
    }
}

/// Returns the example for an account whose listing shows no server.
pub(super) fn example() -> Proposal {
    let text = format!(
        "{POLICY_SCHEMA}
# An example: this file is not read, because its name doesn't end in .toml. Write the id and
# the name of one of your servers, then rename the file.

[server]
id = 12345
name = \"web-server-01\"
{WEEKLY}keep = 3
"
    );
    Proposal {
        server: None,
        stem: "web-server-01".to_owned(),
        read: false,
        text,
        summary: "an example, which is not read until it is renamed".to_owned(),
    }
}

const WEEKLY: &str = "
[[rotation]]
name = \"weekly\"
schedule = \"0 3 * * Sun\"         # Sundays at 03:00
";

/// Writes a proposal that the service doesn't read, since the server has no active rotation to take
/// over. Returns its summary.
fn idle(
    text: &mut String,
    server: &ServerId,
    rows: &ServerRows,
    stopped: &[DetectedPattern],
    setting: &ProposalContext,
    stem: &str,
) -> String {
    let why = if stopped.is_empty() {
        "no rotation was recognised"
    } else {
        "the recognised rotation has stopped"
    };
    let _ = writeln!(
        text,
        "# A proposal for {}: {why}, so this file is not read.
# Edit it as you need, then rename it to {stem}.toml. `snaprotate plan` then shows what the
# service would do.
",
        called(server, rows),
    );
    head(text, server, rows);
    if stopped.is_empty() {
        let held = rows.snapshots.len();
        let free = setting.limit.saturating_sub(held);
        // The proposed rotation would treat snapshots with its default names as own and prune them.
        let weekly = Pattern::new(defaults::SNAPSHOT_NAME, "weekly").ok();
        let names = rows.snapshots.iter().map(|row| &row.name);
        let own: BTreeSet<_> = names
            .filter(|name| {
                weekly
                    .as_ref()
                    .is_some_and(|weekly| weekly.parse(name).is_some())
            })
            .collect();
        if !own.is_empty() {
            let own: Vec<_> = own.into_iter().map(|name| quoted(name)).collect();
            let _ = writeln!(text, "protect = [{}]", own.join(", "));
        }
        comments(text, rows, &[], &[]);
        text.push_str(WEEKLY);
        let keep = free.saturating_sub(1).clamp(1, 3);
        let _ = writeln!(
            text,
            "keep = {keep}                          # the server holds {held} of {} now",
            setting.limit
        );
    } else {
        comments(text, rows, stopped, &[]);
        let all = bounded(stopped.to_vec(), setting.limit);
        for one in &all {
            rotation(text, one);
        }
    }
    format!("{why}; not read until it is renamed")
}

fn head(text: &mut String, server: &ServerId, rows: &ServerRows) {
    let _ = writeln!(text, "[server]\nid = {}", server.quoted());
    let usable = !rows.name.trim().is_empty() && !rows.name.chars().any(char::is_control);
    if usable {
        let _ = writeln!(text, "name = {}", quoted(&rows.name));
    }
}

/// Writes comments about the other snapshots, which no rotation touches.
fn comments(
    text: &mut String,
    rows: &ServerRows,
    own: &[DetectedPattern],
    stopped: &[DetectedPattern],
) {
    for one in stopped {
        let _ = writeln!(
            text,
            "
# {} snapshots follow the pattern {}; the newest is from {}. Nothing seems to
# make them any more, so they are left alone. To have a rotation prune them with its own, add to that rotation
# former_names = [\"{}\"]",
            one.held,
            one.pattern,
            one.newest.date(),
            one.pattern
        );
    }
    let known = |row: &&Snapshot| {
        let mut all = own.iter().chain(stopped);
        all.any(|one| one.pattern.parse(&row.name).is_some())
    };
    let foreign: Vec<_> = rows.snapshots.iter().filter(|row| !known(row)).collect();
    if foreign.is_empty() {
        return;
    }
    text.push_str("\n# Foreign to the rotations below: never touched, but they take up room.\n");
    for row in foreign.iter().take(NAMED) {
        let made = row.created_at.map_or_else(
            || "unknown date".to_owned(),
            |at| at.to_string().chars().take(10).collect(),
        );
        let _ = writeln!(text, "#   {} ({made})", printable(&row.name, NAME_SHOWN));
    }
    if foreign.len() > NAMED {
        let _ = writeln!(text, "#   and {} more", foreign.len() - NAMED);
    }
}

fn rotation(text: &mut String, one: &DetectedPattern) {
    let newest = one.pattern.format(one.newest);
    let held = one.held;
    let _ = writeln!(
        text,
        "\n[[rotation]]\n# {held} snapshots follow this pattern; the newest is {newest}."
    );
    let _ = writeln!(text, "name = {}", quoted(&one.rotation));
    let _ = writeln!(text, "snapshot_name = \"{}\"", one.pattern);
    let clue = match one.time {
        TimeSource::Names(Some(0)) => "The names contain this time, in UTC.".to_owned(),
        TimeSource::Names(None) => {
            "The names contain this time; its time zone is unknown.".to_owned()
        }
        TimeSource::Names(Some(minutes)) => {
            let (way, minutes) = if minutes < 0 {
                ("behind", -minutes)
            } else {
                ("ahead of", minutes)
            };
            let span = SignedDuration::from_mins(minutes.into());
            format!("The names contain this time, {span:#} {way} UTC: write your own time zone.")
        }
        TimeSource::Made => "The snapshots were made at this time, in UTC.".to_owned(),
        TimeSource::Guess => "The time of day is unknown: this is a guess.".to_owned(),
    };
    let _ = writeln!(text, "# {clue}");
    let _ = writeln!(text, "schedule = \"{}\"", one.schedule);
    text.push_str("timezone = \"UTC\"\n");
    if one.keep < one.held {
        text.push_str(
            "# Fewer than there are: failed snapshots and duplicates don't count, and the sum of\n\
            # keep is at most the limit. The oldest beyond this number are deleted: check it.\n",
        );
    }
    let _ = writeln!(text, "keep = {}", one.keep);
}

/// Drops the patterns beyond `limit`, and lowers `keep` until its sum is at most `limit`.
fn bounded(mut all: Vec<DetectedPattern>, limit: usize) -> Vec<DetectedPattern> {
    all.truncate(limit);
    while all.iter().map(|one| one.keep).sum::<usize>() > limit {
        let Some(most) = all.iter_mut().max_by_key(|one| one.keep) else {
            break;
        };
        most.keep -= 1;
    }
    all
}

fn called(server: &ServerId, rows: &ServerRows) -> String {
    if rows.name.trim().is_empty() {
        format!("Server {server}")
    } else {
        format!("{} (id {server})", printable(&rows.name, NAME_SHOWN))
    }
}

/// Returns a file's stem: the server's name, in which characters that are unsafe in a file name are
/// replaced. The id is added if another server already has that stem.
fn stem(name: &str, server: &ServerId, taken: &mut BTreeSet<String>) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let letters = name.chars().map(|c| if safe(c) { c } else { '-' });
    let text: String = letters.take(LONGEST_STEM).collect();
    let text = text.trim_matches(['-', '.']);
    let plain = if text.is_empty() {
        format!("server-{}", server.component().replace('%', "-"))
    } else {
        text.to_owned()
    };
    // Some file systems ignore case.
    if taken.insert(plain.to_lowercase()) {
        return plain;
    }
    let numbered = format!("{plain}-{server}");
    taken.insert(numbered.to_lowercase());
    numbered
}

/// Quotes text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
#[path = "proposal_tests.rs"]
mod tests;
