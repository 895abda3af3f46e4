//! A TLS server on loopback that counts the bytes that clients send it, and answers nothing.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The certificate that the server presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    Fits,
    /// Signs itself, and is not the trusted one.
    SelfSigned,
    OtherHost,
    Expired,
}

/// Returns the server's settings, and the certificate for the client's `ca_file`.
pub fn identity(kind: Certificate) -> (Arc<ServerConfig>, String) {
    let _once = rustls::crypto::ring::default_provider().install_default();
    let host = match kind {
        Certificate::OtherHost => "elsewhere.example",
        _ => "localhost",
    };
    let params = || {
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        if kind == Certificate::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        params
    };
    let key = KeyPair::generate().expect("a key");
    let shown = params().self_signed(&key).expect("a certificate");
    let trusted = if kind == Certificate::SelfSigned {
        let other = KeyPair::generate().expect("a key");
        params().self_signed(&other).expect("a certificate").pem()
    } else {
        shown.pem()
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![shown.der().clone()], key)
        .expect("a server's settings");
    (Arc::new(config), trusted)
}

pub struct TlsServer {
    address: SocketAddr,
    received: Arc<AtomicUsize>,
    trusted: String,
}

impl TlsServer {
    pub fn start(kind: Certificate) -> Self {
        let (config, trusted) = identity(kind);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&received);
        // It lives as long as the test's process: nothing waits for it.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                hear(stream, &config, &count);
            }
        });
        Self {
            address,
            received,
            trusted,
        }
    }

    pub fn base_url(&self) -> String {
        format!("https://localhost:{}/api/v1", self.address.port())
    }

    /// Returns the certificate for the client's `ca_file`.
    pub fn trusted(&self) -> &str {
        &self.trusted
    }

    /// Returns the number of bytes of requests that clients sent.
    pub fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }
}

/// Reads what follows the handshake, and closes the connection.
fn hear(stream: TcpStream, config: &Arc<ServerConfig>, count: &AtomicUsize) {
    let _limit = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let Ok(connection) = ServerConnection::new(Arc::clone(config)) else {
        return;
    };
    let mut buffer = [0; 1024];
    let mut stream = StreamOwned::new(connection, stream);
    if let Ok(length) = stream.read(&mut buffer) {
        count.fetch_add(length, Ordering::SeqCst);
    }
}
