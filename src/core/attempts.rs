//! Attempts of a slot in words, and when the next one is due.

use jiff::SignedDuration;

use super::decide::pause;
use super::event::{ClockReading, SlotOutcome};
use super::policy::Rules;
use super::sanitize::counted;
use super::slot_log::SlotRecord;
use super::snapshot::ServerId;

pub(super) const IN_PAUSE: &str = "it passed during a pause";

pub(super) fn attempts(tries: u32) -> String {
    counted(usize::try_from(tries).unwrap_or(usize::MAX), "attempt")
}

/// Returns the outcome and reason of a slot whose time has passed. A slot that a pause kept from
/// being tried raises no alert.
pub(super) fn unrun(note: &SlotRecord, paused: bool, why: &str) -> (SlotOutcome, String) {
    match note.passed() {
        SlotOutcome::Skipped if paused => (SlotOutcome::Paused, IN_PAUSE.to_owned()),
        ending => (ending, why.to_owned()),
    }
}

/// Returns the time left until the next try of a slot that was tried, if that is not due yet.
pub fn attempt_in(
    server: &ServerId,
    note: &SlotRecord,
    rules: &Rules,
    now: ClockReading,
) -> Option<SignedDuration> {
    let usual = pause(server, rules, &note.name, note.tries);
    let pause = if note.limited {
        let doublings = note.tries.saturating_sub(1).min(16);
        let soon = rules.poll_interval.saturating_mul(1 << doublings);
        soon.min(usual)
    } else {
        usual
    };
    let left = pause - note.last_try?.elapsed(now);
    (left > SignedDuration::ZERO).then_some(left)
}
