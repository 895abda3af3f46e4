//! The HTTP client: the addresses that it sends to, and the certificates that it trusts.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Url};

use super::error::chain;
use super::rate_limit::RateSettings;
use super::token::TokenSource;
use super::{Proxy, printable};

const USER_AGENT: &str = concat!("snaprotate/", env!("CARGO_PKG_VERSION"));
/// Maximum number of characters of an address that a message repeats.
const URL_SHOWN: usize = 100;

/// Settings of the client. They are validated with the configuration, and again by the client.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The API's address, such as `https://admin.vps.org/api/v1`. Plain `http` on loopback only.
    pub base_url: String,
    /// Where the token comes from.
    pub token: TokenSource,
    /// Time limit for connecting, including the TLS handshake.
    pub connect_timeout: Duration,
    /// Time limit for one request, from connecting to the last byte of the answer.
    pub request_timeout: Duration,
    /// Limits on the request rate and on requests in flight.
    pub rate: RateSettings,
    /// Maximum number of bytes of one answer, and of all pages of one listing together.
    pub max_body: usize,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy to the API.
    pub proxy: Proxy,
}

/// Why an address is rejected as the API's base URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// It can't be parsed.
    #[error("base_url is not a URL: {0}")]
    NotAUrl(String),
    /// Its scheme is neither `https` nor `http`, or it has no host.
    #[error("base_url is not a web address")]
    NotAWebAddress,
    /// It contains a user name or a password, which the client would send besides the token.
    #[error("base_url must not contain a user name or a password")]
    HasUser,
    /// It has a query or a fragment, so no path can be appended.
    #[error("base_url must end with its path: no '?' and no '#'")]
    HasQuery,
    /// Anyone on the network path could read the token (I13).
    #[error("base_url would send the token unencrypted")]
    Unencrypted,
}

impl BaseUrlError {
    /// Returns what to write instead.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unencrypted => {
                "write https:// (http:// is only for 127.0.0.1, [::1] and localhost)"
            }
            _ => "write base_url = \"https://admin.vps.org/api/v1\"",
        }
    }
}

/// Parses the API's address. The result ends in a slash, so that paths can be joined to it.
pub fn parse_base_url(text: &str) -> Result<Url, BaseUrlError> {
    let mut url = Url::parse(text).map_err(|error| BaseUrlError::NotAUrl(error.to_string()))?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err(BaseUrlError::NotAWebAddress);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BaseUrlError::HasUser);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BaseUrlError::HasQuery);
    }
    if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) {
        return Err(BaseUrlError::Unencrypted);
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Like [`parse_base_url`], with the error and its remedy as one text.
pub(super) fn base(text: &str) -> Result<Url, String> {
    parse_base_url(text).map_err(|error| format!("{error}: {}", error.remedy()))
}

/// Returns true for `localhost` and loopback addresses: requests to them stay on this host.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

/// Returns the address of a listing's next page. It must be on the same host, below the base, and
/// without a user name or password (I13). The base's scheme and port are always used, since a
/// provider behind a front end may name others.
pub(super) fn next_page(base: &Url, current: &Url, link: &str) -> Result<Url, String> {
    let unreadable = |error| format!("the link to the next page can't be read: {error}");
    let given = current.join(link).map_err(unreadable)?;
    if !given.username().is_empty() || given.password().is_some() {
        return Err(
            "the link to the next page contains a user name or a password; it is not followed"
                .to_owned(),
        );
    }
    if !matches!(given.scheme(), "http" | "https") || given.host() != base.host() {
        return Err(format!(
            "the next page is on another host ({}); the link is not followed",
            printable(&given.origin().ascii_serialization(), URL_SHOWN)
        ));
    }
    let mut next = base.clone();
    next.set_path(given.path());
    next.set_query(given.query());
    let folder = format!("{}/", base.path().trim_end_matches('/'));
    if !next.path().starts_with(&folder) {
        return Err("the next page is outside of base_url; the link is not followed".to_owned());
    }
    Ok(next)
}

/// Builds a client for this origin. `keep` is true if connections are kept for later requests.
pub(super) fn build(settings: &ApiSettings, base: &Url, keep: bool) -> Result<Client, String> {
    let mut builder = settings
        .proxy
        .apply(plain().connect_timeout(settings.connect_timeout))?;
    if !keep {
        builder = builder.pool_max_idle_per_host(0);
    }
    trusting(
        builder,
        base.scheme() == "http",
        settings.ca_file.as_deref(),
    )
}

/// Builds a client for messages to receivers, with a connection for each request. It uses TLS, or
/// plain HTTP if `loopback` is true.
pub fn outgoing(loopback: bool, ca_file: Option<&Path>, proxy: &Proxy) -> Result<Client, String> {
    let builder = proxy.apply(plain().pool_max_idle_per_host(0))?;
    trusting(builder, loopback, ca_file)
}

/// Returns a builder for clients that follow no redirect, repeat no request, and use no proxy
/// unless one is configured.
fn plain() -> ClientBuilder {
    // The only possible error is that a cryptography provider is already installed, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
}

fn trusting(
    mut builder: ClientBuilder,
    loopback: bool,
    ca_file: Option<&Path>,
) -> Result<Client, String> {
    if loopback {
        // Plain HTTP checks no certificates, so the system's are not loaded.
        return finish(builder.tls_certs_only([]));
    }
    builder = builder.https_only(true);
    if let Some(path) = ca_file {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
        let roots = Certificate::from_pem_bundle(&pem)
            .map_err(|error| format!("{shown}: {}", chain(&error)))?;
        if roots.is_empty() {
            return Err(format!("{shown}: holds no certificate; PEM is expected"));
        }
        builder = builder.tls_certs_merge(roots);
    }
    finish(builder)
}

/// Builds a client whose requests all go to one Unix socket on this host.
pub fn over_socket(socket: &Path, patience: Duration) -> Result<Client, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .unix_socket(socket)
        .timeout(patience)
        .redirect(Policy::none())
        .tls_certs_only([]);
    finish(builder)
}

fn finish(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| {
        let text = chain(&error);
        let hint = if text.contains("No CA certificates") {
            "; install ca-certificates"
        } else {
            ""
        };
        format!("can't build the HTTP client: {text}{hint}")
    })
}
