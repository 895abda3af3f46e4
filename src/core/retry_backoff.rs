//! The backoff between the attempts for a slot, and the number of attempts as text.

use jiff::SignedDuration;

use super::policy::Rules;
use super::recorded_settings::Fnv;
use super::sanitize::counted;
use super::server_event::{ClockReading, SlotOutcome};
use super::slot_record::SlotRecord;
use super::snapshot::ServerId;

pub(super) const IN_PAUSE: &str = "it passed during a pause";

pub(super) fn attempts(tries: u32) -> String {
    counted(usize::try_from(tries).unwrap_or(usize::MAX), "attempt")
}

/// The cap of a pause that doubles with each attempt.
pub const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_hours(1);

/// Returns the outcome and reason of a slot whose time has passed. A slot that a pause kept from
/// being tried raises no alert.
pub(super) fn unrun(note: &SlotRecord, paused: bool, why: &str) -> (SlotOutcome, String) {
    match note.passed() {
        SlotOutcome::Skipped if paused => (SlotOutcome::Paused, IN_PAUSE.to_owned()),
        ending => (ending, why.to_owned()),
    }
}

/// Returns the time left until the next try of a slot that was tried before, if that try is not due
/// yet.
pub fn time_to_next_attempt(
    server: &ServerId,
    note: &SlotRecord,
    rules: &Rules,
    now: ClockReading,
) -> Option<SignedDuration> {
    // The slot was not tried yet, or an operator reopened it.
    if note.tries == 0 {
        return None;
    }
    let usual = backoff(server, rules, &note.name, note.tries);
    let pause = if note.limited {
        doubled(rules.poll_interval, note.tries.saturating_sub(1), usual)
    } else {
        usual
    };
    let left = pause - note.last_try?.elapsed(now);
    (left > SignedDuration::ZERO).then_some(left)
}

/// Returns `first` doubled this number of times, capped at `longest`.
pub fn doubled(first: SignedDuration, times: u32, longest: SignedDuration) -> SignedDuration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

/// Returns the pause after the nth try: doubled each time, at most an hour, then extended by up to
/// a quarter. The extension is derived from a hash of the server, the action and n, so that servers
/// do not retry in step.
pub(super) fn backoff(server: &ServerId, rules: &Rules, what: &str, tries: u32) -> SignedDuration {
    let pause = doubled(rules.retry_after, tries.saturating_sub(1), LONGEST_BACKOFF);
    let number = server.number().map(u64::to_le_bytes);
    let text = server.text().map_or(&[][..], str::as_bytes);
    let seed = number.iter().flatten().chain(text);
    let nth = tries.to_le_bytes();
    let bytes = seed.chain(what.as_bytes()).chain(&nth);
    let mut hash = Fnv::default();
    hash.bytes(bytes.copied());
    let quarter = i32::try_from((hash.0 >> 32) % 256).unwrap_or(0);
    pause + pause * quarter / 1024
}
