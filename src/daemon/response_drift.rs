//! Compares the shape of the provider's answers once a day with the shape learned before. Every
//! difference is recorded in the trail and logged as a warning. A missing field that rotation needs
//! raises an alert.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use rustix::fs::OFlags;

use super::startup::Service;
use crate::api::response_shape::ResponseShape;
use crate::audit::GlobalEvent;
use crate::core::server_event::{AlertText, ServiceAlertKind};
use crate::safe_fs::OpenFolder;

/// The alert that is active while a field that rotation needs is missing.
const CHANGED: ServiceAlertKind = ServiceAlertKind::ProviderChanged;

/// File with the learned shape, in the state folder. Without it the shape is learned anew.
const FILE: &str = "provider.json";

/// Maximum number of bytes read from the file.
const LONGEST: u64 = 1 << 20;

/// Compares the first listing of each day.
#[derive(Debug, Default)]
pub(super) struct ResponseDriftCheck {
    day: Option<Date>,
}

impl ResponseDriftCheck {
    /// Requests the day's sample, and compares it once a listing has been sampled.
    pub(super) async fn look(&mut self, service: &Service) {
        let now = service.clock.now().wall;
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        if self.day != Some(today) {
            self.day = Some(today);
            service.api.want_shape();
        }
        let Some(seen) = service.api.take_shape() else {
            return;
        };
        let lacks = seen.lacks();
        let folder = service.config.state_dir.clone();
        let compared = tokio::task::spawn_blocking(move || compare(&folder, &seen)).await;
        let changes = match compared.map_err(io::Error::other) {
            Ok(Ok(changes)) => changes,
            Ok(Err(error)) | Err(error) => {
                tracing::warn!(%error, "the provider's answers can't be compared with those seen before");
                return;
            }
        };
        let engine = Arc::clone(&service.engine);
        if !changes.is_empty() {
            let told = engine.record_global_event(GlobalEvent::ProviderChanged { changes });
            if let Err(error) = told.await {
                tracing::warn!(%error, "the changes in the provider's answers can't be recorded");
            }
        }
        let text = |what| {
            AlertText::new(what).then_run(
                "look for a newer version of snaprotate; for the differences, run",
                "snaprotate audit show --event provider_changed",
            )
        };
        engine.set_alert(CHANGED, lacks.map(text)).await;
    }
}

/// Returns the learned shape. `None` if there is none, or none that can be read.
pub fn learnt(state_dir: &Path) -> Option<ResponseShape> {
    let folder = OpenFolder::open(state_dir).ok()?;
    let file = folder.file(OsStr::new(FILE), OFlags::RDONLY, 0).ok()?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Updates the learned shape, and returns the differences, one line each.
fn compare(state_dir: &Path, seen: &ResponseShape) -> io::Result<Vec<String>> {
    let before = learnt(state_dir).unwrap_or_default();
    let mut known = before.clone();
    let changes = known.learn(seen);
    if known != before {
        let folder = OpenFolder::open(state_dir)?;
        let (name, new) = (OsStr::new(FILE), OsStr::new("provider.json.tmp"));
        let mut file = folder.create(new, 0o600)?;
        file.write_all(serde_json::to_string(&known)?.as_bytes())?;
        file.sync_all()?;
        folder.rename(new, name)?;
    }
    Ok(changes)
}
