//! The token's owner and permissions, shown by `check --online`. Rotation never uses them.

use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::http::HttpApi;
use super::server_list::AccountServers;

/// A token as the provider describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokenInfo {
    /// Its owner, if the provider names one.
    pub account: Option<String>,
    /// The token's name at the provider.
    pub name: Option<String>,
    /// Its permissions, in words such as `snapshots:*`; `None` if the provider does not list them.
    pub permissions: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct MeBody {
    #[serde(default)]
    account: Account,
    #[serde(default)]
    token: NamedField,
}

#[derive(Default, Deserialize)]
struct Account {
    email: Option<String>,
    name: Option<String>,
}

#[derive(Default, Deserialize)]
struct NamedField {
    name: Option<String>,
    permissions: Option<Vec<String>>,
}

impl TokenInfo {
    /// Returns the changes to snapshots that rotation needs but no permission covers. `None` if the
    /// provider does not list permissions.
    pub fn lacks(&self) -> Option<Vec<&'static str>> {
        let all = self.permissions.as_ref()?;
        let words = all.iter().filter_map(|permission| {
            let (of, what) = permission.split_once(':').unwrap_or((permission, "*"));
            (of == "*" || of.trim_end_matches('s') == "snapshot").then_some(what)
        });
        let words: Vec<_> = words.collect();
        // Any other word, such as `write`, is treated as a permission for all changes.
        let narrow = [
            "read", "list", "view", "create", "delete", "restore", "update",
        ];
        let wide = words.iter().any(|word| !narrow.contains(word));
        let lacks = ["create", "delete"].into_iter();
        Some(
            lacks
                .filter(|change| !wide && !words.contains(change))
                .collect(),
        )
    }

    /// Returns true if a permission covers changes to resources of this kind, such as `server`.
    /// `None` if the provider does not list permissions.
    pub fn permits(&self, things: &str) -> Option<bool> {
        let all = self.permissions.as_ref()?;
        let changes = |permission: &String| {
            let (of, what) = permission.split_once(':').unwrap_or((permission, "*"));
            let of_these = of == "*" || of.trim_end_matches('s') == things;
            of_these && !["read", "list", "view"].contains(&what)
        };
        Some(all.iter().any(changes))
    }
}

/// Returns `None` for a call that this provider does not offer (404 or 405).
fn offered<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Err(error) if matches!(error.status, Some(404 | 405)) => Ok(None),
        answer => answer.map(Some),
    }
}

impl HttpApi {
    /// Requests the token's owner and permissions. `None` if this provider does not offer the call.
    pub async fn token_info(&self) -> Result<Option<TokenInfo>, ApiError> {
        let url = self.url("/account/me/");
        let read = |body: &[u8]| serde_json::from_slice::<MeBody>(body);
        let answer = self.get("get the token's owner", &url, self.max_body, |answer| {
            read(&answer.body).map_err(|error| error.to_string())
        });
        Ok(offered(answer.await)?.map(|(_, me)| TokenInfo {
            account: me.account.email.or(me.account.name),
            name: me.token.name,
            permissions: me.token.permissions,
        }))
    }

    /// Lists the account's servers. `None` if this provider does not offer the call.
    pub async fn offered_servers(&self) -> Result<Option<AccountServers>, ApiError> {
        offered(self.servers().await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_and_delete_are_reported_missing_unless_a_snapshot_permission_covers_them() {
        for (permissions, lacks) in [
            (&["*:*"][..], &[][..]),
            (&["snapshots:*"], &[]),
            (&["snapshots"], &[]),
            (&["servers:*", "snapshots:write"], &[]),
            (&["snapshots:create", "snapshots:delete"], &[]),
            (&["snapshots:read", "snapshots:create"], &["delete"]),
            (&["servers:*"], &["create", "delete"]),
            (&["snapshots:read"], &["create", "delete"]),
            (&[], &["create", "delete"]),
        ] {
            let permissions = permissions.iter().map(|one| (*one).to_owned()).collect();
            let info = TokenInfo {
                permissions: Some(permissions),
                ..TokenInfo::default()
            };
            assert_eq!(info.lacks(), Some(lacks.to_vec()), "{info:?}");
        }
        assert_eq!(TokenInfo::default().lacks(), None);
    }
}
