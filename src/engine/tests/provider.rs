//! An in-memory provider that answers as a test's script directs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use crate::api::error::{Call, kind_of};
use crate::api::{
    ApiError, CreatedSnapshot, Limiter, Listing, NewSnapshot, Permit, PowerAction, RateSettings,
    ServerRows, SnapshotApi,
};
use crate::clock::Clock;
use crate::core::server_info::{PowerState, ServerInfo};
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId, Status};
use crate::engine::lock;

/// A request to the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    List(Option<u64>),
    Create(u64),
    Delete(u64),
    Restore(u64),
    State(u64),
    Power(u64, PowerAction),
    Renew,
}

/// A request, with the times at which it arrived and was answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub what: What,
    pub at: SignedDuration,
    pub answered: Option<SignedDuration>,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    Works,
    /// This status. With any status but 200, the request has no effect.
    Says(u16),
    /// This status after a delay; a listing shows the state at that time.
    Slowly(SignedDuration, u16),
    /// A listing that silently omits this snapshot.
    Lacks(u64),
    /// A listing that still shows this snapshot, which was deleted.
    Shows(u64),
    /// A listing in doubt.
    Doubted,
    /// A create that takes effect, answered with this id.
    Names(u64),
    Panics,
}

type Script = Box<dyn FnMut(&What) -> Reply + Send>;

struct State {
    snapshots: BTreeMap<u64, Vec<Snapshot>>,
    /// Deleted snapshots, with their servers.
    gone: Vec<(u64, Snapshot)>,
    asked: Vec<Asked>,
    script: Script,
    last_id: u64,
    /// Servers that are stopped.
    stopped: BTreeSet<u64>,
    /// The token that a renewal finds, and the one in use.
    tokens: (u64, u64),
}

pub(super) struct Provider {
    clock: Clock,
    limiter: Limiter,
    state: Mutex<State>,
}

