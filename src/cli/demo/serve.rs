//! `demo --serve`: runs the stand-in alone, at normal speed, to try one's own policies.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::{Exit, say};
use super::{Demo, TOKEN, demo_servers, interrupted};
use crate::clock::Clock;
use crate::core::sanitize::counted;
use crate::sandbox::{IdShape, Sandbox, SandboxConfig};

/// Time until a snapshot is completed: long enough to see it in progress, short enough to wait for
/// it.
const COMPLETES_AFTER: SignedDuration = SignedDuration::from_secs(10);
const RESTORES_AFTER: SignedDuration = SignedDuration::from_secs(20);

/// Parses a loopback address. Any other is refused, since the token is public.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "write an address and a port, such as 127.0.0.1:9181".to_owned())?;
    if !address.ip().is_loopback() {
        return Err(
            "use a loopback address, 127.0.0.1 or [::1]: no password protects the demo".to_owned(),
        );
    }
    Ok(address)
}

/// Parses a server, written `ID=NAME`.
pub(super) fn server(text: &str) -> Result<(u64, String), String> {
    let parts = text.split_once('=');
    let id = parts.and_then(|(id, _)| id.parse().ok());
    match (id, parts) {
        (Some(id @ 1..), Some((_, name))) if !name.is_empty() => Ok((id, name.to_owned())),
        _ => Err("write the id and the name of a server, such as 12345=web-server-01".to_owned()),
    }
}

/// Parses the shape of ids.
pub(super) fn ids(text: &str) -> Result<IdShape, String> {
    match text {
        "integer" => Ok(IdShape::Integers),
        "uuid" => Ok(IdShape::Uuids),
        "both" => Ok(IdShape::Both),
        _ => Err("write integer, uuid or both".to_owned()),
    }
}

/// Serves until a signal arrives.
pub(super) async fn serve(address: SocketAddr, demo: &Demo) -> anyhow::Result<Exit> {
    let (servers, own) = (demo.servers, &demo.own);
    let config = SandboxConfig {
        latency: Duration::from_millis(50),
        completes_after: COMPLETES_AFTER,
        page_size: demo.page_size.map(usize::from),
        max_page_size: 100,
        ids: demo.ids,
        ..SandboxConfig::new(Clock::system(), TOKEN)
    };
    let sandbox = Sandbox::start_at(config, address)
        .await
        .with_context(|| format!("--serve {address}"))?;
    sandbox.set_restores_after(RESTORES_AFTER);
    // The server may run for days, and nobody reads its request log.
    sandbox.keep_log(false);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).start_of_day()?;
    demo_servers::enter(&sandbox, servers, today.timestamp());
    for (id, name) in own {
        sandbox.add_server(*id, name);
    }
    let served = counted(usize::from(servers) + own.len(), "server");
    say(&opening(&sandbox.base_url(), &served))?;
    interrupted().await;
    Ok(Exit::Good)
}

/// Returns the settings that a configuration needs for this stand-in.
fn opening(base_url: &str, served: &str) -> String {
    format!(
        "# A stand-in for the API with {served}, until Ctrl-C; then all its data is discarded.
# The token, beside the file below: printf {TOKEN} | install -m 0600 /dev/stdin token
# A snaprotate.toml for it, and policies in policies.d beside it:
[api]
base_url = \"{base_url}\"
token_file = \"token\"
[daemon]
state_dir = \"state\"
[audit]
dir = \"log\"
# What it holds: snaprotate --config ./snaprotate.toml list"
    )
}
