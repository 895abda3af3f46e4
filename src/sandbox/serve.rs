//! The HTTP side: turns requests into calls and calls into answers, with the injected faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Query, Request as HttpRequest, State as Kept};
use axum::http::header::AUTHORIZATION;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::connection::ConnectionHandle;
use super::faults::{CallKind, Fault, FaultEffect, FaultKind};
use super::ids::IdKind;
use super::listing::{self, ListingQuery};
use super::request_log::LoggedRequest;
use super::response::{self, Reply};
use super::state::{Mutation, ProviderState, StatusAndBody};
use super::wire;
use crate::clock::Clock;

/// The longest body that is read; a create is far shorter.
const BODY_LIMIT: usize = 64 * 1024;

/// The state that the handle, the connections and the timer task share.
#[derive(Debug)]
pub(super) struct SandboxState {
    pub state: Mutex<ProviderState>,
    pub clock: Clock,
    pub changed: watch::Sender<u64>,
    pub stop: CancellationToken,
    pub base: String,
}

impl SandboxState {
    /// Reads the state as of now. Wakes waiting tasks only if time has changed it.
    pub fn look<T>(&self, look: impl FnOnce(&mut ProviderState, Timestamp) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now().wall;
        let advanced = state.advance(now);
        let seen = look(&mut state, now);
        drop(state);
        if advanced {
            self.changed.send_modify(|changes| *changes += 1);
        }
        seen
    }

    /// Changes the state, and wakes waiting tasks.
    pub fn change<T>(&self, change: impl FnOnce(&mut ProviderState, Timestamp) -> T) -> T {
        let result = self.look(change);
        self.changed.send_modify(|changes| *changes += 1);
        result
    }
}

/// A request, parsed as far as possible.
struct ParsedRequest {
    call: CallKind,
    method: Method,
    path: String,
    query: BTreeMap<String, String>,
    /// The id in the path.
    id: Option<String>,
    bearer: Option<String>,
    body: Vec<u8>,
}

/// Counts a request as in flight for as long as its client waits.
struct InFlight(Arc<SandboxState>);

impl InFlight {
    fn new(shared: &Arc<SandboxState>) -> Self {
        shared.change(|state, _| state.in_flight += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.change(|state, _| state.in_flight -= 1);
    }
}

/// Answers one request.
pub(super) async fn handle(
    Kept(shared): Kept<Arc<SandboxState>>,
    ConnectInfo(line): ConnectInfo<ConnectionHandle>,
    request: HttpRequest,
) -> Response {
    let _in_flight = InFlight::new(&shared);
    let ask = match read(request).await {
        Ok(ask) => ask,
        Err(refusal) => return response::json(StatusCode::BAD_REQUEST, wire::refusal(&refusal)),
    };
    // Runs in a separate task: like a provider, the stand-in continues after the client hangs up.
    let work = tokio::spawn(process(Arc::clone(&shared), ask));
    match work.await {
        Ok(Reply::Whole(response)) => response,
        Ok(Reply::Hang) => {
            shared.stop.cancelled().await;
            response::cut(&line)
        }
        Ok(Reply::Cut) | Err(_) => response::cut(&line),
    }
}

async fn read(request: HttpRequest) -> Result<ParsedRequest, String> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query();
    let path = path.map(ToString::to_string).unwrap_or_default();
    let query = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri)
        .map_err(|error| error.to_string())?
        .0;
    let bearer = parts.headers.get(AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let body = to_bytes(body, BODY_LIMIT).await;
    let (call, id) = call(&parts.method, parts.uri.path());
    Ok(ParsedRequest {
        call,
        id,
        path,
        query,
        bearer: bearer.map(str::to_owned),
        body: body.map_err(|error| error.to_string())?.to_vec(),
        method: parts.method,
    })
}

/// Returns the call as defined in docs/api.md, "Calls"; trailing slashes are part of the paths.
fn call(method: &Method, path: &str) -> (CallKind, Option<String>) {
    let Some(path) = path.strip_prefix("/api/v1/") else {
        return (CallKind::Any, None);
    };
    let pieces: Vec<&str> = path.split('/').collect();
    let id = pieces.get(1).filter(|id| !id.is_empty());
    let id = id.map(|id| (*id).to_owned());
    let call = match (method.as_str(), pieces.as_slice()) {
        ("GET", ["snapshots", ""]) => CallKind::List,
        ("POST", ["snapshots", ""]) => CallKind::Create,
        ("DELETE", ["snapshots", _, ""]) if id.is_some() => CallKind::Delete,
        ("POST", ["snapshots", _, "restore", ""]) if id.is_some() => CallKind::Restore,
        ("GET", ["account", "me", ""]) => CallKind::Account,
        ("GET", ["servers", ""]) => CallKind::Servers,
        ("GET", ["servers", _, ""]) if id.is_some() => CallKind::Server,
        ("POST", ["servers", _, "power", ""]) if id.is_some() => CallKind::Power,
        _ => CallKind::Any,
    };
    (call, id)
}

async fn process(shared: Arc<SandboxState>, ask: ParsedRequest) -> Reply {
    let latency = shared.look(|state, _| state.config.latency);
    let (entry, fault) = shared.change(|state, now| arrive(state, &ask, now));
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    shared.change(|state, now| {
        let reply = answer(state, &ask, entry, fault, &shared, now);
        match &reply {
            Reply::Whole(response) => state.answered(entry, Some(response.status().as_u16())),
            Reply::Cut => state.answered(entry, None),
            Reply::Hang => {}
        }
        reply
    })
}