impl Provider {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            limiter: Limiter::new(RateSettings {
                max_in_flight: 8,
                per_second: 0.0,
                burst: 1,
            }),
            state: Mutex::new(State {
                snapshots: BTreeMap::new(),
                gone: Vec::new(),
                asked: Vec::new(),
                script: Box::new(|_| Reply::Works),
                last_id: 100,
                stopped: BTreeSet::new(),
                tokens: (0, 0),
            }),
        }
    }

    /// Answers requests according to this script from now on.
    pub(super) fn script(&self, script: impl FnMut(&What) -> Reply + Send + 'static) {
        lock(&self.state).script = Box::new(script);
    }

    /// Makes [`SnapshotApi::admit`] wait for this long, as after an answer with `Retry-After`.
    pub(super) fn hold(&self, time: SignedDuration) {
        self.limiter.hold(time.unsigned_abs(), 429);
    }

    /// Takes every permit. No mutation is sent until they are dropped.
    pub(super) async fn take_all_places(&self) -> Vec<Permit> {
        let mut places = Vec::new();
        for _ in 0..8 {
            places.push(self.limiter.admit().await.expect("no long hold"));
        }
        places
    }

    pub(super) fn works(&self) {
        self.script(|_| Reply::Works);
    }

    /// Makes the next renewal find another token.
    pub(super) fn new_token(&self) {
        lock(&self.state).tokens.0 += 1;
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        lock(&self.state).asked.clone()
    }

    /// Returns when each request of this kind arrived.
    pub(super) fn times(&self, wanted: impl Fn(&What) -> bool) -> Vec<SignedDuration> {
        let asked = self.asked().into_iter();
        asked.filter(|a| wanted(&a.what)).map(|a| a.at).collect()
    }

    pub(super) fn creates(&self, server: u64) -> usize {
        self.times(|what| *what == What::Create(server)).len()
    }

    pub(super) fn mutations(&self) -> usize {
        self.times(|what| matches!(what, What::Create(_) | What::Delete(_)))
            .len()
    }

    pub(super) fn restores(&self) -> usize {
        self.times(|what| matches!(what, What::Restore(_))).len()
    }

    pub(super) fn names(&self, server: u64) -> Vec<String> {
        let state = lock(&self.state);
        let rows = state.snapshots.get(&server).into_iter().flatten();
        rows.map(|s| s.name.clone()).collect()
    }

    /// Returns the servers that hold a snapshot of this name.
    pub(super) fn holding(&self, name: &str) -> BTreeSet<u64> {
        let state = lock(&self.state);
        let servers = state.snapshots.iter();
        let holding = servers.filter(|(_, rows)| rows.iter().any(|s| s.name == name));
        holding.map(|(id, _)| *id).collect()
    }

    /// Deletes a snapshot as a person would.
    pub(super) fn take(&self, id: u64) {
        for rows in lock(&self.state).snapshots.values_mut() {
            rows.retain(|s| s.id != SnapshotId::from(id));
        }
    }

    /// Returns the server that this snapshot is listed under.
    pub(super) fn owner(&self, id: u64) -> Option<u64> {
        let state = lock(&self.state);
        let id = SnapshotId::from(id);
        let mut servers = state.snapshots.iter();
        let owner = servers.find(|(_, rows)| rows.iter().any(|row| row.id == id));
        owner.map(|(server, _)| *server)
    }

    /// Lists this snapshot as another server's from now on.
    pub(super) fn move_to(&self, server: u64, id: u64) {
        self.show_also(server, id);
        let servers: Vec<_> = lock(&self.state).snapshots.keys().copied().collect();
        for other in servers.into_iter().filter(|other| *other != server) {
            self.hide(other, id);
        }
    }

    /// Shows a snapshot under this server too.
    pub(super) fn show_also(&self, server: u64, id: u64) {
        let mut state = lock(&self.state);
        let id = SnapshotId::from(id);
        let shown = state.snapshots.values().flatten();
        let copy: Vec<_> = shown.filter(|row| row.id == id).cloned().collect();
        state.snapshots.entry(server).or_default().extend(copy);
    }

    /// Stops showing a snapshot under this server.
    pub(super) fn hide(&self, server: u64, id: u64) {
        let id = SnapshotId::from(id);
        if let Some(rows) = lock(&self.state).snapshots.get_mut(&server) {
            rows.retain(|row| row.id != id);
        }
    }

    /// Stops a server as a person would.
    pub(super) fn stop(&self, server: u64) {
        lock(&self.state).stopped.insert(server);
    }

    /// Adds a completed snapshot.
    pub(super) fn put(&self, server: u64, name: &str, made: &str) {
        let mut state = lock(&self.state);
        let made = made.parse().ok();
        state.make(server, name, made);
    }

    /// Records the request, waits as the script directs, and returns its reply.
    async fn answer(&self, call: Call, what: What) -> Result<Reply, ApiError> {
        let (turn, reply) = {
            let mut state = lock(&self.state);
            let at = self.clock.now().mono;
            state.asked.push(Asked {
                what: what.clone(),
                at,
                answered: None,
            });
            let reply = (state.script)(&what);
            (state.asked.len() - 1, reply)
        };
        let (time, status) = match reply {
            Reply::Says(status) => (SignedDuration::from_millis(100), status),
            Reply::Slowly(time, status) => (time, status),
            Reply::Panics => panic!("the script says so"),
            _ => (SignedDuration::from_millis(100), 200),
        };
        self.clock.sleep(time).await;
        lock(&self.state).asked[turn].answered = Some(self.clock.now().mono);
        if status == 200 {
            return Ok(reply);
        }
        Err(ApiError {
            said: None,
            kind: kind_of(call, status),
            status: Some(status),
            message: format!("{what:?} was answered with {status}"),
        })
    }
}

impl State {
    fn make(&mut self, server: u64, name: &str, created_at: Option<Timestamp>) -> SnapshotId {
        self.last_id += 1;
        let id = SnapshotId::from(self.last_id);
        self.snapshots.entry(server).or_default().push(Snapshot {
            uuid: None,
            id: id.clone(),
            name: name.to_owned(),
            status: Status::Completed,
            created_at,
        });
        id
    }

