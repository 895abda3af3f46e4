//! The newest records of a server in the trail.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{NAME_SHOWN, REASON_SHOWN, instant, shown};
use crate::audit::Record;
use crate::core::snapshot::SnapshotId;
use crate::status::page_model::ServerPageData;
use crate::status::view::{FleetView, ServerView};

/// Fields of a record that are shown, in this order.
const TOLD: [&str; 13] = [
    "hook",
    "snapshot",
    "rotation",
    "policy",
    "alert",
    "about",
    "outcome",
    "status",
    "error",
    "by",
    "reason",
    "problems",
    "duration_ms",
];

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

/// Returns the time of a record, without the date if it is the day of the view.
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
        let fields = fields(record);
        let name = fields.get("snapshot")?.as_str()?;
        let id = serde_json::from_value(fields.get("id")?.clone());
        Some((id.ok()?, name.to_owned()))
    });
    listed.chain(told).collect()
}

fn fields(record: &Record) -> Map<String, Value> {
    serde_json::from_str(&record.json).unwrap_or_default()
}

/// Returns a record's details; `names` gives the name of a snapshot of which it has only the id.
pub(super) fn about(record: &Record, names: &BTreeMap<SnapshotId, String>) -> String {
    let fields = fields(record);
    let id = fields.get("id").cloned();
    let id: Option<SnapshotId> = id.and_then(|id| serde_json::from_value(id).ok());
    let by_id = id
        .filter(|_| !fields.contains_key("snapshot"))
        .map(|id| match names.get(&id) {
            Some(name) => format!("{} (id {id})", shown(name, NAME_SHOWN)),
            None => format!("id {id}"),
        });
    let server = record.server.clone().map(|id| id.to_string());
    let ordered =
        record.event.ends_with("_intent") && fields.get("by").is_some_and(Value::is_string);
    let told = TOLD.iter().filter_map(|key| {
        let text = match fields.get(*key)? {
            Value::Null => return None,
            Value::String(text) if *key == "about" && Some(text) == server.as_ref() => return None,
            // For an order the person who gave it is the reason.
            Value::String(_) if *key == "reason" && ordered => return None,
            Value::String(text) if text.is_empty() => return None,
            Value::String(text) => shown(text, REASON_SHOWN),
            other => shown(&other.to_string(), REASON_SHOWN),
        };
        Some(match *key {
            "rotation" => format!("rotation {text}"),
            "policy" => format!("policy {text}.toml"),
            "by" if ordered => format!("by order of {text}"),
            "by" => format!("by {text}"),
            "status" => format!("HTTP {text}"),
            "duration_ms" => format!("{text} ms"),
            _ => text,
        })
    });
    by_id
        .into_iter()
        .chain(told)
        .collect::<Vec<_>>()
        .join(" · ")
}
