//! The judge's own test of whether a slot is settled, based on the text of the trail.

use jiff::Timestamp;

use super::ids;

/// The way in which a line of the trail ends a slot.
enum SlotOutcome {
    Settled,
    GivenUp,
    /// Skipped, with the slot's time. A `resume` before that time revokes the skip: the slot was
    /// skipped too early, because the clock was ahead.
    Skipped(Timestamp),
}

/// Returns true if a line about this server and this snapshot ends its slot, and no later `resume`
/// revokes that.
pub(super) fn is_ended(trail: &str, server: u64, snapshot: &str) -> bool {
    let own = ids::about(server);
    let mut ended = None;
    for line in trail.lines() {
        let of_all = !line.contains("\"server\":");
        if line.contains("\"event\":\"resumed\"") && (of_all || own(line)) {
            let at = time(line, "time");
            ended = ended.filter(|end| match (end, at) {
                (SlotOutcome::Skipped(slot), Some(at)) => *slot <= at,
                _ => true,
            });
        } else if own(line) && line.contains(snapshot) {
            // `retry` reopens a slot, unless the slot has its snapshot.
            if line.contains("\"event\":\"slot_reopened\"") {
                ended = ended.filter(|end| matches!(end, SlotOutcome::Settled));
            }
            ended = end(line).or(ended);
        }
    }
    ended.is_some()
}

fn end(line: &str) -> Option<SlotOutcome> {
    if line.contains("\"event\":\"slot_skipped\"") {
        return time(line, "slot").map(SlotOutcome::Skipped);
    }
    let is = |end: &str| line.contains(&format!("\"event\":\"slot_{end}\""));
    if is("settled") {
        return Some(SlotOutcome::Settled);
    }
    is("given_up").then_some(SlotOutcome::GivenUp)
}

fn time(line: &str, key: &str) -> Option<Timestamp> {
    let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()?.parse().ok()
}
