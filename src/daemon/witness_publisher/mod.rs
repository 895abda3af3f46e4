//! Signs checkpoints of the trail and publishes them: to the log, to receivers, to a file.
//!
//! Rotation never waits for the publisher. A checkpoint is due when the interval has passed and
//! something was recorded since the last one, and whenever a new file of the trail begins. Failures
//! are retried with growing pauses, and an alert is active meanwhile. `checkpoint_appender` appends
//! to the file.

mod checkpoint_appender;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::alerts::{News, NewsQueue, SignedCheckpoint};
use crate::api::{HttpApi, secret};
use crate::audit::witness::{Checkpoint, SignerKey, TrailPosition};
use crate::audit::{Entry, GlobalEvent, Trail, WitnessedPoint};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::core::retry_backoff::{LONGEST_BACKOFF, doubled};
use crate::core::server_event::{AlertText, ClockReading, ServiceAlertKind};
use crate::engine::Engine;
use checkpoint_appender::{PendingWrite, write};

/// The alert that is active while a checkpoint can't be signed or written to its file.
pub(super) const FAILED: ServiceAlertKind = ServiceAlertKind::WitnessFailed;

/// First pause before a failure is retried; it doubles each time, up to [`LONGEST_BACKOFF`].
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Longest sleep, since the wall clock may jump and a month may end.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_mins(1);

/// The settings in force.
#[derive(Clone)]
struct WitnessSettings {
    table: config::witness::Witness,
    /// Names of the receivers that are witnesses.
    receivers: Vec<String>,
}

impl WitnessSettings {
    fn of(config: &Config) -> Option<Self> {
        let receivers = config.receivers.iter();
        let receivers = receivers.filter(|receiver| receiver.witness);
        Some(Self {
            table: config.witness.clone()?,
            receivers: receivers.map(|receiver| receiver.name.clone()).collect(),
        })
    }
}

/// Publishes the trail's checkpoints.
pub(super) struct Witness {
    engine: Arc<Engine<HttpApi>>,
    trail: Trail,
    clock: Clock,
    tap: Arc<NewsQueue>,
    credentials: Option<PathBuf>,
    settings: watch::Sender<Option<WitnessSettings>>,
    /// Set by a reload: a failure is retried at the next look, whatever its pause.
    at_once: AtomicBool,
    state: Mutex<WitnessState>,
}

#[derive(Default)]
struct WitnessState {
    last: Option<LastCheckpoint>,
    /// Set if an alert of an earlier process is active: a checkpoint is made at once to clear the
    /// alert.
    again: bool,
    /// The checkpoint that the file still lacks, and its note.
    owed: Option<(Checkpoint, String)>,
    writing: PendingWrite,
    /// Consecutive failures, and the earliest time of the next try.
    failures: u32,
    next_try: SignedDuration,
}

struct LastCheckpoint {
    wall: Timestamp,
    mono: SignedDuration,
    covers: u64,
    /// Name of the trail's file at that time.
    file: String,
}

