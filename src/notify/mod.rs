//! Delivers alerts to receivers without blocking the engine: news items enter a bounded queue, and
//! each receiver has its own task and limits. Deliveries to a receiver that is down are retried for
//! an hour; then its messages are dropped and counted.
//!
//! - `receiver`: the loop of one receiver, which collects news, delivers it and retries;
//!   `pending`: its queue, and which alerts enter it (`on`, `servers`).
//! - `delivery`: one delivery with one time limit; `http`, `mail`, `command`: the transports;
//!   `host_name`: the host's name in messages.

mod command;
mod delivery;
mod host_name;
mod http;
mod mail;
mod pending;
mod receiver;

pub use delivery::Delivery;
pub use host_name::host;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::alerts::{Alert, NewsQueue};
use crate::api::Proxy;
use crate::clock::Clock;
use crate::config::notify::Receiver;
use receiver::ReceiverLoop;

/// State of a receiver, for status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReceiverView {
    /// Name of the receiver.
    pub name: String,
    /// How it is reached: the value of `type`.
    pub r#type: String,
    /// Messages that were delivered.
    pub delivered: u64,
    /// Messages that were given up, and news items dropped before they became messages.
    pub dropped: u64,
    /// Why the last delivery failed; `null` if it succeeded, or if there was none yet.
    pub error: Option<String>,
    /// When the next message may be sent, if messages wait because many were sent within ten
    /// minutes.
    pub held_until: Option<Timestamp>,
}

/// Settings that all deliveries share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryContext {
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Proxy for receivers over https.
    pub proxy: Proxy,
    /// Folder of systemd's credentials.
    pub credentials: Option<PathBuf>,
    /// The address of the status page, if people can reach it.
    pub page: Option<String>,
}

type ReceiverTasks = Arc<Mutex<Vec<Arc<ReceiverLoop>>>>;

/// State of all receivers, for status.
#[derive(Clone)]
pub struct ReceiverStatus {
    lines: ReceiverTasks,
    lost: Arc<AtomicU64>,
}

impl ReceiverStatus {
    /// Returns a row for each receiver.
    pub fn view(&self) -> Vec<ReceiverView> {
        let lost = self.lost.load(Ordering::Relaxed);
        let lines = lock(&self.lines);
        lines.iter().map(|line| line.view(lost)).collect()
    }
}

/// All receivers, and the queue of their news.
pub struct Notifier {
    tap: Arc<NewsQueue>,
    clock: Clock,
    watch: ReceiverStatus,
    hub: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Notifier {
    /// Starts delivering news to the receivers. `standing` lists the alerts that a previous
    /// process, which was alive until `last`, had raised.
    pub fn start(
        receivers: &[Receiver],
        means: &DeliveryContext,
        clock: &Clock,
        standing: &[Alert],
        last: Timestamp,
    ) -> Self {
        let tap = Arc::new(NewsQueue::default());
        let watch = ReceiverStatus {
            lines: ReceiverTasks::default(),
            lost: Arc::default(),
        };
        let hub = tokio::spawn({
            let (tap, watch, clock) = (Arc::clone(&tap), watch.clone(), clock.clone());
            async move {
                loop {
                    tap.came().await;
                    spread(&tap, &watch, &clock);
                }
            }
        });
        let mut notifier = Self {
            tap,
            clock: clock.clone(),
            watch,
            hub,
            tasks: Vec::new(),
            stop: CancellationToken::new(),
        };
        notifier.reload(receivers, means, standing, last);
        notifier
    }

    /// Returns the queue of news.
    pub fn tap(&self) -> Arc<NewsQueue> {
        Arc::clone(&self.tap)
    }

    /// Returns the state of the receivers.
    pub fn watch(&self) -> ReceiverStatus {
        self.watch.clone()
    }

    /// Replaces the receivers. A receiver keeps its state if its name, its alert filters and its
    /// kind (alerts or pings) stay the same.
    pub fn reload(
        &mut self,
        receivers: &[Receiver],
        means: &DeliveryContext,
        standing: &[Alert],
        last: Timestamp,
    ) {
        spread(&self.tap, &self.watch, &self.clock);
        for task in self.tasks.drain(..) {
            task.abort();
        }
        let mut lines = lock(&self.watch.lines);
        let old = std::mem::take(&mut *lines);
        for receiver in receivers {
            let former = old.iter().find(|line| line.settings.name == receiver.name);
            let line = ReceiverLoop::new(
                receiver.clone(),
                self.clock.clone(),
                former.map(Arc::as_ref),
            );
            if !line.goes_on {
                line.stood(standing, last);
            }
            let line = Arc::new(line);
            let post = Delivery::new(receiver.clone(), means.clone());
            let running = Arc::clone(&line).run(post, self.stop.clone());
            self.tasks.push(tokio::spawn(running));
            lines.push(line);
        }
    }

    /// Stops the receivers; each first tries to deliver what is pending, within this time.
    pub async fn finish(&mut self, limit: Duration) {
        spread(&self.tap, &self.watch, &self.clock);
        self.hub.abort();
        self.stop.cancel();
        let tasks = std::mem::take(&mut self.tasks);
        let handles: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for task in tasks {
                let _ended = task.await;
            }
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("not all messages were delivered before the service ended");
            for handle in handles {
                handle.abort();
            }
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.hub.abort();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Passes queued news to each receiver; never waits.
fn spread(tap: &NewsQueue, watch: &ReceiverStatus, clock: &Clock) {
    let (news, lost) = tap.drain();
    if lost > 0 {
        watch.lost.fetch_add(lost, Ordering::Relaxed);
        tracing::warn!(lost, "too many alerts at once; the oldest were dropped");
    }
    if news.is_empty() {
        return;
    }
    let now = clock.now().wall;
    for line in lock(&watch.lines).iter() {
        line.hear(&news, now);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
