//! Which server is meant, and what it is called.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::policy::Policy;
use crate::core::printable::printable;
use crate::core::snapshot::ServerId;
use crate::daemon::Refusal;

/// As much of a name as is shown.
const NAME_SHOWN: usize = 80;

/// The policy of the server that was asked for: by id, else file, else name.
pub(super) fn find<'p>(
    policies: &'p [Arc<Policy>],
    server: &str,
) -> Result<Option<&'p Arc<Policy>>, Refusal> {
    let by_id = |policy: &Policy| policy.server.to_string() == server;
    let by_file = |policy: &Policy| policy.file == server;
    let by_name = |policy: &Policy| policy.name.as_deref() == Some(server);
    let ways: [&dyn Fn(&Policy) -> bool; 3] = [&by_id, &by_file, &by_name];
    for fits in ways {
        let found: Vec<_> = policies.iter().filter(|policy| fits(policy)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(Some(one)),
            several => {
                let files: Vec<_> = several.iter().map(|policy| policy.file.as_str()).collect();
                return Err(Refusal::Settings(format!(
                    "several policies are for a server {}: {}; name one by its file",
                    printable(server, NAME_SHOWN),
                    files.join(", ")
                )));
            }
        }
    }
    Ok(None)
}

/// What to say where there is no such server.
pub(super) fn unknown(server: &str) -> Refusal {
    Refusal::Settings(format!(
        "no policy is for server {}; name it by its id, its name, or its policy file without .toml",
        printable(server, NAME_SHOWN)
    ))
}

/// The servers by name: the policy's, else its file's; with the id where two have one name.
pub(super) fn names(policies: &[Arc<Policy>]) -> BTreeMap<ServerId, String> {
    let name = |policy: &Policy| policy.name.clone().unwrap_or_else(|| policy.file.clone());
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for policy in policies {
        *times.entry(name(policy)).or_default() += 1;
    }
    let shown = policies.iter().map(|policy| {
        let name = name(policy);
        let plain = printable(&name, NAME_SHOWN);
        match times.get(&name) {
            Some(1) => (policy.server, plain),
            _ => (policy.server, format!("{plain} ({})", policy.server)),
        }
    });
    shown.collect()
}
