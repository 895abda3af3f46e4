//! Reads the provider's answers without a network, for fuzzing only.

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use secrecy::SecretString;

use super::error::Call;
use super::pagination::{PageEnd, PageSink as _};
use super::request::{refused, unreadable};
use super::token::{Token, TokenSource};
use super::wire::{self, ListingBuilder};
use super::{ApiError, CreatedSnapshot, Listing, NewSnapshot, client, retry_after};
use crate::core::snapshot::{ServerId, SnapshotId};

/// Reads answers as a client with the same base URL and token would.
#[derive(Debug)]
pub struct AnswerReader {
    base: Url,
    token: Token,
}

impl AnswerReader {
    /// Creates a reader. Fails for an address or a token that the client would refuse.
    pub fn new(base_url: &str, token: &str) -> Result<Self, String> {
        let source = TokenSource::Given(SecretString::from(token));
        Ok(Self {
            base: client::base(base_url)?,
            token: Token::load(&source, None)?,
        })
    }

    /// Reads a listing from these pages. Also returns the addresses that would be requested after
    /// the first one. A page beyond the last is empty.
    pub fn listing(
        &self,
        filter: Option<ServerId>,
        pages: &[&[u8]],
    ) -> (Result<Listing, ApiError>, Vec<Url>) {
        let mut gathering = ListingBuilder::new(filter);
        let mut followed = Vec::new();
        let mut url = self.base.clone();
        loop {
            let body = pages.get(followed.len()).copied();
            let body = body.unwrap_or(br#"{"count":0,"results":[]}"#);
            let link = match gathering.page(body) {
                Ok(PageEnd {
                    next: Some(link), ..
                }) => link,
                Ok(_) => return (Ok(gathering.finish()), followed),
                Err(reason) => return (Err(self.unreadable(&reason, body)), followed),
            };
            match client::next_page(&self.base, &url, &link) {
                Ok(next) => url = next,
                Err(reason) => {
                    gathering.doubt(&reason, false);
                    return (Ok(gathering.finish()), followed);
                }
            }
            followed.push(url.clone());
        }
    }

    /// Reads the answer to a create.
    pub fn created(&self, body: &[u8], asked: &NewSnapshot) -> Result<CreatedSnapshot, ApiError> {
        wire::created(body, asked).map_err(|reason| self.unreadable(&reason, body))
    }

    /// Reads the answer to a restore.
    pub fn restored(&self, body: &[u8], asked: &SnapshotId) -> Result<(), ApiError> {
        wire::restored(body, asked).map_err(|reason| self.unreadable(&reason, body))
    }

    /// Reads an unsuccessful answer to a create. `None` if `status` is not a valid status code.
    pub fn refused(&self, status: u16, body: &[u8]) -> Option<ApiError> {
        let status = StatusCode::from_u16(status).ok()?;
        Some(refused(Call::Create, status, "create", body, &self.token))
    }

    fn unreadable(&self, reason: &str, body: &[u8]) -> ApiError {
        unreadable(StatusCode::OK, "ask", reason, body, &self.token)
    }
}

/// Returns the pause that an answer with these headers asks for. Invalid headers are skipped.
pub fn retry_after(
    status: u16,
    headers: &[(&'static str, &[u8])],
    now: Timestamp,
) -> Option<SignedDuration> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            map.insert(HeaderName::from_static(name), value);
        }
    }
    retry_after::asked(StatusCode::from_u16(status).ok()?, &map, now)
}
