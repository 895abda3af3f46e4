//! The pages of a listing: followed one after the other, or fetched in parallel if the first one
//! shows how many there are.
//!
//! Supports the three pagination styles of Django REST framework: page number, limit and offset,
//! and cursor.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::{StreamExt as _, stream};
use reqwest::Url;

use super::error::Call;
use super::request::{ApiResponse, RequestFailure};
use super::{ApiError, ErrorKind, HttpApi, client};

/// Maximum number of pages of a listing. No account needs more, so a longer listing is a loop.
pub(super) const MOST_PAGES: usize = 10_000;
/// Number of rows to request per page: the provider returns 20 by default and at most 100.
const PAGE_SIZE: &str = "100";
/// Maximum number of tries of a GET.
pub(super) const GET_TRIES: usize = 3;
/// Longest pause before the second try of a GET; twice that before the third.
pub(super) const GET_PAUSE: Duration = Duration::from_secs(1);

const FEWER: &str = "the pages of the listing differ from what its first page announces";

/// The result of reading a page: how the listing continues.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PageEnd {
    /// The link to the next page, as the provider wrote it.
    pub next: Option<String>,
    /// Number of rows on this page.
    pub rows: u64,
    /// Number of rows of the whole listing, if the page gives it.
    pub count: Option<u64>,
}

/// Receives the pages of a listing in order.
pub(super) trait PageSink {
    /// Receives the next page. Fails if the body is not a page.
    fn page(&mut self, body: &[u8]) -> Result<PageEnd, String>;

    /// Puts the listing in doubt. `shifted` is true if its pages changed while they were read.
    fn doubt(&mut self, reason: &str, shifted: bool);
}

impl HttpApi {
    /// Fetches all pages of the listing at this address.
    pub(super) async fn walk(
        &self,
        what: &str,
        url: Url,
        into: &mut impl PageSink,
    ) -> Result<(), ApiError> {
        let mut room = self.max_body;
        let (first, end) = self.first_page(what, url, &mut room, into).await?;
        let Some(next) = self.follow(&first, end.next.as_deref(), into) else {
            return Ok(());
        };
        let rest = end.count.and_then(|count| numbered(&next, end.rows, count));
        match rest {
            Some(rest) => self.side_by_side(what, rest, room, into).await,
            None => self.one_by_one(what, first, next, room, into).await,
        }
    }

    /// Fetches the first page, with [`PAGE_SIZE`] unless the provider has rejected that.
    async fn first_page(
        &self,
        what: &str,
        url: Url,
        room: &mut usize,
        into: &mut impl PageSink,
    ) -> Result<(Url, PageEnd), ApiError> {
        if !self.plain_pages.load(Ordering::Relaxed) {
            let mut large = url.clone();
            large.query_pairs_mut().append_pair("page_size", PAGE_SIZE);
            match self.page(what, &large, room, into).await {
                Err(error) if error.status == Some(400) => {}
                other => return other.map(|end| (large, end)),
            }
            let end = self.page(what, &url, room, into).await?;
            self.plain_pages.store(true, Ordering::Relaxed);
            return Ok((url, end));
        }
        let end = self.page(what, &url, room, into).await?;
        Ok((url, end))
    }

    /// Follows the links from page to page.
    async fn one_by_one(
        &self,
        what: &str,
        first: Url,
        next: Url,
        mut room: usize,
        into: &mut impl PageSink,
    ) -> Result<(), ApiError> {
        let mut seen = BTreeSet::from([first]);
        let mut next = Some(next);
        while let Some(url) = next {
            if seen.len() == MOST_PAGES || !seen.insert(url.clone()) {
                into.doubt(
                    "the pages of the listing repeat, or there are too many",
                    false,
                );
                break;
            }
            let end = self.page(what, &url, &mut room, into).await?;
            next = self.follow(&url, end.next.as_deref(), into);
        }
        Ok(())
    }

    /// Fetches the other pages in parallel and passes them on in order. Each must link to the next.
    async fn side_by_side(
        &self,
        what: &str,
        rest: Vec<Url>,
        mut room: usize,
        into: &mut impl PageSink,
    ) -> Result<(), ApiError> {
        let most = room;
        let fetched = rest.clone().into_iter().map(|url| async move {
            let answer = self
                .get(what, &url, most, |answer| Ok(answer.body.len()))
                .await;
            (url, answer)
        });
        let mut fetched = stream::iter(fetched).buffered(self.limiter.places());
        let mut expected = rest.iter().skip(1);
        while let Some((url, answer)) = fetched.next().await {
            let (answer, length) = match answer {
                // There are fewer pages than the first one announced.
                Err(error) if error.kind == ErrorKind::Missing => {
                    into.doubt(FEWER, true);
                    break;
                }
                answer => answer?,
            };
            if length > room {
                return Err(self.too_long(what));
            }
            room -= length;
            let end = into.page(&answer.body);
            let end = end.map_err(|reason| self.unreadable(what, &reason, &answer))?;
            let next = self.follow(&url, end.next.as_deref(), into);
            if next.as_ref().map(parts) != expected.next().map(parts) {
                into.doubt(FEWER, true);
                break;
            }
        }
        Ok(())
    }

