//! Listings: the filter, the pages, and the faults that can be injected into them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::ListingFault;
use super::ids::{IdKind, IdShape};
use super::state::{ProviderState, StatusAndBody};
use super::store::RenderedRow;
use super::{Pagination, SandboxConfig, wire};

/// The query of a listing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ListingQuery {
    pub server: Option<u64>,
    /// The number of rows before the page, and the size of the page; `None`: all rows.
    rows: Option<(usize, usize)>,
}

impl ListingQuery {
    /// Reads the query. The error is the text of a 400 answer.
    pub fn read(config: &SandboxConfig, query: &BTreeMap<String, String>) -> Result<Self, String> {
        let server = query.get("server_id").map(|text| {
            let id = config.ids.parse(IdKind::Server, text);
            id.ok_or("server_id: not a valid server id")
        });
        let number = |key: &str| {
            let number = query.get(key).map(|text| text.parse::<usize>());
            number
                .transpose()
                .map_err(|_| format!("{key}: not an integer"))
        };
        let rows = match config.page_size {
            None => None,
            Some(size) => {
                let asked = number("page_size")?.map(|asked| asked.min(config.max_page_size));
                let size = asked.filter(|asked| *asked > 0).unwrap_or(size);
                Some(match config.pagination {
                    Pagination::Page => {
                        let before = number("page")?.unwrap_or(1).saturating_sub(1);
                        (before.saturating_mul(size), size)
                    }
                    Pagination::Offset => (
                        number("offset")?.unwrap_or(0),
                        number("limit")?.unwrap_or(size),
                    ),
                    Pagination::Cursor => {
                        let cursor = query.get("cursor").map(|text| text.strip_prefix("cD0"));
                        let before = cursor.map(|text| text?.parse().ok());
                        let before = before.unwrap_or(Some(0)).ok_or("cursor: invalid")?;
                        (before, size)
                    }
                })
            }
        };
        Ok(Self {
            server: server.transpose()?,
            rows,
        })
    }

    /// Returns the page's range within this number of rows, or `None` if there is no such page.
    fn bounds(&self, rows: usize) -> Option<(usize, usize)> {
        let Some((before, size)) = self.rows else {
            return Some((0, rows));
        };
        if before > 0 && before >= rows {
            return None;
        }
        Some((before, rows.min(before.saturating_add(size))))
    }

    /// Returns `next` and `previous` of the page that ends at `to`, or `None` for a listing without
    /// pages, which has neither field.
    fn links(&self, config: &SandboxConfig, path: &str, to: usize, rows: usize) -> Option<Links> {
        let (before, size) = self.rows?;
        let filter = self.server.map(|id| match config.ids {
            IdShape::Integers => format!("server_id={id}&"),
            IdShape::Uuids | IdShape::Both => format!("server_id={}&", IdKind::Server.uuid(id)),
        });
        let filter = filter.unwrap_or_default();
        let sized = match config.page_size {
            Some(usual) if usual != size => format!("&page_size={size}"),
            _ => String::new(),
        };
        let link = |before: usize| match config.pagination {
            Pagination::Page => format!("{path}?{filter}page={}{sized}", before / size.max(1) + 1),
            Pagination::Offset => format!("{path}?{filter}limit={size}&offset={before}"),
            Pagination::Cursor => format!("{path}?{filter}cursor=cD0{before}{sized}"),
        };
        let next = (to < rows).then(|| link(to));
        let previous = (before > 0).then(|| link(before.saturating_sub(size)));
        Some((next, previous))
    }
}

/// Returns the answer to `GET /snapshots/`, spoiled by `fault`. `only` is the server whose rows are
/// spoiled.
pub(super) fn snapshots(
    state: &ProviderState,
    wanted: ListingQuery,
    fault: Option<&ListingFault>,
    only: Option<u64>,
    base: &str,
    now: Timestamp,
) -> StatusAndBody {
    let rows: Vec<Arc<RenderedRow>> = match fault {
        Some(ListingFault::Empty) => Vec::new(),
        Some(ListingFault::Stale(ago)) => state.rows.list_stale(wanted.server, *ago, now),
        Some(ListingFault::OtherServers) => cloned(&state.rows.list(None)),
        _ => cloned(&state.rows.list(wanted.server)),
    };
    let Some((from, to)) = wanted.bounds(rows.len()) else {
        return (404, wire::refusal("Invalid page."));
    };
    let mut pieces: Vec<Cow<'_, str>> = rows[from..to]
        .iter()
        .map(|held| Cow::Borrowed(held.json.as_str()))
        .collect();
    let mut count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if let Some(fault) = fault {
        spoil(&mut pieces, &mut count, &rows[from..to], fault, only, now);
    }
    let path = format!("{base}/snapshots/");
    let mut next = wanted.links(&state.config, &path, to, rows.len());
    if let Some(ListingFault::Next(address)) = fault {
        next = Some((Some(address.clone()), None));
    }
    let count = counted(&state.config, count);
    (200, body(&pieces, count, next))
}

