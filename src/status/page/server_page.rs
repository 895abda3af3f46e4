//! The page of one server: its snapshots and why they are kept, the next steps, its records.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use maud::{Markup, PreEscaped, html};

use super::{
    NAME_SHOWN, REASON_SHOWN, ago, alerts, as_of, badge, capacity_bar, copy_age, dated, doing,
    foot, frame, instant, last_slot, legend, next_slot, recent_records, shown, slot_strip,
};
use crate::core::plan::NextChanges;
use crate::core::plan_text::one_after_the_other;
use crate::core::sanitize::span;
use crate::core::steady_state_forecast::Forecast;
use crate::status::forecast_labels::{age, moment};
use crate::status::forecast_svg::figure;
use crate::status::page_model::ServerPageData;
use crate::status::state_text::{clock_without_zone, goes_next};
use crate::status::view::{Activity, FleetView, ServerView, SnapshotView};

/// Interval at which the page's script renews the page; the service reads the trail each time.
const EVERY: Duration = Duration::from_secs(15);

pub(in crate::status) fn server(
    view: &FleetView,
    server: &ServerView,
    detail: &ServerPageData,
    zone: &TimeZone,
) -> String {
    let standing = view.alerts.iter();
    let standing: Vec<_> = standing
        .filter(|a| a.server.clone().is_none_or(|id| id == server.id))
        .collect();
    let name = shown(&server.name, NAME_SHOWN);
    let main = html! {
        nav.crumbs aria-label="Breadcrumb" { a href="/" { "← All servers" } }
        h1 { (name) }
        div id="state" data-live {
            p.state {
                (badge(server.health)) " " (doing(server, view, zone))
            }
            dl.facts {
                div { dt { "Server" } dd { "id " (server.id) ", policy " code { (shown(&server.file, NAME_SHOWN)) ".toml" } } }
                div { dt { "Next decision" } dd { (shown(&detail.decision, REASON_SHOWN)) } }
                @if let Some(next) = &detail.upcoming {
                    div { dt { "Next changes" } dd {
                        (instant(next.at, zone, &clock_without_zone(next.at, view.time, zone)))
                        (shown(&next.or_later(), REASON_SHOWN)) ": "
                        (one_after_the_other(&next.steps))
                    } }
                }
                div { dt { "Last change" } dd { (last_change(detail, view, zone)) } }
                div { dt { "Newest copy" } dd { (copy_age(server, view, zone)) } }
                div { dt { "Recovery points" } dd { (back(server, view, zone)) } }
            }
        }
        div id="alerts" data-live {
            @if !standing.is_empty() {
                section.alarm aria-labelledby="alerting" {
                    h2 id="alerting" { "Alerts" }
                    (alerts::list(&standing, view, zone))
                }
            }
        }
        section aria-labelledby="rotations" {
            h2 id="rotations" { "Rotations" }
            div id="rotations-now" data-live { (rotations(server, view, zone)) }
        }
        section aria-labelledby="snapshots" {
            h2 id="snapshots" { "Snapshots" }
            div id="snapshots-now" data-live { (snapshots(server, detail.upcoming.as_ref(), view, zone)) }
        }
        section aria-labelledby="forecast" {
            h2 id="forecast" { "The coming days" }
            (coming(detail.forecast.as_ref()))
        }
        section aria-labelledby="trail" {
            h2 id="trail" { "Recent records" }
            div id="trail-now" data-live { (recent_records::trail(detail, server, view, zone)) }
            p.hint { "All records: " code { "snaprotate audit show " (server.id) } }
        }
        (legend::legend())
        (as_of(view, zone))
    };
    frame(&name, Some(EVERY), &main, &foot(view))
}

/// Renders the newest and the oldest completed snapshot, own or foreign.
fn back(server: &ServerView, view: &FleetView, zone: &TimeZone) -> Markup {
    let Some((newest, oldest)) = server.restore_range() else {
        return html! { "none: no completed snapshot is known" };
    };
    html! {
        @if newest == oldest { (ago(newest, view, zone)) }
        @else { "newest " (ago(newest, view, zone)) ", oldest " (ago(oldest, view, zone)) }
    }
}

/// Renders the newest intent, block or given-up slot in the trail, with its reason.
fn last_change(detail: &ServerPageData, view: &FleetView, zone: &TimeZone) -> Markup {
    let records = detail.records.as_deref().unwrap_or_default();
    let telling = [
        "create_intent",
        "delete_intent",
        "restore_intent",
        "blocked",
        "slot_given_up",
    ];
    let last = records
        .iter()
        .rev()
        .find(|r| telling.contains(&r.event.as_str()));
    let Some(record) = last else {
        return html! { "none among the newest records" };
    };
    let what = record.event.trim_end_matches("_intent").replace('_', " ");
    html! { (what) " " (recent_records::about(record, &BTreeMap::new())) " (" (ago(record.time, view, zone)) ")" }
}

