//! What the provider says of a server itself, for people who wait for it; never for rotating.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::client::next_page;
use super::error::{ApiError, Call};
use super::http::{HttpApi, MOST_PAGES};
use crate::core::snapshot::ServerId;

#[derive(Deserialize)]
struct Page {
    results: Vec<Row>,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    id: ServerId,
    #[serde(default)]
    status: String,
}

impl HttpApi {
    /// The server's status in the provider's word, such as `active` or `restoring`; `None`:
    /// the provider lists no such server.
    pub async fn server_status(&self, server: &ServerId) -> Result<Option<String>, ApiError> {
        let what = format!("look for server {server}");
        let mut url = self.url("/servers/");
        let mut seen = BTreeSet::new();
        while seen.len() < MOST_PAGES && seen.insert(url.clone()) {
            let pass = self.limiter.admit().await;
            let request = self.reading.get(url.clone());
            let answer = self.send(Call::List, &what, request, self.max_body).await;
            drop(pass);
            let answer = answer.map_err(|failure| failure.error)?;
            let page: Result<Page, _> = serde_json::from_slice(&answer.body);
            let page = page.map_err(|error| self.unreadable(&what, &error.to_string(), &answer))?;
            if let Some(row) = page.results.into_iter().find(|row| row.id == *server) {
                return Ok(Some(row.status));
            }
            let Some(next) = page.next else { break };
            let next = next_page(&self.base, &url, &next);
            url = next.map_err(|reason| self.unreadable(&what, &reason, &answer))?;
        }
        Ok(None)
    }
}
