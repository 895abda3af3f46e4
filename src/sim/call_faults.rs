//! The faults of calls: which one applies, the course of a mutation, and listings that are wrong.

use jiff::{SignedDuration, Timestamp};

use super::crash::{CrashPhase, LostEffect};
use super::ids;
use super::judge::AnsweredListing;
use super::provider::World;
use super::true_state::{TimedChange, TrueSnapshot, error};
use super::world_setup::{CALL, SETTLE};
use crate::api::{ApiError, ErrorKind, Listing, ServerRows};
use crate::core::snapshot::ServerId;

/// The longest lag of a stale listing.
const STALE: SignedDuration = SignedDuration::from_mins(4);

/// The part of the settle window within which a late effect happens.
const LATEST: SignedDuration = SignedDuration::from_secs(SETTLE.as_secs() * 9 / 10);

/// The course of one mutation.
pub(super) struct MutationCourse {
    pub(super) call: u64,
    /// Time until the answer, or until the program stops waiting for one.
    pub(super) takes: SignedDuration,
    /// `None`: the true answer.
    pub(super) error: Option<ApiError>,
}

impl World {
    pub(super) fn weather(
        &mut self,
        which: fn(&World) -> &super::world_setup::FaultRates,
    ) -> Option<&'static str> {
        if self.quiet {
            return None;
        }
        let drawn = self.rng.below(1000);
        let kind = which(self).strikes(drawn)?;
        self.fire(kind);
        Some(kind)
    }

    /// Returns the course of a mutation whose effect is `due`; `None` if the process dies.
    pub(super) fn course(
        &mut self,
        kind: Option<&'static str>,
        due: impl FnOnce(u64) -> TimedChange,
    ) -> Option<MutationCourse> {
        self.life.mutations += 1;
        if self.dies(CrashPhase::BeforeCall) {
            return None;
        }
        let call = self.call();
        let (least, most) = (
            SignedDuration::from_millis(20),
            SignedDuration::from_secs(3),
        );
        let before = self.rng.time(least, most);
        let after = self.rng.time(least, most);
        let mut takes = before + after;
        let fated = self.effect();
        let drawn = kind
            .and_then(|kind| kind.split_once(": "))
            .map(|(_, what)| what);
        let what = fated.map_or(drawn, LostEffect::fault);
        let mut effect = Some(before);
        let failed = match what {
            _ if self.token_refused => Some((ErrorKind::Account, Some(401), false)),
            None => None,
            Some("400") => Some((ErrorKind::Refused, Some(400), false)),
            Some("403") => Some((ErrorKind::Refused, Some(403), false)),
            Some("409") => Some((ErrorKind::Later, Some(409), false)),
            Some("connection refused") => Some((ErrorKind::Later, None, false)),
            Some(what) => {
                let status = what.starts_with("500").then_some(500);
                if status.is_none() {
                    takes = CALL;
                }
                if what.ends_with("late") {
                    let shows_after = self.setting.lag;
                    let lag = fated.map(|effect| effect.lag(shows_after));
                    let lag = lag.unwrap_or_else(|| self.rng.time(SignedDuration::ZERO, LATEST));
                    effect = Some(takes + lag);
                }
                Some((ErrorKind::Unknown, status, !what.ends_with("not done")))
            }
        };
        if let Some((_, _, false)) = failed {
            effect = None;
        }
        if let Some(after) = effect {
            let due = due(call);
            self.schedule(after, due);
        }
        if self.dies(CrashPhase::InCall) {
            return None;
        }
        Some(MutationCourse {
            call,
            takes,
            error: failed.map(|(kind, status, _)| error(kind, status)),
        })
    }

    /// Returns the rows that a listing shows now. `kind` is the fault that was drawn for it.
    pub(super) fn listing(
        &mut self,
        server: Option<&ServerId>,
        kind: Option<&'static str>,
        requested: Timestamp,
    ) -> Listing {
        let now = self.now();
        let stale = kind == Some("listing: stale");
        let seen = if stale {
            now - self.rng.time(SignedDuration::ZERO, STALE)
        } else {
            now - self.setting.lag
        };
        self.tell(|| match &server {
            Some(server) => format!("listing  server {server}"),
            None => "listing  account".to_owned(),
        });
        let mut listing = Listing {
            shifted: server.is_none() && kind == Some("listing: pages shift"),
            ..Listing::default()
        };
        let ids: Vec<u64> = match server {
            Some(server) => vec![ids::number(&server)],
            None => self.servers.keys().copied().collect(),
        };
        let unlucky = self.rng.pick(&ids);
        for id in ids {
            let mut rows = self.rows_at(id, seen).to_vec();
            // Only a listing of one server may lack a row. An account-wide one reaches the servers
            // that requested it, and they can't be determined here.
            let lacks = server.is_some()
                && kind == Some("listing: lacks a row")
                && !self.servers[&id].lacked;
            if lacks {
                // Hides a row that was shown before; in the first listing, one that is older than
                // the process. The program can't notice that a listing hides a row that no earlier
                // one showed.
                let shown = &self.servers[&id].shown;
                let began = self.process_began();
                let first = |row: &TrueSnapshot| shown.is_empty() && row.made < began;
                let old = |row: &&TrueSnapshot| shown.contains(&row.id) || first(row);
                let old: Vec<u64> = rows.iter().filter(old).map(|row| row.id).collect();
                if !old.is_empty() {
                    let gone = self.rng.pick(&old);
                    rows.retain(|row| row.id != gone);
                }
            }
            let doubt = match kind {
                Some("listing: unreadable row") if id == unlucky => {
                    rows.pop();
                    Some("a row can't be read".to_owned())
                }
                Some("listing: another server's rows") if server.is_some() => {
                    Some("rows of another server".to_owned())
                }
                Some("listing: count differs") => {
                    rows.pop();
                    listing.doubt = Some("count differs from the rows".to_owned());
                    None
                }
                _ => None,
            };
            let found = self.servers.get_mut(&id);
            let name = found.map_or_else(String::new, |found| {
                if server.is_some() {
                    found.lacked = lacks;
                }
                if doubt.is_none() && listing.doubt.is_none() && server.is_some() {
                    found.shown.extend(rows.iter().map(|row| row.id));
                }
                found.name.clone()
            });
            let right = name == format!("server-{id}") || rows.is_empty();
            let sound = doubt.is_none() && listing.doubt.is_none() && right;
            let basis = AnsweredListing {
                seen,
                requested,
                sound,
            };
            self.judge.listed(id, basis);
            if let Some(lies) = &mut self.lies {
                lies.claims.remove(&id);
                // The servers that requested an account-wide listing can't be determined here.
                lies.told_alone = server.is_some() && doubt.is_none();
            }
            if !rows.is_empty() || doubt.is_some() {
                let snapshots = self.shows(id, &rows);
                if doubt.is_none() && listing.doubt.is_none() {
                    self.shown.listed(id, &snapshots);
                }
                let (server, uuid) = ids::listed(id);
                if let Some(uuid) = uuid.clone() {
                    listing.uuids.insert(uuid, server.clone());
                }
                let rows = ServerRows {
                    hostname: None,
                    uuid,
                    name,
                    snapshots,
                    doubt,
                };
                listing.servers.insert(server, rows);
            }
        }
        listing
    }
}
