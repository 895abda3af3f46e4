//! The JSON of the API, and the checks that decide whether a listing is in doubt.
//!
//! A listing may lead to deletions, so it is checked strictly. A row that can't be read puts its
//! server in doubt; a row that names no server puts the whole listing in doubt (I11). Fields that
//! rotation does not need are skipped, whatever they hold.

use crate::core::sanitize::NAME_SHOWN;
use std::collections::BTreeSet;
use std::iter;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::lenient_json::{RestoreRow, Scalar, ServerRow, SnapshotRow};
use super::pagination::{PageEnd, PageSink};
use super::{CreatedSnapshot, Listing, NewSnapshot, ServerRows, printable};
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId, Status};

/// Nearly every server has at most this many rows. Up to this length its list grows one row at a
/// time, without spare capacity.
const FEW: usize = 8;

/// One page of a listing.
#[derive(Deserialize)]
struct SnapshotPage<'a> {
    #[serde(borrow, default)]
    count: Scalar<'a>,
    /// `None` if the page has no such field; an unpaginated listing need not have it.
    #[serde(borrow, default, deserialize_with = "there")]
    next: Option<Scalar<'a>>,
    /// Read row by row: 50,000 parsed rows at once would take many times the memory of the result.
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

fn there<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<Scalar<'a>>, D::Error> {
    Scalar::deserialize(from).map(Some)
}

/// Collects the pages of one listing, and the reasons to doubt it.
#[derive(Debug)]
pub(super) struct ListingBuilder {
    filter: Option<ServerId>,
    sizes: bool,
    listing: Listing,
    /// The `count` of the first page; `None` before it, or if the pages give none.
    count: Option<u64>,
    pages: usize,
    rows: u64,
    ids: BTreeSet<SnapshotId>,
}

impl ListingBuilder {
    /// Creates a builder. `filter` is the requested server, or `None` for the whole account.
    pub(super) fn new(filter: Option<ServerId>) -> Self {
        Self {
            filter,
            sizes: false,
            listing: Listing::default(),
            count: None,
            pages: 0,
            rows: 0,
            ids: BTreeSet::new(),
        }
    }

    /// Also collects sizes, which rotation does not need.
    pub(super) fn with_sizes(mut self) -> Self {
        self.sizes = true;
        self
    }

    /// Makes the checks that follow the last page, and returns the listing.
    pub(super) fn finish(mut self) -> Listing {
        self.refuse_others();
        self.listing.pages = self.pages;
        if let Some(count) = self.count
            && count != self.rows
        {
            let reason = format!(
                "the listing's count ({count}) differs from the number of its rows ({})",
                self.rows
            );
            let shifted = self.pages > 1;
            self.doubt(&reason, shifted);
        }
        self.listing
    }

    /// Puts the listing in doubt if it has rows of servers that were not requested, and removes
    /// those rows.
    fn refuse_others(&mut self) {
        let Some(asked) = self.filter.take() else {
            return;
        };
        let own = self.listing.uuids.get(&asked).unwrap_or(&asked).clone();
        let mut servers = self.listing.servers.keys();
        if let Some(other) = servers.find(|server| **server != own) {
            let reason = format!("the listing of server {asked} has rows of server {other}");
            self.doubt(&reason, false);
            self.listing.servers.retain(|server, _| *server == own);
        }
    }

    fn compare_count(&mut self, count: Option<u64>, linked: bool) {
        match (self.count, count) {
            (None, Some(_)) if self.pages == 1 => self.count = count,
            (first, Some(_)) if first == count => {}
            (_, Some(_)) => {
                self.doubt("the pages disagree on how many rows the listing has", true);
            }
            // Pages by cursor give no count: the listing is complete once a page has no next one.
            (None, None) if linked => {}
            (_, None) => self.doubt("the listing does not say how many rows it has", false),
        }
    }

