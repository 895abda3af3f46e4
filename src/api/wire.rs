//! The JSON of the API, and the checks that decide whether a listing may be believed.
//!
//! A listing deletes things in the end, so it is read with suspicion: one row that can't be
//! read puts its server in doubt, and a row that names no server the whole listing (I11).
//! Fields that rotating doesn't need are skipped, whatever they hold.

use std::collections::{BTreeSet, btree_map::Entry};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::field::{Field, RestoreField, Row, ServerField};
use super::{Created, Listing, NewSnapshot, ServerRows, printable};
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId, Status};

/// As much of a foreign name as a message repeats.
const NAME_SHOWN: usize = 80;

/// One page of a listing.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default)]
    count: Field<'a>,
    #[serde(borrow, default)]
    next: Field<'a>,
    #[serde(borrow)]
    results: Vec<Row<'a>>,
}

/// Gathers the pages of one listing, and what speaks against it.
#[derive(Debug)]
pub(super) struct Gathering {
    filter: Option<ServerId>,
    sizes: bool,
    listing: Listing,
    /// The first page's; `None` until there was one.
    count: Option<u64>,
    pages: usize,
    rows: u64,
    ids: BTreeSet<SnapshotId>,
}

impl Gathering {
    /// `filter` is the server that was asked for; `None` for the whole account.
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

    /// Sizes too, which rotating doesn't need.
    pub(super) fn with_sizes(mut self) -> Self {
        self.sizes = true;
        self
    }

    /// Takes in the next page; gives the link to the one after it.
    ///
    /// An error where this is no page of a listing at all.
    pub(super) fn page(&mut self, body: &[u8]) -> Result<Option<String>, String> {
        // Without names for its parts a list would pass for a page, too.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err("it is no JSON object".to_owned());
        }
        let page: Page = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        self.pages += 1;
        self.compare_count(page.count.number());
        for row in &page.results {
            self.rows += 1;
            self.row(row);
        }
        match page.next {
            Field::Null => Ok(None),
            Field::Text(link) if link.is_empty() => Ok(None),
            // A filter that the provider applies late could give empty pages; none is
            // known to, and following them could go on for ever.
            Field::Text(_) if page.results.is_empty() => {
                self.doubt("an empty page points to a next one");
                Ok(None)
            }
            Field::Text(link) => Ok(Some(link.into_owned())),
            Field::Number(_) | Field::Other => {
                self.doubt("the link to the next page can't be read");
                Ok(None)
            }
        }
    }

    /// Casts doubt on the whole listing; the first reason stays.
    pub(super) fn doubt(&mut self, reason: &str) {
        cast(&mut self.listing.doubt, reason);
    }

    /// The listing, once the last page is in.
    pub(super) fn finish(mut self) -> Listing {
        if let Some(count) = self.count
            && count != self.rows
        {
            self.doubt(&format!(
                "the listing says that it has {count} rows, and has {}",
                self.rows
            ));
            self.listing.shifted |= self.pages > 1;
        }
        self.listing
    }

    fn compare_count(&mut self, count: Option<u64>) {
        match (self.count, count) {
            (_, None) => self.doubt("the listing does not say how many rows it has"),
            (None, Some(count)) if self.pages == 1 => self.count = Some(count),
            (first, Some(count)) if first != Some(count) => {
                self.doubt("the pages disagree on how many rows the listing has");
                self.listing.shifted = true;
            }
            _ => {}
        }
    }

    fn row(&mut self, row: &Row) {
        let server = row.server.id.id::<ServerId>();
        let Some(server) = server.filter(|_| !row.server.repeats) else {
            self.doubt("a row can't be read, nor which server it is of");
            return;
        };
        if let Some(asked) = self.filter.clone()
            && asked != server
        {
            self.doubt(&format!(
                "rows of server {server} were given where server {asked} was asked for"
            ));
            return;
        }
        let id = row.id.id::<SnapshotId>();
        if let Some(id) = &id
            && !self.ids.insert(id.clone())
        {
            self.doubt(&format!("the listing holds snapshot {id} twice"));
            self.listing.shifted |= self.pages > 1;
        }
        let rows = match self.listing.servers.entry(server) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(ServerRows::default()),
        };
        take_name(rows, &row.server);
        if row.repeats {
            cast(&mut rows.doubt, "a row has a key twice");
            return;
        }
        let (Some(id), Some(name), Some(status)) = (id, row.name.text(), row.status.text()) else {
            let what = row.id.id::<SnapshotId>().map_or_else(
                || "a row".to_owned(),
                |id| format!("the row of snapshot {id}"),
            );
            cast(&mut rows.doubt, &format!("{what} can't be read"));
            return;
        };
        if self.sizes
            && let Some(size) = row.size_mb.number()
        {
            self.listing.sizes.insert(id.clone(), size);
        }
        rows.snapshots.push(Snapshot {
            id,
            name: name.to_owned(),
            status: Status::parse(status),
            // A date that can't be read spoils nothing else: such a snapshot is kept (I11).
            created_at: row
                .created_at
                .text()
                .and_then(|text| text.parse::<Timestamp>().ok()),
        });
    }
}

/// Notes the server's name, and whether its rows agree on it.
fn take_name(rows: &mut ServerRows, server: &ServerField) {
    match server.name.text() {
        None => cast(&mut rows.doubt, "a row does not give the server's name"),
        Some(name) if rows.name.is_empty() => name.clone_into(&mut rows.name),
        Some(name) if rows.name != name => cast(
            &mut rows.doubt,
            &format!(
                "the server has two names: \"{}\" and \"{}\"",
                printable(&rows.name, NAME_SHOWN),
                printable(name, NAME_SHOWN)
            ),
        ),
        Some(_) => {}
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

/// Reads the answer to a create; an error where it can't be read or is about something else.
pub(super) fn created(body: &[u8], asked: &NewSnapshot) -> Result<Created, String> {
    let row: Row = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if row.repeats || row.server.repeats {
        return Err("it has a key twice".to_owned());
    }
    let (Some(id), Some(name)) = (row.id.id(), row.name.text()) else {
        return Err("it gives no id or no name".to_owned());
    };
    if let Some(server) = row.server.id.id::<ServerId>()
        && server != asked.server
    {
        return Err(format!("it is about server {server}"));
    }
    Ok(Created {
        id,
        server_name: row.server.name.text().map(str::to_owned),
        name: name.to_owned(),
    })
}

/// Checks the answer to a restore. Success is the status code's to say; the body may only
/// contradict it.
pub(super) fn restored(body: &[u8], asked: &SnapshotId) -> Result<(), String> {
    let Ok(answer) = serde_json::from_slice::<RestoreField>(body) else {
        return Ok(());
    };
    if let Some(status) = answer.status.text()
        && status != "success"
    {
        return Err(format!("it says \"{}\"", printable(status, NAME_SHOWN)));
    }
    match answer.snapshot.id.id::<SnapshotId>() {
        Some(id) if id != *asked => Err(format!("it is about snapshot {id}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
