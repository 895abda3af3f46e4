//! The proxy for connections over TLS. The client opens a tunnel through it with CONNECT, so the
//! proxy sees the target's host name and port, but no content (I13).

use reqwest::{ClientBuilder, NoProxy, Url};

use super::printable;

/// Maximum number of characters of an address that a message repeats.
const URL_SHOWN: usize = 100;

/// The value of `api.proxy`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// No proxy.
    #[default]
    None,
    /// The proxy in `HTTPS_PROXY`, except for hosts in `NO_PROXY`.
    Env,
    /// The proxy at this address.
    At(Url),
}

impl Proxy {
    /// Parses the setting. Fails with the reason if it is not a proxy.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "env" {
            return Ok(Self::Env);
        }
        let shown = printable(text, URL_SHOWN);
        let url = Url::parse(text).map_err(|error| format!("{shown}: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("{shown} is not the address of an HTTP proxy"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "the address contains a user name or a password, which others could read"
                    .to_owned(),
            );
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{shown} has more than a host and a port"));
        }
        Ok(Self::At(url))
    }

    /// Sets the proxy on the client, for TLS only.
    pub(super) fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        let (address, except) = match self {
            Self::None => return Ok(builder),
            Self::At(url) => (url.as_str().to_owned(), None),
            Self::Env => match from_env() {
                None => return Ok(builder),
                Some(address) => (address, NoProxy::from_env()),
            },
        };
        let proxy = reqwest::Proxy::https(address)
            .map_err(|error| format!("the proxy can't be used: {}", error.without_url()))?;
        Ok(builder.proxy(proxy.no_proxy(except)))
    }
}

fn from_env() -> Option<String> {
    let names = ["HTTPS_PROXY", "https_proxy"];
    let mut values = names.iter().filter_map(|name| std::env::var(name).ok());
    values.find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_setting_is_env_or_an_http_address_without_a_password() {
        assert_eq!(Proxy::parse("env"), Ok(Proxy::Env));
        let there = Proxy::parse("http://proxy.example.org:3128");
        assert!(matches!(&there, Ok(Proxy::At(url)) if url.port() == Some(3128)));
        for (text, why) in [
            (
                "proxy.example.org:3128",
                "is not the address of an HTTP proxy",
            ),
            (
                "socks5://proxy.example.org",
                "is not the address of an HTTP proxy",
            ),
            ("http://", "http://"),
            (
                "http://me:secret@proxy.example.org",
                "contains a user name or a password",
            ),
            (
                "http://proxy.example.org/way",
                "more than a host and a port",
            ),
        ] {
            let said = Proxy::parse(text).unwrap_err();
            assert!(
                said.contains(why) && !said.contains("secret"),
                "{text}: {said}"
            );
        }
    }
}
