//! Prints the demo's progress: a line for each event, and a table at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use comfy_table::{Table, presets};
use jiff::tz::TimeZone;
use owo_colors::{OwoColorize as _, Style};
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::demo_servers::legend;
use crate::audit::Verified;
use crate::cli::say;
use crate::clock::Clock;
use crate::core::policy::Policy;
use crate::core::sanitize::counted;
use crate::core::snapshot::ServerId;
use crate::daemon::CommandError;
use crate::sandbox::Sandbox;
use crate::status::{wrap, wrapped};

/// Width of the column with the words for an event.
const WORDS: usize = 11;

/// Indent of continuation lines: the columns of the time.
const INDENT: usize = 18;

/// Prints the engine's events from now on.
pub(super) fn begin(
    clock: Clock,
    names: BTreeMap<ServerId, String>,
    colour: bool,
    width: Option<u16>,
) -> anyhow::Result<()> {
    let lines = EventLines {
        clock,
        names,
        colour,
        width,
    };
    tracing_subscriber::registry().with(lines).try_init()?;
    Ok(())
}

struct EventLines {
    clock: Clock,
    names: BTreeMap<ServerId, String>,
    colour: bool,
    /// Columns of the terminal; `None` if the output is no terminal.
    width: Option<u16>,
}

/// The fields of one event.
#[derive(Default)]
struct FieldVisitor(BTreeMap<&'static str, String>);

impl Visit for FieldVisitor {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for EventLines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("snaprotate") {
            return;
        }
        let mut fields = FieldVisitor::default();
        event.record(&mut fields);
        if let Some(line) = self.line(&fields.0) {
            // If stdout fails now, the final table fails too and reports it.
            let _left = say(&line);
        }
    }
}

impl EventLines {
    fn line(&self, fields: &BTreeMap<&'static str, String>) -> Option<String> {
        let of = |key: &str| fields.get(key).map_or("", String::as_str);
        let (words, style) = words(of("message"), of("outcome"))?;
        let server: ServerId = of("server").parse().ok()?;
        let server = self.names.get(&server).map_or("", String::as_str);
        let at = self.clock.now().wall.to_zoned(TimeZone::UTC);
        let what = match of("snapshot") {
            // An alert about the server itself: the line already names the server.
            "" if of("about").parse::<u64>().is_ok() => "",
            "" => of("about"),
            snapshot => snapshot,
        };
        let mut line = format!("{}  {server:<11} ", at.strftime("%a %b %d %H:%M"));
        // Padded before colouring, since escape sequences count as characters.
        let words = format!("{words:<WORDS$}");
        let column = line.chars().count() + words.chars().count() + 1;
        if self.colour {
            write!(line, "{}", words.style(style)).ok()?;
        } else {
            line.push_str(&words);
        }
        line.push(' ');
        let why = [of("reason"), of("error")];
        let why: Vec<_> = why.into_iter().filter(|why| !why.is_empty()).collect();
        let why = why.join(": ");
        // An alert says itself what it is about.
        let rest = match (what, why.as_str()) {
            (what, "") => what.to_owned(),
            (_, why) if of("message") == "alert_raised" => why.to_owned(),
            (what, why) => format!("{what:<26} {why}"),
        };
        match self.width {
            Some(width) => wrap(&mut line, &rest, column, width.into(), INDENT),
            None => line.push_str(&rest),
        }
        Some(line.trim_end().to_owned())
    }
}

/// Returns the words for an event; `None` for an event that the demo doesn't show.
fn words(event: &str, outcome: &str) -> Option<(&'static str, Style)> {
    let style = Style::new();
    Some(match (event, outcome) {
        ("slot_due", _) => ("due", style.bold()),
        ("create_intent", _) => ("create", style.cyan()),
        ("delete_intent", _) => ("delete", style.yellow()),
        ("snapshot_completed", _) => ("completed", style.green()),
        ("snapshot_failed", _) => ("failed", style.red()),
        ("snapshot_stuck", _) => ("stuck", style.red()),
        ("slot_given_up", _) => ("given up", style.red()),
        ("slot_skipped", _) => ("skipped", style.red()),
        ("alert_raised", _) => ("ALERT", style.red().bold()),
        ("alert_cleared", _) => ("alert over", style.green()),
        ("create_result" | "delete_result", "done") => return None,
        ("create_result" | "delete_result", _) => ("not done", style.red()),
        _ => return None,
    })
}

/// Prints what the demo is about to show, and which server is in which state.
pub(super) fn opening(
    servers: u16,
    hours: u32,
    colour: bool,
    width: Option<u16>,
) -> Result<(), CommandError> {
    let text = format!(
        "{} on a stand-in for the API on loopback. One second is {hours} hours; times are in UTC.",
        counted(servers.into(), "server")
    );
    let text = wrapped(&text, width);
    say(&bold(text.trim_end(), colour))?;
    let lines = legend(servers).map(|line| wrapped(&format!("  {line}"), width));
    say(&lines.collect::<String>())
}

/// Prints the address of the status page.
pub(super) fn page(listen: SocketAddr) -> Result<(), CommandError> {
    say(&format!("The status page: http://{listen}\n"))
}

/// Prints the snapshots that each server holds at the end.
pub(super) fn closing(
    sandbox: &Sandbox,
    policies: &[Arc<Policy>],
    colour: bool,
) -> Result<(), CommandError> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["server", "snapshot", "status", "made", "whose"]);
    for policy in policies {
        let name = policy.name.clone().unwrap_or_default();
        let mut rows = sandbox.truth(policy.server.number().unwrap_or_default());
        rows.sort_by_key(|row| (row.created_at, row.id));
        for (index, row) in rows.iter().enumerate() {
            let at = row.created_at.to_zoned(TimeZone::UTC);
            let own = policy.place(&row.name).is_some();
            table.add_row([
                if index == 0 {
                    name.clone()
                } else {
                    String::new()
                },
                row.name.clone(),
                row.status.clone(),
                at.strftime("%Y-%m-%d %H:%M").to_string(),
                if own { "own" } else { "foreign" }.to_owned(),
            ]);
        }
    }
    let title = bold("What the servers hold now", colour);
    say(&format!("\n{title}\n{table}\n"))
}

/// Prints the result of verifying the trail.
pub(super) fn trail(verified: &Verified, colour: bool) -> Result<(), CommandError> {
    if verified.problems.is_empty() {
        let text = format!(
            "trail verified: {} records, each with the hash of the one before it",
            verified.records
        );
        say(&bold(&text, colour))?;
    }
    for problem in &verified.problems {
        say(&format!("trail broken: {problem}"))?;
    }
    Ok(())
}

/// Prints what to try next.
pub(super) fn next() -> Result<(), CommandError> {
    say("
Try next:
  snaprotate demo --for 2m --servers 50
      longer, and with more servers
  snaprotate demo --serve 127.0.0.1:9181
      the stand-in alone, to try policies of your own
  snaprotate init --dry-run --token-file FILE
      policies from the snapshots of your account; changes nothing")
}

fn bold(text: &str, colour: bool) -> String {
    if colour {
        text.bold().to_string()
    } else {
        text.to_owned()
    }
}
