//! Whether the trail says that a slot needs nothing more, as the judge reads it.

use jiff::Timestamp;

use super::ids;

/// The way in which a line of the trail ends a slot.
enum SlotOutcome {
    ForGood,
    /// Skipped while it still lay ahead, or was due: a `resume` takes back what a clock that was
    /// ahead skipped too early.
    Skipped(Timestamp),
}

/// Returns true if a line of this server about this snapshot ends its slot, and no later
/// `resume` took that back.
pub(super) fn is_ended(trail: &str, server: u64, snapshot: &str) -> bool {
    let own = format!("\"server\":{},", ids::json(server));
    let mut ended = None;
    for line in trail.lines() {
        let of_all = !line.contains("\"server\":");
        if line.contains("\"event\":\"resumed\"") && (of_all || line.contains(&own)) {
            let at = time(line, "time");
            ended = ended.filter(|end| match (end, at) {
                (SlotOutcome::Skipped(slot), Some(at)) => *slot <= at,
                _ => true,
            });
        } else if line.contains(&own) && line.contains(snapshot) {
            ended = end(line).or(ended);
        }
    }
    ended.is_some()
}

fn end(line: &str) -> Option<SlotOutcome> {
    if line.contains("\"event\":\"slot_skipped\"") {
        return time(line, "slot").map(SlotOutcome::Skipped);
    }
    let ended = ["settled", "given_up"];
    let event = |end: &&str| line.contains(&format!("\"event\":\"slot_{end}\""));
    ended.iter().any(event).then_some(SlotOutcome::ForGood)
}

fn time(line: &str, key: &str) -> Option<Timestamp> {
    let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()?.parse().ok()
}