    fn row(&mut self, row: &SnapshotRow) {
        let server = row.server.known_by().filter(|_| !row.server.repeats);
        let Some((server, uuid)) = server else {
            self.doubt("a row can't be read, and its server is unknown", false);
            return;
        };
        let ids = row.known_by();
        for id in ids.iter().flat_map(|(id, uuid)| iter::once(id).chain(uuid)) {
            if !self.ids.insert(id.clone()) {
                // Only a listing of one server shows whether the snapshot belongs to that server.
                let shifted = self.pages > 1 || self.filter.is_none();
                self.doubt(&format!("the listing holds snapshot {id} twice"), shifted);
            }
        }
        let Some(rows) = self.listing.rows_of(server, uuid) else {
            self.doubt("two servers have the same UUID", false);
            return;
        };
        take_name(rows, &row.server);
        if row.repeats {
            cast(&mut rows.doubt, "a row has a duplicate key");
            return;
        }
        let (Some((id, uuid)), Some(name), Some(status)) =
            (ids, row.name.text(), row.status.text())
        else {
            let what = row.known_by().map_or_else(
                || "a row".to_owned(),
                |(id, _)| format!("the row of snapshot {id}"),
            );
            cast(&mut rows.doubt, &format!("{what} can't be read"));
            return;
        };
        if rows.snapshots.len() < FEW {
            rows.snapshots.reserve_exact(1);
        }
        rows.snapshots.push(Snapshot {
            id: id.clone(),
            uuid,
            name: name.to_owned(),
            status: Status::parse(status),
            // A date that can't be read invalidates nothing else: such a snapshot is kept (I11).
            created_at: row
                .created_at
                .text()
                .and_then(|text| text.parse::<Timestamp>().ok()),
        });
        if self.sizes
            && let Some(size) = row.size_mb.number()
        {
            self.listing.sizes.insert(id, size);
        }
    }
}

impl PageSink for ListingBuilder {
    fn page(&mut self, body: &[u8]) -> Result<PageEnd, String> {
        // Without this check a JSON list would pass for a page too.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err("it is not a JSON object".to_owned());
        }
        let page: SnapshotPage = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        self.pages += 1;
        let count = page.count.number();
        if count.is_none() && page.count != Scalar::Null {
            self.doubt("the count of the listing can't be read", false);
        }
        self.compare_count(count, page.next.is_some());
        for row in &page.results {
            self.rows += 1;
            // A row that is JSON but can't be read (a number out of range, for example) is treated
            // as a row without fields.
            self.row(&serde_json::from_str(row.get()).unwrap_or_default());
        }
        let rows = u64::try_from(page.results.len()).unwrap_or(u64::MAX);
        let next = match page.next.unwrap_or_default() {
            Scalar::Null => None,
            Scalar::Text(link) if link.is_empty() => None,
            // A provider that filters after paginating could return empty pages. None is known to
            // do so, and following such pages might never end.
            Scalar::Text(_) if rows == 0 => {
                self.doubt("an empty page links to a next page", false);
                None
            }
            Scalar::Text(link) => Some(link.into_owned()),
            Scalar::Number(_) | Scalar::Other => {
                self.doubt("the link to the next page can't be read", false);
                None
            }
        };
        Ok(PageEnd { next, rows, count })
    }

    /// Keeps the first reason.
    fn doubt(&mut self, reason: &str, shifted: bool) {
        cast(&mut self.listing.doubt, reason);
        self.listing.shifted |= shifted;
    }
}

impl Listing {
    /// Returns the rows of one server, by either of its ids.
    pub fn rows(&self, server: &ServerId) -> Option<&ServerRows> {
        let by_id = |uuid| self.servers.get(self.uuids.get(uuid)?);
        self.servers.get(server).or_else(|| by_id(server))
    }

    /// Stores each server that has two ids under the id that a policy uses.
    pub fn name_as_policies(&mut self, is_named: impl Fn(&ServerId) -> bool) {
        for (uuid, id) in &self.uuids {
            if is_named(uuid)
                && !is_named(id)
                && let Some(rows) = self.servers.remove(id)
            {
                self.servers.insert(uuid.clone(), rows);
            }
        }
    }

