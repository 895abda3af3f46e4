//! The calls over HTTP.
//!
//! The effects of a foreign server's answers are bounded. Each request has one deadline from
//! connecting to the last byte, a body is counted chunk by chunk, pages are followed on the same
//! origin only, and redirects are not followed (I13).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url};

use super::call_metrics::CallMetrics;
use super::error::Call;
use super::pagination::{PageEnd, PageSink};
use super::rate_limit::{Limiter, Permit, RateSettings};
use super::response_shape::{ResponseShape, ShapeSampler};
use super::token::{Token, TokenSource};
use super::wire::{self, CreateBody, ListingBuilder};
use super::{
    ApiError, CreatedSnapshot, Listing, NewSnapshot, PowerAction, Proxy, SnapshotApi, client,
};
use crate::clock::Clock;
use crate::core::server_downtime::ServerInfo;
use crate::core::snapshot::{ServerId, SnapshotId};

/// Settings of the client. The configuration checks them, and the client checks them again.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The API's address: `https://admin.vps.org/api/v1`. Plain `http` on loopback only.
    pub base_url: String,
    /// Where the token comes from.
    pub token: TokenSource,
    /// Limit for connecting, TLS included.
    pub connect_timeout: Duration,
    /// Limit for one request, from connecting to the last byte of the answer.
    pub request_timeout: Duration,
    /// Rate, and requests in flight.
    pub rate: RateSettings,
    /// Bytes of one answer, and of all pages of one listing together, at most.
    pub max_body: usize,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy to the API.
    pub proxy: Proxy,
}

/// [`SnapshotApi`] over HTTP.
#[derive(Debug)]
pub struct HttpApi {
    /// Keeps connections; for GETs.
    pub(super) reading: Client,
    /// Opens a connection for each request. The provider may close a kept one just as a mutation is
    /// sent, which would leave the outcome unknown for no reason.
    pub(super) changing: Client,
    /// Without a slash at its end.
    pub(super) base: Url,
    source: TokenSource,
    pub(super) token: RwLock<Arc<Token>>,
    /// Number of tokens used before this one.
    tokens: AtomicU64,
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
    /// Reads the token and builds the client. Sends nothing.
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

    /// Returns the sample, if a listing came since it was requested.
    pub fn take_shape(&self) -> Option<ResponseShape> {
        self.sampler.take()
    }

    /// Returns the address of a path below the base. Trailing slashes are part of the API's paths.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// Returns a listing for people to read, with sizes.
    pub async fn browse(&self, server: Option<ServerId>) -> Result<Listing, ApiError> {
        let gathering = ListingBuilder::new(server.clone()).with_sizes();
        self.gather(server, gathering).await
    }

    /// Fetches all pages of one listing.
    async fn gather(
        &self,
        server: Option<ServerId>,
        gathering: ListingBuilder,
    ) -> Result<Listing, ApiError> {
        let mut url = self.url("/snapshots/");
        let what = match server {
            None => "list all snapshots".to_owned(),
            Some(server) => {
                url.query_pairs_mut()
                    .append_pair("server_id", &server.to_string());
                format!("list the snapshots of server {server}")
            }
        };
        let mut pages = SampledPages(&self.sampler, gathering);
        self.walk(&what, url, &mut pages).await?;
        Ok(pages.1.finish())
    }

    /// Sends a mutation exactly once (I9, I12); `check` reads the answer's body. The permit is held
    /// until then, and stores the status of a success.
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

/// Samples the shape of the pages on their way to the builder.
struct SampledPages<'a>(&'a ShapeSampler, ListingBuilder);

impl PageSink for SampledPages<'_> {
    fn page(&mut self, body: &[u8]) -> Result<PageEnd, String> {
        let end = self.1.page(body)?;
        self.0.look(body);
        Ok(end)
    }

    fn doubt(&mut self, reason: &str, shifted: bool) {
        self.1.doubt(reason, shifted);
    }
}

impl SnapshotApi for HttpApi {
    async fn admit(&self) -> Permit {
        self.limiter.admit_change().await
    }

    async fn admit_owed(&self) -> Permit {
        self.limiter.admit_owed().await
    }

    async fn list(&self, server: Option<ServerId>) -> Result<Listing, ApiError> {
        self.gather(server.clone(), ListingBuilder::new(server))
            .await
    }

    async fn create(
        &self,
        pass: Permit,
        create: &NewSnapshot,
    ) -> Result<CreatedSnapshot, ApiError> {
        let what = format!("create \"{}\" on server {}", create.name, create.server);
        let request = self
            .changing
            .post(self.url("/snapshots/"))
            .json(&CreateBody::from(create));
        self.change(pass, Call::Create, &what, request, |body| {
            wire::created(body, create)
        })
        .await
    }

    async fn delete(&self, pass: Permit, id: SnapshotId) -> Result<(), ApiError> {
        let what = format!("delete snapshot {id}");
        let request = self
            .changing
            .delete(self.url(&format!("/snapshots/{}/", id.component())));
        // 204 has no body. Only a listing shows that the snapshot is gone.
        self.change(pass, Call::Delete, &what, request, |_| Ok(()))
            .await
    }

    async fn restore(&self, pass: Permit, id: SnapshotId) -> Result<(), ApiError> {
        let what = format!("restore snapshot {id}");
        let url = self.url(&format!("/snapshots/{}/restore/", id.component()));
        let request = self.changing.post(url);
        self.change(pass, Call::Restore, &what, request, |body| {
            wire::restored(body, &id)
        })
        .await
    }

    async fn state(&self, pass: Permit, server: &ServerId) -> ServerInfo {
        self.ask_state(pass, server).await
    }

    async fn power(
        &self,
        pass: Permit,
        server: &ServerId,
        action: PowerAction,
    ) -> Result<(), ApiError> {
        self.send_power(pass, server, action).await
    }

    fn renew(&self) -> Result<(), String> {
        let token = Arc::new(load(&self.source)?);
        let mut used = self.token.write().unwrap_or_else(PoisonError::into_inner);
        if !used.is(&token) {
            self.tokens.fetch_add(1, Ordering::Relaxed);
        }
        *used = token;
        Ok(())
    }

    fn token(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }
}

fn load(source: &TokenSource) -> Result<Token, String> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    Token::load(source, credentials.as_deref())
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
