//! Answers as bytes on the wire, intact or spoiled by a fault.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use super::connection::ConnectionHandle;
use super::faults::FaultKind;
use super::state::StatusAndBody;

/// The size of the pieces in which a huge body is generated.
const PIECE: u64 = 64 * 1024;

/// The reply to a request: an answer, a hang, or a cut connection.
pub(super) enum Reply {
    Whole(Response),
    Hang,
    Cut,
}

pub(super) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
    }
    response
}

/// Cuts the connection; the returned response is never written.
pub(super) fn cut(line: &ConnectionHandle) -> Response {
    line.cut();
    Response::new(Body::empty())
}

pub(super) fn whole((status, body): StatusAndBody) -> Reply {
    Reply::Whole(json(code(status), body))
}

/// Returns the answer as the fault changes it.
pub(super) fn spoiled(
    (status, body): StatusAndBody,
    what: &FaultKind,
    stop: &CancellationToken,
) -> Reply {
    let response = match what {
        FaultKind::Listing(_) | FaultKind::Made(_) => return whole((status, body)),
        FaultKind::Hang => return Reply::Hang,
        FaultKind::Cut => return Reply::Cut,
        FaultKind::CutBody => cut_body(code(status), body),
        FaultKind::Drip(pause) => drip(code(status), body, *pause, stop.clone()),
        FaultKind::Huge(size) => json(StatusCode::OK, huge(*size, stop.clone())),
        FaultKind::Answer {
            status,
            retry_after,
            location,
            html,
            body,
        } => {
            let mut response = json(code(*status), body.clone());
            let headers = response.headers_mut();
            if *html {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            }
            for (name, value) in [(RETRY_AFTER, retry_after), (LOCATION, location)] {
                let value = value
                    .as_ref()
                    .and_then(|text| HeaderValue::from_str(text).ok());
                if let Some(value) = value {
                    headers.insert(name, value);
                }
            }
            response
        }
    };
    Reply::Whole(response)
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Announces the length of the whole body, but sends only half of it.
fn cut_body(status: StatusCode, body: String) -> Response {
    let length = HeaderValue::from(body.len());
    let mut body = Bytes::from(body);
    let half = body.split_to(body.len() / 2);
    let pieces = stream::unfold(Some(half), |half| async move {
        if let Some(half) = half {
            return Some((Ok(half), None));
        }
        // Lets the connection send its bytes before it receives the error.
        tokio::task::yield_now().await;
        Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None))
    });
    let mut response = json(status, Body::from_stream(pieces));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// Sends the body a byte at a time.
fn drip(status: StatusCode, body: String, pause: Duration, stop: CancellationToken) -> Response {
    let length = HeaderValue::from(body.len());
    let drops = stream::unfold(
        (Bytes::from(body), stop),
        move |(mut rest, stop)| async move {
            if rest.is_empty() {
                return None;
            }
            tokio::select! {
                () = stop.cancelled() => return Some((Err(io::Error::other("stopped")), (Bytes::new(), stop))),
                () = tokio::time::sleep(pause) => {}
            }
            let next = rest.split_to(1);
            Some((Ok(next), (rest, stop)))
        },
    );
    let mut response = json(status, Body::from_stream(drops));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// Returns the beginning of a listing and then blanks, `size` bytes in all.
fn huge(size: u64, stop: CancellationToken) -> Body {
    let start = Bytes::from_static(br#"{"count":1,"results":["#);
    let blanks = Bytes::from(vec![b' '; usize::try_from(PIECE).unwrap_or_default()]);
    let pieces = stream::unfold((size, Some(start)), move |(left, start)| {
        let piece = start.unwrap_or_else(|| blanks.clone());
        let stopped = stop.is_cancelled();
        async move {
            if left == 0 || stopped {
                return None;
            }
            let length = left.min(u64::try_from(piece.len()).unwrap_or(PIECE));
            let piece = piece.slice(..usize::try_from(length).unwrap_or_default());
            Some((Ok::<_, Infallible>(piece), (left - length, None)))
        }
    });
    Body::from_stream(pieces)
}
