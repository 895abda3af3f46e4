//! How plans and verdicts print themselves: readable lines, safe on a terminal.

use std::fmt;

use super::plan::{Do, Plan, Planned, Plans};
use super::printable::utc;
use super::verdict::Verdict;

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.do_.word())?;
        if let Some(name) = &self.name {
            write!(f, " {}", Plain(name))?;
        }
        if let Some(id) = self.id {
            write!(f, " (id {id})")?;
        }
        write!(f, ": {}", self.reason)
    }
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
        if !self.next.is_empty() {
            writeln!(f, "  next:")?;
        }
        for step in &self.next {
            writeln!(f, "    {step}")?;
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
