//! The control socket of the running service: HTTP over a Unix socket, for root and the service's
//! own user.
//!
//! `GET /api/v1/status` returns a [`FleetView`]; the other routes are in `pause_and_order_routes`
//! and `next_changes`. Rotation doesn't depend on the socket: if it can't be opened, the service
//! logs that and goes on.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use rustix::fs::{FileType, Mode, OFlags};
use tokio::net::{UnixListener, UnixStream};

use super::bounded_listener::{BoundedConnection, BoundedListener, working};
use super::http_connections::serve;
use super::page_model::ViewSource;
use super::view::FleetView;

/// The socket's folder if `$RUNTIME_DIRECTORY` isn't set.
const RUNTIME_DIR: &str = "/run/snaprotate";

/// Longer than a running service takes to accept a connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// Returns the socket's path: in `$RUNTIME_DIRECTORY`, which systemd sets for the service.
pub fn socket(runtime_directory: Option<&Path>) -> PathBuf {
    let folder = runtime_directory.unwrap_or(Path::new(RUNTIME_DIR));
    folder.join("control.sock")
}

/// The listening socket. Its file is removed on drop.
pub struct ControlSocket {
    listener: Option<UnixListener>,
    path: PathBuf,
    owner: u32,
}

impl ControlSocket {
    /// Listens on the socket. The caller must hold the service's lock, since a socket that an
    /// earlier process left is replaced. A socket that answers is not.
    pub async fn listen(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent()
            && !folder.is_dir()
        {
            DirBuilder::new().mode(0o700).create(folder)?;
        }
        // A time-out means that another process has the socket but is busy.
        let other = tokio::time::timeout(PATIENCE, UnixStream::connect(path)).await;
        if other.is_err() || other.is_ok_and(|stream| stream.is_ok()) {
            let why = "another process listens there";
            return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
        }
        match std::fs::remove_file(path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        let owner = close_to_others(path)?;
        Ok(Self {
            listener: Some(listener),
            path: path.to_owned(),
            owner,
        })
    }

    /// Serves requests until the future is dropped. `look` returns the current state, and `more`
    /// has the other routes.
    pub async fn serve(
        mut self,
        look: impl Fn() -> FleetView + Send + Sync + 'static,
        more: Router,
    ) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        let look: ViewSource = Arc::new(look);
        let routes = Router::new()
            .route("/api/v1/status", get(status))
            .with_state(look)
            .merge(more)
            .layer(from_fn_with_state(self.owner, admit));
        let routes = |stream: &BoundedConnection<UnixStream>| {
            let working = from_fn_with_state(stream.working(), working);
            let peer = Extension(Peer::of(stream.stream()));
            routes.clone().layer(peer).layer(working)
        };
        // Without an idle limit, since an order may take as long as the provider's answer.
        let listener = BoundedListener::over(listener, None);
        serve(listener, routes, std::future::pending()).await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// Restricts the socket to its owner, and returns the owner. Works on a descriptor: otherwise the
/// folder's owner could replace the socket with a link, and root would change the link's target.
fn close_to_others(path: &Path) -> io::Result<u32> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let socket = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&socket)?;
    if !FileType::from_raw_mode(found.st_mode).is_socket() {
        return Err(io::Error::other("another file has replaced the socket"));
    }
    let itself = format!("/proc/self/fd/{}", socket.as_raw_fd());
    set_permissions(itself, Permissions::from_mode(0o600))?;
    Ok(found.st_uid)
}

/// The user at the other end; `None` if it can't be determined.
#[derive(Clone, Copy)]
struct Peer(Option<u32>);

impl Peer {
    fn of(stream: &UnixStream) -> Self {
        Self(stream.peer_cred().ok().map(|peer| peer.uid()))
    }
}

/// The user who sent a request.
#[derive(Clone, Copy)]
pub(super) struct User(u32);

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("root"),
            user => write!(f, "user {user}"),
        }
    }
}

fn admits(Peer(user): Peer, owner: u32) -> bool {
    user.is_some_and(|user| user == 0 || user == owner)
}

/// Admits root and the service's own user.
async fn admit(
    State(owner): State<u32>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Result<Response, (StatusCode, &'static str)> {
    if !admits(peer, owner) {
        let why = "only root and the service's own user have access";
        return Err((StatusCode::FORBIDDEN, why));
    }
    if let Some(user) = peer.0 {
        request.extensions_mut().insert(User(user));
    }
    Ok(next.run(request).await)
}

/// Returns the state as JSON. Another thread builds it, since the rotation loop has only one.
async fn status(State(look): State<ViewSource>) -> Result<Response, StatusCode> {
    let work = move || serde_json::to_vec(&look());
    let json = tokio::task::spawn_blocking(work).await;
    let json = json.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let json = json.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

#[cfg(test)]
#[path = "control_socket_tests.rs"]
mod tests;
