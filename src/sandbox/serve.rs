//! HTTP/1.1 over plain sockets: an answer must also be able to break off, drip or never come.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Shared;
use super::faults::{Call, Fault, Outcome, What};
use super::log::Request;
use super::state::{Answer, Later};
use super::wire;

/// A request line or header longer than this is no client of ours.
const LONGEST_LINE: u64 = 64 * 1024;

/// A body larger than this is no create.
const LARGEST_BODY: usize = 1 << 20;

pub(super) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            Ok((stream, _)) = listener.accept() => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    tokio::select! {
                        biased;
                        () = shared.stop.cancelled() => {}
                        // A client that goes away is no concern of the stand-in's.
                        _gone = connection(stream, &shared) => {}
                    }
                });
            }
        }
    }
}

/// A request as it came.
#[derive(Default)]
struct Asked {
    method: String,
    path: String,
    query: String,
    token: String,
    body: Vec<u8>,
}

async fn connection(stream: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await? {
        let (answer, fault) = answer(&asked, shared);
        tokio::time::sleep(shared.latency).await;
        if !send(stream.get_mut(), answer, fault).await? {
            return Ok(());
        }
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut asked = Asked::default();
    let mut length = 0;
    let mut first = true;
    loop {
        let mut line = String::new();
        let read = stream.take(LONGEST_LINE).read_line(&mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if first {
            let mut words = line.split(' ');
            asked.method = words.next().unwrap_or_default().to_owned();
            let target = words.next().unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            (asked.path, asked.query) = (path.to_owned(), query.to_owned());
            first = false;
        } else if line.is_empty() {
            break;
        } else if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "authorization" => value.trim().clone_into(&mut asked.token),
                _ => {}
            }
        }
    }
    asked.body = vec![0; usize::min(length, LARGEST_BODY)];
    stream.read_exact(&mut asked.body).await?;
    Ok(Some(asked))
}

/// Which call it is, and the snapshot that its path names.
fn call(asked: &Asked) -> (Call, Option<u64>) {
    let rest = asked.path.strip_prefix("/api/v1/").unwrap_or_default();
    match (asked.method.as_str(), rest) {
        ("GET", "snapshots/") => return (Call::List, None),
        ("POST", "snapshots/") => return (Call::Create, None),
        ("GET", "account/me/") => return (Call::Account, None),
        ("GET", "servers/") => return (Call::Servers, None),
        _ => {}
    }
    let inner = rest
        .strip_prefix("snapshots/")
        .and_then(|rest| rest.strip_suffix('/'))
        .unwrap_or_default();
    if asked.method == "DELETE"
        && let Ok(id) = inner.parse()
    {
        return (Call::Delete, Some(id));
    }
    if asked.method == "POST"
        && let Some(Ok(id)) = inner.strip_suffix("/restore").map(str::parse)
    {
        return (Call::Restore, Some(id));
    }
    (Call::Any, None)
}

fn answer(asked: &Asked, shared: &Arc<Shared>) -> (Answer, Option<Fault>) {
    let now = shared.clock.now().wall;
    let (call, snapshot) = call(asked);
    let mut state = shared.state();
    let server = state.about(call, snapshot, &asked.query, &asked.body);
    let authorized = asked.token == format!("Bearer {}", state.config.token);
    state.counts.request(call, server, authorized);
    state.ticks += 1;
    let tick = state.ticks;
    let fault = state.orders.answer(call, server);
    let nothing = || Answer {
        status: 0,
        body: String::new(),
        effects: Vec::new(),
        later: Vec::new(),
    };
    let mut answer = match &fault {
        _ if !authorized => Answer {
            status: 401,
            body: wire::refusal("Invalid token."),
            ..nothing()
        },
        Some(Fault {
            what: What::Listing(how),
            server: of,
            ..
        }) => Answer {
            status: 200,
            body: state.list(&asked.query, Some((how, *of)), now),
            ..nothing()
        },
        Some(fault) if fault.outcome != Outcome::Done => nothing(),
        _ => state.perform(call, snapshot, &asked.query, &asked.body, now),
    };
    if let Some(What::Answer { status, body, .. }) = fault.as_ref().map(|fault| &fault.what) {
        answer.status = *status;
        answer.body.clone_from(body);
    }
    if state.keep_log {
        let effects = std::mem::take(&mut answer.effects);
        state.log.push(Request {
            tick,
            call,
            method: asked.method.clone(),
            path: asked.path.clone(),
            server,
            snapshot,
            at: now,
            authorized,
            faulty: fault.is_some(),
            status: (answer.status != 0).then_some(answer.status),
            answered: None,
            effects,
        });
    }
    drop(state);
    ripen(shared, std::mem::take(&mut answer.later));
    if let Some(Outcome::Late(after)) = fault.as_ref().map(|fault| fault.outcome)
        && authorized
    {
        happen_late(shared, after, call, snapshot, asked);
    }
    shared.tell();
    (answer, fault)
}

