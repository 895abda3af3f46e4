//! The account's servers, for people. Rotation never uses this list.

use serde::Deserialize;

use super::error::ApiError;
use super::http::HttpApi;
use super::lenient_json::{Scalar, ServerRow};
use super::pagination::{PageEnd, PageSink};
use crate::core::snapshot::ServerId;

/// A server of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountServer {
    /// Its id, or its UUID if it has no id.
    pub id: ServerId,
    /// Its UUID, if it has an id too.
    pub uuid: Option<ServerId>,
    /// Its name, or its hostname if it has no name.
    pub name: String,
    /// Its hostname, if that differs.
    pub hostname: Option<String>,
    /// Its status in the provider's words, such as `active`.
    pub status: String,
}

impl AccountServer {
    /// Returns true if this is one of its ids.
    pub fn is(&self, id: &ServerId) -> bool {
        self.id == *id || self.uuid.as_ref() == Some(id)
    }
}

/// The servers of the account, and why the list may be incomplete.
#[derive(Debug, Default)]
pub struct AccountServers {
    /// The servers, in the provider's order.
    pub servers: Vec<AccountServer>,
    /// Why the list can't be relied on.
    pub doubt: Option<String>,
    /// Number of servers, if the provider gives it.
    count: Option<u64>,
}

#[derive(Deserialize)]
struct ServerPage<'a> {
    #[serde(borrow, default)]
    count: Scalar<'a>,
    #[serde(borrow, default)]
    next: Scalar<'a>,
    #[serde(borrow)]
    results: Vec<ServerRow<'a>>,
}

impl PageSink for AccountServers {
    fn page(&mut self, body: &[u8]) -> Result<PageEnd, String> {
        let page: ServerPage = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        for row in &page.results {
            let Some((id, uuid)) = row.known_by() else {
                self.doubt("a server's row can't be read", false);
                continue;
            };
            let (name, hostname) = row.named().unwrap_or_default();
            self.servers.push(AccountServer {
                id,
                uuid,
                name: name.to_owned(),
                hostname: hostname.map(str::to_owned),
                status: row.status.text().unwrap_or_default().to_owned(),
            });
        }
        self.count = self.count.or(page.count.number());
        Ok(PageEnd {
            next: page.next.text().map(str::to_owned),
            rows: u64::try_from(page.results.len()).unwrap_or(u64::MAX),
            count: page.count.number(),
        })
    }

    fn doubt(&mut self, reason: &str, _shifted: bool) {
        self.doubt.get_or_insert_with(|| reason.to_owned());
    }
}

impl HttpApi {
    /// Lists the account's servers.
    pub async fn servers(&self) -> Result<AccountServers, ApiError> {
        let mut servers = AccountServers::default();
        let url = self.url("/servers/");
        self.walk("list the servers", url, &mut servers).await?;
        let read = u64::try_from(servers.servers.len()).unwrap_or(u64::MAX);
        if servers.count.is_some_and(|count| count != read) {
            servers.doubt(
                "the count in the list differs from the number of its rows",
                false,
            );
        }
        Ok(servers)
    }

    /// Returns the server's status in the provider's words, such as `active` or `restoring`. `None`
    /// if the provider lists no such server.
    pub async fn server_status(&self, server: &ServerId) -> Result<Option<String>, ApiError> {
        let mut servers = self.servers().await?.servers.into_iter();
        Ok(servers.find(|one| one.is(server)).map(|one| one.status))
    }
}
