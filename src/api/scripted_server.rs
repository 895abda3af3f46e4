//! A server for tests that answers from a script, byte for byte, over real TCP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// One step of an answer.
#[derive(Clone, Debug)]
pub(super) enum ScriptStep {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends a byte every few milliseconds, forever.
    Drip,
    /// Keeps the connection open and silent, forever.
    Hang,
}

/// Answers each connection with the next entry of its script, then closes it. Connections beyond
/// the script get the last entry.
pub(super) struct ScriptedServer {
    pub address: SocketAddr,
    /// The received requests.
    requests: Arc<Mutex<Vec<String>>>,
}

impl ScriptedServer {
    pub(super) async fn new(script: Vec<Vec<ScriptStep>>) -> Self {
        Self::over(script, |stream| async move { Some(stream) }).await
    }

    /// Like [`new`](Self::new), with a handshake before each answer. `shake` returns `None` if the
    /// handshake failed.
    pub(super) async fn over<S, F>(
        script: Vec<Vec<ScriptStep>>,
        shake: impl Fn(tokio::net::TcpStream) -> F + Send + Sync + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Option<S>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut turn = 0;
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Some(stream) = shake(stream).await else {
                    continue;
                };
                let acts = script.get(turn).or(script.last()).cloned();
                turn += 1;
                tokio::spawn(answer(stream, acts.unwrap_or_default(), Arc::clone(&seen)));
            }
        });
        Self { address, requests }
    }

    /// Starts a server that answers each request with the next of these complete answers.
    pub(super) async fn answers(answers: &[String]) -> Self {
        let script = answers
            .iter()
            .map(|answer| vec![ScriptStep::Send(answer.clone().into())]);
        Self::new(script.collect()).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/api/v1", self.address)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    acts: Vec<ScriptStep>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let Some(request) = receive(&mut stream).await else {
        return;
    };
    seen.lock().unwrap().push(request);
    for act in acts {
        match act {
            ScriptStep::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            ScriptStep::Drip => {
                while stream.write_all(b" ").await.is_ok() && stream.flush().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                return;
            }
            ScriptStep::Hang => std::future::pending().await,
        }
    }
    let _ = stream.shutdown().await;
}

/// Reads a request's head and body. `None` if the connection ends before a whole request.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let announced = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            if body.len() >= announced.unwrap_or(0) {
                return Some(text);
            }
        }
    }
}

/// Builds a whole answer that closes the connection. Each header in `headers` ends in CRLF.
pub(super) fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}