/// Returns the count to show: a listing with a cursor has none.
fn counted(config: &SandboxConfig, count: i64) -> Option<i64> {
    let told = config.page_size.is_none() || config.pagination != Pagination::Cursor;
    told.then_some(count)
}

/// Returns the answer to `GET /servers/`.
pub(super) fn servers(state: &ProviderState, wanted: ListingQuery, base: &str) -> StatusAndBody {
    let rows: Vec<Cow<'_, str>> = state
        .servers
        .values()
        .map(|server| Cow::Owned(wire::server(state.config.ids, server)))
        .collect();
    let Some((from, to)) = wanted.bounds(rows.len()) else {
        return (404, wire::refusal("Invalid page."));
    };
    let path = format!("{base}/servers/");
    let next = wanted.links(&state.config, &path, to, rows.len());
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let count = counted(&state.config, count);
    (200, body(&rows[from..to], count, next))
}

fn cloned(rows: &[&Arc<RenderedRow>]) -> Vec<Arc<RenderedRow>> {
    rows.iter().map(|held| Arc::clone(held)).collect()
}

type Links = (Option<String>, Option<String>);

fn body(rows: &[Cow<'_, str>], count: Option<i64>, links: Option<Links>) -> String {
    let size: usize = rows.iter().map(|row| row.len() + 1).sum();
    let mut body = String::with_capacity(size + 256);
    body.push('{');
    // Writing into a String can't fail.
    if let Some(count) = count {
        let _ = write!(body, r#""count":{count},"#);
    }
    if let Some((next, previous)) = links {
        let (next, previous) = (json!(next), json!(previous));
        let _ = write!(body, r#""next":{next},"previous":{previous},"#);
    }
    body.push_str(r#""results":["#);
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(row);
    }
    body.push_str("]}");
    body
}

fn spoil(
    shown: &mut Vec<Cow<'_, str>>,
    count: &mut i64,
    rows: &[Arc<RenderedRow>],
    fault: &ListingFault,
    only: Option<u64>,
    now: Timestamp,
) {
    let ours = |held: &Arc<RenderedRow>| only.is_none_or(|server| held.row.server == server);
    let newest = rows.iter().position(ours);
    let last = rows.iter().rposition(ours);
    match fault {
        ListingFault::Empty
        | ListingFault::Stale(_)
        | ListingFault::OtherServers
        | ListingFault::Next(_) => {}
        ListingFault::Count(off) => *count += off,
        ListingFault::Short | ListingFault::Lacking => {
            if let Some(last) = last {
                shown.remove(last);
                *count -= i64::from(*fault == ListingFault::Lacking);
            }
        }
        ListingFault::Duplicate => {
            if let Some(last) = last {
                shown.push(shown[last].clone());
                *count += 1;
            }
        }
        ListingFault::Unreadable => set(shown, last, "id", Some(&json!("eight hundred"))),
        ListingFault::Nameless => {
            if let Some(last) = last {
                shown[last] = Cow::Borrowed("\"a row\"");
            }
        }
        ListingFault::Field {
            snapshot,
            field,
            value,
        } => {
            let index =
                snapshot.map_or(newest, |id| rows.iter().position(|held| held.row.id == id));
            set(shown, index, field, value.as_ref());
        }
        ListingFault::Ahead(by) => {
            let date = wire::date(now.saturating_add(*by).unwrap_or(Timestamp::MAX));
            set(shown, newest, "created_at", Some(&json!(date)));
        }
    }
}

/// Changes or removes one field of one row.
fn set(shown: &mut [Cow<'_, str>], index: Option<usize>, field: &str, value: Option<&Value>) {
    let Some(row) = index.and_then(|index| shown.get_mut(index)) else {
        return;
    };
    if let Ok(Value::Object(mut fields)) = serde_json::from_str(row) {
        match value {
            Some(value) => fields.insert(field.to_owned(), value.clone()),
            None => fields.remove(field),
        };
        *row = Cow::Owned(Value::Object(fields).to_string());
    }
}
