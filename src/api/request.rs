//! Sends one request and reads its answer, within the limits of time and size.

use std::error::Error;
use std::sync::{Arc, PoisonError};

use reqwest::header::{ACCEPT, AUTHORIZATION, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::error::{BODY_SHOWN, Call, chain, kind_of};
use super::error_body::{said_by, words};
use super::rate_limit::LongHold;
use super::token::Token;
use super::{ApiError, ErrorKind, HttpApi, printable, retry_after};
use crate::core::sanitize::utc;

/// Maximum number of bytes of an error's body that are read.
const ERROR_BODY: usize = 4 * 1024;

/// A successful answer with its whole body.
pub(super) struct ApiResponse {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// A failed request. `again` is true if a retry could help; only GETs are retried.
pub(super) struct RequestFailure {
    pub error: ApiError,
    pub again: bool,
}

impl HttpApi {
    /// Sends a request once and returns a successful answer. Every request passes through here and
    /// is counted.
    pub(super) async fn send(
        &self,
        call: Call,
        what: &str,
        request: RequestBuilder,
        most: usize,
    ) -> Result<ApiResponse, RequestFailure> {
        let began = Instant::now();
        let answer = self.exchange(call, what, request, most).await;
        let kind = answer.as_ref().err().map(|failure| failure.error.kind);
        self.tally.note(call, kind, began.elapsed());
        answer
    }

    async fn exchange(
        &self,
        call: Call,
        what: &str,
        request: RequestBuilder,
        most: usize,
    ) -> Result<ApiResponse, RequestFailure> {
        let token = self.token();
        let fail = |kind, status: Option<StatusCode>, text: &str, again| RequestFailure {
            // I13: an answer may repeat the token.
            error: ApiError::new(
                kind,
                status.map(|status| status.as_u16()),
                &token.scrub(&format!("{what}: {text}")),
            ),
            again,
        };
        let late = |status| {
            let text = format!(
                "timed out: no complete answer within {:?}",
                self.request_timeout
            );
            fail(ErrorKind::Unknown, status, &text, true)
        };
        let request = request
            .header(AUTHORIZATION, token.header())
            .header(ACCEPT, "application/json");
        let began = Instant::now();
        let deadline = began + self.request_timeout;
        let mut response = match timeout_at(deadline, request.send()).await {
            Err(_) => return Err(late(None)),
            Ok(Err(error)) => {
                // Without a connection nothing was sent. After a later failure the request may have
                // taken effect.
                let kind = if error.is_connect() || error.is_builder() {
                    ErrorKind::Later
                } else {
                    ErrorKind::Unknown
                };
                return Err(fail(kind, None, &unsent(error), true));
            }
            Ok(Ok(response)) => response,
        };
        let status = response.status();
        match retry_after::asked(status, response.headers(), self.clock.now().wall) {
            Some(time) => self.limiter.hold(self.clock.real(time), status.as_u16()),
            None if retry_after::is_refusal(status) => self.limiter.refused(began, status.as_u16()),
            None => self.limiter.answered(),
        }
        if status.is_redirection() {
            let text = format!(
                "answered {status}; the redirect to {} is not followed",
                target(&response)
            );
            return Err(fail(ErrorKind::Later, Some(status), &text, false));
        }
        let mut body = Vec::new();
        if !status.is_success() {
            // The status determines the error; a late or truncated body does not change it.
            let _ = timeout_at(deadline, read(&mut response, ERROR_BODY, &mut body)).await;
            return Err(RequestFailure {
                error: refused(call, status, what, &body, &token),
                again: true,
            });
        }
        match timeout_at(deadline, read(&mut response, most, &mut body)).await {
            Err(_) => Err(late(Some(status))),
            Ok(Err(BodyError::Long)) => Err(RequestFailure {
                error: self.too_long(what),
                again: false,
            }),
            Ok(Err(BodyError::Broken(error))) => {
                let text = format!(
                    "answered {status}, but the answer broke off: {}",
                    chain(&error.without_url())
                );
                Err(fail(ErrorKind::Unknown, Some(status), &text, true))
            }
            Ok(Ok(())) => Ok(ApiResponse { status, body }),
        }
    }

    /// Returns the error for a request that is not sent, since the provider asked for a long pause.
    pub(super) fn held_back(&self, hold: LongHold) -> ApiError {
        let LongHold { left, status } = hold;
        let now = self.clock.now().wall;
        let until = now.saturating_add(self.clock.scaled(left)).unwrap_or(now);
        let text = format!(
            "no request is sent before {}: the provider asked for that pause when it answered {status}",
            utc(until)
        );
        ApiError::new(ErrorKind::Later, Some(status), &text)
    }

    /// Returns the error for a success whose body is longer than the limit.
    pub(super) fn too_long(&self, what: &str) -> ApiError {
        let most = self.max_body;
        let text = format!("{what}: answered with more than {most} bytes (max_body)");
        ApiError::new(ErrorKind::Unknown, Some(200), &text)
    }

    /// Returns the error for a success whose body contradicts it or can't be read.
    pub(super) fn unreadable(&self, what: &str, reason: &str, answer: &ApiResponse) -> ApiError {
        unreadable(answer.status, what, reason, &answer.body, &self.token())
    }

    fn token(&self) -> Arc<Token> {
        Arc::clone(&self.token.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the error for an answer that is not a success, with the provider's words or, if there
/// are none, the beginning of the body.
pub(super) fn refused(
    call: Call,
    status: StatusCode,
    what: &str,
    body: &[u8],
    token: &Token,
) -> ApiError {
    let body = shown(body, token);
    // An escape sequence in the body may have hidden the token.
    let said = words(&body).map(|said| said_by(&token.scrub(&said)));
    let told = said.clone();
    let told = told.unwrap_or_else(|| printable(body.trim(), BODY_SHOWN));
    let text = format!("{what}: answered {status}: {told}");
    let text = token.scrub(text.trim_end_matches(": "));
    let status = status.as_u16();
    ApiError {
        said,
        ..ApiError::new(kind_of(call, status), Some(status), &text)
    }
}

/// Returns the error for a success whose body can't be read for this reason.
pub(super) fn unreadable(
    status: StatusCode,
    what: &str,
    reason: &str,
    body: &[u8],
    token: &Token,
) -> ApiError {
    let text = format!(
        "{what}: answered {status}, but not as documented: {}; it begins: {}",
        token.scrub(reason),
        printable(shown(body, token).trim(), BODY_SHOWN)
    );
    ApiError::new(ErrorKind::Unknown, Some(status.as_u16()), &text)
}

/// Returns the part of a body that an error uses, without the token (I13).
fn shown(body: &[u8], token: &Token) -> String {
    let body = body.get(..ERROR_BODY).unwrap_or(body);
    token.scrub(&String::from_utf8_lossy(body))
}

/// Why a body was not read to its end.
enum BodyError {
    Long,
    Broken(reqwest::Error),
}

/// Appends the body to `into`, up to `most` bytes. Bytes read before a failure are kept.
async fn read(response: &mut Response, most: usize, into: &mut Vec<u8>) -> Result<(), BodyError> {
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        let room = most - into.len();
        into.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() > room {
            return Err(BodyError::Long);
        }
    }
    Ok(())
}

/// Describes why a request got no answer, and from which origin. Leaves out the client library's
/// own layers of the error, which add nothing.
fn unsent(error: reqwest::Error) -> String {
    let origin = error.url().map(|url| url.origin().ascii_serialization());
    let connecting = error.is_connect();
    let error = error.without_url();
    let Some(origin) = origin.filter(|_| !error.is_builder()) else {
        return chain(&error);
    };
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        let said = cause.to_string();
        if !said.starts_with("error sending request") && !said.starts_with("client error (") {
            break;
        }
        cause = inner;
    }
    let failed = if connecting {
        "no connection to"
    } else {
        "no answer from"
    };
    format!("{failed} {origin}: {}", chain(cause))
}

/// Returns a redirect's target as an origin only, since the rest may hold secrets.
fn target(response: &Response) -> String {
    response
        .headers()
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| response.url().join(location).ok())
        .map_or_else(
            || "an unreadable address".to_owned(),
            |url| url.origin().ascii_serialization(),
        )
}
