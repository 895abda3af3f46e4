//! Answers the listing requests of all servers with few requests to the provider.
//!
//! A request joins the next listing, never one that was requested before (I4). While many servers
//! are at work, one account-wide listing answers them all; while few are, each gets a listing of
//! its own.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::SignedDuration;
use tokio::sync::{mpsc, oneshot};

use super::{Engine, lock};
use crate::api::{ApiError, ErrorKind, Listing, SnapshotApi};
use crate::clock::Clock;
use crate::core::decide::Inventory;
use crate::core::snapshot::ServerId;

/// Up to this many servers at work are listed one by one; more if an account-wide listing is large.
const FEW: usize = 4;

/// Rows of an account-wide listing that cost about as much as one server's listing.
const ROWS_A_REQUEST: usize = 500;

/// Factor by which an account-wide listing of several pages is requested less often, since it costs
/// one request for each page.
const PAGED: i32 = 4;

/// Time limit of a listing with all its pages and retries, as a multiple of the request timeout.
const MOST_CALLS: i32 = 20;

/// Requests within this time of the first one join the same listing.
const GATHER: Duration = Duration::from_millis(5);

type ListingAnswer = Result<Inventory, ApiError>;

struct ListingRequest {
    server: ServerId,
    reply: oneshot::Sender<ListingAnswer>,
}

/// The requests of the servers, and the size of the last listing.
pub(super) struct SharedListing {
    asks: mpsc::UnboundedSender<ListingRequest>,
    queue: Mutex<Option<mpsc::UnboundedReceiver<ListingRequest>>>,
    /// Rows of the last account-wide listing.
    rows: AtomicUsize,
    /// Pages of the last account-wide listing.
    pages: AtomicUsize,
}

impl SharedListing {
    pub(super) fn new() -> Self {
        let (asks, queue) = mpsc::unbounded_channel();
        Self {
            asks,
            queue: Mutex::new(Some(queue)),
            rows: AtomicUsize::new(0),
            pages: AtomicUsize::new(0),
        }
    }

    /// Returns the server's inventory from a listing that is requested after this call.
    pub(super) async fn ask(&self, server: &ServerId) -> ListingAnswer {
        let (reply, answer) = oneshot::channel();
        let asked = self.asks.send(ListingRequest {
            server: server.clone(),
            reply,
        });
        match (asked, answer.await) {
            (Ok(()), Ok(answer)) => answer,
            _ => Err(ApiError {
                said: None,
                kind: ErrorKind::Later,
                status: None,
                message: "the service is stopping".to_owned(),
            }),
        }
    }
}

impl<A: SnapshotApi> Engine<A> {
    /// Answers requests until the task is aborted.
    pub(super) async fn observe(self: Arc<Self>) {
        let Some(mut queue) = lock(&self.observer.queue).take() else {
            return;
        };
        let mut last_wide: Option<SignedDuration> = None;
        while let Some(first) = queue.recv().await {
            let mut asks = vec![first];
            tokio::time::sleep(GATHER).await;
            if self.account.refused() {
                // Reads the token file again; a new token is tried at once.
                let used = self.api.token();
                if let Err(error) = self.api.renew() {
                    tracing::warn!(error, "the token can't be read");
                }
                if self.api.token() != used {
                    self.account.look_again();
                }
            }
            if !self.account.may_ask(self.clock.now().mono) {
                drain(&mut queue, &mut asks);
                self.account
                    .answer_refused(asks.into_iter().map(|a| a.reply));
                continue;
            }
            if self.account.refused() {
                // A probe of the token: one listing instead of one for each server.
                let requested = self.clock.now().mono;
                let probe = self.list(None).await;
                self.note(&probe, requested).await;
                if let Err(error) = probe {
                    drain(&mut queue, &mut asks);
                    answer_all(asks, &error);
                    continue;
                }
            }
            let pages = self.observer.pages.load(Ordering::Relaxed);
            let rows = self.observer.rows.load(Ordering::Relaxed);
            let few = FEW.max(pages).max(rows / ROWS_A_REQUEST);
            if self.working.load(Ordering::Relaxed) <= few {
                drain(&mut queue, &mut asks);
                self.one_by_one(asks);
                continue;
            }
            let often = if pages > 1 { PAGED } else { 1 };
            let spacing = self.wanted().rules.poll_interval / 2 * often;
            if let Some(last) = last_wide {
                self.clock
                    .sleep(last + spacing - self.clock.now().mono)
                    .await;
            }
            drain(&mut queue, &mut asks);
            last_wide = Some(self.clock.now().mono);
            self.account_wide(asks).await;
        }
    }

    async fn account_wide(self: &Arc<Self>, asks: Vec<ListingRequest>) {
        let requested = self.clock.now().mono;
        let listing = self.list(None).await;
        self.note(&listing, requested).await;
        match listing {
            // The pages shifted while they were read, so the servers are listed one by one instead.
            Ok(listing) if listing.shifted => self.one_by_one(asks),
            Ok(listing) => {
                let rows = listing.servers.values().map(|rows| rows.snapshots.len());
                self.observer.rows.store(rows.sum(), Ordering::Relaxed);
                self.observer.pages.store(listing.pages, Ordering::Relaxed);
                let wanted = self.wanted();
                for ask in asks {
                    let mut answer = inventory(&listing, &ask.server, requested);
                    let policy = wanted.policies.get(&ask.server);
                    let name = policy.and_then(|policy| policy.name.as_deref());
                    if let Some(other) =
                        name.and_then(|name| renumbered(&listing, &ask.server, name))
                    {
                        answer.doubt.get_or_insert(format!(
                            "it shows nothing for server {}, but server {other} has its name: if the provider has changed the id, write the new one into the policy",
                            ask.server
                        ));
                    }
                    let _gone = ask.reply.send(Ok(answer));
                }
            }
            Err(error) => answer_all(asks, &error),
        }
    }