    fn listing(&self, server: Option<u64>) -> Listing {
        let all = self.snapshots.iter();
        let asked = all.filter(|(id, _)| server.is_none_or(|server| server == **id));
        let rows = |(id, snapshots): (&u64, &Vec<Snapshot>)| {
            let rows = ServerRows {
                hostname: None,
                uuid: None,
                name: format!("server-{id}"),
                snapshots: snapshots.clone(),
                doubt: None,
            };
            (ServerId::from(*id), rows)
        };
        Listing {
            servers: asked.map(rows).collect(),
            ..Listing::default()
        }
    }
}

impl SnapshotApi for Provider {
    async fn admit(&self) -> Result<Permit, ApiError> {
        Ok(self.limiter.admit().await.expect("no long hold"))
    }

    async fn list(&self, server: Option<ServerId>) -> Result<Listing, ApiError> {
        let server = server.map(|server| server.number().unwrap());
        let reply = self.answer(Call::List, What::List(server)).await?;
        let mut listing = lock(&self.state).listing(server);
        match reply {
            Reply::Lacks(id) => {
                for rows in listing.servers.values_mut() {
                    rows.snapshots.retain(|s| s.id != SnapshotId::from(id));
                }
            }
            Reply::Shows(id) => {
                let state = lock(&self.state);
                let mut gone = state.gone.iter();
                let gone = gone.find(|(_, s)| s.id == SnapshotId::from(id));
                if let Some((server, row)) = gone
                    && let Some(rows) = listing.servers.get_mut(&ServerId::from(*server))
                {
                    rows.snapshots.push(row.clone());
                }
            }
            Reply::Doubted => listing.doubt = Some("its count differs".to_owned()),
            _ => {}
        }
        Ok(listing)
    }

    async fn create(&self, pass: Permit, new: &NewSnapshot) -> Result<CreatedSnapshot, ApiError> {
        let server = new.server.number().unwrap();
        let reply = self.answer(Call::Create, What::Create(server)).await?;
        let now = self.clock.now().wall;
        pass.heard().tell(201);
        let made = lock(&self.state).make(server, &new.name, Some(now));
        let id = match reply {
            Reply::Names(other) => other.into(),
            _ => made,
        };
        Ok(CreatedSnapshot {
            hostname: None,
            uuid: None,
            id,
            server_name: Some(format!("server-{server}")),
            name: new.name.clone(),
        })
    }

    async fn delete(&self, _pass: Permit, id: SnapshotId) -> Result<(), ApiError> {
        self.answer(Call::Delete, What::Delete(id.number().unwrap()))
            .await?;
        let State {
            snapshots, gone, ..
        } = &mut *lock(&self.state);
        for (server, rows) in snapshots {
            let went = rows.extract_if(.., |s| s.id == id);
            gone.extend(went.map(|row| (*server, row)));
        }
        Ok(())
    }

    async fn restore(&self, _pass: Permit, id: SnapshotId) -> Result<(), ApiError> {
        let asked = self.answer(Call::Restore, What::Restore(id.number().unwrap()));
        asked.await.map(|_| ())
    }

    async fn admit_owed(&self) -> Permit {
        self.limiter.admit_owed().await
    }

    async fn state(&self, _pass: Permit, server: &ServerId) -> ServerInfo {
        let server = server.number().unwrap();
        let state = match self.answer(Call::List, What::State(server)).await {
            Ok(_) if lock(&self.state).stopped.contains(&server) => PowerState::Stopped,
            Ok(_) => PowerState::Active,
            Err(error) => PowerState::Untold(error.message.into()),
        };
        state.into()
    }

    async fn power(
        &self,
        pass: Permit,
        server: &ServerId,
        action: PowerAction,
    ) -> Result<(), ApiError> {
        let server = server.number().unwrap();
        self.answer(Call::Power, What::Power(server, action))
            .await?;
        pass.heard().tell(200);
        let stopped = &mut lock(&self.state).stopped;
        match action {
            PowerAction::Stop => stopped.insert(server),
            PowerAction::Start => stopped.remove(&server),
        };
        Ok(())
    }

    fn renew(&self) -> Result<(), String> {
        let at = self.clock.now().mono;
        let mut state = lock(&self.state);
        state.tokens.1 = state.tokens.0;
        state.asked.push(Asked {
            what: What::Renew,
            at,
            answered: Some(at),
        });
        Ok(())
    }

    fn token(&self) -> u64 {
        lock(&self.state).tokens.1
    }
}