    /// Returns the rows of the server with this id and, possibly, this UUID. `None` if another
    /// server has that UUID too.
    fn rows_of(&mut self, id: ServerId, uuid: Option<ServerId>) -> Option<&mut ServerRows> {
        let Some(uuid) = uuid else {
            let id = self.uuids.get(&id).cloned().unwrap_or(id);
            return Some(self.servers.entry(id).or_default());
        };
        if *self.uuids.entry(uuid.clone()).or_insert_with(|| id.clone()) != id {
            return None;
        }
        // Earlier rows may have given the UUID only.
        if let Some(before) = self.servers.remove(&uuid) {
            let rows = self.servers.entry(id.clone()).or_default();
            rows.snapshots.extend(before.snapshots);
            rows.name = before.name;
            rows.hostname = before.hostname;
            rows.doubt = rows.doubt.take().or(before.doubt);
        }
        let rows = self.servers.entry(id).or_default();
        let known = rows.uuid.get_or_insert_with(|| uuid.clone());
        if *known != uuid {
            cast(&mut rows.doubt, "the server has two UUIDs");
        }
        Some(rows)
    }
}

/// Stores the server's names. If the rows disagree on the names, puts the rows in doubt.
fn take_name(rows: &mut ServerRows, server: &ServerRow) {
    let Some((name, hostname)) = server.named() else {
        cast(&mut rows.doubt, "a row does not give the server's name");
        return;
    };
    if rows.name.is_empty() {
        name.clone_into(&mut rows.name);
        rows.hostname = hostname.map(str::to_owned);
    } else if rows.name != name || rows.hostname.as_deref() != hostname {
        cast(
            &mut rows.doubt,
            &format!(
                "the server has two names: \"{}\" and \"{}\"",
                printable(&rows.name, NAME_SHOWN),
                printable(name, NAME_SHOWN)
            ),
        );
    }
}

fn cast(doubt: &mut Option<String>, reason: &str) {
    doubt.get_or_insert_with(|| reason.to_owned());
}

/// The body of a create.
#[derive(Serialize)]
pub(super) struct CreateBody<'a> {
    server_id: ServerId,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

impl<'a> From<&'a NewSnapshot> for CreateBody<'a> {
    fn from(new: &'a NewSnapshot) -> Self {
        Self {
            server_id: new.server.clone(),
            name: &new.name,
            description: new.description.as_deref(),
        }
    }
}

/// Reads the answer to a create. Fails if it can't be read or is about another server.
pub(super) fn created(body: &[u8], asked: &NewSnapshot) -> Result<CreatedSnapshot, String> {
    let row: SnapshotRow = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if row.repeats || row.server.repeats {
        return Err("it has a duplicate key".to_owned());
    }
    let (Some((id, uuid)), Some(name)) = (row.known_by(), row.name.text()) else {
        return Err("it gives no id or no name".to_owned());
    };
    if let Some((server, other)) = row.server.known_by()
        && server != asked.server
        && other.as_ref() != Some(&asked.server)
    {
        return Err(format!("it is about server {server}"));
    }
    let (server_name, hostname) = row.server.named().unzip();
    Ok(CreatedSnapshot {
        id,
        uuid,
        server_name: server_name.map(str::to_owned),
        hostname: hostname.flatten().map(str::to_owned),
        name: name.to_owned(),
    })
}

/// Checks the answer to a restore. The status code says whether it succeeded; the body can
/// only contradict that.
pub(super) fn restored(body: &[u8], asked: &SnapshotId) -> Result<(), String> {
    let Ok(answer) = serde_json::from_slice::<RestoreRow>(body) else {
        return Ok(());
    };
    if let Some(status) = answer.status.text()
        && status != "success"
    {
        return Err(format!(
            "its status is \"{}\"",
            printable(status, NAME_SHOWN)
        ));
    }
    match answer.snapshot.known_by() {
        Some((id, uuid)) if id != *asked && uuid.as_ref() != Some(asked) => {
            Err(format!("it is about snapshot {id}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "wire_answer_tests.rs"]
mod answer_tests;
#[cfg(test)]
#[path = "wire_id_tests.rs"]
mod id_tests;
#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