impl Witness {
    pub(super) fn new(
        config: &Config,
        (engine, trail): (&Arc<Engine<HttpApi>>, &Trail),
        (clock, tap): (&Clock, Arc<NewsQueue>),
        credentials: Option<PathBuf>,
    ) -> Self {
        Self {
            engine: Arc::clone(engine),
            trail: trail.clone(),
            clock: clock.clone(),
            tap,
            credentials,
            settings: watch::Sender::new(WitnessSettings::of(config)),
            at_once: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Takes over the last checkpoint from the trail. `failed` is true if the alert is active.
    pub(super) async fn resume(&self, sealed: Option<WitnessedPoint>, failed: bool) {
        let now = self.clock.now();
        let mut state = self.state.lock().await;
        state.again = failed;
        state.last = sealed.map(|sealed| LastCheckpoint {
            wall: sealed.at,
            mono: now.mono - now.wall.duration_since(sealed.at),
            covers: sealed.covers,
            file: sealed.file,
        });
    }

    /// Applies a new configuration, and retries a failure at once.
    pub(super) fn reload(&self, config: &Config) {
        self.at_once.store(true, Ordering::Relaxed);
        self.settings.send_replace(WitnessSettings::of(config));
    }

    /// Publishes checkpoints when they are due, until `stop`.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut settings = self.settings.subscribe();
        loop {
            settings.mark_unchanged();
            let pause = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                pause = self.look() => pause,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _changed = settings.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does what is due, and returns the pause until the next look.
    pub(super) async fn look(&self) -> Duration {
        let mut state = self.state.lock().await;
        let settings = self.settings.borrow().clone();
        if self.at_once.swap(false, Ordering::Relaxed) {
            state.next_try = SignedDuration::ZERO;
        }
        let Some(WitnessSettings { table, receivers }) = settings else {
            (state.owed, state.failures) = (None, 0);
            self.engine.set_alert(FAILED, None).await;
            return LONGEST_SLEEP.unsigned_abs();
        };
        let interval = SignedDuration::try_from(table.interval).unwrap_or(SignedDuration::MAX);
        let now = self.clock.now();
        if now.mono >= state.next_try {
            let done = self
                .attempt(&mut state, &table, receivers, interval, now)
                .await;
            let text = match done {
                Ok(()) => {
                    state.failures = 0;
                    None
                }
                Err(why) => {
                    state.next_try = now.mono + doubled(PAUSE, state.failures, LONGEST_BACKOFF);
                    state.failures += 1;
                    let what = "no new checkpoint of the trail could be stored elsewhere; rotation continues";
                    Some(
                        AlertText::new(what)
                            .cause(Some(&why))
                            .remedy("check the key, the receivers and the file of [audit.witness]"),
                    )
                }
            };
            self.engine.set_alert(FAILED, text).await;
        }
        let now = self.clock.now().mono;
        let next = match &state.last {
            _ if state.failures > 0 => state.next_try - now,
            Some(last) => last.mono + interval - now,
            None => LONGEST_SLEEP,
        };
        // A quiet trail is checked once per interval, at least once a minute.
        let least = interval.min(LONGEST_SLEEP);
        let next = if next.is_positive() { next } else { least };
        next.min(LONGEST_SLEEP).unsigned_abs()
    }

    async fn attempt(
        &self,
        state: &mut WitnessState,
        table: &config::witness::Witness,
        receivers: Vec<String>,
        interval: SignedDuration,
        now: ClockReading,
    ) -> Result<(), String> {
        let mut to = Vec::new();
        let mut record = state.owed.as_ref().map(|(checkpoint, _)| checkpoint.record);
        let mark = self.trail.last();
        if let Some(mark) = mark.filter(|mark| state.is_due(mark, interval, now)) {
            let key = self.key(table)?;
            let origin = table.origin.as_deref().unwrap_or(key.verifier().name());
            let checkpoint = Checkpoint::new(origin, &mark, now.wall);
            let note = key.sign(&checkpoint.text());
            if table.journal && tracing::enabled!(tracing::Level::INFO) {
                tracing::info!(checkpoint = note, record = mark.seq, "witnessed");
                to.push("journal".to_owned());
            }
            if !receivers.is_empty() {
                self.tap.put(News::Witness(SignedCheckpoint {
                    record: mark.seq,
                    origin: origin.to_owned(),
                    note: note.clone(),
                }));
                let named = receivers.into_iter().map(|name| format!("receiver {name}"));
                to.extend(named);
            }
            record = Some(mark.seq);
            state.again = false;
            state.owed = Some((checkpoint, note));
            state.last = Some(LastCheckpoint {
                wall: now.wall,
                mono: now.mono,
                covers: mark.seq,
                file: mark.file,
            });
        }
        let written = match (&table.file, &state.owed) {
            (Some(file), Some((_, note))) => {
                let note = note.clone();
                let written = write(&mut state.writing, file, note).await;
                if written.is_ok() {
                    to.push(format!("file {}", file.display()));
                }
                written
            }
            _ => Ok(()),
        };
        if written.is_ok() {
            state.owed = None;
        }
        if let Some(record) = record.filter(|_| !to.is_empty()) {
            let key = self.key(table).map(|key| key.verifier().short());
            let key = key.unwrap_or_default();
            let event = GlobalEvent::Witnessed { record, key, to };
            let entry = Entry::global(now.wall, event);
            let recorded = self.trail.append(vec![entry]).await;
            self.engine.note_written(recorded.as_ref().err(), now.wall);
            // The record of a checkpoint needs no checkpoint itself if nothing came in between.
            let own = self.trail.last().map(|mark| mark.seq);
            if let (Some(last), Ok(()), Some(own)) = (&mut state.last, recorded, own)
                && last.covers == record
            {
                last.covers = WitnessedPoint::covers(record, own);
            }
        }
        written
    }

    /// Reads the key each time, so that a changed file takes effect at once.
    fn key(&self, table: &config::witness::Witness) -> Result<SignerKey, String> {
        let path = (table.key_file.as_deref())
            .ok_or("there is no key: write key_file below [audit.witness]")?;
        let text = secret(path, self.credentials.as_deref(), "witness key")?;
        SignerKey::parse(&text).map_err(|why| format!("{} {why}", path.display()))
    }
}

impl WitnessState {
    /// Returns true if a checkpoint at this record is due. A trail without new records needs none.
    fn is_due(&self, mark: &TrailPosition, interval: SignedDuration, now: ClockReading) -> bool {
        let Some(last) = self.last.as_ref().filter(|_| !self.again) else {
            return true;
        };
        let passed = now.mono - last.mono >= interval || {
            let wall = now.wall.duration_since(last.wall);
            wall >= interval
        };
        mark.file != last.file || (passed && mark.seq > last.covers)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_checkpoint_is_due_after_the_interval_if_records_were_added_and_for_each_new_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let mark = mark(dir.path());
        let wall: Timestamp = "2026-11-24T03:00:00Z".parse().expect("a time");
        let day = SignedDuration::from_hours(24);
        let due = |hours: i64, covers: u64, file: &str, again: bool| {
            let state = WitnessState {
                last: Some(LastCheckpoint {
                    wall,
                    mono: SignedDuration::ZERO,
                    covers,
                    file: file.to_owned(),
                }),
                again,
                ..WitnessState::default()
            };
            let passed = SignedDuration::from_hours(hours);
            let now = ClockReading {
                wall: wall + passed,
                mono: passed,
            };
            state.is_due(&mark, day, now)
        };
        let (seq, file) = (mark.seq, mark.file.as_str());
        assert!(!due(23, seq - 1, file, false), "too early");
        assert!(due(24, seq - 1, file, false));
        assert!(!due(24 * 365, seq, file, false), "nothing new");
        assert!(due(0, seq, "audit-2026-10.jsonl", false), "a month ended");
        assert!(due(0, seq, file, true), "an alert is still active");
        let never = WitnessState::default();
        let now = ClockReading {
            wall,
            mono: SignedDuration::ZERO,
        };
        assert!(never.is_due(&mark, day, now));
    }

    fn mark(dir: &Path) -> TrailPosition {
        let now: Timestamp = "2026-11-24T03:00:00Z".parse().expect("a time");
        let grace = SignedDuration::ZERO;
        let (trail, _) = Trail::open(dir, dir, "a", now, grace).expect("a trail");
        let reason = "over".to_owned();
        let entry = Entry::global(now, GlobalEvent::DaemonStopped { reason });
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let written = runtime
            .expect("a runtime")
            .block_on(trail.append(vec![entry]));
        written.expect("written");
        trail.last().expect("a record")
    }
}
