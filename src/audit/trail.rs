//! The handle that everybody records through.

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

/// A handle on the trail; copies write to the same one.
#[derive(Clone)]
pub struct Trail {
    way: Backend,
    /// Records that were asked for and written, by all copies.
    written: Arc<AtomicU64>,
    /// The last record of the last append; none before the first.
    last: LastRecord,
    busy: BusySince,
}

type LastRecord = Arc<Mutex<Option<TrailPosition>>>;

/// Since when the disk is at work on one append.
type BusySince = Arc<Mutex<Option<Instant>>>;

#[derive(Clone)]
enum Backend {
    /// To a thread of its own, so that a slow disk stalls no other work.
    Thread(mpsc::UnboundedSender<WriterRequest>),
    /// At once, on the caller's thread, so that a simulation is the same each time.
    Inline(Arc<Mutex<Option<Writer>>>),
}

enum WriterRequest {
    Append(Vec<Entry>, oneshot::Sender<Result<(), TrailError>>),
    Close(oneshot::Sender<()>),
}

/// Entries that one sync serves at most.
const GROUP: usize = 4096;

impl Trail {
    /// Opens the trail on the real disk, with a thread that writes it. `run` names this
    /// process in its records; `grace` is how long a call that an earlier process left
    /// unanswered may have run on (`request_timeout`).
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

    /// The same on another disk.
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
            .map_err(TrailError::disk("start the thread that writes", audit_dir))?;
        let trail = Self {
            way: Backend::Thread(sender),
            written: Arc::default(),
            last,
            busy,
        };
        Ok((trail, opened))
    }

    /// The same without a thread: each append writes and syncs before it first yields.
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

    /// Records all entries, in order and next to each other, or none. When it returns
    /// without error they are durable (I6); one sync serves all who wait. After an error
    /// it may be tried again: it works as soon as the disk does.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<(), TrailError> {
        entries.iter().try_for_each(Entry::placed)?;
        let records = entries.len() as u64;
        self.write(entries).await?;
        self.written.fetch_add(records, Ordering::Relaxed);
        Ok(())
    }

    /// How many records were written through this handle and its copies.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// The last durable record; none before this process has written one.
    pub fn last(&self) -> Option<TrailPosition> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// For how long the disk hasn't answered the append that it is at work on.
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

    /// Returns when all that was asked for before is written and the writer has ended;
    /// appends on other handles fail from then on.
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

/// Before the caller is answered, who finds its own record at the end, or a later one.
fn note_last(last: &LastRecord, writer: &Writer, written: &Result<(), TrailError>) {
    if written.is_ok() {
        *last.lock().unwrap_or_else(PoisonError::into_inner) = writer.mark();
    }
}

/// Takes what waits, writes it with one sync, answers, and begins anew.
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
            // Who no longer waits has no use for the answer.
            let _ = answer.send(result.clone());
        }
    }
    writer.finish();
    // The files are closed before the caller goes on.
    drop(writer);
    drop(asked);
    if let Some(answer) = closing {
        let _ = answer.send(());
    }
}
