//! Delivers to receivers what is to be told of alerts. Nothing here holds anything up: the
//! engine's news come by a bounded queue, each receiver has a task and a limit of its own,
//! and one that is down is tried again for an hour, then its messages are dropped and counted.
//!
//! - `receiver`: the loop of one receiver: a short wait for more, one message, growing pauses;
//!   `pending`: what it is still to be told.
//! - `delivery`: one delivery, with one time limit; `http`, `mail`, `command`: the ways.

mod command;
mod delivery;
mod http;
mod mail;
mod pending;
mod receiver;

pub use delivery::{Delivery, host};

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

/// How a receiver fares, for those who look on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverView {
    /// What it is called.
    pub name: String,
    /// How it is reached: the word of `type`.
    pub r#type: String,
    /// Messages that it took.
    pub delivered: u64,
    /// What it was not told: messages given up, and what found no place.
    pub dropped: u64,
    /// Why the last delivery failed; `null`: it didn't.
    pub error: Option<String>,
}

/// What all deliveries have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryContext {
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy on the way to receivers over https.
    pub proxy: Proxy,
    /// Where systemd puts credentials.
    pub credentials: Option<PathBuf>,
}

type ReceiverTasks = Arc<Mutex<Vec<Arc<ReceiverLoop>>>>;

/// How the receivers fare, for those who look on.
#[derive(Clone)]
pub struct ReceiverStatus {
    lines: ReceiverTasks,
    lost: Arc<AtomicU64>,
}

impl ReceiverStatus {
    /// A row for each receiver.
    pub fn view(&self) -> Vec<ReceiverView> {
        let lost = self.lost.load(Ordering::Relaxed);
        let lines = lock(&self.lines);
        lines.iter().map(|line| line.view(lost)).collect()
    }
}

/// All receivers, and what feeds them.
pub struct Notifier {
    tap: Arc<NewsQueue>,
    clock: Clock,
    watch: ReceiverStatus,
    hub: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Notifier {
    /// Begins to tell the receivers of news. `standing` was told by a process before, which
    /// lived until `last`.
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

    /// Where the news come from.
    pub fn tap(&self) -> Arc<NewsQueue> {
        Arc::clone(&self.tap)
    }

    /// How the receivers fare.
    pub fn watch(&self) -> ReceiverStatus {
        self.watch.clone()
    }

    /// Puts other receivers in place. One of the same name goes on with what it was told.
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

    /// Gives what is still to be told so much time, and ends.
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
            tracing::warn!("not every receiver could be told everything before the end");
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

/// Gives each receiver what came; never waits.
fn spread(tap: &NewsQueue, watch: &ReceiverStatus, clock: &Clock) {
    let (news, lost) = tap.drain();
    if lost > 0 {
        watch.lost.fetch_add(lost, Ordering::Relaxed);
        tracing::warn!(
            lost,
            "more alerts at once than can be told of; the oldest were dropped"
        );
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