    /// Returns the address of the next page, if there is one that may be requested.
    fn follow(&self, current: &Url, link: Option<&str>, into: &mut impl PageSink) -> Option<Url> {
        match client::next_page(&self.base, current, link?) {
            Ok(next) => Some(next),
            Err(reason) => {
                into.doubt(&reason, false);
                None
            }
        }
    }

    /// Fetches one page and deducts its bytes from `room`.
    async fn page(
        &self,
        what: &str,
        url: &Url,
        room: &mut usize,
        into: &mut impl PageSink,
    ) -> Result<PageEnd, ApiError> {
        let (answer, end) = self
            .get(what, url, *room, |answer| into.page(&answer.body))
            .await?;
        *room -= answer.body.len().min(*room);
        Ok(end)
    }

    /// Sends a GET up to three times, with a permit for each try; `read` reads the body.
    pub(super) async fn get<T>(
        &self,
        what: &str,
        url: &Url,
        most: usize,
        mut read: impl FnMut(&ApiResponse) -> Result<T, String>,
    ) -> Result<(ApiResponse, T), ApiError> {
        let mut pauses = full_jitter();
        loop {
            let pass = self.limiter.admit().await;
            let pass = pass.map_err(|hold| self.held_back(hold))?;
            let request = self.reading.get(url.clone());
            let result = self.send(Call::List, what, request, most).await;
            drop(pass);
            let result = result.and_then(|answer| match read(&answer) {
                Ok(value) => Ok((answer, value)),
                Err(reason) => Err(RequestFailure {
                    error: self.unreadable(what, &reason, &answer),
                    again: true,
                }),
            });
            let RequestFailure { error, again } = match result {
                Ok(read) => return Ok(read),
                Err(failure) => failure,
            };
            let passing = matches!(error.kind, ErrorKind::Later | ErrorKind::Unknown);
            // If the provider asks for a pause longer than one request may take, the caller must
            // receive the error.
            let soon = self.limiter.held() <= self.request_timeout;
            match pauses.next() {
                Some(pause) if again && passing && soon => tokio::time::sleep(pause).await,
                _ => return Err(error),
            }
        }
    }
}

/// Returns the addresses of all pages from `second` on, for a listing of `count` rows with `rows`
/// per page. `None` if `second` does not identify its page by number or offset, or if the count
/// contradicts the link: the links must then be followed.
fn numbered(second: &Url, rows: u64, count: u64) -> Option<Vec<Url>> {
    let pages = count.div_ceil(rows.max(1));
    // A next page beyond the count contradicts it, so the links must be followed.
    if rows == 0 || pages < 2 || pages > u64::try_from(MOST_PAGES).unwrap_or(u64::MAX) {
        return None;
    }
    let is = |key: &str, value: u64| {
        let mut pairs = second.query_pairs();
        pairs.any(|(k, v)| k == key && v == value.to_string())
    };
    let (key, step) = match (is("page", 2), is("offset", rows)) {
        (true, false) => ("page", 1),
        (false, true) => ("offset", rows),
        _ => return None,
    };
    let first = u64::from(key == "page");
    let address = |number: u64| {
        let value = (first + step * number).to_string();
        let mut url = second.clone();
        let pairs = second.query_pairs();
        let pairs = pairs.map(|(k, v)| {
            if k == key {
                (k, value.as_str().into())
            } else {
                (k, v)
            }
        });
        url.query_pairs_mut().clear().extend_pairs(pairs);
        url
    };
    Some((1..pages).map(address).collect())
}

/// Returns the parts of an address that identify a page: its path, and its query in any order.
fn parts(url: &Url) -> (&str, BTreeSet<Pair<'_>>) {
    (url.path(), url.query_pairs().collect())
}

type Pair<'u> = (Cow<'u, str>, Cow<'u, str>);

/// Returns the pauses between the tries of a GET, random between zero and the full pause, so that
/// clients that failed together do not retry together. backon adds its jitter to the pause;
/// subtracting the pause leaves the jitter.
pub(super) fn full_jitter() -> impl Iterator<Item = Duration> {
    let plain = ExponentialBuilder::new()
        .with_min_delay(GET_PAUSE)
        .with_max_times(GET_TRIES - 1);
    let jittered = plain.with_jitter().build();
    jittered
        .zip(plain.build())
        .map(|(jittered, plain)| jittered.saturating_sub(plain))
}
