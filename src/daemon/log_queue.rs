//! Writes the log in a separate thread. A reader of the log that hangs must not delay any decision
//! or the start of a stopped server. It delays the end of the process by at most a second.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Maximum number of lines that wait to be written; further lines are lost.
const CAPACITY: usize = 4096;

/// How long the end of the process waits for the lines that are still to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Pause between two tries to add to a full queue at the end of the process.
const RETRY: Duration = Duration::from_millis(10);

/// The queue of lines for the log. Adding a line never blocks.
#[derive(Clone)]
pub(super) struct LogQueue {
    entries: SyncSender<QueueEntry>,
    lost: Arc<AtomicU64>,
}

enum QueueEntry {
    Line(Vec<u8>),
    /// Reports when everything before it has been written.
    Flush(SyncSender<()>),
}

impl LogQueue {
    /// Starts the thread that passes each line to `write`, which may block.
    pub(super) fn start(
        mut write: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (entries, queue) = sync_channel(CAPACITY);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let run = move || write_all(&queue, &mut write, &counter);
        thread::Builder::new().name("log".to_owned()).spawn(run)?;
        Ok(Self { entries, lost })
    }

    pub(super) fn put(&self, line: Vec<u8>) {
        match self.entries.try_send(QueueEntry::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until all lines so far have been written, for at most a second.
    pub(super) fn flush(&self) {
        let deadline = Instant::now() + PATIENCE;
        let (done, written) = sync_channel(1);
        let mut flush = QueueEntry::Flush(done);
        while let Err(TrySendError::Full(again)) = self.entries.try_send(flush) {
            if Instant::now() >= deadline {
                return;
            }
            thread::sleep(RETRY);
            flush = again;
        }
        let _timed_out = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

fn write_all(
    queue: &Receiver<QueueEntry>,
    write: &mut impl FnMut(&[u8]) -> io::Result<()>,
    lost: &AtomicU64,
) {
    for entry in queue {
        match entry {
            // A failure to write the log can't be reported anywhere.
            QueueEntry::Line(line) => drop(write(&line)),
            QueueEntry::Flush(done) => drop(done.send(())),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(
                event = "log_lines_lost",
                lost,
                "the log was not read for a while: lines were lost"
            );
        }
    }
}

/// A formatted event is written in one piece.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_writer_that_hangs_blocks_no_caller_and_lines_beyond_the_capacity_are_counted_as_lost() {
        let (resume, hang) = channel::<()>();
        let written = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&written);
        let queue = LogQueue::start(move |line| {
            // Waits until the test ends the hang, and never again.
            let _over = hang.recv();
            lines.lock().expect("no panic").push(line.to_vec());
            Ok(())
        });
        let queue = queue.expect("a thread");
        for number in 0..CAPACITY + 10 {
            queue.put(number.to_string().into_bytes());
        }
        let lost = queue.lost.load(Ordering::Relaxed);
        // The thread may have taken one line already.
        assert!((9..=10).contains(&lost), "{lost}");
        drop(resume);
        queue.flush();
        let written = written.lock().expect("no panic").len() as u64;
        assert_eq!(written + lost, CAPACITY as u64 + 10);
    }
}
