//! The newest records about a server in the trail.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::{NAME_SHOWN, REASON_SHOWN, instant, shown};
use crate::audit::{Record, RecordFields};
use crate::core::snapshot::SnapshotId;
use crate::status::page_model::ServerPageData;
use crate::status::view::{FleetView, ServerView};

pub(super) fn trail(
    detail: &ServerPageData,
    server: &ServerView,
    view: &FleetView,
    zone: &TimeZone,
) -> Markup {
    let records = match &detail.records {
        Ok(records) => records,
        Err(why) => return html! { p { "The trail can't be read: " (shown(why, REASON_SHOWN)) } },
    };
    if records.is_empty() {
        return html! { p { "The newest part of the trail has no record of this server." } };
    }
    let names = names(records, server);
    html! {
        table.plain.trail role="table" aria-labelledby="trail" {
            thead role="rowgroup" { tr role="row" {
                @for heading in ["When", "Event", "What"] { th scope="col" role="columnheader" { (heading) } }
            } }
            tbody role="rowgroup" {
                @for record in records.iter().rev() {
                    tr role="row" id={ "record-" (record.seq) } {
                        th scope="row" role="rowheader" { (instant(record.time, zone, &when(record, view, zone))) }
                        td role="cell" data-label="Event" { (shown(&record.event, NAME_SHOWN).replace('_', " ")) }
                        td role="cell" data-label="What" { (about(record, &names)) }
                    }
                }
            }
        }
    }
}

/// Returns the time of a record, without the date if that is the date of the view.
fn when(record: &Record, view: &FleetView, zone: &TimeZone) -> String {
    let (at, now) = (
        record.time.to_zoned(zone.clone()),
        view.time.to_zoned(zone.clone()),
    );
    let format = if at.date() == now.date() {
        "%H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    at.strftime(format).to_string()
}

/// Returns the snapshots' names from the listing and from records that hold both id and name.
fn names(records: &[Record], server: &ServerView) -> BTreeMap<SnapshotId, String> {
    let listed = server.snapshots.iter();
    let listed = listed.map(|s| (s.id.clone(), s.name.clone()));
    let told = records.iter().filter_map(|record| {
        let said = RecordFields::of(record);
        Some((said.id?, said.snapshot?))
    });
    listed.chain(told).collect()
}

/// Returns a record's details; `names` gives the name of a snapshot if the record has only its id.
pub(super) fn about(record: &Record, names: &BTreeMap<SnapshotId, String>) -> String {
    let said = RecordFields::of(record);
    let by_id = said.id.as_ref().filter(|_| said.snapshot.is_none());
    let by_id = by_id.map(|id| match names.get(id) {
        Some(name) => format!("{} (id {id})", shown(name, NAME_SHOWN)),
        None => format!("id {id}"),
    });
    let text = |text: Option<&str>| {
        let text = text.filter(|text| !text.is_empty())?;
        Some(shown(text, REASON_SHOWN))
    };
    let ordered_by = said.ordered_by(&record.event);
    // For an order, the person who gave it is shown instead of the reason.
    let reason = said.reason.as_deref().filter(|_| ordered_by.is_none());
    let by = match ordered_by {
        Some(by) => text(Some(by)).map(|by| format!("by order of {by}")),
        None => text(said.by.as_deref()).map(|by| format!("by {by}")),
    };
    let parts = [
        by_id,
        text(said.hook.as_deref()),
        text(said.snapshot.as_deref()),
        text(said.rotation.as_deref()).map(|rotation| format!("rotation {rotation}")),
        text(said.policy.as_deref()).map(|policy| format!("policy {policy}.toml")),
        text(said.alert.as_deref()),
        text(said.subject(record.server.as_ref())),
        text(said.outcome.as_deref()),
        said.status.map(|status| format!("HTTP {status}")),
        text(said.error.as_deref()),
        by,
        text(reason),
        text(Some(&said.problems.join("; "))),
        said.duration_ms.map(|time| format!("{time} ms")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
