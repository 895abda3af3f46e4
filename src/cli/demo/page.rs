//! The status page of the demo.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use tokio::sync::watch;

use super::progress;
use crate::api::HttpApi;
use crate::clock::Clock;
use crate::config::Http;
use crate::engine::Engine;
use crate::status::{FleetView, PageModel, PageServer, ViewSource};

/// Serves the page as long as the returned value lives, and prints its address.
pub(super) async fn serve(
    listen: SocketAddr,
    engine: &Arc<Engine<HttpApi>>,
    api: &HttpApi,
    clock: Clock,
    audit: PathBuf,
) -> anyhow::Result<watch::Sender<Option<Http>>> {
    let started = clock.now().wall;
    let seen = Arc::clone(engine);
    let look: ViewSource = Arc::new(move || {
        let times = (started, clock.now().wall);
        FleetView::of(&seen, Vec::new(), Path::new("demo"), times)
    });
    let site = PageModel::new(Arc::clone(engine), look, api.tally(), audit);
    let settings = Http {
        listen,
        hosts: Vec::new(),
        url: None,
    };
    let (sender, settings) = watch::channel(Some(settings));
    let server = PageServer::open(site, settings).await;
    if let Some(why) = server.failure() {
        bail!("the status page can't be served on {why}");
    }
    tokio::spawn(server.run());
    progress::page(listen)?;
    Ok(sender)
}
