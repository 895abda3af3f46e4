use std::io;

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A listener whose connections need no network, so that the clock can be paused.
struct Pipes(UnboundedReceiver<DuplexStream>);

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A running server that stops on `stop`.
struct Served {
    connect: UnboundedSender<DuplexStream>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Serves one answer that takes a second, one that takes a minute, and one that never comes.
fn served() -> Served {
    let after = |time| move || async move { sleep(time).await };
    let routes = Router::new()
        .route("/second", get(after(SECOND)))
        .route("/minute", get(after(60 * SECOND)))
        .route("/never", get(std::future::pending::<()>));
    let (connect, pipes) = unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let stopped = async move {
        let _told = stopped.await;
    };
    let task = tokio::spawn(serve(Pipes(pipes), move |_| routes.clone(), stopped));
    Served {
        connect,
        stop,
        task,
    }
}

impl Served {
    fn connect(&self) -> DuplexStream {
        let (client, server) = duplex(4096);
        self.connect.send(server).expect("the server listens");
        client
    }

    async fn ask(&self, path: &str) -> DuplexStream {
        let mut client = self.connect();
        ask(&mut client, path).await;
        client
    }
}

async fn ask(client: &mut DuplexStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let sent = client.write_all(request.as_bytes()).await;
    sent.expect("sent");
}

async fn answered(client: &mut DuplexStream) {
    let mut answer = [0; 512];
    let read = client.read(&mut answer).await.expect("read");
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Reads until the server closes the connection.
async fn closed(client: &mut DuplexStream) -> String {
    let mut rest = String::new();
    let ended = timeout(10 * HEAD, client.read_to_string(&mut rest)).await;
    ended.expect("in time").expect("closed");
    rest
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_request_head_comes_byte_by_byte_is_closed_at_the_time_limit() {
    let served = served();
    let (mut answer, mut head) = tokio::io::split(served.connect());
    let began = Instant::now();
    let drip = async {
        while head.write_all(b"G").await.is_ok() {
            sleep(SECOND / 2).await;
        }
    };
    let mut read = Vec::new();
    tokio::select! {
        () = drip => {}
        ended = answer.read_to_end(&mut read) => drop(ended),
        () = sleep(10 * HEAD) => panic!("the server still waits for the head"),
    }
    assert!(began.elapsed() <= HEAD + SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_serves_several_requests_and_an_answer_may_take_longer_than_a_head() {
    let served = served();
    let mut client = served.ask("/second").await;
    answered(&mut client).await;
    sleep(HEAD / 2).await;
    ask(&mut client, "/minute").await;
    answered(&mut client).await;
    let began = Instant::now();
    assert_eq!(closed(&mut client).await, "");
    assert_eq!(began.elapsed().as_secs(), HEAD.as_secs());
}

#[tokio::test(start_paused = true)]
async fn when_the_server_stops_it_does_not_wait_and_open_connections_are_closed_soon_after() {
    let served = served();
    let mut quick = served.ask("/second").await;
    let mut endless = served.ask("/never").await;
    let mut silent = served.connect();
    let mut halfway = served.connect();
    halfway.write_all(b"GET / HT").await.expect("sent");
    sleep(SECOND / 2).await;
    let began = Instant::now();
    served.stop.send(()).expect("the server runs");
    served.task.await.expect("the server ends");
    assert_eq!(began.elapsed(), Duration::ZERO);
    answered(&mut quick).await;
    for client in [&mut quick, &mut endless, &mut silent, &mut halfway] {
        assert_eq!(closed(client).await, "");
    }
    assert!(began.elapsed() <= LEAVE + SECOND, "{:?}", began.elapsed());
}