    /// Lists each server in a task of its own, so that a slow answer holds up no other server
    /// (I16).
    fn one_by_one(self: &Arc<Self>, asks: Vec<ListingRequest>) {
        for ask in asks {
            let engine = Arc::clone(self);
            tokio::spawn(async move {
                let requested = engine.clock.now().mono;
                let listing = engine.list(Some(ask.server.clone())).await;
                let unclear =
                    |error: &ApiError| error.status != Some(401) && error.kind != ErrorKind::Later;
                if listing.as_ref().is_err_and(unclear) {
                    // An account-wide listing shows whether the whole account is affected or only
                    // this server.
                    let requested = engine.clock.now().mono;
                    let whole = engine.list(None).await;
                    engine.note(&whole, requested).await;
                } else {
                    engine.note(&listing, requested).await;
                }
                let answer = listing.map(|listing| inventory(&listing, &ask.server, requested));
                let _gone = ask.reply.send(answer);
            });
        }
    }

    /// Requests a listing, with one time limit for all its pages.
    async fn list(&self, server: Option<ServerId>) -> Result<Listing, ApiError> {
        let time = self.wanted().rules.request_timeout * MOST_CALLS;
        // I16: a panic while one answer is read must not end the task that serves every server.
        let listing = AssertUnwindSafe(self.api.list(server)).catch_unwind();
        let message = match tokio::time::timeout(self.clock.real(time), listing).await {
            Ok(Ok(listing)) => return listing,
            Ok(Err(_)) => {
                "the listing could not be read; this is a bug, please report it".to_owned()
            }
            Err(_) => format!("the listing was not complete within {time:#}"),
        };
        Err(ApiError {
            said: None,
            kind: ErrorKind::Unknown,
            status: None,
            message,
        })
    }

    async fn note(&self, listing: &Result<Listing, ApiError>, requested: SignedDuration) {
        let (rules, token) = (self.wanted().rules, self.api.token());
        let times = (requested, self.clock.now());
        let changes = (self.account).listed(listing.as_ref().err(), times, token, &rules);
        for change in changes {
            self.note_global_event(change).await;
        }
    }
}

/// Returns the account's inventories, or one server's, for a dry run. Sends only GETs (I14).
pub async fn observe_once<A: SnapshotApi>(
    api: &A,
    clock: &Clock,
    server: Option<ServerId>,
) -> Result<BTreeMap<ServerId, Inventory>, ApiError> {
    let requested = clock.now().mono;
    let listing = api.list(server.clone()).await?;
    let listed = listing.servers.keys().chain(listing.uuids.keys()).cloned();
    let servers: Vec<_> = listed.chain(server).collect();
    let mut inventories = BTreeMap::new();
    for id in servers {
        inventories.insert(id.clone(), inventory(&listing, &id, requested));
    }
    Ok(inventories)
}

fn drain(queue: &mut mpsc::UnboundedReceiver<ListingRequest>, asks: &mut Vec<ListingRequest>) {
    while let Ok(ask) = queue.try_recv() {
        asks.push(ask);
    }
}

fn answer_all(asks: Vec<ListingRequest>, error: &ApiError) {
    for ask in asks {
        let _gone = ask.reply.send(Err(error.clone()));
    }
}

/// Returns the server that bears this name, if the requested one has no rows and the ids are of
/// different types. A provider that switches from numbers to strings must not make a server
/// look empty.
fn renumbered<'l>(listing: &'l Listing, server: &ServerId, name: &str) -> Option<&'l ServerId> {
    if listing.rows(server).is_some() {
        return None;
    }
    // Numbers sort first, so one key shows whether there is an id of the other type.
    let mut keys = listing.servers.keys();
    let outer = if server.number().is_some() {
        keys.next_back()
    } else {
        keys.next()
    };
    outer.filter(|id| !id.is_same_kind(server))?;
    let mut others = listing.servers.iter();
    let other = others.find(|(id, rows)| {
        let named = rows.name == name || rows.hostname.as_deref() == Some(name);
        named && !id.is_same_kind(server)
    });
    other.map(|(id, _)| id)
}

/// Returns one server's part of a listing.
pub(super) fn inventory(
    listing: &Listing,
    server: &ServerId,
    requested: SignedDuration,
) -> Inventory {
    let rows = listing.rows(server);
    let shifted = listing
        .shifted
        .then(|| "its pages changed while they were read".to_owned());
    let mut inventory = Inventory {
        server_name: rows.map(|rows| rows.name.clone()),
        hostname: rows.and_then(|rows| rows.hostname.clone()),
        other_id: rows.and_then(|rows| {
            let id = listing.uuids.get(server);
            id.or(rows.uuid.as_ref()).cloned()
        }),
        snapshots: rows.map_or_else(Vec::new, |rows| rows.snapshots.clone()),
        state: None,
        requested,
        doubt: listing
            .doubt
            .clone()
            .or(shifted)
            .or_else(|| rows.and_then(|rows| rows.doubt.clone())),
        contested: None,
    };
    inventory.doubt_rows_beyond_limit();
    inventory
}
