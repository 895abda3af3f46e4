//! What the provider says of the token and of the account's servers, where it says anything.

use super::online::{Finding, Weight};
use super::unreadable;
use crate::api::account::TokenInfo;
use crate::api::servers::{AccountServer, AccountServers};
use crate::api::{ApiError, ApiSettings, HttpApi};
use crate::config::Config;
use crate::core::policy::Policy;

/// So many servers without a policy are named.
const NAMED: usize = 5;

/// Both answers.
pub(super) struct Asked {
    token: Result<Option<TokenInfo>, ApiError>,
    pub(super) servers: Result<Option<AccountServers>, ApiError>,
}

impl Asked {
    /// Two more GETs.
    pub(super) async fn ask(api: &HttpApi) -> Self {
        Self {
            token: api.token_info().await,
            servers: api.offered_servers().await,
        }
    }

    /// The servers that can be relied on to be all there are.
    pub(super) fn all(&self) -> Option<&[AccountServer]> {
        let listed = self.servers.as_ref().ok()?.as_ref()?;
        listed.doubt.is_none().then_some(&listed.servers)
    }

    /// Whose token it is, where that is told.
    pub(super) fn token(&self) -> Option<&TokenInfo> {
        self.token.as_ref().ok()?.as_ref()
    }

    /// All that does not fit.
    pub(super) fn findings(&self, config: &Config, settings: &ApiSettings) -> Vec<Finding> {
        let mut found = Vec::new();
        match &self.token {
            Err(error) => found.push(unreadable(error, settings)),
            Ok(None) => found.push(not_offered("GET /account/me/", "whose token it is")),
            Ok(Some(info)) => found.extend(lacking(info)),
        }
        match &self.servers {
            Err(error) => found.push(unreadable(error, settings)),
            Ok(None) => found.push(not_offered("GET /servers/", "which servers there are")),
            Ok(Some(listed)) => match &listed.doubt {
                Some(doubt) => found.push(account(
                    Weight::Warning,
                    "doubtful",
                    format!("the list of servers can't be relied on: {doubt}"),
                    "ask again",
                )),
                None => servers(&config.policies, &listed.servers, &mut found),
            },
        }
        found
    }
}

fn account(
    severity: Weight,
    problem: &'static str,
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
    let message = format!("{call} is not offered by this provider, so {what} can't be told");
    account(
        Weight::Note,
        "not_offered",
        message,
        "rotation doesn't need it",
    )
}

fn lacking(info: &TokenInfo) -> Option<Finding> {
    if info.permits_changes()? {
        return None;
    }
    let permits = info.permissions.as_deref().unwrap_or_default().join(", ");
    let permits = if permits.is_empty() {
        "nothing".to_owned()
    } else {
        permits
    };
    let message = format!(
        "the token can't create or delete snapshots, which rotation does: it permits {permits}"
    );
    let remedy = "give it a permission such as snapshots:* at the provider";
    Some(account(
        Weight::Error,
        "permission_missing",
        message,
        remedy,
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
                Some(server) => format!("write id = {}, which bears its name", server.id.quoted()),
                None => "correct server.id, or remove the policy".to_owned(),
            };
            found.push(Finding {
                server: Some(policy.server.clone()),
                name: Some(policy.called().to_owned()),
                ..account(
                    Weight::Error,
                    "no_such_server",
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
        found.push(account(Weight::Warning, "no_policy", message, remedy));
    }
}
