//! Checks of name patterns: on their own, with a schedule, and against other rotations.

use jiff::SignedDuration;

use super::diagnostics::{Diagnostics, Position};
use super::schedule_checks::Schedules;
use super::table_reader::Located;
use crate::core::name_pattern::Pattern;
use crate::core::policy::Rotation;

/// Reports what is wrong with a name pattern, once, where it is written. The rotation's name does
/// not affect whether a pattern is valid, so any name will do here.
pub(super) fn check(text: &Located<String>, log: &mut Diagnostics) {
    let pattern = Pattern::new(&text.value, "name");
    if pattern.as_ref().is_ok_and(|pattern| !pattern.has_word()) {
        let message = format!(
            "name pattern {:?} has no word of its own: snapshots that others name by date would count as this rotation's own, and be pruned",
            text.value
        );
        log.warn(
            &text.at,
            message,
            "write a word into it, such as \"{name}-%Y-%m-%d\"",
        );
    }
    if let Err(error) = pattern {
        let error = error.to_string();
        let usual = "write \"{name}-snapshot-%Y-%m-%d\"";
        let (message, remedy) = error.split_once(": ").unwrap_or((&error, usual));
        let message = format!("name pattern {:?}: {message}", text.value);
        log.error(&text.at, message, remedy);
    }
}

/// Reports a pattern that gives two slots of the schedule the same name: the second slot's snapshot
/// would never be made, since its name already exists.
pub(super) fn twins(
    rotation: &str,
    expression: &str,
    pattern: &Pattern,
    schedules: &mut Schedules,
    at: &Position,
    log: &mut Diagnostics,
) {
    if let Some((one, other)) = schedules.twins(expression, pattern) {
        let message = format!(
            "rotation {rotation} has two slots with the same name: {one} and {other} are both named {}",
            pattern.format(one)
        );
        log.error(at, message, finer(pattern, other.duration_since(one)));
    }
}

/// Returns the remedy: what to add to a pattern so that slots this close get different names.
fn finer(pattern: &Pattern, apart: SignedDuration) -> String {
    let text = pattern.to_string();
    let field = ["%m", "%d", "%H", "%M", "%S"]
        .into_iter()
        .position(|field| !text.contains(field))
        .unwrap_or(4);
    let needed = match apart.as_secs() {
        ..60 => 4,
        60..86_400 => 3,
        86_400..2_419_200 => 1,
        _ => 0,
    };
    let all = ["-%m", "-%d", "-%H", "%M", "%S"];
    format!(
        "write snapshot_name = \"{text}{}\"",
        all[field..=needed.max(field)].concat()
    )
}

/// Reports every pair of rotations whose patterns could give the same name.
pub(super) fn clashes(rotations: &[(Rotation, Position)], log: &mut Diagnostics) {
    for (nth, (rotation, at)) in rotations.iter().enumerate() {
        for (earlier, _) in &rotations[..nth] {
            let pairs = rotation
                .patterns()
                .flat_map(|one| earlier.patterns().map(move |other| (one, other)));
            let clash = pairs.into_iter().find(|(one, other)| one.may_clash(other));
            if let Some((one, other)) = clash
                && earlier.name != rotation.name
            {
                let message = format!(
                    "rotations {} and {} could give the same name: {one} and {other}",
                    earlier.name, rotation.name
                );
                log.error(at, message, "write a snapshot_name with a word of its own for each, such as \"{name}-%Y-%m-%d\"");
            }
        }
    }
}
