//! Connections to the page, within bounds: however many come, and however slow they are, the
//! service keeps its files and its memory, and rotation doesn't notice.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections at once; more wait in the system's queue.
const MOST: usize = 64;

/// A connection on which nothing comes for so long is closed. So an answer is put together
/// and taken within it, however steadily a slow reader takes its bytes.
const QUIET: Duration = Duration::from_secs(75);

/// A listener that accepts no more than it has places for.
pub(super) struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Bounded {
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            places: Arc::new(Semaphore::new(MOST)),
        })
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // It is never closed, so there is a place sooner or later.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let connection = Connection {
            stream,
            quiet: Box::pin(sleep(QUIET)),
            _place: place,
        };
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when nothing comes.
pub(super) struct Connection {
    stream: TcpStream,
    quiet: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Too long a wait is an error.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        moved: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            return moved;
        }
        match self.quiet.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(context, buffer);
        if moved.is_ready() {
            self.quiet.as_mut().reset(Instant::now() + QUIET);
        }
        self.watch(context, moved)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_connection_more_than_there_are_places_waits_until_one_ends() {
        let mut bounded = Bounded::bind(([127, 0, 0, 1], 0).into())
            .await
            .expect("a port");
        let address = bounded.local_addr().expect("an address");
        let mut held = Vec::new();
        for _ in 0..MOST {
            let _client = TcpStream::connect(address).await.expect("connected");
            held.push(bounded.accept().await.0);
        }
        let _client = TcpStream::connect(address).await.expect("in the queue");
        let mut next = std::pin::pin!(bounded.accept());
        let waits = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        held.pop();
        next.await;
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_comes_is_ended() {
        let mut bounded = Bounded::bind(([127, 0, 0, 1], 0).into())
            .await
            .expect("a port");
        let address = bounded.local_addr().expect("an address");
        let _silent = TcpStream::connect(address).await.expect("connected");
        let (mut connection, _) = bounded.accept().await;
        tokio::time::pause();
        let began = Instant::now();
        let error = connection.read_u8().await.expect_err("ended");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), QUIET.as_secs());
    }

    #[tokio::test]
    async fn a_reader_who_takes_an_answer_bit_by_bit_gets_no_more_time() {
        let mut bounded = Bounded::bind(([127, 0, 0, 1], 0).into())
            .await
            .expect("a port");
        let address = bounded.local_addr().expect("an address");
        let mut reader = TcpStream::connect(address).await.expect("connected");
        let (mut connection, _) = bounded.accept().await;
        tokio::time::pause();
        let began = Instant::now();
        let take = async {
            let mut some = vec![0; 1 << 18];
            loop {
                reader.read_exact(&mut some).await.expect("taken");
                sleep(Duration::from_secs(1)).await;
            }
        };
        let much = vec![0; 1 << 26];
        let error = tokio::select! {
            sent = connection.write_all(&much) => sent.expect_err("ended"),
            () = take => unreachable!(),
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), QUIET.as_secs());
    }
}
