//! Requests through a real proxy, tinyproxy, which sees the provider's name and port but no
//! content.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::support::tls::{Certificate, identity};
use crate::support::{
    Home, Provider, QUICK, TOKEN, daily_name, receivers, stderr, until, verified,
};
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;

/// tinyproxy on its own port, stopped at the end of the test.
struct Proxy {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Proxy {
    /// Returns `None` and prints a line if tinyproxy isn't installed; fails on CI.
    fn start() -> Option<Self> {
        let program = ["/usr/bin/tinyproxy", "/usr/sbin/tinyproxy"].map(PathBuf::from);
        let Some(program) = program.into_iter().find(|path| path.exists()) else {
            let missing = "tinyproxy isn't installed";
            assert!(std::env::var_os("CI").is_none(), "{missing}");
            eprintln!("skipped: {missing}");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let port = {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            free.local_addr().expect("an address").port()
        };
        let log = folder.path().join("log");
        let text = format!(
            "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Info\nLogFile \"{}\"\n",
            log.display()
        );
        let file = folder.path().join("tinyproxy.conf");
        std::fs::write(&file, text).expect("written");
        let mut command = Command::new(program);
        command.arg("-d").arg("-c").arg(&file);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("tinyproxy starts");
        until("tinyproxy listens", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Some(Self {
            child,
            port,
            folder,
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Puts TLS in front of the stand-in; returns the port, and the certificate for `ca_file`.
fn tls_before(provider: &Provider) -> (u16, String) {
    tls_at(&provider.sandbox.base_url())
}

/// Does the same for the server at this address.
fn tls_at(base: &str) -> (u16, String) {
    let (config, trusted) = identity(Certificate::Fits);
    let address = base.trim_start_matches("http://").split('/').next();
    let upstream: SocketAddr = address.and_then(|text| text.parse().ok()).expect("a port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // The thread lives as long as the test's process; nothing waits for it.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || relay(client, upstream, config));
        }
    });
    (port, trusted)
}

/// Relays one request and its answer; the connection is then closed.
fn relay(mut client: TcpStream, upstream: SocketAddr, config: Arc<ServerConfig>) {
    let Ok(mut connection) = tokio_rustls::rustls::ServerConnection::new(config) else {
        return;
    };
    let mut stream = tokio_rustls::rustls::Stream::new(&mut connection, &mut client);
    let Some(request) = request(&mut stream) else {
        return;
    };
    let Ok(mut server) = TcpStream::connect(upstream) else {
        return;
    };
    let text = String::from_utf8_lossy(&request);
    let closing = text.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let mut answer = Vec::new();
    let answered =
        server.write_all(closing.as_bytes()).is_ok() && server.read_to_end(&mut answer).is_ok();
    if answered {
        let _sent = stream.write_all(&answer);
        let _flushed = stream.flush();
    }
    connection.send_close_notify();
    let _ended = connection.complete_io(&mut client);
}

/// Reads the head and body of a request.
fn request(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let length = stream.read(&mut chunk).ok().filter(|length| *length > 0)?;
        request.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let wanted = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= wanted.unwrap_or(0) {
                return Some(request);
            }
        }
    }
}

fn home(port: u16, trusted: &str, api: &str) -> Home {
    let base = format!("https://localhost:{port}/api/v1");
    let home = Home::new(&base, &format!("ca_file = \"ca.pem\"\n{api}"), QUICK);
    std::fs::write(home.path("ca.pem"), trusted).expect("written");
    home.daily(7, 3, "");
    home
}

#[test]
fn i13_a_rotation_goes_through_a_proxy_that_sees_neither_token_nor_path() {
    let Some(proxy) = Proxy::start() else { return };
    let provider = Provider::quick();
    provider.sandbox.add_server(7, "web");
    let (port, trusted) = tls_before(&provider);
    let home = home(port, &trusted, &format!("proxy = \"{}\"", proxy.url()));
    let once = home.run(&["once"]);
    assert_eq!(once.status.code(), Some(0), "{}", stderr(&once));
    assert_eq!(provider.names(7), [daily_name(0)]);
    let log = proxy.log();
    assert!(log.contains(&format!("CONNECT localhost:{port}")), "{log}");
    for secret in [TOKEN, "Authorization", "/api/v1", "snapshots"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    verified(&home);
}

#[test]
fn receivers_over_https_are_notified_through_the_proxy_as_well() {
    let Some(proxy) = Proxy::start() else { return };
    let hook = receivers::Hook::start();
    let (port, trusted) = tls_at(&hook.url(""));
    let home = home(port, &trusted, &format!("proxy = \"{}\"", proxy.url()));
    let url = format!("https://localhost:{port}/a-secret-path");
    receivers::webhook(&home, "ops", &url);
    let told = home.run(&["notify", "test"]);
    assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
    assert_eq!(hook.came()[0].path, "/a-secret-path");
    let log = proxy.log();
    assert!(log.contains(&format!("CONNECT localhost:{port}")), "{log}");
    assert!(!log.contains("a-secret-path"), "{log}");
}

#[test]
fn the_proxy_of_the_environment_is_used_if_the_file_says_so_except_for_hosts_in_no_proxy() {
    let Some(proxy) = Proxy::start() else { return };
    let provider = Provider::quick();
    provider.sandbox.add_server(7, "web");
    let (port, trusted) = tls_before(&provider);
    let seen = |api: &str, no_proxy: &str| {
        let before = proxy.log().matches("CONNECT localhost").count();
        let home = home(port, &trusted, api);
        let mut command = home.command(&["list"]);
        command.env("HTTPS_PROXY", proxy.url());
        command.env("NO_PROXY", no_proxy);
        let listed = command.output().expect("it runs");
        assert_eq!(listed.status.code(), Some(0), "{}", stderr(&listed));
        proxy.log().matches("CONNECT localhost").count() > before
    };
    assert!(seen("proxy = \"env\"", ""));
    assert!(!seen("proxy = \"env\"", "localhost"));
    assert!(!seen("", ""));
}

#[test]
fn a_proxy_that_is_down_is_reported_as_no_connection() {
    let provider = Provider::quick();
    provider.sandbox.add_server(7, "web");
    let (port, trusted) = tls_before(&provider);
    let nobody = {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        free.local_addr().expect("an address").port()
    };
    let home = home(
        port,
        &trusted,
        &format!("proxy = \"http://127.0.0.1:{nobody}\""),
    );
    let listed = home.run(&["list"]);
    assert_eq!(listed.status.code(), Some(1));
    assert!(
        stderr(&listed).contains("no connection"),
        "{}",
        stderr(&listed)
    );
}

#[test]
fn a_proxy_for_a_plain_http_base_url_is_refused() {
    let provider = Provider::quick();
    let api = "proxy = \"http://127.0.0.1:3128\"";
    let home = Home::new(&provider.sandbox.base_url(), api, QUICK);
    home.daily(7, 3, "");
    let check = home.run(&["check"]);
    assert_eq!(check.status.code(), Some(2), "{}", stderr(&check));
    let said = String::from_utf8_lossy(&check.stdout).into_owned() + &stderr(&check);
    assert!(said.contains("proxy is for https only"), "{said}");
}
