//! Read-only HTTP over TCP: the status page, the metrics and the health check.
//!
//! Rotation doesn't depend on it: binding a port is retried, connections are bounded, and slow work
//! runs outside the rotation loop.
//!
//! A browser on the administrator's host reaches loopback too, and so does every web site in it.
//! Requests are therefore answered only if they name an address, `localhost` or a configured host:
//! a site that resolves its own name to this address (DNS rebinding) is refused. No other site can
//! read an answer, frame it or run a script in it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, RawQuery, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::bounded_listener::{BoundedConnection, BoundedListener, working};
use super::http_answer::{Accepted, Content};
use super::http_connections::serve;
use super::page_model::{PageModel, RenderFailure};
use super::{forecast_svg, metrics, page, server_lookup};
use crate::api::SnapshotApi;
use crate::config::Http;

/// Time between two attempts to bind the port.
const AGAIN: Duration = Duration::from_secs(30);

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/page.js");
const ICON: &str = include_str!("assets/icon.svg");

const HTML: &str = "text/html; charset=utf-8";

/// The headers of every answer: pages load nothing from elsewhere and hold no inline script or
/// style, and no other site can frame or read them.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Serves the status page as configured, and applies changes of the settings.
pub struct PageServer<A> {
    site: Arc<PageModel<A>>,
    settings: watch::Receiver<Option<Http>>,
    /// The listener to serve next, and the hosts that requests may name.
    listener: Option<(BoundedListener<TcpListener>, Vec<String>)>,
    /// The last logged error of binding the port, so that it is logged once.
    said: Option<String>,
}

impl<A: SnapshotApi> PageServer<A> {
    /// Binds the port if the settings have an address. [`run`](Self::run) then answers requests.
    pub async fn open(site: Arc<PageModel<A>>, settings: watch::Receiver<Option<Http>>) -> Self {
        let mut server = Self {
            site,
            settings,
            listener: None,
            said: None,
        };
        server.listen().await;
        server
    }

    /// Returns the address and why the port could not be bound, if so.
    pub fn failure(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// Answers requests until the sender of the settings is dropped.
    pub async fn run(mut self) {
        loop {
            if let Some((listener, hosts)) = self.listener.take() {
                let mut changes = self.settings.clone();
                let stop = async move {
                    let _changed_or_gone = changes.changed().await;
                };
                let routes = routes(Arc::clone(&self.site), hosts);
                let routes = |stream: &BoundedConnection<TcpStream>| {
                    let working = from_fn_with_state(stream.working(), working);
                    routes.clone().layer(working)
                };
                serve(listener, routes, stop).await;
                if self.settings.has_changed().is_err() {
                    return;
                }
            } else {
                let wanted = self.settings.borrow().is_some();
                tokio::select! {
                    () = tokio::time::sleep(AGAIN), if wanted => {}
                    changed = self.settings.changed() => if changed.is_err() { return },
                }
            }
            self.listen().await;
        }
    }

    async fn listen(&mut self) {
        let Some(Http { listen, hosts, .. }) = self.settings.borrow_and_update().clone() else {
            return;
        };
        match BoundedListener::bind(listen).await {
            Ok(listener) => {
                tracing::info!(address = %listen, "the status page is served");
                self.listener = Some((listener, hosts));
                self.said = None;
            }
            Err(error) => {
                let why = format!("{listen}: {error}");
                if self.said.as_ref() != Some(&why) {
                    tracing::error!(address = %listen, %error, "no status page: the service can't listen on the address; retried twice a minute while rotation continues");
                    self.said = Some(why);
                }
            }
        }
    }
}

fn routes<A: SnapshotApi>(site: Arc<PageModel<A>>, hosts: Vec<String>) -> Router {
    let style = format!("{STYLE}{}", forecast_svg::STYLE);
    let style = asset("text/css; charset=utf-8", style);
    let script = asset("text/javascript; charset=utf-8", SCRIPT);
    let icon = asset("image/svg+xml", ICON);
    Router::new()
        .route("/", get(fleet::<A>))
        .route("/server/{id}", get(server::<A>))
        .route("/metrics", get(scrape::<A>))
        .route("/healthz", get(health::<A>))
        .route("/api/v1/status", get(json::<A>))
        .route("/style.css", style)
        .route("/page.js", script)
        .route("/icon.svg", icon)
        .fallback(|| async { nothing("There is no such page.") })
        .layer(from_fn_with_state(Arc::new(hosts), guard))
        .with_state(site)
}

/// Answers with a file of the program.
fn asset<S: Clone + Send + Sync + 'static>(
    kind: &'static str,
    text: impl Into<Bytes>,
) -> MethodRouter<S> {
    let text = text.into();
    let forms = [false, true].map(|gzip| Content::tagged(kind, text.clone(), gzip));
    get(|asked: Accepted| async move { forms[usize::from(asked.gzip)].answer(&asked) })
}

