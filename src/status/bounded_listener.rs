//! Bounds the number and the idle time of connections. However many there are and however slow,
//! they don't exhaust the service's descriptors or memory, and new clients are still served.

use std::collections::BTreeMap;
use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, Sleep, sleep};

/// Maximum number of open connections. Another connection displaces the idle one that has gone
/// longest without a response.
const MOST: usize = 64;

/// A connection on which nothing is received for this time is closed. A response must therefore be
/// produced and read to its end within this time, however steadily a slow client reads.
const QUIET: Duration = Duration::from_secs(75);

/// A listener that serves a bounded number of connections. A new connection never waits for those
/// with half a request or none: one of them is closed.
pub(super) struct BoundedListener<L> {
    listener: L,
    quiet: Option<Duration>,
    places: Arc<Semaphore>,
    held: Arc<OpenConnections>,
}

/// The open connections, oldest first.
#[derive(Default)]
struct OpenConnections(Mutex<ConnectionTable>);

#[derive(Default)]
struct ConnectionTable {
    next: u64,
    places: BTreeMap<u64, ConnectionPlace>,
}

struct ConnectionPlace {
    /// When it was accepted, or when a part of a response was last written to it.
    since: Instant,
    working: InRequest,
    /// Dropping it ends the connection.
    displaced: Option<oneshot::Sender<()>>,
}

/// True from the end of a request's head until its response begins.
#[derive(Clone, Default)]
pub(super) struct InRequest(Arc<AtomicBool>);

/// Marks a connection as busy from the end of a request's head until its response begins.
pub(super) async fn working(
    State(working): State<InRequest>,
    request: Request,
    next: Next,
) -> Response {
    working.0.store(true, Ordering::Relaxed);
    let response = next.run(request).await;
    working.0.store(false, Ordering::Relaxed);
    response
}

impl OpenConnections {
    fn table(&self) -> MutexGuard<'_, ConnectionTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection that has gone longest without a response and is not busy.
    fn displace(&self) {
        let mut table = self.table();
        let idle = table
            .places
            .values_mut()
            .filter(|place| place.displaced.is_some() && !place.working.0.load(Ordering::Relaxed));
        if let Some(place) = idle.min_by_key(|place| place.since) {
            place.displaced = None;
        }
    }
}

impl BoundedListener<TcpListener> {
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::over(TcpListener::bind(address).await?, Some(QUIET)))
    }
}

impl<L> BoundedListener<L> {
    /// Wraps a listener; `quiet` is how long a connection may receive nothing.
    pub(super) fn over(listener: L, quiet: Option<Duration>) -> Self {
        Self {
            listener,
            quiet,
            places: Arc::new(Semaphore::new(MOST)),
            held: Arc::default(),
        }
    }
}

impl<L: Listener> Listener for BoundedListener<L>
where
    L::Io: Unpin,
{
    type Io = BoundedConnection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (BoundedConnection<L::Io>, L::Addr) {
        let (stream, peer) = self.listener.accept().await;
        let free = Arc::clone(&self.places).try_acquire_owned().ok();
        let permit = if free.is_some() {
            free
        } else {
            self.held.displace();
            // Never fails, since the semaphore is never closed.
            Arc::clone(&self.places).acquire_owned().await.ok()
        };
        let (sender, displaced) = oneshot::channel();
        let working = InRequest::default();
        let mut table = self.held.table();
        let number = table.next;
        table.next += 1;
        table.places.insert(
            number,
            ConnectionPlace {
                since: Instant::now(),
                working: working.clone(),
                displaced: Some(sender),
            },
        );
        drop(table);
        let connection = BoundedConnection {
            stream,
            quiet: self.quiet.map(|time| (time, Box::pin(sleep(time)))),
            displaced,
            working,
            number,
            held: Arc::clone(&self.held),
            _permit: permit,
        };
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when it receives nothing for too long, or when another one needs its
/// place.
pub(super) struct BoundedConnection<S> {
    stream: S,
    quiet: Option<(Duration, Pin<Box<Sleep>>)>,
    displaced: oneshot::Receiver<()>,
    working: InRequest,
    number: u64,
    held: Arc<OpenConnections>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> BoundedConnection<S> {
    /// Returns the stream itself.
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the flag that [`working`] sets for this connection.
    pub(super) fn working(&self) -> InRequest {
        self.working.clone()
    }

    /// Turns an idle time that is too long, or the loss of the place, into an error.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        moved: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            return moved;
        }
        if Pin::new(&mut self.displaced).poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let Some((_, quiet)) = &mut self.quiet else {
            return Poll::Pending;
        };
        quiet
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S> Drop for BoundedConnection<S> {
    fn drop(&mut self) {
        self.held.table().places.remove(&self.number);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BoundedConnection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_read(context, buffer);
        if moved.is_ready()
            && let Some((time, quiet)) = &mut self.quiet
        {
            quiet.as_mut().reset(Instant::now() + *time);
        }
        self.watch(context, moved)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BoundedConnection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        if moved.is_ready()
            && let Some(place) = self.held.table().places.get_mut(&self.number)
        {
            place.since = Instant::now();
        }
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
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_connection_beyond_the_limit_displaces_the_connection_that_has_been_idle_longest() {
        let mut bounded = BoundedListener::bind(([127, 0, 0, 1], 0).into())
            .await
            .expect("a port");
        let address = bounded.local_addr().expect("an address");
        let (mut clients, mut held) = (Vec::new(), Vec::new());
        for _ in 0..MOST {
            clients.push(TcpStream::connect(address).await.expect("connected"));
            held.push(bounded.accept().await.0);
        }
        held[0].working().0.store(true, Ordering::Relaxed);
        held[1].write_all(b"an answer").await.expect("taken");
        let _client = TcpStream::connect(address).await.expect("connected");
        let mut next = std::pin::pin!(bounded.accept());
        let waits = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending()));
        assert!(waits.await, "the connection waits for a free place");
        let error = held[2].read_u8().await.expect_err("displaced");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        held.remove(2);
        next.await;
        clients[0].write_all(b"xy").await.expect("sent");
        clients[1].write_all(b"xy").await.expect("sent");
        for connection in &mut held[..2] {
            connection.read_u8().await.expect("still open");
        }
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_is_received_is_closed() {
        let mut bounded = BoundedListener::bind(([127, 0, 0, 1], 0).into())
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
    async fn a_client_that_reads_a_response_bit_by_bit_gets_no_more_time() {
        let mut bounded = BoundedListener::bind(([127, 0, 0, 1], 0).into())
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
