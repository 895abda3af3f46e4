//! The calls over HTTP.
//!
//! Answers are not trusted. Each request has one deadline from connecting to the last byte, the
//! size of a body is checked chunk by chunk, pages are requested from the same origin only, and
//! redirects are not followed (I13).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url};

use super::call_metrics::CallMetrics;
use super::client::ApiSettings;
use super::error::Call;
use super::rate_limit::{Limiter, Permit};
use super::response_shape::{ResponseShape, ShapeSampler};
use super::token::{Token, TokenSource};
use super::{ApiError, client};
use crate::clock::Clock;

/// [`SnapshotApi`](super::SnapshotApi) over HTTP.
#[derive(Debug)]
pub struct HttpApi {
    /// The client for GETs. It keeps connections open.
    pub(super) reading: Client,
    /// The client for mutations. It opens a connection for each, since the provider may close an
    /// idle one just as a mutation is sent on it, which would leave the outcome unknown for no
    /// reason.
    pub(super) changing: Client,
    /// The base URL, with a trailing slash.
    pub(super) base: Url,
    pub(super) source: TokenSource,
    pub(super) token: RwLock<Arc<Token>>,
    /// Number of tokens used before this one.
    pub(super) tokens: AtomicU64,
    pub(super) limiter: Limiter,
    pub(super) clock: Clock,
    pub(super) request_timeout: Duration,
    pub(super) max_body: usize,
    pub(super) tally: Arc<CallMetrics>,
    /// Set once the provider has rejected `page_size`.
    pub(super) plain_pages: AtomicBool,
    pub(super) sampler: ShapeSampler,
}

impl HttpApi {
    /// Reads the token and builds the clients. Sends nothing.
    pub fn new(settings: &ApiSettings, clock: Clock) -> Result<Self, String> {
        let base = client::base(&settings.base_url)?;
        Ok(Self {
            reading: client::build(settings, &base, true)?,
            changing: client::build(settings, &base, false)?,
            base,
            token: RwLock::new(Arc::new(load(&settings.token)?)),
            tokens: AtomicU64::new(0),
            source: settings.token.clone(),
            limiter: Limiter::new(settings.rate),
            clock,
            request_timeout: settings.request_timeout,
            max_body: settings.max_body,
            tally: Arc::default(),
            plain_pages: AtomicBool::new(false),
            sampler: ShapeSampler::default(),
        })
    }

    /// Returns the counters of the calls.
    pub fn tally(&self) -> Arc<CallMetrics> {
        Arc::clone(&self.tally)
    }

    /// Requests a sample of the next listing's shape.
    pub fn want_shape(&self) {
        self.sampler.want();
    }

    /// Returns the requested sample, if a listing has arrived since the request.
    pub fn take_shape(&self) -> Option<ResponseShape> {
        self.sampler.take()
    }

    /// Returns the address of a path below the base. Trailing slashes are part of the API's paths.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// Sends a mutation exactly once (I9, I12). `check` reads the answer's body; the permit is held
    /// until it returns. The permit's cell stores the status of a success.
    pub(super) async fn change<T>(
        &self,
        pass: Permit,
        call: Call,
        what: &str,
        request: RequestBuilder,
        check: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, ApiError> {
        let answer = self
            .send(call, what, request, self.max_body)
            .await
            .map_err(|failure| failure.error)?;
        pass.heard().tell(answer.status.as_u16());
        self.sampler.answered(call, answer.status.as_u16());
        check(&answer.body).map_err(|reason| self.unreadable(what, &reason, &answer))
    }
}

pub(super) fn load(source: &TokenSource) -> Result<Token, String> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    Token::load(source, credentials.as_deref())
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
