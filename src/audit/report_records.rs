//! Reads the records that a report counts.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::file_query::{files_since, records};
use super::record::{GlobalEvent, ServerCheckpoint};
use super::{Record, TrailError};
use crate::core::report_period::ReportPeriod;
use crate::core::report_tally::ReportTally;
use crate::core::server_event::ServerEvent;
use crate::core::server_history::ServerHistory;

/// Returns the tally of a period. Records from `lookback` before it are read too, for the copies
/// that existed when it began. A daemon may be writing meanwhile.
pub fn report_tally(
    audit: &Path,
    period: ReportPeriod,
    lookback: SignedDuration,
) -> Result<ReportTally, TrailError> {
    let mut tally = ReportTally::new(period);
    let since = period.from.saturating_sub(lookback).ok();
    for record in files_since(audit, since)?.into_iter().flat_map(records) {
        match record {
            Ok(record) if record.time < period.until => take(&mut tally, &record),
            Ok(_) => {}
            Err(_) => tally.unreadable += 1,
        }
    }
    Ok(tally)
}

/// Adds a record. A start of the service refuses a trail with an event that it can't read, so any
/// such event is skipped here.
fn take(tally: &mut ReportTally, record: &Record) {
    let Some(server) = &record.server else {
        if let Ok(event) = serde_json::from_str(&record.json) {
            take_service_alert(tally, record.time, &event);
        }
        return;
    };
    if record.event == "checkpoint" {
        let read = serde_json::from_str::<ServerCheckpoint<ServerHistory>>(&record.json);
        if let Ok(kept) = read {
            tally.checkpoint(server, &kept.history);
        }
    } else if let Ok(event) = serde_json::from_str::<ServerEvent>(&record.json) {
        tally.note(server, record.time, &event);
    }
}

fn take_service_alert(tally: &mut ReportTally, time: Timestamp, event: &GlobalEvent) {
    match event {
        GlobalEvent::AlertRaised { alert, about, .. } => {
            tally.service_alert_raised(alert, about, time);
        }
        GlobalEvent::AlertCleared { alert, about } => {
            tally.service_alert_cleared(alert, about, time);
        }
        GlobalEvent::Checkpoint { alerts, .. } => {
            for one in alerts {
                tally.service_alert_stood(&one.alert, &one.about, one.standing.since);
            }
        }
        _ => {}
    }
}
