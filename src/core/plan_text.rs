//! How plans and verdicts print themselves: readable lines, safe on a terminal.

use std::fmt;

use super::plan::{Do, Plan, Planned, Plans};
use super::printable::utc;
use super::verdict::Verdict;

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.deed(), self.reason)
    }
}

impl Planned {
    /// What is done to what, without the reason.
    fn deed(&self) -> String {
        let name = self.name.as_deref();
        let name = name.map_or_else(String::new, |name| format!(" {}", Plain(name)));
        let id = self.id.map_or_else(String::new, |id| format!(" (id {id})"));
        format!("{}{name}{id}", self.do_.word())
    }
}

/// Steps in one line: `create X, then delete Y (id 3)`.
pub fn one_after_the_other(steps: &[Planned]) -> String {
    let deeds: Vec<_> = steps.iter().map(Planned::deed).collect();
    deeds.join(", then ")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (id {})", Plain(&self.name), self.id)?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        let last = self.steps.last().map(|step| step.do_);
        match (self.until, last) {
            (_, Some(Do::Blocked)) | (None, Some(_)) => {}
            (Some(until), None) => writeln!(f, "  nothing to do until {}", utc(until))?,
            (Some(until), Some(_)) => writeln!(f, "  then nothing to do until {}", utc(until))?,
            (None, None) => writeln!(f, "  nothing to do")?,
        }
        if let (Some(until), false) = (self.until, self.next.is_empty()) {
            let steps = one_after_the_other(&self.next);
            writeln!(f, "  next:\n    {}: {steps}", utc(until))?;
        }
        if !self.snapshots.is_empty() {
            writeln!(f, "  snapshots now:")?;
        }
        for verdict in &self.snapshots {
            writeln!(f, "    {verdict}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.servers.iter().try_for_each(|plan| plan.fmt(f))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fate, name) = (self.fate.word(), Plain(&self.name));
        write!(f, "{fate:<14} {name} (id {}): {}", self.id, self.reason)
    }
}

/// A name as it is where it holds only what the provider allows in names of its own; any
/// other, since a foreign name may be anything, quoted and escaped.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !self.0.is_empty() && self.0.chars().all(plain) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}