fn rotations(server: &ServerView, view: &FleetView, zone: &TimeZone) -> Markup {
    html! {
        table.plain.rotating role="table" aria-labelledby="rotations" {
            thead role="rowgroup" { tr role="row" {
                @for heading in ["Rotation", "Holds", "Last 14 slots", "Last slot", "Next slot"] {
                    th scope="col" role="columnheader" { (heading) }
                }
            } }
            tbody role="rowgroup" {
                @for (nth, rotation) in server.rotations.iter().enumerate() {
                    tr role="row" {
                        th scope="row" role="rowheader" {
                            span class={ "slot " (capacity_bar::colour(nth)) } aria-hidden="true" { (capacity_bar::initial(&rotation.name)) }
                            " " (shown(&rotation.name, NAME_SHOWN))
                        }
                        td role="cell" data-label="Holds" {
                            div { @match rotation.held { Some(held) => (held), None => "?" } " of " (rotation.keep) }
                        }
                        td role="cell" data-label="Last 14 slots" { (slot_strip::of_rotation(rotation, zone)) }
                        td role="cell" data-label="Last slot" { div {
                            @match &rotation.last {
                                Some(slot) => {
                                    (last_slot(slot, server, view, zone))
                                    span.sub { (shown(&slot.snapshot, NAME_SHOWN)) }
                                }
                                None => "none yet",
                            }
                        } }
                        td role="cell" data-label="Next slot" { div {
                            (next_slot(rotation.next.as_ref(), server, view, zone))
                            @if let Some(next) = rotation.next.as_ref().filter(|_| runs(server)) {
                                span.sub { "in " (span(next.at.duration_since(view.time))) }
                            }
                        } }
                    }
                }
            }
        }
    }
}

/// Returns true if the next slot can run at its time.
fn runs(server: &ServerView) -> bool {
    let others = [Activity::Paused, Activity::Blocked, Activity::Restoring];
    !others.contains(&server.activity)
}

fn snapshots(
    server: &ServerView,
    upcoming: Option<&NextChanges>,
    view: &FleetView,
    zone: &TimeZone,
) -> Markup {
    html! {
        p {
            (capacity_bar::drawn(server)) " "
            @if let Some(listed) = server.listed {
                span.muted { (server.snapshots.len()) " of " (server.limit) ", listed " (ago(listed, view, zone)) }
            }
        }
        @if !server.snapshots.is_empty() {
            table.plain.kept role="table" aria-labelledby="snapshots" {
                thead role="rowgroup" { tr role="row" {
                    @for heading in ["Snapshot", "Status", "Made", "Rotation", "Verdict now"] {
                        th scope="col" role="columnheader" { (heading) }
                    }
                } }
                tbody role="rowgroup" {
                    @for snapshot in &server.snapshots { (snapshot_row(snapshot, goes_next(upcoming, snapshot), view, zone)) }
                }
            }
        }
    }
}

fn snapshot_row(snapshot: &SnapshotView, goes: &str, view: &FleetView, zone: &TimeZone) -> Markup {
    let word = |text: &str| shown(text, NAME_SHOWN).replace('_', " ");
    html! {
        tr role="row" id={ "snapshot-" (snapshot.id) } {
            th scope="row" role="rowheader" {
                (shown(&snapshot.name, NAME_SHOWN))
                span.id { "id " (snapshot.id) }
            }
            td role="cell" data-label="Status" { (word(&snapshot.status)) }
            td role="cell" data-label="Made" { div {
                @match snapshot.created_at {
                    Some(at) => { (ago(at, view, zone)) span.sub { (dated(at, zone)) } }
                    None => "?",
                }
            } }
            td role="cell" data-label="Rotation" {
                @match &snapshot.rotation { Some(name) => (shown(name, NAME_SHOWN)), None => "foreign" }
            }
            td role="cell" data-label="Verdict now" { div {
                strong { (word(&snapshot.verdict)) }
                span.reason { (shown(&snapshot.reason, REASON_SHOWN)) (goes) }
            } }
        }
    }
}

fn coming(forecast: Option<&Forecast>) -> Markup {
    let Some(forecast) = forecast else {
        return html! { p { "Its slots are too frequent for a chart." } };
    };
    let worst = (
        forecast.recovery.newest.worst,
        forecast.recovery.oldest.worst,
    );
    html! {
        p {
            "Based on the policy alone: at worst, the newest recovery point is " strong { (age(worst.0)) }
            " old (" (moment(worst.0.at, &forecast.zone)) "), and the oldest is "
            strong { (age(worst.1)) } " old. The dashed line marks that worst moment. "
            "A dot is a snapshot that is made, its line the time for which it exists; a hollow dot is one from before."
        }
        div.picture role="region" aria-label="Chart of the coming days" tabindex="0" {
            (PreEscaped(figure(forecast)))
        }
    }
}