/// What was asked for happens after the answer.
fn happen_late(
    shared: &Arc<Shared>,
    after: jiff::SignedDuration,
    call: Call,
    snapshot: Option<u64>,
    asked: &Asked,
) {
    let (query, body) = (asked.query.clone(), asked.body.clone());
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        shared.clock.sleep(after).await;
        let now = shared.clock.now().wall;
        let done = shared.state().perform(call, snapshot, &query, &body, now);
        ripen(&shared, done.later);
        shared.tell();
    });
}

fn ripen(shared: &Arc<Shared>, later: Vec<Later>) {
    for change in later {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            shared.clock.sleep(change.after).await;
            let now = shared.clock.now().wall;
            shared.state().ripen(&change, now);
            shared.tell();
        });
    }
}

/// Sends the answer, well or badly; whether the connection may go on.
async fn send(stream: &mut TcpStream, answer: Answer, fault: Option<Fault>) -> io::Result<bool> {
    let mut kind = "application/json";
    let mut more = String::new();
    match fault.map(|fault| fault.what) {
        Some(What::Hang) => std::future::pending::<()>().await,
        Some(What::Cut) => return Ok(false),
        Some(What::CutBody) => {
            let half = answer.body.len() / 2;
            let head = head(answer.status, kind, "", answer.body.len().max(2));
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&answer.body.as_bytes()[..half]).await?;
            stream.shutdown().await?;
            return Ok(false);
        }
        Some(What::Drip(pause)) => {
            let head = head(answer.status, kind, "", answer.body.len());
            stream.write_all(head.as_bytes()).await?;
            for byte in answer.body.as_bytes() {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(pause).await;
            }
            return Ok(true);
        }
        Some(What::Huge(bytes)) => {
            let head = head(200, kind, "", usize::try_from(bytes).unwrap_or(usize::MAX));
            stream.write_all(head.as_bytes()).await?;
            let chunk = vec![b' '; 1 << 16];
            let mut left = bytes;
            while left > 0 {
                let now = left.min(1 << 16);
                let part = usize::try_from(now).unwrap_or(chunk.len());
                stream.write_all(&chunk[..part]).await?;
                left -= now;
            }
            return Ok(true);
        }
        Some(What::Answer {
            retry_after,
            location,
            html,
            ..
        }) => {
            if html {
                kind = "text/html";
            }
            if let Some(value) = retry_after {
                more = format!("Retry-After: {value}\r\n");
            }
            if let Some(to) = location {
                more = format!("Location: {to}\r\n");
            }
        }
        Some(What::Listing(_) | What::Made(_)) | None => {}
    }
    let mut bytes = head(answer.status, kind, &more, answer.body.len()).into_bytes();
    bytes.extend_from_slice(answer.body.as_bytes());
    stream.write_all(&bytes).await?;
    Ok(true)
}

fn head(status: u16, kind: &str, more: &str, length: usize) -> String {
    // 204 has no body, and no length either.
    let body = if status == 204 {
        String::new()
    } else {
        format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n")
    };
    format!("HTTP/1.1 {status} Ordered\r\n{body}{more}\r\n")
}
