//! The name of this host, as it appears in messages.

/// Returns this host's name.
pub fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
