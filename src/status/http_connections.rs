//! Serves HTTP on a listener. The time for a request's head is limited, and connections end soon
//! after the listener is closed.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;

/// Longest time for the head of a request, from the moment the server starts to wait for it,
/// however steadily its bytes arrive. An idle connection is therefore closed after the same time.
const HEAD: Duration = Duration::from_secs(10);

/// Time that responses in flight still get after the listener is closed.
const LEAVE: Duration = Duration::from_secs(3);

/// Serves until `stop`; `routes` returns the routes of one connection. Open connections are not
/// waited for, so that another listener can follow at once.
pub(super) async fn serve<L: Listener>(
    mut listener: L,
    routes: impl Fn(&L::Io) -> Router,
    stop: impl Future<Output = ()>,
) {
    let leave = CancellationToken::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            (stream, _) = listener.accept() => {
                let routes = routes(&stream);
                tokio::spawn(connection::<L>(stream, routes, leave.clone()));
            }
        }
    }
    leave.cancel();
}

async fn connection<L: Listener>(stream: L::Io, routes: Router, leave: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let service = TowerToHyperService::new(routes);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leave.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(LEAVE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

#[cfg(test)]
#[path = "http_connections_tests.rs"]
mod tests;
