//! The report on a period as an HTML mail. Mail programs show neither style sheets nor inline
//! pictures reliably, so the picture of the fleet is a table of coloured cells.

use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

use super::report_message::ReportNews;
use super::report_text::{cells, lists, sums};
use super::report_words::{NAME, notes};
use crate::core::health::Health;
use crate::core::report::Report;
use crate::core::sanitize::{counted, printable};
use crate::core::server_report::ServerReport;

/// Maximum number of cells in the picture, and of cells in a row. Some mail programs cut a mail of
/// more than about 100 KB off.
const CELLS: usize = 400;
const ROW: usize = 40;

/// Maximum number of servers in the table.
const SERVERS: usize = 50;

/// The heading of the table.
const HEADING: [&str; 10] = [
    "Server",
    "Recovery points",
    "Oldest",
    "Newest",
    "Fresh",
    "Made",
    "Deleted",
    "Failed slots",
    "Size",
    "Next",
];

const TEXT: &str = "font-family:sans-serif;font-size:14px;color:#1a1a1a";
const CELL: &str = "padding:3px 10px 3px 0;text-align:left;border-bottom:1px solid #ddd";

/// Returns the page.
pub(super) fn page(news: &ReportNews, host: &str, link: Option<String>) -> String {
    let (report, zone) = (&news.report, &news.zone);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (news.title()) } }
            body style=(TEXT) {
                h1 style="font-size:20px" { (news.title()) }
                p { (news.first_line()) }
                @for note in notes(report) { p { (note) } }
                (picture(report))
                table cellspacing="0" {
                    @for (label, value) in sums(report, zone) {
                        tr { th style=(CELL) { (label) } td style=(CELL) { (value) } }
                    }
                }
                @for (heading, lines) in lists(report, zone) {
                    h2 style="font-size:16px" { (heading) }
                    ul { @for line in lines { li { (line) } } }
                }
                (servers(report, zone))
                p style="color:#666" {
                    "snaprotate on " (printable(host, NAME))
                    @if let Some(link) = link { " · " a href=(link) { (link) } }
                }
            }
        }
    };
    page.into_string()
}

/// Returns the colour and the words of a health.
fn legend(health: Option<Health>) -> (&'static str, &'static str) {
    match health {
        Some(Health::Ok) => ("#2e7d32", "ok"),
        Some(Health::New) => ("#81c784", "new"),
        Some(Health::Attention) => ("#f9a825", "attention"),
        Some(Health::Failing) => ("#d84315", "failing"),
        Some(Health::Unprotected) => ("#b71c1c", "unprotected"),
        Some(Health::Unknown) | None => ("#9e9e9e", "unknown"),
    }
}

/// Returns the picture of the fleet: a cell for each server, by name. In a large fleet a cell
/// stands for several servers and shows the worst of them.
fn picture(report: &Report) -> Markup {
    let servers: Vec<_> = report
        .servers
        .iter()
        .filter(|s| s.policy.is_some())
        .collect();
    if servers.is_empty() {
        return html! {};
    }
    let each = servers.len().div_ceil(CELLS);
    let worst = |group: &[&ServerReport]| group.iter().map(|server| server.health).max().flatten();
    let cells: Vec<_> = servers
        .chunks(each)
        .map(|group| (legend(worst(group)).0, title(group)))
        .collect();
    let mut healths: Vec<_> = servers.iter().map(|server| server.health).collect();
    healths.sort_unstable();
    html! {
        table cellspacing="2" role="img" aria-label="Health of the servers" {
            @for row in cells.chunks(ROW) {
                tr {
                    @for (colour, title) in row {
                        td width="12" height="12" bgcolor=(colour) title=(title) {}
                    }
                }
            }
        }
        p style="color:#666" {
            @for group in healths.chunk_by(|a, b| a == b) {
                @let (colour, word) = legend(group[0]);
                span style=(format!("color:{colour}")) { "■" } " " (group.len()) " " (word) "  "
            }
            @if each > 1 { "(a cell stands for " (counted(each, "server")) ")" }
        }
    }
}

/// Returns the names and healths of the servers of a cell.
fn title(group: &[&ServerReport]) -> String {
    let of = |server: &&ServerReport| {
        format!(
            "{}: {}",
            printable(&server.name, NAME),
            legend(server.health).1
        )
    };
    match group {
        [one] => of(one),
        [first, .., last] => format!("{} to {}", of(first), of(last)),
        [] => String::new(),
    }
}

/// Returns the table of servers: those that need somebody first, without the healthy ones of a
/// large fleet.
fn servers(report: &Report, zone: &TimeZone) -> Markup {
    let rows = report.worst_first().into_iter().take(SERVERS);
    let rows: Vec<_> = rows.map(|s| cells(s, report.time, zone)).collect();
    let more = report.servers.len() - rows.len();
    html! {
        table cellspacing="0" style="margin-top:16px" {
            tr { @for name in HEADING { th style=(CELL) { (name) } } }
            @for row in &rows {
                tr { @for cell in row { td style=(CELL) { (cell) } } }
            }
        }
        @if more > 0 { p { "And " (more) " more: snaprotate report --csv" } }
    }
}
