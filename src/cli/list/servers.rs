//! `list --servers`: prints the account's servers and their policies.

use serde::Serialize;

use crate::api::server_list::AccountServers;
use crate::config::Config;
use crate::core::sanitize::{counted, printable};
use crate::core::snapshot::ServerId;
use crate::status::{lines, table, wrap_lines};

/// Longest name or status word that is shown, in characters.
const LONGEST_NAME: usize = 60;

/// The account's servers; the output of `--servers --json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AccountServerList {
    /// Why the list can't be relied on.
    doubt: Option<String>,
    /// The servers, in the provider's order.
    servers: Vec<AccountServerRow>,
}

/// A server of the account.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AccountServerRow {
    /// The provider's id of the server.
    id: ServerId,
    /// Its UUID, if the provider gives one besides the id.
    uuid: Option<ServerId>,
    /// Its name.
    name: String,
    /// Its hostname.
    hostname: Option<String>,
    /// The provider's status word.
    status: String,
    /// The stem of the policy's file; `null` if the server has no policy.
    policy: Option<String>,
}

impl AccountServerList {
    pub(super) fn of(listed: AccountServers, config: &Config) -> Self {
        let servers = listed.servers.into_iter().map(|server| {
            let mut policies = config.policies.iter();
            let policy = policies.find(|policy| server.is(&policy.server));
            AccountServerRow {
                policy: policy.map(|policy| policy.file.clone()),
                id: server.id,
                uuid: server.uuid,
                name: server.name,
                hostname: server.hostname,
                status: server.status,
            }
        });
        Self {
            doubt: listed.doubt,
            servers: servers.collect(),
        }
    }

    /// Returns a table with a row for each server.
    pub(super) fn text(&self, width: Option<u16>) -> String {
        let mut table = table(None);
        table.set_header(["server", "id", "status", "policy"]);
        for server in &self.servers {
            let ids = [Some(&server.id), server.uuid.as_ref()];
            let ids: Vec<_> = ids.into_iter().flatten().map(ToString::to_string).collect();
            table.add_row([
                printable(&server.name, LONGEST_NAME),
                ids.join(" "),
                printable(&server.status, LONGEST_NAME),
                server.policy.clone().unwrap_or_else(|| "none".to_owned()),
            ]);
        }
        let without = self.servers.iter().filter(|server| server.policy.is_none());
        let mut text = wrap_lines(&lines(&table), width);
        if let Some(doubt) = &self.doubt {
            let doubt = printable(doubt, 300);
            let doubt = format!("This list can't be relied on: {doubt}");
            text = wrap_lines(&doubt, width) + &text;
        }
        format!(
            "{text}\n{}, {} of them without a policy",
            counted(self.servers.len(), "server"),
            without.count()
        )
    }
}