/// Admits requests that name an address or a known host, and adds the headers to every answer.
async fn guard(State(hosts): State<Arc<Vec<String>>>, request: Request, next: Next) -> Response {
    let mut response = if addressed(request.uri(), request.headers(), &hosts) {
        next.run(request).await
    } else {
        let why = "the host name in the request is not one of this service's: add it to hosts in [http]\n";
        (StatusCode::MISDIRECTED_REQUEST, why).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let kept = headers.entry(header::CACHE_CONTROL);
    kept.or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Returns true if every host that the request names is an address, `localhost`, or one of `hosts`.
fn addressed(uri: &Uri, headers: &HeaderMap, hosts: &[String]) -> bool {
    let known = |authority: &str| {
        let host = host_of(authority).to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok() || host == "localhost" || hosts.contains(&host)
    };
    let mut named = headers.get_all(header::HOST).iter();
    let one = named.next().and_then(|host| host.to_str().ok());
    let absolute = uri
        .authority()
        .is_none_or(|authority| known(authority.as_str()));
    one.is_some_and(known) && named.next().is_none() && absolute
}

/// Returns the host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

impl IntoResponse for RenderFailure {
    fn into_response(self) -> Response {
        let why = "the page could not be rendered: see the service's log\n";
        (StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
    }
}

async fn fleet<A: SnapshotApi>(
    State(site): State<Arc<PageModel<A>>>,
    RawQuery(query): RawQuery,
    Query(fields): Query<Vec<(String, String)>>,
    asked: Accepted,
) -> Result<Response, RenderFailure> {
    let view = site.view().await?;
    let key = (query.unwrap_or_default(), asked.gzip);
    let shown = Arc::clone(&site);
    let page = site.run_on_worker(move || {
        shown.rendered.page(&view, key, || {
            let searched = page::SearchQuery::from(fields);
            let html = page::fleet(&view, &searched, &shown.zone);
            Content::tagged(HTML, html, asked.gzip)
        })
    });
    Ok(page.await?.answer(&asked))
}

async fn server<A: SnapshotApi>(
    State(site): State<Arc<PageModel<A>>>,
    Path(id): Path<String>,
    asked: Accepted,
) -> Result<Response, RenderFailure> {
    let view = site.view().await?;
    let (shown, gzip) = (Arc::clone(&site), asked.gzip);
    let found = site.run_on_worker(move || {
        // The address may have a name typed by a person. Links have the id, so names are
        // redirected.
        let server = server_lookup::find(&view.servers, &id).ok().flatten()?;
        if server.id.to_string() != id {
            return Some(Err(server.id.clone()));
        }
        let detail = shown.detail(&server.id, view.time)?;
        let html = page::server(&view, server, &detail, &shown.zone);
        Some(Ok(Content::tagged(HTML, html, gzip)))
    });
    Ok(match found.await? {
        Some(Ok(page)) => page.answer(&asked),
        Some(Err(id)) => Redirect::to(&format!("/server/{}", id.component())).into_response(),
        None => nothing("There is no policy for this server."),
    })
}

fn nothing(why: &'static str) -> Response {
    let html = page::nothing(why);
    let typed = (header::CONTENT_TYPE, HTML);
    (StatusCode::NOT_FOUND, [typed], html).into_response()
}

async fn scrape<A: SnapshotApi>(
    State(site): State<Arc<PageModel<A>>>,
    asked: Accepted,
) -> Result<Response, RenderFailure> {
    let view = site.view().await?;
    let (calls, watched) = site.counts();
    let gzip = asked.gzip;
    let text = site.run_on_worker(move || {
        let text = metrics::text(view, calls, watched).map_err(|_| RenderFailure)?;
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        Ok(Content::changing(kind, text, gzip))
    });
    Ok(text.await??.answer(&asked))
}

async fn json<A: SnapshotApi>(
    State(site): State<Arc<PageModel<A>>>,
    asked: Accepted,
) -> Result<Response, RenderFailure> {
    let view = site.view().await?;
    let gzip = asked.gzip;
    let json = site.run_on_worker(move || {
        let json = serde_json::to_vec(&*view).map_err(|_| RenderFailure)?;
        Ok(Content::changing("application/json", json, gzip))
    });
    Ok(json.await??.answer(&asked))
}

async fn health<A: SnapshotApi>(State(site): State<Arc<PageModel<A>>>) -> Response {
    match site.health_problem() {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_that_name_an_address_localhost_or_a_configured_host_are_answered() {
        let hosts = ["admin.example.org".to_owned()];
        let asked = |uri: &str, named: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in named {
                headers.append(header::HOST, host.parse().expect("a value"));
            }
            addressed(&uri.parse().expect("a uri"), &headers, &hosts)
        };
        for good in [
            "127.0.0.1:9180",
            "127.0.0.1",
            "[::1]:9180",
            "[::1]",
            "192.0.2.7:80",
            "localhost:1",
            "LocalHost",
            "admin.example.org",
            "Admin.example.org:9180",
        ] {
            assert!(asked("/", &[good]), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:9180",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "admin.example.org.evil.example",
            "127.0.0.1@evil.example",
            "",
            ":9180",
        ] {
            assert!(!asked("/", &[bad]), "{bad}");
        }
        assert!(!asked("/", &[]), "no name");
        assert!(!asked("/", &["127.0.0.1", "evil.example"]), "two names");
        assert!(!asked("http://evil.example/", &["127.0.0.1"]));
        assert!(asked("http://127.0.0.1/", &["127.0.0.1"]));
    }
}
