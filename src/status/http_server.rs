//! Answers over HTTP whoever comes to a listener, and lets nobody take for ever: a request's
//! head comes in time, and who is connected leaves soon after the listener is given up.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take from when it is waited for, however steadily its
/// bytes come. So a connection between two requests is kept for as long.
const HEAD: Duration = Duration::from_secs(10);

/// How long an answer that is on its way may still take when the listener is given up.
const LEAVE: Duration = Duration::from_secs(3);

/// Answers until `stop`; `routes` are those for one connection. Whoever is connected then is
/// not waited for, so that another listener can follow at once.
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
#[path = "http_server_tests.rs"]
mod tests;
