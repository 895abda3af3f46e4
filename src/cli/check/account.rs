//! Findings about the token and the account's servers, from calls that not every provider offers.

use std::sync::Arc;

use super::finding::{Finding, FindingKind, FindingSeverity};
use super::unreadable;
use crate::api::account_info::TokenInfo;
use crate::api::response_shape::ResponseShape;
use crate::api::server_list::{AccountServer, AccountServers};
use crate::api::{ApiError, ApiSettings, HttpApi, SnapshotApi as _};
use crate::config::Config;
use crate::core::policy::Policy;
use crate::core::server_info::PowerState;
use crate::daemon::response_drift::learnt;

/// Maximum number of servers without a policy that a finding names.
const NAMED: usize = 5;

/// The answers to `GET /account/me/`, `GET /servers/` and, if a rotation stops its server,
/// `GET /servers/{id}/`.
pub(super) struct AccountAnswers {
    token: Result<Option<TokenInfo>, ApiError>,
    pub(super) servers: Result<Option<AccountServers>, ApiError>,
    /// The shape of the snapshot listing, to be compared with the shape that the service learned.
    shape: Option<ResponseShape>,
    /// The first policy with `stop_server`, and the state of its server.
    state: Option<(Arc<Policy>, PowerState)>,
}

impl AccountAnswers {
    /// Requests the token's owner, the list of servers and, if a rotation stops its server, that
    /// server's state.
    pub(super) async fn ask(api: &HttpApi, config: &Config) -> Self {
        let mut policies = config.policies.iter();
        let state = match policies.find(|policy| stops(policy)) {
            Some(policy) => Some((
                Arc::clone(policy),
                api.state_once_admitted(&policy.server).await.state,
            )),
            None => None,
        };
        Self {
            token: api.token_info().await,
            servers: api.offered_servers().await,
            shape: api.take_shape(),
            state,
        }
    }

    /// Returns the account's servers if the list can be relied on.
    pub(super) fn all(&self) -> Option<&[AccountServer]> {
        let listed = self.servers.as_ref().ok()?.as_ref()?;
        listed.doubt.is_none().then_some(&listed.servers)
    }

    /// Returns the token's owner and permissions, if the provider states them.
    pub(super) fn token(&self) -> Option<&TokenInfo> {
        self.token.as_ref().ok()?.as_ref()
    }

    /// Returns every mismatch between these answers and the configuration.
    pub(super) fn findings(&self, config: &Config, settings: &ApiSettings) -> Vec<Finding> {
        let mut found = Vec::new();
        match &self.token {
            Err(error) if error.status == Some(403) => {
                found.push(not_permitted("GET /account/me/", "the token's owner"));
            }
            Err(error) => found.push(unreadable(error, settings)),
            Ok(None) => found.push(not_offered("GET /account/me/", "the token's owner")),
            Ok(Some(info)) => {
                found.extend(lacking(info));
                found.extend(self.state.as_ref().and_then(|_| lacking_power(info)));
            }
        }
        match &self.servers {
            Err(error) if error.status == Some(403) => {
                found.push(not_permitted("GET /servers/", "the list of servers"));
            }
            Err(error) => found.push(unreadable(error, settings)),
            Ok(None) => found.push(not_offered("GET /servers/", "the list of servers")),
            Ok(Some(listed)) => match &listed.doubt {
                Some(doubt) => found.push(account(
                    FindingSeverity::Warning,
                    FindingKind::Doubtful,
                    format!("the list of servers can't be relied on: {doubt}"),
                    "run the check again",
                )),
                None => servers(&config.policies, &listed.servers, &mut found),
            },
        }
        found.extend(self.shape.iter().flat_map(|seen| changed(config, seen)));
        found.extend(
            self.state
                .as_ref()
                .and_then(|(policy, state)| unstoppable(policy, state)),
        );
        found
    }
}

fn stops(policy: &Policy) -> bool {
    policy
        .rotations
        .iter()
        .any(|rotation| rotation.stop.is_some())
}

/// Compares the listing's shape with the one that the service learned.
fn changed(config: &Config, seen: &ResponseShape) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(lacks) = seen.lacks() {
        let remedy = "check whether this version of snaprotate supports these answers";
        found.push(account(
            FindingSeverity::Error,
            FindingKind::ProviderChanged,
            lacks,
            remedy,
        ));
    }
    // An unreadable file is treated as if no shape had been learned.
    let mut known = learnt(&config.state_dir).unwrap_or_default();
    let changes = known.learn(seen);
    if !changes.is_empty() {
        let message = format!(
            "the provider's answers differ from before: {}",
            changes.join("; ")
        );
        let remedy = "rotation doesn't depend on it; the service warns once";
        found.push(account(
            FindingSeverity::Warning,
            FindingKind::ProviderChanged,
            message,
            remedy,
        ));
    }
    found
}

