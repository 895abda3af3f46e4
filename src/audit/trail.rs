//! The handle to the trail, through which all records are written.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::TrailError;
use super::disk::{Disk, RealDisk};
use super::open::{OpenedTrail, open};
use super::record::Entry;
use super::witness::TrailPosition;
use super::writer::Writer;

/// A handle to the trail; clones write to the same trail.
#[derive(Clone)]
pub struct Trail {
    way: Backend,
    /// Number of records that were written through this handle and its clones.
    written: Arc<AtomicU64>,
    /// The last record of the last successful append; `None` before the first one.
    last: LastRecord,
    busy: BusySince,
}

type LastRecord = Arc<Mutex<Option<TrailPosition>>>;

/// When the disk began to work on the current append; `None` if there is none.
type BusySince = Arc<Mutex<Option<Instant>>>;

#[derive(Clone)]
enum Backend {
    /// A thread of its own, so that a slow disk blocks nothing else.
    Thread(mpsc::UnboundedSender<WriterRequest>),
    /// The caller's thread, at once, so that a simulation is deterministic.
    Inline(Arc<Mutex<Option<Writer>>>),
}

enum WriterRequest {
    Append(Vec<Entry>, oneshot::Sender<Result<(), TrailError>>),
    Close(oneshot::Sender<()>),
}

/// Number of entries at which a group is closed; one sync serves a group.
const GROUP: usize = 4096;

impl Trail {
    /// Opens the trail on the real disk and starts its writer thread. `run` identifies this process
    /// in its records. `grace` is the longest time for which a call of an earlier process may have
    /// continued without an answer (`request_timeout`).
    pub fn open(
        audit_dir: &Path,
        state_dir: &Path,
        run: &str,
        now: Timestamp,
        grace: SignedDuration,
    ) -> Result<(Self, OpenedTrail), TrailError> {
        let disk = Box::new(RealDisk::default());
        Self::open_on(disk, audit_dir, state_dir, run, now, grace)
    }

    /// Like [`Self::open`], on another disk.
    pub fn open_on(
        disk: Box<dyn Disk>,
        audit_dir: &Path,
        state_dir: &Path,
        run: &str,
        now: Timestamp,
        grace: SignedDuration,
    ) -> Result<(Self, OpenedTrail), TrailError> {
        let (writer, opened) = open(disk, audit_dir, state_dir, run, now, grace)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let (busy, last) = (BusySince::default(), LastRecord::default());
        std::thread::Builder::new()
            .name("trail".to_owned())
            .spawn({
                let (busy, last) = (Arc::clone(&busy), Arc::clone(&last));
                move || serve(writer, receiver, &busy, &last)
            })
            .map_err(TrailError::disk("start the writer thread", audit_dir))?;
        let trail = Self {
            way: Backend::Thread(sender),
            written: Arc::default(),
            last,
            busy,
        };
        Ok((trail, opened))
    }

    /// Like [`Self::open_on`], without a thread: each append writes and syncs before it first
    /// yields.
    pub fn open_inline(
        disk: Box<dyn Disk>,
        audit_dir: &Path,
        state_dir: &Path,
        run: &str,
        now: Timestamp,
        grace: SignedDuration,
    ) -> Result<(Self, OpenedTrail), TrailError> {
        let (writer, opened) = open(disk, audit_dir, state_dir, run, now, grace)?;
        let trail = Self {
            way: Backend::Inline(Arc::new(Mutex::new(Some(writer)))),
            written: Arc::default(),
            last: LastRecord::default(),
            busy: BusySince::default(),
        };
        Ok((trail, opened))
    }

    /// Records all entries or none, in order and with no other record between them. If it returns
    /// without error they are durable (I6); one sync serves all waiting callers. After a disk error
    /// the append may be retried: it succeeds as soon as the disk works again.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<(), TrailError> {
        entries.iter().try_for_each(Entry::placed)?;
        let records = entries.len() as u64;
        self.write(entries).await?;
        self.written.fetch_add(records, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the number of records that were written through this handle and its clones.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Returns the last durable record; `None` before this process has written one.
    pub fn last(&self) -> Option<TrailPosition> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns how long the disk has been at work on the current append; zero if there is none.
    pub fn hangs_for(&self) -> Duration {
        let since = *self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    async fn write(&self, entries: Vec<Entry>) -> Result<(), TrailError> {
        match &self.way {
            Backend::Thread(sender) => {
                let (answer, answered) = oneshot::channel();
                sender
                    .send(WriterRequest::Append(entries, answer))
                    .map_err(|_| TrailError::Closed)?;
                answered.await.unwrap_or(Err(TrailError::Closed))
            }
            Backend::Inline(writer) => {
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                let writer = writer.as_mut().ok_or(TrailError::Closed)?;
                let written = writer.append(&entries);
                note_last(&self.last, writer, &written);
                written
            }
        }
    }

    /// Waits until all earlier appends are written and the writer has ended. Appends on other
    /// handles fail from then on.
    pub async fn close(self) {
        match self.way {
            Backend::Thread(sender) => {
                let (answer, answered) = oneshot::channel();
                if sender.send(WriterRequest::Close(answer)).is_ok() {
                    let _ = answered.await;
                }
            }
            Backend::Inline(writer) => {
                let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(mut writer) = writer {
                    writer.finish();
                }
            }
        }
    }
}

/// Stores the last record. Called before callers are answered, so that each finds its own record or
/// a later one.
fn note_last(last: &LastRecord, writer: &Writer, written: &Result<(), TrailError>) {
    if written.is_ok() {
        *last.lock().unwrap_or_else(PoisonError::into_inner) = writer.mark();
    }
}

/// Runs the writer thread: takes all waiting appends, writes them with one sync, and answers.
fn serve(
    mut writer: Writer,
    mut asked: mpsc::UnboundedReceiver<WriterRequest>,
    busy: &Mutex<Option<Instant>>,
    last: &LastRecord,
) {
    let at_work = |since| *busy.lock().unwrap_or_else(PoisonError::into_inner) = since;
    let mut closing = None;
    while closing.is_none()
        && let Some(mut next) = asked.blocking_recv()
    {
        let (mut entries, mut answers) = (Vec::new(), Vec::new());
        loop {
            match next {
                WriterRequest::Append(more, answer) => {
                    entries.extend(more);
                    answers.push(answer);
                }
                WriterRequest::Close(answer) => {
                    closing = Some(answer);
                    break;
                }
            }
            if entries.len() >= GROUP {
                break;
            }
            match asked.try_recv() {
                Ok(more) => next = more,
                Err(_) => break,
            }
        }
        at_work(Some(Instant::now()));
        let result = writer.append(&entries);
        at_work(None);
        note_last(last, &writer, &result);
        for answer in answers {
            // It is not an error if a caller no longer waits.
            let _ = answer.send(result.clone());
        }
    }
    writer.finish();
    // The files must be closed before the caller of `close` continues.
    drop(writer);
    drop(asked);
    if let Some(answer) = closing {
        let _ = answer.send(());
    }
}
