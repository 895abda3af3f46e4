//! Findings from comparing the account's listing with the policies.
//!
//! A server without snapshots has no row in a listing (docs/api.md "Calls"), so its absence proves
//! nothing. A doubtful listing doesn't prove that anything is absent.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::finding::{Finding, FindingKind, FindingSeverity};
use crate::api::server_list::AccountServer;
use crate::api::{Listing, ServerRows};
use crate::cli::server_argument;
use crate::config::Config;
use crate::core::policy::{Policy, is_id};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// Returns all findings, by server.
pub(super) fn findings(
    config: &Config,
    listing: &Listing,
    all: Option<&[AccountServer]>,
    histories: &BTreeMap<ServerId, ServerHistory>,
    now: Timestamp,
) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(doubt) = &listing.doubt {
        found.push(Finding {
            severity: FindingSeverity::Error,
            problem: FindingKind::Doubtful,
            server: None,
            name: None,
            about: None,
            message: format!("the listing can't be relied on: {doubt}"),
            remedy: "run the check again; until the listing is reliable, nothing is changed"
                .to_owned(),
        });
    }
    let file = |id: &ServerId| {
        let mut policies = config.policies.iter();
        policies
            .find(|policy| policy.server == *id)
            .map(|policy| &policy.file)
    };
    for (uuid, id) in &listing.uuids {
        if let (Some(one), Some(other)) = (file(id), file(uuid)) {
            found.push(Finding {
                severity: FindingSeverity::Error,
                problem: FindingKind::SameServer,
                server: Some(id.clone()),
                name: None,
                about: Some(uuid.to_string()),
                message: format!("{one}.toml and {other}.toml are for the same server, which has the ids {id} and {uuid}: it will be blocked"),
                remedy: "remove one of the two files".to_owned(),
            });
        }
    }
    for policy in &config.policies {
        let mut look = PolicyCheck {
            policy,
            listing,
            all,
            history: histories.get(&policy.server),
            limit: config.rules.limit,
            now,
            found: &mut found,
        };
        look.server();
    }
    found
}

/// Compares one policy with the listing.
pub(super) struct PolicyCheck<'a> {
    pub(super) policy: &'a Policy,
    pub(super) listing: &'a Listing,
    /// All servers of the account; `None` if the provider doesn't list them reliably.
    pub(super) all: Option<&'a [AccountServer]>,
    /// The server's history according to the trail.
    pub(super) history: Option<&'a ServerHistory>,
    pub(super) limit: usize,
    pub(super) now: Timestamp,
    pub(super) found: &'a mut Vec<Finding>,
}

