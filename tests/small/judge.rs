//! The judge: it checks that a step keeps the invariants (docs/design.md, "Invariants"). It takes a
//! row's owner from the making of the row, and open mutations from its own ledger. It uses none of
//! the rules of `core`, so that no shared code can make both wrong in the same way.

use std::collections::{BTreeMap, BTreeSet};

use snaprotate::core::decide::Step;
use snaprotate::core::server_event::{Outcome, ServerEvent};
use snaprotate::core::snapshot::Status;

use super::trail::HIDDEN;
use super::view::{ATTEMPTS, Pending, ROTATIONS, Row, SETTLE_WINDOW, STUCK_AFTER, View};

/// The invariants, and the rules (docs/design.md, "The rules") that a step must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    I1,
    I2,
    I3,
    I4,
    I5,
    I7,
    I8,
    I9,
    I10,
    I11,
    I19,
    /// Held: rule 0.
    Held,
    /// The due slots, and the snapshots that may go for them.
    Due,
    /// The surplus.
    Surplus,
    /// The end of a plan.
    End,
}

impl Rule {
    pub const ALL: [Self; 15] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::I19,
        Self::Held,
        Self::Due,
        Self::Surplus,
        Self::End,
    ];
}

/// A broken rule, with the details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub Rule, pub String);

/// Number of checks by rule.
pub type Checks = BTreeMap<Rule, u64>;

type Verdict = Result<(), Broken>;

/// Judges one step.
pub fn judge(view: &View<'_>, step: &Step, checks: &mut Checks) -> Verdict {
    let mut judge = Judge { view, checks };
    match step {
        Step::Create { rotation, name, .. } => judge.create(rotation, name),
        Step::Delete {
            id, prune_first, ..
        } => judge.delete(id.number().unwrap(), *prune_first),
        Step::Record(fact) => judge.record(fact),
        Step::Wait { reason, .. } | Step::Blocked { reason } => {
            judge.must(Rule::End, !reason.is_empty(), || "no reason".to_owned())
        }
        Step::Idle { .. } => Ok(()),
        Step::After { .. } => judge.must(Rule::End, false, || "nothing is held".to_owned()),
        Step::AskState | Step::Stop { .. } | Step::Start { .. } => {
            judge.must(Rule::End, false, || "nothing is to be stopped".to_owned())
        }
    }
}

struct Judge<'a> {
    view: &'a View<'a>,
    checks: &'a mut Checks,
}