/// Returns why `stop_server` can't work on this server.
fn unstoppable(policy: &Policy, state: &PowerState) -> Option<Finding> {
    let message = match state {
        PowerState::NotOffered => {
            "this provider doesn't report whether the server is running, so stop_server can't work"
                .to_owned()
        }
        PowerState::Untold(why) => format!("whether the server is running is unknown: {why}"),
        _ => return None,
    };
    Some(Finding {
        server: Some(policy.server.clone()),
        name: Some(policy.called().to_owned()),
        ..account(
            FindingSeverity::Error,
            FindingKind::StateUnknown,
            message,
            format!(
                "remove stop_server from {}.toml; otherwise no snapshot is made",
                policy.file
            ),
        )
    })
}

fn account(
    severity: FindingSeverity,
    problem: FindingKind,
    message: String,
    remedy: impl Into<String>,
) -> Finding {
    Finding {
        severity,
        problem,
        server: None,
        name: None,
        about: None,
        message,
        remedy: remedy.into(),
    }
}

fn not_offered(call: &str, what: &str) -> Finding {
    let message = format!("this provider does not offer {call}, so {what} is unknown");
    account(
        FindingSeverity::Note,
        FindingKind::NotOffered,
        message,
        "rotation doesn't need it",
    )
}

fn not_permitted(call: &str, what: &str) -> Finding {
    let message = format!("the token has no permission for {call} (403), so {what} is unknown");
    account(
        FindingSeverity::Note,
        FindingKind::NotPermitted,
        message,
        "rotation doesn't need it",
    )
}

fn lacking(info: &TokenInfo) -> Option<Finding> {
    let lacks = info.lacks()?;
    if lacks.is_empty() {
        return None;
    }
    let permits = info.permissions.as_deref().unwrap_or_default().join(", ");
    let permits = if permits.is_empty() {
        "nothing".to_owned()
    } else {
        permits
    };
    let message = format!(
        "the token has no permission to {} snapshots, which rotation requires: it permits {permits}",
        lacks.join(" or ")
    );
    let named = lacks.iter().map(|change| format!("snapshots:{change}"));
    let named: Vec<_> = named.collect();
    let remedy = format!(
        "at the provider, give the token {}, or snapshots:*",
        named.join(" and ")
    );
    Some(account(
        FindingSeverity::Error,
        FindingKind::PermissionMissing,
        message,
        remedy,
    ))
}

fn lacking_power(info: &TokenInfo) -> Option<Finding> {
    if info.permits("server")? {
        return None;
    }
    Some(account(
        FindingSeverity::Error,
        FindingKind::PermissionMissing,
        "the token has no permission to stop and start servers, which stop_server requires"
            .to_owned(),
        "at the provider, give the token a permission such as servers:*, or remove stop_server",
    ))
}

fn servers(
    policies: &[std::sync::Arc<Policy>],
    servers: &[AccountServer],
    found: &mut Vec<Finding>,
) {
    for policy in policies {
        if !servers.iter().any(|server| server.is(&policy.server)) {
            let named = |server: &&AccountServer| policy.name.as_deref() == Some(&*server.name);
            let remedy = match servers.iter().find(named) {
                Some(server) => format!(
                    "write id = {}, which is the id of the server with this name",
                    server.id.quoted()
                ),
                None => "correct server.id, or remove the policy".to_owned(),
            };
            found.push(Finding {
                server: Some(policy.server.clone()),
                name: Some(policy.called().to_owned()),
                ..account(
                    FindingSeverity::Error,
                    FindingKind::NoSuchServer,
                    "the account has no such server".to_owned(),
                    remedy,
                )
            });
        }
    }
    let without = servers
        .iter()
        .filter(|server| !policies.iter().any(|policy| server.is(&policy.server)));
    let without: Vec<_> = without.collect();
    if !without.is_empty() {
        let named = without.iter().take(NAMED);
        let mut named: Vec<_> = named
            .map(|server| format!("{} (id {})", server.name, server.id))
            .collect();
        if without.len() > NAMED {
            named.push(format!("and {} more", without.len() - NAMED));
        }
        let message = match without.len() {
            1 => format!("1 server has no policy: {}", named[0]),
            n => format!("{n} servers have no policy: {}", named.join(", ")),
        };
        let remedy = "snaprotate init proposes policies; snaprotate list --servers lists all";
        found.push(account(
            FindingSeverity::Warning,
            FindingKind::NoPolicy,
            message,
            remedy,
        ));
    }
}
