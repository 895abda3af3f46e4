use std::os::unix::net::UnixListener as StdListener;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::control_client::{NoAnswer, ask};
use super::*;

/// Returns a socket's path in a folder that doesn't exist yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = socket(Some(&folder.path().join("run")));
    (folder, path)
}

#[tokio::test]
async fn a_client_receives_the_service_s_view_and_the_socket_is_removed_when_the_service_ends() {
    let (_folder, path) = place();
    let control = ControlSocket::listen(&path).await.expect("it listens");
    let serving = tokio::spawn(control.serve(FleetView::of_nothing, Router::new()));
    assert_eq!(
        ask(&path).await.expect("an answer"),
        FleetView::of_nothing()
    );
    serving.abort();
    assert!(serving.await.is_err_and(|end| end.is_cancelled()));
    assert!(!path.exists());
    assert!(matches!(ask(&path).await, Err(NoAnswer::NotRunning(_))));
}

#[tokio::test]
async fn the_view_is_not_built_on_the_thread_of_the_rotation_loop() {
    let (_folder, path) = place();
    let control = ControlSocket::listen(&path).await.expect("it listens");
    let this = std::thread::current().id();
    let look = move || {
        assert_ne!(std::thread::current().id(), this);
        FleetView::of_nothing()
    };
    let serving = tokio::spawn(control.serve(look, Router::new()));
    ask(&path).await.expect("an answer");
    serving.abort();
}

#[tokio::test]
async fn a_connection_with_an_incomplete_request_is_closed() {
    let (_folder, path) = place();
    let control = ControlSocket::listen(&path).await.expect("it listens");
    let serving = tokio::spawn(control.serve(FleetView::of_nothing, Router::new()));
    let mut client = UnixStream::connect(&path).await.expect("connected");
    client.write_all(b"GET /api").await.expect("sent");
    tokio::time::pause();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_mins(1), client.read_to_end(&mut rest));
    assert_eq!(ended.await.expect("ended").expect("closed"), 0);
    serving.abort();
}

#[tokio::test]
async fn only_the_owner_can_open_the_socket_and_its_folder() {
    let (_folder, path) = place();
    let _control = ControlSocket::listen(&path).await.expect("it listens");
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
}

#[test]
fn only_root_and_the_owner_are_admitted() {
    let (root, owner, other) = (Some(0), Some(64_123), Some(1000));
    for (user, in_) in [(root, true), (owner, true), (other, false), (None, false)] {
        assert_eq!(admits(Peer(user), 64_123), in_, "{user:?}");
    }
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_one_that_answers_is_not() {
    let (_folder, path) = place();
    std::fs::create_dir(path.parent().expect("a folder")).expect("made");
    // A dropped listener leaves its file behind, as a killed process does.
    drop(StdListener::bind(&path).expect("bound"));
    let control = ControlSocket::listen(&path).await.expect("it listens");
    let second = ControlSocket::listen(&path).await.err().expect("refused");
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    drop(control);
}
