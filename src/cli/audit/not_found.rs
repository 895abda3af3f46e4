//! Errors for names that are not found anywhere. Without these errors, a mistyped server or
//! rotation would look like one without records.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::audit::RecordFields;
use crate::audit::records;
use crate::cli::{note, server_argument};
use crate::core::policy::Policy;
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::snapshot::ServerId;
use crate::daemon::CommandError;
use crate::status::server_lookup::near;

/// Maximum number of rotations that an error lists.
const NAMED: usize = 8;

/// The names that were asked for.
pub(super) struct NamedQuery<'a> {
    /// The server as typed, and its id.
    pub(super) server: Option<(&'a str, ServerId)>,
    pub(super) rotation: Option<&'a str>,
}

/// Returns an error if neither a policy nor a record in these files names the server or rotation.
pub(super) fn told(
    asked: &NamedQuery,
    policies: &[Arc<Policy>],
    files: Vec<PathBuf>,
) -> Result<(), CommandError> {
    let id = asked.server.clone().map(|(_, id)| id);
    let meant = |server: Option<&ServerId>| id.is_none() || id.as_ref() == server;
    let of_it: Vec<_> = policies.iter().filter(|p| meant(Some(&p.server))).collect();
    let named = of_it.iter().flat_map(|policy| &policy.rotations);
    let mut rotations: BTreeSet<String> = named.map(|rotation| rotation.name.to_string()).collect();
    let mut server = id.is_none() || !of_it.is_empty();
    let is_known = |server: bool, rotations: &BTreeSet<String>| {
        server && asked.rotation.is_none_or(|name| rotations.contains(name))
    };
    if is_known(server, &rotations) {
        return Ok(());
    }
    for record in files.into_iter().flat_map(records).flatten() {
        if meant(record.server.as_ref()) {
            server = true;
            rotations.extend(RecordFields::of(&record).rotations().map(str::to_owned));
        }
    }
    if is_known(server, &rotations) {
        return Ok(());
    }
    Err(match (asked.server.clone(), asked.rotation) {
        (Some((typed, _)), _) if !server => {
            let unknown = server_argument::unknown(policies, typed);
            CommandError::Settings(format!(
                "the trail has no record of this server, and {unknown}"
            ))
        }
        (server, rotation) => {
            let typed = printable(rotation.unwrap_or_default(), NAME_SHOWN);
            let of = server.map(|(server, _)| format!(" of {}", printable(server, NAME_SHOWN)));
            let there = rotations.iter().take(NAMED);
            let there: Vec<_> = there.map(|name| printable(name, NAME_SHOWN)).collect();
            CommandError::Settings(format!(
                "neither a policy nor the trail has a rotation {typed}{}; the known rotations are: {}",
                of.unwrap_or_default(),
                if there.is_empty() {
                    "none".to_owned()
                } else {
                    there.join(", ")
                }
            ))
        }
    })
}

/// Finds a server in the trail by an id or name that no current policy has. A name stands for the
/// last server that had it, from a policy or the provider. Prints a note if the server was found by
/// name.
pub(super) fn former(
    typed: &str,
    policies: &[Arc<Policy>],
    files: Vec<PathBuf>,
) -> Option<ServerId> {
    let called = |file| {
        let all = records(file).flatten();
        // Parsing is slow, and most records don't hold the text.
        let all = all.filter(|record| record.json.contains(typed));
        let called = all.filter_map(|record| {
            let said = RecordFields::of(&record);
            let names = [said.policy.as_deref(), said.server_name.as_deref()];
            let meant = |id: &ServerId| names.contains(&Some(typed)) || id.to_string() == typed;
            record.server.filter(meant)
        });
        called.last()
    };
    let server = files.into_iter().rev().find_map(called)?;
    if server.to_string() == typed {
        return Some(server);
    }
    let shown = printable(typed, NAME_SHOWN);
    let now = policies.iter().find(|policy| policy.server == server);
    let now = now.map(|policy| printable(policy.called(), NAME_SHOWN));
    note(&match now {
        Some(now) => {
            format!("server {server} was formerly called {shown}, and is now called {now}")
        }
        None => format!(
            "there is no readable policy for {shown}: the records below are those of server {server}, which last had this name"
        ),
    });
    Some(server)
}

/// Returns a message if no record in these files names the snapshot.
pub(super) fn snapshot(
    typed: &str,
    server: Option<&ServerId>,
    files: Vec<PathBuf>,
) -> Option<String> {
    let mut names = BTreeSet::new();
    for record in files.into_iter().flat_map(records).flatten() {
        if server.is_some() && record.server.as_ref() != server {
            continue;
        }
        let said = RecordFields::of(&record);
        if said.id.as_ref().is_some_and(|id| id.to_string() == typed) {
            return None;
        }
        names.extend(said.snapshots().map(str::to_owned));
    }
    let near = near(names.iter().cloned(), typed);
    (!names.contains(typed)).then(|| {
        let typed = printable(typed, NAME_SHOWN);
        format!("the trail has no snapshot {typed}{near}")
    })
}
