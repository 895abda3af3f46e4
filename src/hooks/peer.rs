//! Who may have hooks run: root, and the service itself. The socket is open to all, since the
//! service's user is made anew at each start and no group can be named for it.

use tokio::net::UnixStream;

/// The unit that the service is.
const SERVICE: &str = "snaprotate.service";

/// Whether the one at the other end may have hooks run; else why not.
pub fn admit(stream: &UnixStream) -> Result<(), String> {
    let peer = stream.peer_cred().map_err(|error| error.to_string())?;
    if peer.uid() == 0 {
        return Ok(());
    }
    let pid = peer.pid().ok_or("nobody knows which process asks")?;
    let path = format!("/proc/{pid}/cgroup");
    let groups = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    if is_service(&groups) {
        return Ok(());
    }
    let uid = peer.uid();
    Err(format!(
        "process {pid} of user {uid} is not of {SERVICE}: it may not have hooks run"
    ))
}

/// Whether a process with these groups is the service's. Only root can put one there.
fn is_service(groups: &str) -> bool {
    let path = |line: &str| line.splitn(3, ':').nth(2).map(str::to_owned);
    // By the hierarchy of systemd's own.
    let own = |line: &&str| line.starts_with("0::") || line.contains(":name=systemd:");
    let paths = groups.lines().filter(own).filter_map(path);
    let mut units = paths.map(|path| path.rsplit('/').next().map(str::to_owned));
    units.any(|unit| unit.as_deref() == Some(SERVICE))
}

#[cfg(test)]
mod tests {
    use super::is_service;

    #[test]
    fn only_a_process_of_the_unit_is_the_service() {
        assert!(is_service("0::/system.slice/snaprotate.service\n"));
        assert!(is_service(
            "4:cpu:/\n1:name=systemd:/system.slice/snaprotate.service\n"
        ));
        for other in [
            "",
            "0::/\n",
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n",
            "0::/system.slice/not-snaprotate.service\n",
            "0::/system.slice/snaprotate.service.d/x\n",
            "4:cpu:/snaprotate.service\n",
        ] {
            assert!(!is_service(other), "{other}");
        }
    }
}
