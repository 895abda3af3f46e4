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
const LEFT: f64 = 165.0;
const NAME_COLUMN: usize = 17;
const RIGHT: f64 = 20.0;
/// Distance between the lines of a rotation.
const LANE: f64 = 14.0;
/// Distance between blocks.
const GAP: f64 = 26.0;
/// Maximum number of dates along the top, the width of a date, and the height of a line of text.
const MOST_DATES: usize = 15;
const DATE: f64 = 42.0;
const LINE: f64 = 15.0;
/// Number of colours for rotations; further rotations reuse them.
pub(super) const COLOURS: usize = 5;

/// Colours that are readable on both backgrounds and distinguishable with colour blindness; those of
/// the rotations are the same as on the page. The page serves them in its stylesheet, since it
/// allows no inline style.
pub(super) const STYLE: &str = concat!(
    include_str!("assets/rotation-colours.css"),
    "
.forecast { color-scheme: light dark; background: #fff; font: 13px system-ui, sans-serif }
.forecast text { fill: #1b1f24 } .forecast .dim { fill: #57606a } .forecast .grid { stroke: #d0d7de }
.forecast .r0 { color: var(--r0) } .forecast .r1 { color: var(--r1) } .forecast .r2 { color: var(--r2) }
.forecast .r3 { color: var(--r3) } .forecast .r4 { color: var(--r4) }
.forecast .life { stroke: currentColor; stroke-width: 2; opacity: .55 } .forecast .dot { fill: currentColor }
.forecast .was { fill: #fff; stroke: currentColor; stroke-width: 2 }
.forecast .worst { stroke: #b3261e; stroke-width: 1.5; stroke-dasharray: 4 3 } .forecast .worstlabel { fill: #b3261e }
@media (prefers-color-scheme: dark) {
.forecast { background: #0d1117 } .forecast text { fill: #e6edf3 } .forecast .dim { fill: #8b949e }
.forecast .grid { stroke: #30363d } .forecast .was { fill: #0d1117 }
.forecast .worst { stroke: #ff9d94 } .forecast .worstlabel { fill: #ff9d94 }
}
"
);

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
        "Each rotation has a row and a colour. A dot marks where a snapshot is made, and its line shows how long it exists; a hollow dot marks an earlier snapshot. A dashed line marks the moment at which the newest one is oldest. {}",
        spoken.join(" ")
    );
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"forecast\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\" aria-labelledby=\"forecast-title forecast-desc\">\n<title id=\"forecast-title\">Snapshots in the coming days</title>\n<desc id=\"forecast-desc\">{}</desc>\n{style}{body}</svg>\n",
        escaped(&desc)
    )
}

/// Draws one server below `y`; returns the `y` of its end.
fn block(body: &mut String, forecast: &Forecast, y: f64) -> f64 {
    let top = y + LINE + 8.0;
    let mut bottom = top;
    let mut rows = String::new();
    for (nth, rotation) in forecast.rotations.iter().enumerate() {
        bottom = row(&mut rows, forecast, (nth, rotation), bottom + LANE);
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
            text(body, "dim", x, y, &day.date.strftime("%a").to_string());
            text(
                body,
                "dim",
                x,
                y + LINE,
                &day.date.strftime("%m-%d").to_string(),
            );
            free = x + DATE;
        }
    }
    body.push_str(&rows);
    mark_worst(body, forecast, (top, bottom));
    bottom + LINE
}

/// Marks the moment at which the newest recovery point is oldest.
fn mark_worst(body: &mut String, forecast: &Forecast, (top, bottom): (f64, f64)) {
    let worst = forecast.recovery.newest.worst;
    let x = across(forecast, worst.at);
    let _ = writeln!(
        body,
        "<line class=\"worst\" x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>"
    );
    // The label stays within the picture.
    let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
    let words = match worst.age {
        Some(_) => format!("worst: newest copy {} old", age(worst)),
        None => "worst: no copy".to_owned(),
    };
    let y = bottom + LINE - 3.0;
    let _ = writeln!(
        body,
        "<text class=\"worstlabel\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

/// Draws one rotation; snapshots whose lives overlap are drawn below one another.
fn row(
    body: &mut String,
    forecast: &Forecast,
    (nth, rotation): (usize, &RotationForecast),
    y: f64,
) -> f64 {
    let _ = writeln!(
        body,
        "<g class=\"r{}\"><circle class=\"dot\" cx=\"16.0\" cy=\"{y:.1}\" r=\"4\"/>\n<text class=\"\" x=\"27.0\" y=\"{:.1}\"><title>{}</title>{}</text>",
        nth % COLOURS,
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
    body.push_str("</g>\n");
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
        let mut dates: Vec<f64> = svg
            .split("<text class=\"dim\" x=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().expect("a number"))
            .map(|x| x.parse().expect("a number"))
            .collect();
        // The day of the week is above its date.
        dates.dedup();
        assert!(dates.len() > 10, "{dates:?}");
        for two in dates.windows(2) {
            assert!(two[1] - two[0] >= DATE, "{dates:?}");
        }
        let cut = format!("<title>{long}</title>quarterly-for-the…</text>");
        assert!(svg.contains(&cut), "{svg}");
    }
}
