//! Checks that a rotation's times fit together, and computes each server's share of a splay.

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use super::defaults;
use super::diagnostics::{Diagnostics, Position};
use super::schedule_checks::Schedules;
use super::table_reader::Located;
use crate::core::snapshot::ServerId;

/// A rotation's times, and where they are written.
pub(super) struct RotationTimes<'a> {
    pub(super) rotation: &'a str,
    pub(super) expression: &'a Located<String>,
    pub(super) splay: SignedDuration,
    pub(super) splay_at: &'a Position,
    pub(super) catch_up: Option<SignedDuration>,
}

impl RotationTimes<'_> {
    /// Reports times that contradict each other, slots that are close together, and a schedule
    /// that never fires.
    pub(super) fn check(&self, schedules: &mut Schedules, log: &mut Diagnostics) {
        let (rotation, expression) = (self.rotation, self.expression.value.as_str());
        if let Some(catch_up) = self.catch_up
            && self.splay >= catch_up
        {
            let (splay, catch_up) = (said(self.splay), said(catch_up));
            let message = format!("splay ({splay}) must be shorter than catch_up ({catch_up})");
            let remedy = "write a shorter splay, or a longer catch_up";
            log.error(self.splay_at, message, remedy);
        }
        let beyond = self.splay + SignedDuration::from_nanos(1);
        if self.splay.is_positive()
            && let Some(shortest) = schedules.closer_than(expression, beyond)
        {
            let (splay, shortest) = (said(self.splay), said(shortest));
            let message = format!(
                "splay ({splay}) must be shorter than the {shortest} between two slots of rotation {rotation}"
            );
            let remedy = format!("write a splay shorter than {shortest}");
            log.error(self.splay_at, message, remedy);
        }
        if let Some(shortest) = schedules.closer_than(expression, defaults::CLOSE_SLOTS) {
            let shortest = said(shortest);
            log.warn(
                &self.expression.at,
                format!("slots of rotation {rotation} are only {shortest} apart"),
                "creating a snapshot takes 3 to 10 minutes: leave at least ten minutes between two slots",
            );
        }
        if !schedules.fires(expression) {
            log.warn(
                &self.expression.at,
                format!("schedule {expression:?} never fires"),
                "write a day that exists in its month, or remove the rotation",
            );
        }
    }
}

/// Formats a duration as it is written in the files.
pub(super) fn said(duration: SignedDuration) -> String {
    let millis = duration.as_millis();
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let unit = units
        .iter()
        .find(|(size, _)| millis >= *size && millis % size == 0);
    unit.map_or_else(
        || format!("{millis}ms"),
        |(size, unit)| format!("{}{unit}", millis / size),
    )
}

/// Returns this server's share of the splay, in [0, splay). It is derived from a hash, so that it
/// is the same after every restart and on every host.
pub(super) fn offset(splay: SignedDuration, server: &ServerId, rotation: &str) -> SignedDuration {
    let hash = Sha256::digest(format!("{server}/{rotation}"));
    let seed = hash
        .iter()
        .take(8)
        .fold(0_u64, |seed, byte| seed << 8 | u64::from(*byte));
    let millis = u128::try_from(splay.as_millis()).unwrap_or(0);
    let share = (u128::from(seed) * millis) >> 64;
    i64::try_from(share).map_or(SignedDuration::ZERO, SignedDuration::from_millis)
}
