//! Authorizes the peer of the runner's socket: only root, the runner's own user and the service may
//! run hooks. The mode of the socket does not ensure that: it admits one of the service's groups,
//! since the service's user may change at each start, and an administrator may have added other
//! users to that group.

use tokio::net::UnixStream;

/// The service's unit, and the slice of that unit and the runner.
const SERVICE: &str = "snaprotate.service";
const SLICE: &str = "/system.slice/";

/// Accepts the peer if it is allowed to run hooks; the error says why not.
pub fn admit(stream: &UnixStream) -> Result<(), String> {
    let peer = stream.peer_cred().map_err(|error| error.to_string())?;
    if peer.uid() == 0 || peer.uid() == rustix::process::getuid().as_raw() {
        return Ok(());
    }
    let pid = peer.pid().ok_or("the process of the client is unknown")?;
    let groups = |process: &str| {
        let path = format!("/proc/{process}/cgroup");
        std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    };
    if is_service(&groups(&pid.to_string())?, &groups("self")?) {
        return Ok(());
    }
    let uid = peer.uid();
    Err(format!(
        "process {pid} of user {uid} does not belong to {SERVICE}: it may not run hooks"
    ))
}

/// Returns true if a process with these cgroups belongs to the service: its unit lies directly in
/// the `system.slice` that contains the runner's own unit. Only root can put a unit there, while
/// users can create cgroups of any name below their own.
fn is_service(groups: &str, own: &str) -> bool {
    let (Some(group), Some(own)) = (unit(groups), unit(own)) else {
        return false;
    };
    let root = own.find(SLICE).map(|at| &own[..at]);
    let inside = root.and_then(|root| group.strip_prefix(root));
    inside.and_then(|inside| inside.strip_prefix(SLICE)) == Some(SERVICE)
}

/// Returns the cgroup in systemd's own hierarchy.
fn unit(groups: &str) -> Option<&str> {
    let own = |line: &&str| line.starts_with("0::") || line.contains(":name=systemd:");
    let mut lines = groups.lines().filter(own);
    // If both hierarchies exist, systemd uses the named one.
    let line = lines.clone().find(|line| !line.starts_with("0::"));
    line.or_else(|| lines.next())?.splitn(3, ':').nth(2)
}

#[cfg(test)]
mod tests {
    use super::is_service;

    const OWN: &str =
        "0::/system.slice/system-snaprotate\\x2dhook.slice/snaprotate-hook@1.service\n";

    #[test]
    fn only_a_process_in_the_unit_of_the_service_is_accepted() {
        assert!(is_service("0::/system.slice/snaprotate.service\n", OWN));
        let nested = OWN.replace("0::", "0::/machine.slice/box");
        assert!(is_service(
            "0::/machine.slice/box/system.slice/snaprotate.service\n",
            &nested
        ));
        let mixed = OWN.replace("0::", "0::/\n1:name=systemd:");
        assert!(is_service(
            "0::/\n1:name=systemd:/system.slice/snaprotate.service\n",
            &mixed
        ));
        let user = "/user.slice/user-1000.slice/user@1000.service";
        for other in [
            "",
            "0::/\n",
            &format!("0::{user}/app.slice/snaprotate.service\n"),
            &format!("0::{user}/system.slice/snaprotate.service\n"),
            "0::/system.slice/not-snaprotate.service\n",
            "0::/system.slice/snaprotate.service/x\n",
            "4:cpu:/system.slice/snaprotate.service\n",
        ] {
            assert!(!is_service(other, OWN), "{other}");
        }
        // A runner outside any unit accepts no service.
        assert!(!is_service(
            "0::/system.slice/snaprotate.service\n",
            "0::/\n"
        ));
    }
}
