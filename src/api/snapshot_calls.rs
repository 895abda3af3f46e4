//! The implementation of `SnapshotApi` over HTTP.

use super::error::{ApiError, Call};
use super::http::{HttpApi, load};
use super::pagination::{PageEnd, PageSink};
use super::power::PowerAction;
use super::rate_limit::Permit;
use super::response_shape::ShapeSampler;
use super::wire::{CreateBody, ListingBuilder};
use super::{CreatedSnapshot, Listing, NewSnapshot, SnapshotApi, wire};
use crate::core::server_info::ServerInfo;
use crate::core::snapshot::{ServerId, SnapshotId};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

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

impl HttpApi {
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
}

impl SnapshotApi for HttpApi {
    async fn admit(&self) -> Result<Permit, ApiError> {
        let pass = self.limiter.admit_change().await;
        pass.map_err(|hold| self.held_back(hold))
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