/// Logs the request, and uses up one application of the first fault that affects its answer, if
/// any.
fn arrive(
    state: &mut ProviderState,
    ask: &ParsedRequest,
    now: Timestamp,
) -> (Option<usize>, Option<Fault>) {
    let snapshot = ask.snapshot(state);
    let server = match ask.call {
        CallKind::List => {
            let wanted = ListingQuery::read(&state.config, &ask.query);
            wanted.ok().and_then(|wanted| wanted.server)
        }
        CallKind::Create => {
            let create = wire::create(state.config.ids, &ask.body).ok();
            create.map(|(server, _, _)| server)
        }
        CallKind::Server | CallKind::Power => ask.server(state),
        _ => snapshot
            .and_then(|id| state.rows.get(id))
            .map(|row| row.server),
    };
    let fault = state.orders.answer(ask.call, server);
    let entry = state.arrive(LoggedRequest {
        tick: 0,
        call: ask.call,
        method: ask.method.to_string(),
        path: ask.path.clone(),
        server,
        snapshot,
        at: now,
        authorized: authorized(state, ask),
        faulty: fault.is_some(),
        status: None,
        answered: None,
        effects: Vec::new(),
    });
    (entry, fault)
}

fn authorized(state: &ProviderState, ask: &ParsedRequest) -> bool {
    ask.bearer.as_deref() == Some(state.config.token.as_str())
}

fn answer(
    state: &mut ProviderState,
    ask: &ParsedRequest,
    entry: Option<usize>,
    fault: Option<Fault>,
    shared: &SandboxState,
    now: Timestamp,
) -> Reply {
    let Some(fault) = fault else {
        return response::whole(true_answer(state, ask, entry, None, &shared.base, now));
    };
    if let FaultKind::Listing(_) | FaultKind::CutBody | FaultKind::Drip(_) = &fault.what {
        let answer = true_answer(state, ask, entry, Some(&fault), &shared.base, now);
        return response::spoiled(answer, &fault.what, &shared.stop);
    }
    match fault.outcome {
        FaultEffect::Never => {}
        FaultEffect::Done => {
            true_answer(state, ask, entry, None, &shared.base, now);
        }
        FaultEffect::Late(after) => {
            if authorized(state, ask)
                && let Some(Ok(deed)) = deed(state, ask)
            {
                state.later(deed, entry, now, after);
            }
        }
    }
    response::spoiled((200, String::new()), &fault.what, &shared.stop)
}

/// Performs the request and returns the answer. Of the faults of answers, only those of listings
/// are applied here.
fn true_answer(
    state: &mut ProviderState,
    ask: &ParsedRequest,
    entry: Option<usize>,
    fault: Option<&Fault>,
    base: &str,
    now: Timestamp,
) -> StatusAndBody {
    if !authorized(state, ask) {
        return (401, wire::refusal("invalid token"));
    }
    if let Some(deed) = deed(state, ask) {
        return match deed {
            Ok(deed) => state.perform(deed, entry, now),
            Err(detail) => (400, wire::refusal(&detail)),
        };
    }
    let wanted = match ListingQuery::read(&state.config, &ask.query) {
        Ok(wanted) => wanted,
        Err(detail) => return (400, wire::refusal(&detail)),
    };
    match ask.call {
        CallKind::List => {
            let (spoilt, only) = match fault.map(|fault| (&fault.what, fault.server)) {
                Some((FaultKind::Listing(how), only)) => (Some(how), only),
                _ => (None, None),
            };
            listing::snapshots(state, wanted, spoilt, only, base, now)
        }
        CallKind::Servers => listing::servers(state, wanted, base),
        CallKind::Server => match ask.server(state).and_then(|id| state.servers.get(&id)) {
            Some(server) => (200, wire::server(state.config.ids, server)),
            None => (404, wire::refusal("Not found.")),
        },
        CallKind::Account => (200, wire::account(&state.config.permissions)),
        _ => (404, wire::refusal("not found")),
    }
}

/// Returns the change that is requested; `None`: the call changes nothing.
fn deed(state: &ProviderState, ask: &ParsedRequest) -> Option<Result<Mutation, String>> {
    let ids = state.config.ids;
    let there = |id: Option<u64>| id.ok_or_else(|| "no such id".to_owned());
    Some(match ask.call {
        CallKind::Create => {
            wire::create(ids, &ask.body).map(|(server, name, description)| Mutation::Create {
                server,
                name,
                description,
            })
        }
        CallKind::Delete => there(ask.snapshot(state)).map(Mutation::Delete),
        CallKind::Restore => there(ask.snapshot(state)).map(Mutation::Restore),
        CallKind::Power => there(ask.server(state)).and_then(|server| {
            let action = wire::power(&ask.body)?;
            Ok(Mutation::Power { server, action })
        }),
        _ => return None,
    })
}

impl ParsedRequest {
    fn snapshot(&self, state: &ProviderState) -> Option<u64> {
        let of_snapshot = matches!(self.call, CallKind::Delete | CallKind::Restore);
        let id = self.id.as_deref().filter(|_| of_snapshot)?;
        state.config.ids.parse(IdKind::Snapshot, id)
    }

    fn server(&self, state: &ProviderState) -> Option<u64> {
        let of_server = matches!(self.call, CallKind::Server | CallKind::Power);
        let id = self.id.as_deref().filter(|_| of_server)?;
        state.config.ids.parse(IdKind::Server, id)
    }
}
