//! Listings: the filter, the pages, and the ways in which they are ordered to be wrong.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::faults::Listing;
use super::rows::Held;
use super::state::{Answer, State};
use super::wire;

/// What a listing asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub server: Option<u64>,
    pub page: Option<usize>,
}

impl Wanted {
    /// Reads the query; an answer of 400 says what is wrong with it.
    pub fn read(query: &BTreeMap<String, String>) -> Result<Self, String> {
        let server = query.get("server_id").map(|text| text.parse()).transpose();
        let page = query.get("page").map(|text| text.parse()).transpose();
        Ok(Self {
            server: server.map_err(|_| "server_id: not an integer")?,
            page: page.map_err(|_| "page: not an integer")?,
        })
    }
}

/// The answer to `GET /snapshots/`, spoiled by `fault`; `only` is the server whose rows it spoils.
pub(super) fn snapshots(
    state: &State,
    wanted: Wanted,
    fault: Option<&Listing>,
    only: Option<u64>,
    base: &str,
    now: Timestamp,
) -> Answer {
    let rows: Vec<Arc<Held>> = match fault {
        Some(Listing::Empty) => Vec::new(),
        Some(Listing::Stale(ago)) => state.rows.list_stale(wanted.server, *ago, now),
        Some(Listing::OtherServers) => cloned(&state.rows.list(None)),
        _ => cloned(&state.rows.list(wanted.server)),
    };
    let Some((from, to)) = bounds(rows.len(), wanted.page, state.config.page_size) else {
        return (404, wire::refusal("invalid page"));
    };
    let mut pieces: Vec<Cow<'_, str>> = rows[from..to]
        .iter()
        .map(|held| Cow::Borrowed(held.json.as_str()))
        .collect();
    let mut count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if let Some(fault) = fault {
        spoil(&mut pieces, &mut count, &rows[from..to], fault, only, now);
    }
    let path = format!("{base}/snapshots/?");
    let filter = wanted.server.map(|id| format!("server_id={id}&"));
    let path = path + &filter.unwrap_or_default();
    let mut next = links(&path, wanted.page, state.config.page_size, to < rows.len());
    if let Some(Listing::Next(address)) = fault {
        next = Some((Some(address.clone()), None));
    }
    (200, body(&pieces, count, next))
}

/// The answer to `GET /servers/`.
pub(super) fn servers(state: &State, page: Option<usize>, base: &str) -> Answer {
    let rows: Vec<Cow<'_, str>> = state
        .servers
        .values()
        .map(|server| Cow::Owned(wire::server(server)))
        .collect();
    let Some((from, to)) = bounds(rows.len(), page, state.config.page_size) else {
        return (404, wire::refusal("invalid page"));
    };
    let path = format!("{base}/servers/?");
    let next = links(&path, page, state.config.page_size, to < rows.len());
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    (200, body(&rows[from..to], count, next))
}

fn cloned(rows: &[&Arc<Held>]) -> Vec<Arc<Held>> {
    rows.iter().map(|held| Arc::clone(held)).collect()
}

/// The rows of a page; `None`: there is no such page.
fn bounds(rows: usize, page: Option<usize>, size: Option<usize>) -> Option<(usize, usize)> {
    let Some(size) = size else {
        return Some((0, rows));
    };
    let from = page.unwrap_or(1).checked_sub(1)?.checked_mul(size)?;
    if from > 0 && from >= rows {
        return None;
    }
    Some((from, rows.min(from.saturating_add(size))))
}

type Links = (Option<String>, Option<String>);

/// `next` and `previous`; `None`: a listing without pages has neither.
fn links(path: &str, page: Option<usize>, size: Option<usize>, more: bool) -> Option<Links> {
    size?;
    let page = page.unwrap_or(1);
    let next = more.then(|| format!("{path}page={}", page + 1));
    let previous = (page > 1).then(|| format!("{path}page={}", page - 1));
    Some((next, previous))
}

fn body(rows: &[Cow<'_, str>], count: i64, links: Option<Links>) -> String {
    let size: usize = rows.iter().map(|row| row.len() + 1).sum();
    let mut body = String::with_capacity(size + 256);
    // Writing into a String can't fail.
    let _ = write!(body, r#"{{"count":{count},"#);
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
    rows: &[Arc<Held>],
    fault: &Listing,
    only: Option<u64>,
    now: Timestamp,
) {
    let ours = |held: &Arc<Held>| only.is_none_or(|server| held.row.server == server);
    let newest = rows.iter().position(ours);
    let last = rows.iter().rposition(ours);
    match fault {
        Listing::Empty | Listing::Stale(_) | Listing::OtherServers | Listing::Next(_) => {}
        Listing::Count(off) => *count += off,
        Listing::Short | Listing::Lacking => {
            if let Some(last) = last {
                shown.remove(last);
                *count -= i64::from(*fault == Listing::Lacking);
            }
        }
        Listing::Duplicate => {
            if let Some(last) = last {
                shown.push(shown[last].clone());
                *count += 1;
            }
        }
        Listing::Unreadable => set(shown, last, "id", Some(&json!("eight hundred"))),
        Listing::Nameless => {
            if let Some(last) = last {
                shown[last] = Cow::Borrowed("\"a row\"");
            }
        }
        Listing::Field {
            snapshot,
            field,
            value,
        } => {
            let index =
                snapshot.map_or(newest, |id| rows.iter().position(|held| held.row.id == id));
            set(shown, index, field, value.as_ref());
        }
        Listing::Ahead(by) => {
            let date = wire::date(now.saturating_add(*by).unwrap_or(Timestamp::MAX));
            set(shown, newest, "created_at", Some(&json!(date)));
        }
    }
}

/// Changes one field of one row, or takes it away.
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
