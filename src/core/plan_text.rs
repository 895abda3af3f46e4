//! Prints plans and verdicts as lines that are safe on a terminal.

use std::collections::BTreeSet;
use std::fmt;

use jiff::tz::TimeZone;

use super::plan::{NextChanges, Plan, PlannedAction, PlannedStep, Plans};
use super::sanitize::{counted, local};

/// Longest reason that is repeated in each row, in characters.
const REPEATED: usize = 60;

impl fmt::Display for PlannedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.deed(), self.reason)
    }
}

impl PlannedStep {
    /// Returns the action and its snapshot, without the reason.
    fn deed(&self) -> String {
        let name = self.name.as_deref();
        let name = name.map_or_else(String::new, |name| format!(" {}", ShownName(name)));
        let id = self
            .id
            .clone()
            .map_or_else(String::new, |id| format!(" (id {id})"));
        format!("{}{name}{id}", self.do_.word())
    }
}

impl NextChanges {
    /// Returns ` or later`, with its reason, to append to the time; empty if nothing is waited for
    /// first.
    pub fn or_later(&self) -> String {
        let after = self.after.as_ref();
        after.map_or_else(String::new, |reason| format!(" or later, since {reason}"))
    }
}

/// Returns the steps in one line: `create X, then delete Y (id 3)`. A blocked step includes its
/// reason.
pub fn one_after_the_other(steps: &[PlannedStep]) -> String {
    let deeds = steps.iter().map(|step| match step.do_ {
        PlannedAction::Blocked => step.to_string(),
        _ => step.deed(),
    });
    let deeds: Vec<_> = deeds.collect();
    deeds.join(", then ")
}

impl Plans {
    /// Returns all plans as text, with times in this zone, and their sum.
    pub fn text(&self, zone: &TimeZone) -> String {
        let plans: String = self.servers.iter().map(|plan| plan.text(zone)).collect();
        format!("{plans}\n{}\n", self.sum())
    }

    /// Returns how many snapshots are created and deleted, and on how many servers.
    pub fn sum(&self) -> String {
        use PlannedAction::{Blocked, Create, Delete};
        let steps = |wanted| {
            let all = self.servers.iter().flat_map(|plan| &plan.steps);
            all.filter(|step| step.do_ == wanted).count()
        };
        let servers = |wanted: &[PlannedAction]| {
            let has = |plan: &&Plan| plan.steps.iter().any(|step| wanted.contains(&step.do_));
            self.servers.iter().filter(has).count()
        };
        let (changed, blocked) = (servers(&[Create, Delete]), servers(&[Blocked]));
        let idle = self.servers.iter().filter(|plan| plan.steps.is_empty());
        let idle = idle.count();
        let first = match changed {
            0 => "no changes".to_owned(),
            _ => format!(
                "{}, {} on {}",
                counted(steps(Create), "create"),
                counted(steps(Delete), "delete"),
                counted(changed, "server")
            ),
        };
        let blocked = (blocked > 0).then(|| format!("{} blocked", counted(blocked, "server")));
        let has = if idle == 1 { "has" } else { "have" };
        let idle = (idle > 0).then(|| format!("{} {has} nothing to do", counted(idle, "server")));
        let parts: Vec<_> = [Some(first), blocked, idle].into_iter().flatten().collect();
        format!("Plan: {}", parts.join("; "))
    }
}

impl Plan {
    /// Returns the server and its steps until it rests.
    pub fn steps_text(&self) -> String {
        let title = format!("{} (id {})\n", ShownName(&self.name), self.id);
        let steps = self.steps.iter();
        let steps = steps.map(|step| format!("  {} {step}\n", step.do_.sign()));
        steps.fold(title, |text, step| text + &step)
    }

    /// Returns the plan as text: the steps until the server rests, the next changes and the
    /// verdicts. Times are in this zone.
    pub fn text(&self, zone: &TimeZone) -> String {
        let mut lines = vec![self.steps_text().trim_end().to_owned()];
        let last = self.steps.last().map(|step| step.do_);
        let until = self.until.map(|until| local(until, zone));
        match (&until, last) {
            (_, Some(PlannedAction::Blocked)) | (None, Some(_)) => {}
            (Some(until), None) => lines.push(format!("  nothing to do until {until}")),
            (Some(until), Some(_)) => lines.push(format!("  then nothing to do until {until}")),
            (None, None) => lines.push("  nothing to do".to_owned()),
        }
        if let (Some(until), false) = (until, self.next.is_empty()) {
            let steps = one_after_the_other(&self.next);
            lines.push(format!("  next:\n    {until}: {steps}"));
        }
        if !self.snapshots.is_empty() {
            lines.push("  snapshots now:".to_owned());
        }
        let mut said = SaidReasons::default();
        lines.extend(self.snapshots.iter().map(|verdict| {
            let (fate, name) = (verdict.fate.word(), ShownName(&verdict.name));
            let reason = said.once(&verdict.reason);
            format!("    {fate:<14} {name} (id {}): {reason}", verdict.id)
        }));
        lines.join("\n") + "\n"
    }
}

/// The long reasons in a list. Rows that follow refer to them.
#[derive(Debug, Default)]
pub struct SaidReasons<'r>(BTreeSet<&'r str>);

impl<'r> SaidReasons<'r> {
    /// Returns the reason, or a reference to a row above that has the same one.
    pub fn once(&mut self, reason: &'r str) -> &'r str {
        let is_long = reason.chars().count() > REPEATED;
        if is_long && !self.0.insert(reason) {
            "as above"
        } else {
            reason
        }
    }
}

/// A snapshot or server name for display. Names made only of ASCII letters, digits, `-`, `_` and
/// `.` are shown as they are. Others are quoted and escaped, since a foreign name may be any text.
struct ShownName<'a>(&'a str);

impl fmt::Display for ShownName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !self.0.is_empty() && self.0.chars().all(plain) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}