impl Judge<'_> {
    fn must(&mut self, rule: Rule, holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
        *self.checks.entry(rule).or_default() += 1;
        if holds {
            Ok(())
        } else {
            Err(Broken(rule, otherwise()))
        }
    }

    /// Checks the conditions of every mutation.
    fn mutation(&mut self, resent: Option<u64>) -> Verdict {
        let view = self.view;
        let said = |text: &str| text.to_owned();
        self.must(Rule::Held, !view.ledger.held, || said("held"))?;
        self.must(Rule::I11, !view.ledger.doubtful, || said("in doubt"))?;
        let fresh = view.ledger.answered.is_none_or(|at| view.requested >= at);
        self.must(Rule::I4, fresh, || said("an old listing"))?;
        let free = match &view.ledger.open {
            None => true,
            Some(Pending::Create { id: Some(id), .. }) => view.shows(*id),
            Some(Pending::Create { id: None, .. }) => false,
            Some(Pending::Delete { id, .. }) => Some(*id) == resent,
        };
        self.must(Rule::I5, free, || format!("open: {:?}", view.ledger.open))?;
        let busy = view.rows.iter().find(|row| view.under_way(row));
        self.must(Rule::I8, busy.is_none(), || format!("beside {busy:?}"))
    }

    fn create(&mut self, rotation: &str, name: &str) -> Verdict {
        self.mutation(None)?;
        let view = self.view;
        let room = view.rows.len() < view.wants.limit;
        self.must(Rule::I10, room, || "the server is full".to_owned())?;
        let index = view.wants.due.iter().position(|due| due == name);
        let named = index.is_some_and(|index| rotation == ROTATIONS[index]);
        self.must(Rule::Due, named, || format!("{name} isn't due"))?;
        let open = !view.ledger.ended.contains(name);
        self.must(Rule::Due, open, || format!("{name} has ended"))?;
        let tries = view.ledger.attempts.get(name).copied().unwrap_or(0);
        self.must(Rule::Due, tries < ATTEMPTS, || format!("{tries} attempts"))?;
        let there = view.rows.iter().find(|row| {
            let may_serve = !matches!(row.snapshot.status, Status::Failed);
            may_serve && (row.owner == index.map(|index| (index, 0)) || row.snapshot.name == name)
        });
        self.must(Rule::I9, there.is_none(), || format!("there: {there:?}"))
    }

    fn delete(&mut self, id: u64, prune_first: bool) -> Verdict {
        self.mutation(Some(id))?;
        let view = self.view;
        let row = view.row(id);
        let own = row.filter(|row| row.owner.is_some() && !row.protected);
        self.must(Rule::I1, own.is_some(), || format!("{row:?} is not ours"))?;
        let Some(row) = own else { return Ok(()) };
        let (rotation, _) = row.owner.unwrap_or_default();
        self.must(Rule::I11, view.dated(row), || format!("odd date: {row:?}"))?;
        match &row.snapshot.status {
            Status::Completed => self.delete_completed(row, rotation, prune_first),
            Status::Failed => {
                let outlived = view.counted(rotation).any(|other| row.older(other));
                let own_slot = row.owner == Some((rotation, 0));
                let wanted = outlived || own_slot || view.full();
                self.must(Rule::Surplus, wanted, || format!("no need: {row:?}"))?;
                // One that the rotation didn't make must be paid for like a completed one.
                let ours = id >= HIDDEN || view.ledger.ours.contains(&id);
                let promised = prune_first && view.full() && view.may_give(id);
                let may = ours || promised || view.may_spend(id);
                self.must(Rule::I19, may, || format!("not ours to give up: {row:?}"))
            }
            Status::InProgress => {
                let watched = view.ledger.watched.get(&id);
                let long = watched.is_some_and(|(since, _)| view.now - since >= STUCK_AFTER);
                let may = view.wants.delete_stuck && long && view.full();
                self.must(Rule::I8, may, || format!("in progress: {row:?}"))
            }
            Status::Unknown(_) => self.must(Rule::I11, false, || format!("unknown: {row:?}")),
        }
    }

    fn delete_completed(&mut self, row: &Row, rotation: usize, prune_first: bool) -> Verdict {
        let view = self.view;
        let id = row.snapshot.id.clone();
        let completed = || view.rows.iter().filter(|row| view.completed(row));
        let newer = completed().any(|other| row.older(other));
        self.must(Rule::I2, newer, || format!("the newest one: {row:?}"))?;
        let others = || {
            view.counted(rotation)
                .filter(|other| other.snapshot.id != id)
        };
        if !prune_first {
            let copied = others().any(|other| other.owner == row.owner && row.older(other));
            let left: BTreeSet<_> = others().map(|other| other.owner).collect();
            let enough = copied || left.len() >= view.wants.keep[rotation];
            self.must(Rule::I3, enough, || format!("{} left", left.len()))?;
            let oldest = copied || others().all(|other| row.oldest_with(other));
            self.must(Rule::Surplus, oldest, || format!("not oldest: {row:?}"))?;
            return self.must(Rule::I19, view.may_spend(id.number().unwrap()), || {
                format!("unpaid: {row:?}")
            });
        }
        let left = completed().count() - 1;
        let enough = left >= view.wants.min_completed;
        self.must(Rule::I3, enough, || format!("{left} left"))?;
        let good = view.may_give(id.number().unwrap());
        self.must(Rule::I7, good, || format!("{:?}", view.ledger.given))?;
        let oldest = others().all(|other| row.oldest_with(other));
        self.must(Rule::Due, oldest, || format!("not oldest: {row:?}"))?;
        let wanted = view.wants.prune_first && view.full();
        self.must(Rule::Due, wanted, || "no prune-first here".to_owned())?;
        // A rotation's only snapshot goes for no other rotation's slot.
        let unsettled = |index: usize| view.unsettled(index);
        let for_own = unsettled(rotation);
        let for_other = (0..view.wants.keep.len())
            .any(|index| index != rotation && unsettled(index) && view.counted(index).count() < 2);
        let due = for_own || (for_other && others().next().is_some());
        self.must(Rule::Due, due, || format!("for no slot: {row:?}"))
    }

    /// Checks that a record says only what the listing and the ledger show.
    fn record(&mut self, fact: &ServerEvent) -> Verdict {
        let view = self.view;
        let said = || format!("{fact:?}");
        match fact {
            ServerEvent::CreateResult {
                snapshot,
                outcome,
                id,
                ..
            } => {
                let Some(Pending::Create {
                    name, known, since, ..
                }) = &view.ledger.open
                else {
                    return self.must(Rule::I9, false, said);
                };
                self.must(Rule::I9, name == snapshot, said)?;
                let new = |row: &&Row| {
                    row.snapshot.name == *snapshot
                        && !known.contains(&row.snapshot.id.number().unwrap())
                };
                let holds = match (outcome, id) {
                    (Outcome::Done, Some(id)) => {
                        view.rows.iter().filter(new).any(|r| r.snapshot.id == *id)
                    }
                    (Outcome::Failed, None) => {
                        view.now - since >= SETTLE_WINDOW && !view.rows.iter().any(|r| new(&r))
                    }
                    _ => false,
                };
                self.must(Rule::I9, holds, said)
            }
            ServerEvent::SnapshotFailed { id, .. } => {
                let holds = match (view.row(id.number().unwrap()), &view.ledger.open) {
                    (Some(row), _) => row.snapshot.status == Status::Failed,
                    (
                        None,
                        Some(Pending::Create {
                            id: Some(open),
                            since,
                            ..
                        }),
                    ) => *open == id.number().unwrap() && view.now - since >= SETTLE_WINDOW,
                    (None, _) => false,
                };
                self.must(Rule::I9, holds, said)
            }
            ServerEvent::SnapshotCompleted { id, .. } => {
                let row = view.row(id.number().unwrap());
                let holds = row.is_some_and(|row| row.snapshot.status == Status::Completed);
                self.must(Rule::I8, holds, said)
            }
            ServerEvent::SnapshotStuck { id, .. } => {
                let holds = view
                    .row(id.number().unwrap())
                    .is_some_and(|row| view.stuck(row));
                self.must(Rule::I8, holds, said)
            }
            ServerEvent::SlotSettled { snapshot, .. } => {
                let due = view.wants.due.iter().position(|due| due == snapshot);
                let holds = view.rows.iter().any(|row| {
                    let named = row.snapshot.name == *snapshot
                        || due.is_some_and(|index| row.owner == Some((index, 0)));
                    named && row.snapshot.status == Status::Completed
                });
                self.must(Rule::I8, holds, said)
            }
            ServerEvent::SlotGivenUp { snapshot, .. }
                if view.wants.due.iter().any(|due| due == snapshot) =>
            {
                let tries = view
                    .ledger
                    .attempts
                    .get(snapshot.as_str())
                    .copied()
                    .unwrap_or(0);
                let due = view.wants.due.iter().position(|due| due == snapshot);
                let stuck = view
                    .rows
                    .iter()
                    .any(|row| row.owner == due.map(|index| (index, 0)) && view.stuck(row));
                self.must(Rule::Due, tries >= ATTEMPTS || stuck, said)
            }
            ServerEvent::SlotSkipped { snapshot, .. } => {
                let due = view.wants.due.iter().any(|due| due == snapshot);
                self.must(Rule::Due, !due, said)
            }
            ServerEvent::DeleteConfirmed { id } => {
                self.must(Rule::I5, !view.shows(id.number().unwrap()), said)
            }
            ServerEvent::DeleteResult { id, .. } => {
                let holds = matches!(&view.ledger.open, Some(Pending::Delete { id: open, since })
                    if *open == id.number().unwrap() && view.now - since >= SETTLE_WINDOW);
                self.must(Rule::I5, holds && view.shows(id.number().unwrap()), said)
            }
            _ => Ok(()),
        }
    }
}
