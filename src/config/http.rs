//! `[http]`: where the page and the metrics are served.

use std::net::SocketAddr;

use super::Http;
use super::diagnostics::Diagnostics;
use super::table_reader::{Located, TableReader};

/// Remedy if no better address can be derived from the text.
const EXAMPLE: &str = "write listen = \"127.0.0.1:9180\"";

/// Longest host name in DNS, in characters.
const LONGEST_HOST: usize = 253;

/// The table as it is written.
#[derive(Debug, Default)]
pub(super) struct RawHttp {
    listen: Option<Located<String>>,
    hosts: Vec<Located<String>>,
    url: Option<Located<String>>,
}

impl RawHttp {
    pub(super) fn read(mut section: TableReader<'_>, log: &mut Diagnostics) -> Self {
        section.require("listen", "\"127.0.0.1:9180\"");
        let raw = Self {
            listen: section.take("listen", log),
            hosts: section.take_list("hosts", log).unwrap_or_default(),
            url: section.take_if(
                "url",
                log,
                |url: &String| is_page(url),
                (
                    "is not the address of a page",
                    "write the address at which browsers reach the page, such as url = \"https://snaprotate.example.org\"",
                ),
            ),
        };
        section.finish(log);
        raw
    }

    /// Validates the table; `None` if it can't be used.
    pub(super) fn validate(self, log: &mut Diagnostics) -> Option<Http> {
        for host in self.hosts.iter().filter(|host| !is_host(&host.value)) {
            let message = format!("{:?} is not a host name", host.value);
            let remedy =
                "write a name without a scheme, port or path, such as \"admin.example.org\"";
            log.error(&host.at, message, remedy);
        }
        let listen = self.listen?;
        let address = match parse(&listen.value) {
            Ok(address) => address,
            Err((message, remedy)) => {
                log.error(&listen.at, message, remedy);
                return None;
            }
        };
        if !address.ip().is_loopback() {
            let who = if address.ip().is_unspecified() {
                format!("port {} on any address of this host", address.port())
            } else {
                address.to_string()
            };
            let message = format!(
                "listen = \"{address}\" shows the names of servers and snapshots, schedules, alerts and the audit trail, without a password, to everyone who can reach {who}"
            );
            let remedy = format!(
                "write listen = \"127.0.0.1:{}\" and view the page through an SSH tunnel or a proxy that asks for a password, or restrict access with a firewall",
                address.port()
            );
            log.warn(&listen.at, message, remedy);
        }
        let hosts = self.hosts.into_iter();
        Some(Http {
            listen: address,
            hosts: hosts.map(|host| host.value.to_ascii_lowercase()).collect(),
            url: self
                .url
                .map(|url| url.value.trim_end_matches('/').to_owned()),
        })
    }
}

fn parse(text: &str) -> Result<SocketAddr, (String, String)> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => Err((
            "port 0 would be a different port at each start".to_owned(),
            EXAMPLE.to_owned(),
        )),
        Ok(address) => Ok(address),
        Err(_) => {
            let port = text.rsplit(':').next().unwrap_or_default();
            let port = port.parse::<u16>().ok().filter(|port| *port > 0);
            let example = port.map_or_else(
                || EXAMPLE.to_owned(),
                |port| format!("write listen = \"127.0.0.1:{port}\""),
            );
            Err((
                format!("listen = {text:?} is not an address and a port"),
                format!("{example}, or \"[::1]:PORT\"; a host name is not accepted"),
            ))
        }
    }
}

/// Returns true for an http or https URL without a user, query or fragment.
fn is_page(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else {
        return false;
    };
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.len() <= LONGEST_HOST && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::super::cases::{case, prove};
    use super::super::fixture::{ConfigFolder, MAIN};

    #[test]
    fn invalid_http_settings_are_refused_with_a_remedy() {
        // One case per line, so that the list reads as a table.
        #[rustfmt::skip]
        let cases = [
            case("[http]\nlisten = \"localhost:9180\"", "4:10: error", "listen = \"localhost:9180\" is not an address and a port", "write listen = \"127.0.0.1:9180\", or \"[::1]:PORT\""),
            case("[http]\nlisten = \"127.0.0.1\"", "4:10: error", "is not an address and a port", "write listen = \"127.0.0.1:9180\""),
            case("[http]\nlisten = \"9180\"", "4:10: error", "is not an address and a port", "write listen = \"127.0.0.1:9180\""),
            case("[http]\nlisten = \"http://127.0.0.1:8000\"", "4:10: error", "is not an address and a port", "write listen = \"127.0.0.1:8000\""),
            case("[http]\nlisten = \"127.0.0.1:0\"", "4:10: error", "port 0 would be a different port at each start", "127.0.0.1:9180"),
            case("[http]\nlisten = 9180", "4:10: error", "", ""),
            case("[http]\nhosts = [\"a\"]", "3:1: error", "listen", "listen = \"127.0.0.1:9180\""),
            case("[http]\nlisten = \"127.0.0.1:1\"\nhosts = [\"https://a.example\"]", "5:10: error", "\"https://a.example\" is not a host name", "without a scheme, port or path"),
            case("[http]\nlisten = \"127.0.0.1:1\"\nport = 3", "5:1: error", "port", ""),
        ];
        prove("snaprotate.toml", MAIN, &cases);
    }

    #[test]
    fn a_non_loopback_address_causes_a_warning_that_names_what_it_exposes() {
        #[rustfmt::skip]
        let cases = [
            case("[http]\nlisten = \"0.0.0.0:9180\"", "4:10: warning", "schedules, alerts and the audit trail, without a password, to everyone who can reach port 9180 on any address of this host", "write listen = \"127.0.0.1:9180\" and view the page through an SSH tunnel"),
            case("[http]\nlisten = \"[::]:80\"", "4:10: warning", "port 80 on any address of this host", "127.0.0.1:80"),
            case("[http]\nlisten = \"192.0.2.7:9180\"", "4:10: warning", "to everyone who can reach 192.0.2.7:9180", "a firewall"),
        ];
        prove("snaprotate.toml", MAIN, &cases);
    }

    #[test]
    fn loopback_is_accepted_without_a_warning_and_a_missing_table_means_no_page() {
        let text = "[http]\nlisten = \"[::1]:9180\"\nhosts = [\"Admin.Example.org\"]\n";
        let folder = ConfigFolder::new().with("snaprotate.toml", format!("{MAIN}{text}"));
        assert_eq!(folder.said(), Vec::<String>::new());
        let http = folder.good().http.expect("a page");
        assert_eq!(http.listen.to_string(), "[::1]:9180");
        assert_eq!(http.hosts, ["admin.example.org"]);
        assert!(ConfigFolder::new().good().http.is_none());
    }
}
