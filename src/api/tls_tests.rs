use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use secrecy::SecretString;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::scripted_server::{ScriptStep, ScriptedServer, response};
use super::{
    ApiError, ApiSettings, ErrorKind, HttpApi, Proxy, RateSettings, SnapshotApi as _, TokenSource,
};
use crate::clock::Clock;
use crate::core::snapshot::SnapshotId;

/// Starts a server with a self-signed certificate for `name`. Returns the server, and a file that
/// holds the certificate.
async fn server(name: &str) -> (ScriptedServer, tempfile::NamedTempFile) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let answer = response("204 No Content", "", "");
    let server = ScriptedServer::over(vec![vec![ScriptStep::Send(answer.into())]], move |stream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await.ok() }
    })
    .await;
    (server, file)
}

fn settings(port: u16, trusted: &Path) -> ApiSettings {
    ApiSettings {
        base_url: format!("https://localhost:{port}/api/v1"),
        token: TokenSource::Given(SecretString::from("tok")),
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(10),
        rate: RateSettings {
            max_in_flight: 1,
            per_second: 0.0,
            burst: 1,
        },
        max_body: 1_000,
        ca_file: Some(trusted.to_owned()),
        proxy: Proxy::None,
    }
}

async fn delete(settings: &ApiSettings) -> Result<(), ApiError> {
    let api = HttpApi::new(settings, Clock::system()).unwrap();
    let pass = api.admit().await.unwrap();
    api.delete(pass, SnapshotId::from(1)).await
}

#[tokio::test]
async fn a_certificate_from_the_ca_file_is_trusted() {
    let (server, own) = server("localhost").await;
    delete(&settings(server.address.port(), own.path()))
        .await
        .unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn i13_a_certificate_of_an_unknown_ca_is_refused_before_any_byte_of_the_request_is_sent() {
    let (server, _own) = self::server("localhost").await;
    let (_, foreign) = self::server("localhost").await;
    let error = delete(&settings(server.address.port(), foreign.path()))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Later);
    assert!(error.message.contains("certificate"), "{error}");
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn i13_another_hosts_certificate_is_refused() {
    let (server, own) = server("elsewhere.example").await;
    let error = delete(&settings(server.address.port(), own.path()))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Later);
    assert!(error.message.contains("elsewhere.example"), "{error}");
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_tls_handshake_that_times_out_counts_as_a_failed_connection() {
    let (_, trusted) = server("localhost").await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let connect_timeout = Duration::from_millis(200);
    let settings = ApiSettings {
        connect_timeout,
        ..settings(port, trusted.path())
    };
    assert_eq!(delete(&settings).await.unwrap_err().kind, ErrorKind::Later);
}

#[test]
fn a_ca_file_that_is_missing_or_holds_no_certificate_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (path, word) in [
        (file.path(), "holds no certificate"),
        (Path::new("absent.pem"), "absent.pem"),
    ] {
        let error = HttpApi::new(&settings(1, path), Clock::system()).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}
