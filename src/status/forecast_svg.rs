//! A forecast as SVG, for a browser or a report. Each rotation is a row; each snapshot is a dot
//! where it is created, and a line for as long as it exists.
//!
//! The picture follows the reader's light or dark scheme, has a description for screen readers, and
//! contains no script.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::forecast_labels::{age, heading, moment, name};
use crate::core::sanitize::{counted, printable};
use crate::core::steady_state_forecast::{Forecast, RotationForecast, SnapshotLifetime};

const WIDTH: f64 = 960.0;
/// Width of the rotations' names, and the number of characters that fit into it.
const LEFT: f64 = 150.0;
const NAME_COLUMN: usize = 17;
const RIGHT: f64 = 20.0;
/// Distance between the lines of a rotation.
const LANE: f64 = 14.0;
/// Distance between blocks.
const GAP: f64 = 26.0;
/// Maximum number of dates along the top, and the width of a date.
const MOST_DATES: usize = 15;
const DATE: f64 = 42.0;

/// Colours that are readable on both backgrounds and distinguishable with colour blindness. The
/// page serves them in its stylesheet, since it allows no inline style.
pub(super) const STYLE: &str = "
.forecast { color-scheme: light dark; background: #fff; font: 13px system-ui, sans-serif }
.forecast text { fill: #1b1f24 } .forecast .dim { fill: #57606a } .forecast .grid { stroke: #d0d7de }
.forecast .life { stroke: #0969da; stroke-width: 2; opacity: .55 } .forecast .dot { fill: #0969da }
.forecast .was { fill: #fff; stroke: #0969da; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
.forecast { background: #0d1117 } .forecast text { fill: #e6edf3 } .forecast .dim { fill: #8b949e }
.forecast .grid { stroke: #30363d } .forecast .life { stroke: #58a6ff } .forecast .dot { fill: #58a6ff }
.forecast .was { fill: #0d1117; stroke: #58a6ff }
}
";

/// Draws forecasts of the same days as a standalone file with its own style. If there are two, each
/// is labelled with its policy.
pub fn picture(forecasts: Vec<(Option<&str>, &Forecast)>) -> String {
    draw_all(forecasts, &format!("<style>{STYLE}</style>\n"))
}

/// Draws one forecast as a part of the page.
pub(super) fn figure(forecast: &Forecast) -> String {
    draw_all(vec![(None, forecast)], "")
}

fn draw_all(forecasts: Vec<(Option<&str>, &Forecast)>, style: &str) -> String {
    let mut body = String::new();
    let mut spoken = Vec::new();
    let mut y = 20.0;
    for (under, forecast) in forecasts {
        let under = under.map(|under| format!(": {under}")).unwrap_or_default();
        let title = format!("{}{under}", heading(forecast));
        spoken.push(format!(
            "{}{under}: {}; at worst, the newest completed one is {} old, the oldest {}.",
            name(&forecast.name),
            counted(forecast.snapshots.len(), "snapshot"),
            age(forecast.recovery.newest.worst),
            age(forecast.recovery.oldest.worst),
        ));
        text(&mut body, "", 12.0, y, &title);
        y = block(&mut body, forecast, y + 18.0) + GAP;
    }
    let desc = format!(
        "Each rotation has a row. A dot marks where a snapshot is made, and its line shows how long it exists; a hollow dot marks an earlier snapshot. {}",
        spoken.join(" ")
    );
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"forecast\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\" aria-labelledby=\"forecast-title forecast-desc\">\n<title id=\"forecast-title\">Snapshots in the coming days</title>\n<desc id=\"forecast-desc\">{}</desc>\n{style}{body}</svg>\n",
        escaped(&desc)
    )
}

/// Draws one server below `y`; returns the `y` of its end.
fn block(body: &mut String, forecast: &Forecast, y: f64) -> f64 {
    let top = y + 8.0;
    let mut bottom = top;
    let mut rows = String::new();
    for rotation in &forecast.rotations {
        bottom = row(&mut rows, forecast, rotation, bottom + LANE);
    }
    let step = forecast.days.len().div_ceil(MOST_DATES).max(1);
    // The first day has already begun, so its date may lie too close to the next one.
    let mut free = 0.0;
    for day in forecast.days.iter().step_by(step) {
        let midnight = day.date.to_zoned(forecast.zone.clone());
        let Ok(midnight) = midnight.map(|at| at.timestamp()) else {
            continue;
        };
        let x = across(forecast, midnight);
        let _ = writeln!(
            body,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>"
        );
        if x >= free {
            text(body, "dim", x, y, &day.date.strftime("%m-%d").to_string());
            free = x + DATE;
        }
    }
    body.push_str(&rows);
    bottom
}

/// Draws one rotation; snapshots whose lives overlap are drawn below one another.
fn row(body: &mut String, forecast: &Forecast, rotation: &RotationForecast, y: f64) -> f64 {
    let _ = writeln!(
        body,
        "<text class=\"\" x=\"12.0\" y=\"{:.1}\"><title>{}</title>{}</text>",
        y + 4.0,
        escaped(&rotation.name),
        escaped(&printable(&rotation.name, NAME_COLUMN))
    );
    // When the last snapshot of each lane ends; `None`: after the span.
    let mut lanes: Vec<Option<Timestamp>> = Vec::new();
    let mut bottom = y;
    let lives = forecast.snapshots.iter();
    for life in lives.filter(|life| life.rotation == rotation.name) {
        let free = |end: &Option<Timestamp>| end.is_some_and(|end| end <= life.created_at);
        let lane = lanes.iter().position(free).unwrap_or_else(|| {
            lanes.push(None);
            lanes.len() - 1
        });
        lanes[lane] = life.deleted_at;
        let at = lanes[..lane].iter().fold(y, |y, _| y + LANE);
        bottom = bottom.max(at);
        draw(body, forecast, rotation, life, at);
    }
    bottom + LANE / 2.0
}

fn draw(
    body: &mut String,
    forecast: &Forecast,
    rotation: &RotationForecast,
    life: &SnapshotLifetime,
    y: f64,
) {
    let from = across(forecast, life.created_at);
    let to = across(forecast, life.deleted_at.unwrap_or(forecast.until));
    let dot = if life.created_at < forecast.from {
        "was"
    } else {
        "dot"
    };
    let made = moment(life.created_at, &rotation.zone);
    let gone = life.deleted_at.map_or_else(
        || "still there at the end".to_owned(),
        |at| format!("deleted {}", moment(at, &rotation.zone)),
    );
    let says = escaped(&format!("{}: made {made}, {gone}", life.name));
    let _ = writeln!(
        body,
        "<g><title>{says}</title><line class=\"life\" x1=\"{from:.1}\" y1=\"{y:.1}\" x2=\"{to:.1}\" y2=\"{y:.1}\"/><circle class=\"{dot}\" cx=\"{from:.1}\" cy=\"{y:.1}\" r=\"4\"/></g>"
    );
}

/// Returns the x of an instant; one before the span is drawn at its beginning.
fn across(forecast: &Forecast, at: Timestamp) -> f64 {
    let span = forecast.until.duration_since(forecast.from).as_secs_f64();
    let passed = at.duration_since(forecast.from).as_secs_f64();
    let part = if span > 0.0 { passed / span } else { 0.0 };
    LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
}

fn text(body: &mut String, class: &str, x: f64, y: f64, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        body,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"
    );
}

/// Escapes a text for XML: a name may contain any character.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::steady_state_forecast::forecast;
    use crate::core::test_provider::{policy, rotation, rules};

    #[test]
    fn neither_dates_nor_a_long_rotation_name_overlap_their_neighbours() {
        let long = "quarterly-for-the-auditors-of-the-company";
        let policy = policy(7, vec![rotation(long, "0 0 * * *", 2)]);
        let evening = "2026-11-26T20:00:00Z".parse().expect("a time");
        let svg = figure(&forecast(&policy, &rules(), evening, 28));
        let dates: Vec<f64> = svg
            .split("<text class=\"dim\" x=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().expect("a number"))
            .map(|x| x.parse().expect("a number"))
            .collect();
        assert!(dates.len() > 10, "{dates:?}");
        for two in dates.windows(2) {
            assert!(two[1] - two[0] >= DATE, "{dates:?}");
        }
        let cut = format!("<title>{long}</title>quarterly-for-the…</text>");
        assert!(svg.contains(&cut), "{svg}");
    }
}