impl PolicyCheck<'_> {
    fn server(&mut self) {
        let listing = self.listing;
        let rows = listing.servers.get(&self.policy.server);
        let sound = listing.doubt.is_none() && rows.is_none_or(|rows| rows.doubt.is_none());
        let snapshots = rows.map_or(&[][..], |rows| &rows.snapshots);
        if sound {
            self.protected(snapshots);
        }
        let Some(rows) = rows else {
            if sound {
                self.unseen();
            }
            return;
        };
        if let Some(doubt) = &rows.doubt {
            let message = format!("its rows can't be relied on: {doubt}");
            self.say(
                FindingSeverity::Error,
                FindingKind::Doubtful,
                None,
                message,
                "run the check again; until its rows are reliable, nothing is changed on the server",
            );
        }
        self.named(rows);
        self.room(snapshots);
        self.names(snapshots);
        self.unmanaged(snapshots);
    }

    pub(super) fn say(
        &mut self,
        severity: FindingSeverity,
        problem: FindingKind,
        about: Option<String>,
        message: String,
        remedy: impl Into<String>,
    ) {
        self.found.push(Finding {
            severity,
            problem,
            server: Some(self.policy.server.clone()),
            name: Some(self.policy.called().to_owned()),
            about,
            message,
            remedy: remedy.into(),
        });
    }

    fn unseen(&mut self) {
        if let Some(all) = self.all {
            if let Some(server) = all.iter().find(|server| server.is(&self.policy.server)) {
                self.named(&ServerRows {
                    name: server.name.clone(),
                    hostname: server.hostname.clone(),
                    ..ServerRows::default()
                });
            }
            // The comparison with the list of servers reports a missing server.
            return;
        }
        let name = self.policy.name.as_deref();
        let mut servers = self.listing.servers.iter();
        let other = servers.find(|(_, rows)| Some(rows.name.as_str()) == name);
        if let (Some(name), Some((id, _))) = (name, other) {
            let message = format!(
                "the provider lists no snapshot of this server, but server {id} is named {name:?}"
            );
            let about = Some(id.to_string());
            self.say(
                FindingSeverity::Warning,
                FindingKind::OtherServer,
                about,
                message,
                format!("write id = {} if that is the intended server", id.quoted()),
            );
            return;
        }
        let what = match name {
            Some(name) => format!("exists and is named {name:?}"),
            None => "exists".to_owned(),
        };
        let message = format!(
            "the provider lists no snapshot of this server, so whether it {what} is still unknown"
        );
        self.say(
            FindingSeverity::Note,
            FindingKind::Unseen,
            None,
            message,
            "the answer to its first create will show it",
        );
    }

    fn named(&mut self, rows: &ServerRows) {
        self.unnamed(&rows.name);
        let Some(wanted) = &self.policy.name else {
            return;
        };
        let by_host = rows.hostname.as_ref() == Some(wanted);
        if !rows.name.is_empty() && rows.name != *wanted && !by_host {
            let message = format!(
                "the provider's name for it is {:?}, but the policy's is {wanted:?}: it will be blocked",
                rows.name
            );
            let about = Some(rows.name.clone());
            self.say(
                FindingSeverity::Error,
                FindingKind::WrongName,
                about,
                message,
                "correct the name or the id",
            );
        }
    }

    /// Reports a policy without `server.name`: a mistyped id would rotate another server unnoticed.
    fn unnamed(&mut self, name: &str) {
        let file = &self.policy.file;
        if !server_argument::may_be_another(self.policy, name) {
            return;
        }
        let message = format!(
            "{file}.toml has no server.name, and the provider's name for the server is {name:?}: if the id is another server's, that server is rotated"
        );
        self.say(
            FindingSeverity::Warning,
            FindingKind::Unnamed,
            Some(name.to_owned()),
            message,
            format!("write name = {name:?} if that is the intended server"),
        );
    }

    /// Reports `protect` entries that match no snapshot: a typo leaves the intended one
    /// unprotected.
    fn protected(&mut self, snapshots: &[Snapshot]) {
        let policy = self.policy;
        let there = |fits: &dyn Fn(&Snapshot) -> bool| snapshots.iter().any(fits);
        // According to the trail, the snapshot may also have another id, which protects it too.
        let history = self.history;
        let had = |row: &Snapshot, fits: &dyn Fn(&SnapshotId) -> bool| {
            history.is_some_and(|history| history.other_ids_of(row).any(fits))
        };
        // A string may be a name or an id.
        let is = |row: &Snapshot, text: &str| {
            let by_uuid = row.uuid.as_ref().is_some_and(|id| is_id(text, id));
            row.name == text || is_id(text, &row.id) || by_uuid
        };
        let names = policy.protected_names.iter();
        let names = names
            .filter(|name| !there(&|row| is(row, name) || had(row, &|id| is_id(name, id))))
            .map(|name| {
                (
                    name.clone(),
                    format!("{name:?}"),
                    self.elsewhere(|row| is(row, name)),
                )
            });
        let has = |row: &Snapshot, id: &SnapshotId| row.id == *id || row.uuid.as_ref() == Some(id);
        let ids = policy.protected_ids.iter();
        let known = |row: &Snapshot, id: &SnapshotId| has(row, id) || had(row, &|had| had == id);
        let ids = ids.filter(|id| !there(&|row| known(row, id))).map(|id| {
            (
                id.to_string(),
                format!("id {id}"),
                self.elsewhere(|row| has(row, id)),
            )
        });
        let missing: Vec<_> = names.chain(ids).collect();
        for (about, what, elsewhere) in missing {
            let place = match elsewhere {
                Some(server) => format!("is on server {server}, not on this one"),
                None => "does not exist".to_owned(),
            };
            let message = format!("protect lists {what}, which {place}: it protects nothing");
            self.say(
                FindingSeverity::Error,
                FindingKind::ProtectedMissing,
                Some(about),
                message,
                "correct it, or remove it from protect",
            );
        }
    }

    fn elsewhere(&self, fits: impl Fn(&Snapshot) -> bool) -> Option<ServerId> {
        let mut servers = self.listing.servers.iter();
        let found = servers.find(|(_, rows)| rows.snapshots.iter().any(&fits));
        found.map(|(server, _)| server.clone())
    }
}
