//! `demo`: runs the real engine against a stand-in of the API, with time sped up. With `--serve` it
//! runs the stand-in alone.
//!
//! It neither reads nor writes any of the user's files. The trail is in a temporary folder, which
//! is removed at the end.

mod demo_servers;
mod page;
mod progress;
mod serve;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::screen::Screen;
use crate::api::{ApiSettings, HttpApi, Proxy, RateSettings, TokenSource};
use crate::audit::{self, Trail};
use crate::clock::Clock;
use crate::core::policy::Rules;
use crate::daemon::CommandError;
use crate::engine::Engine;
use crate::sandbox::{IdShape, Sandbox, SandboxConfig};

/// Hours of demo time that pass per second of real time.
const HOURS_A_SECOND: u32 = 3;

/// The stand-in's token. It is public and protects nothing.
const TOKEN: &str = "demo";

/// The options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// How long to run, in real time: 20s, 2m
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = real_time)]
    time: Duration,
    /// How many servers; each of the first six is in a different state
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=500))]
    servers: u16,
    /// Run until Ctrl-C
    #[arg(long)]
    keep_running: bool,
    /// Serve the status page on this loopback address, such as 127.0.0.1:9180
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = serve::loopback, conflicts_with = "serve")]
    listen: Option<SocketAddr>,
    /// Rotate nothing: only serve the stand-in on this loopback address, at normal speed, until
    /// Ctrl-C; to try your own policies, hooks and alerts
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = serve::loopback, conflicts_with_all = ["time", "keep_running"])]
    serve: Option<SocketAddr>,
    /// A server to serve in addition to the made-up ones, such as one that your policies name;
    /// may be given more than once
    #[arg(long = "server", value_name = "ID=NAME", value_parser = serve::server, requires = "serve")]
    own: Vec<(u64, String)>,
    /// The form of the stand-in's ids: integer, as in the documentation; uuid, as in the
    /// provider's client; or both
    #[arg(long, value_name = "SHAPE", value_parser = serve::ids, default_value = "integer", requires = "serve")]
    ids: IdShape,
    /// Rows per page, unless the request states a number, at most 100; without this option,
    /// listings have no pages
    #[arg(long, value_name = "N", requires = "serve", value_parser = clap::value_parser!(u16).range(1..=100))]
    page_size: Option<u16>,
    /// Accepted as with every command, but without effect, so the help leaves it out.
    #[arg(id = "config", long = "config", value_name = "FILE", hide = true)]
    _config: Option<PathBuf>,
}

fn real_time(text: &str) -> Result<Duration, String> {
    let span: SignedDuration = text
        .parse()
        .map_err(|_| "write a duration such as 20s or 2m".to_owned())?;
    Duration::try_from(span).map_err(|_| "write a duration that is not negative".to_owned())
}

impl Demo {
    /// Runs the demo. Returns `Bad` if its trail doesn't verify.
    pub fn run(&self) -> Result<Exit, CommandError> {
        super::block_on(async {
            let shown = match self.serve {
                Some(address) => serve::serve(address, self).await,
                None => self.show().await,
            };
            shown.map_err(|why| CommandError::System(format!("the demo: {why:#}")))
        })
    }

    async fn show(&self) -> anyhow::Result<Exit> {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let now = Clock::system().now().wall;
        // With a whole day first, each server's slot comes at its own hour.
        let base = now.to_zoned(TimeZone::UTC).start_of_day()?.timestamp();
        let clock = Clock::fast(base, HOURS_A_SECOND * 3600);
        let sandbox = Sandbox::start(SandboxConfig {
            latency: Duration::from_millis(2),
            completes_after: SignedDuration::from_mins(20),
            ..SandboxConfig::new(clock.clone(), TOKEN)
        })
        .await
        .context("the stand-in can't be started on loopback")?;
        let policies = demo_servers::enter(&sandbox, self.servers, base);
        let width = Screen::columns_of_stdout();
        let names = policies
            .iter()
            .map(|p| (p.server.clone(), p.name.clone().unwrap_or_default()))
            .collect();
        progress::begin(clock.clone(), names, colour, width)?;
        progress::opening(self.servers, HOURS_A_SECOND, colour, width)?;

        let folder = TemporaryFolder::new()?;
        let api = HttpApi::new(&settings(&sandbox), clock.clone()).map_err(|why| anyhow!(why))?;
        let api = Arc::new(api);
        let rules = rules();
        let (trail, opened) = Trail::open(
            &folder.0.join("log"),
            &folder.0.join("state"),
            "demo",
            base,
            rules.request_timeout,
        )?;
        let engine = Engine::new(
            Arc::clone(&api),
            trail.clone(),
            clock.clone(),
            opened,
            rules,
            policies.clone(),
        );
        let page = match self.listen {
            Some(listen) => {
                Some(page::serve(listen, &engine, &api, clock, folder.0.join("log")).await?)
            }
            None => None,
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            async move { engine.run(stop).await }
        });
        tokio::select! {
            () = tokio::time::sleep(self.time), if !self.keep_running => {}
            () = interrupted() => {}
        }
        stop.cancel();
        running.await.context("the engine failed")?;
        drop((page, engine));
        trail.close().await;
        progress::closing(&sandbox, &policies, colour)?;
        let verified = audit::verify(&folder.0.join("log"), &folder.0.join("state"))?;
        progress::trail(&verified, colour)?;
        progress::next()?;
        Ok(if verified.problems.is_empty() {
            Exit::Good
        } else {
            Exit::Bad
        })
    }
}

async fn interrupted() {
    use futures_util::StreamExt as _;
    let Ok(mut signals) = signal_hook_tokio::Signals::new([
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
    ]) else {
        return std::future::pending().await;
    };
    signals.next().await;
}

fn settings(sandbox: &Sandbox) -> ApiSettings {
    ApiSettings {
        base_url: sandbox.base_url(),
        token: TokenSource::Given(TOKEN.to_owned().into()),
        connect_timeout: Duration::from_secs(2),
        request_timeout: Duration::from_secs(5),
        rate: RateSettings {
            max_in_flight: 8,
            per_second: 0.0,
            burst: 1,
        },
        max_body: 16 << 20,
        ca_file: None,
        proxy: Proxy::None,
    }
}

/// Returns the times of a real configuration, lengthened so that on a busy machine a slow answer
/// isn't treated as lost at this speed.
fn rules() -> Rules {
    Rules {
        limit: 5,
        poll_interval: SignedDuration::from_mins(3),
        settle_window: SignedDuration::from_hours(2),
        stuck_after: SignedDuration::from_hours(4),
        retry_after: SignedDuration::from_mins(30),
        restore_window: SignedDuration::from_mins(30),
        shrink_grace: SignedDuration::from_hours(1),
        request_timeout: SignedDuration::from_hours(15),
        due_until: None,
        count_all: false,
    }
}

/// A folder that is removed on drop.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> anyhow::Result<Self> {
        let name = format!("snaprotate-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)
            .with_context(|| format!("{}: can't be created", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
