//! The server argument of commands, and the names of servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::policy::Policy;
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::snapshot::ServerId;
use crate::daemon::CommandError;
use crate::status::server_lookup::{self, NamedServer};

/// One server or all, for a command without other positional arguments. The server may be given as
/// a positional argument or with `--server`.
#[derive(Debug, clap::Args)]
pub struct ServerArgument {
    /// Only this server: its id, its name, or its policy file without .toml [default: all]
    #[arg(value_name = "SERVER")]
    bare: Option<String>,
    /// The same as SERVER
    #[arg(long = "server", value_name = "SERVER", conflicts_with = "bare")]
    named: Option<String>,
}

impl ServerArgument {
    /// Returns the requested server, if any.
    pub(super) fn one(&self) -> Option<&str> {
        self.bare.as_deref().or(self.named.as_deref())
    }
}

/// Finds a server by its id, file or name.
pub(super) fn find<'s, S: NamedServer>(
    servers: &'s [S],
    server: &str,
) -> Result<Option<&'s S>, CommandError> {
    server_lookup::find(servers, server).map_err(CommandError::Settings)
}

/// Returns the policy of the requested server.
pub(super) fn one<'p>(
    policies: &'p [Arc<Policy>],
    server: &str,
) -> Result<&'p Arc<Policy>, CommandError> {
    find(policies, server)?.ok_or_else(|| unknown(policies, server))
}

/// Returns the policy of the requested server, or all policies if none was requested.
pub(super) fn chosen(
    policies: &[Arc<Policy>],
    server: Option<&str>,
) -> Result<Vec<Arc<Policy>>, CommandError> {
    let Some(server) = server else {
        return Ok(policies.to_vec());
    };
    Ok(vec![Arc::clone(one(policies, server)?)])
}

/// Returns the error for an unknown server.
pub(super) fn unknown<S: NamedServer>(servers: &[S], server: &str) -> CommandError {
    CommandError::Settings(server_lookup::unknown(servers, server))
}

/// Returns each server's name: the policy's, else its file's. The id is added if servers share a
/// name.
pub(super) fn names(policies: &[Arc<Policy>]) -> BTreeMap<ServerId, String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for policy in policies {
        *times.entry(policy.called()).or_default() += 1;
    }
    let shown = policies.iter().map(|policy| {
        let name = policy.called();
        let plain = printable(name, NAME_SHOWN);
        match times.get(name) {
            Some(1) => (policy.server.clone(), plain),
            _ => (
                policy.server.clone(),
                format!("{plain} ({})", policy.server),
            ),
        }
    });
    shown.collect()
}

/// Returns true if a mistyped id would go unnoticed: the policy has no `server.name`, and the
/// provider's name differs from the policy file's.
pub(super) fn may_be_another(policy: &Policy, shown: &str) -> bool {
    policy.name.is_none() && !shown.is_empty() && shown != policy.file
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::Cli;

    #[test]
    fn a_server_is_given_as_an_argument_or_as_an_option_but_not_as_both() {
        let commands = [
            "plan",
            "list",
            "forecast",
            "status",
            "audit show",
            "pause",
            "resume",
        ];
        for command in commands {
            let parsed = |more: &[&str]| {
                let words = ["snaprotate"].into_iter().chain(command.split(' '));
                let cli = Cli::try_parse_from(words.chain(more.iter().copied()));
                cli.map(|cli| format!("{:?}", cli.command))
            };
            for form in [&["web"][..], &["--server", "web"], &["--server=web"]] {
                let command = parsed(form).expect("a good command line");
                assert!(command.contains("Some(\"web\")"), "{form:?}: {command}");
            }
            assert!(parsed(&["web", "--server", "web"]).is_err(), "{command}");
        }
    }
}
