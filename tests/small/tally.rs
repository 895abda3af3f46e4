//! The ways in which the provider may answer, and counts of the played cases.

use super::judge::Checks;

/// The way in which the provider answers throughout a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Everything is done, and snapshots in progress are completed.
    Done,
    /// Creates are answered and then end failed; deletes are refused.
    Failed,
    /// Creates are refused; deletes are done.
    Refused,
    /// Creates are answered and never end; deletes are done.
    Hanging,
    /// No answer, and no effect.
    Lost,
    /// Creates get no answer, and their snapshot shows at the next look. Deletes are answered, and
    /// their snapshot is gone at the next look.
    Late,
}

impl Answers {
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Failed,
        Self::Refused,
        Self::Hanging,
        Self::Lost,
        Self::Late,
    ];

    /// Returns true if snapshots in progress are completed in time.
    pub fn complete(self) -> bool {
        matches!(self, Self::Done | Self::Late)
    }
}

/// Counts of the played cases, and of the checks of each rule.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub inventories: u64,
    /// Inventories × policies × trails: the starting points.
    pub cases: u64,
    /// Cases × ways to answer. Where nothing was sent or under way, all ways count as one.
    pub plans: u64,
    pub decisions: u64,
    pub creates: u64,
    pub deletes: u64,
    pub blocked: u64,
    pub longest: u32,
    pub checks: Checks,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.inventories += other.inventories;
        self.cases += other.cases;
        self.plans += other.plans;
        self.decisions += other.decisions;
        self.creates += other.creates;
        self.deletes += other.deletes;
        self.blocked += other.blocked;
        self.longest = self.longest.max(other.longest);
        for (rule, count) in &other.checks {
            *self.checks.entry(*rule).or_default() += count;
        }
    }
}
