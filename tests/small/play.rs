//! Plays a case to its end on a model of the provider: each step is judged and performed, and then
//! the next one is decided.

use snaprotate::core::decide::{self, Step, decide};
use snaprotate::core::server_event::{AlertKind, ServerEvent};
use snaprotate::core::server_history::ServerHistory;
use snaprotate::core::snapshot::{Snapshot, Status};

use super::judge::{Broken, Rule, judge};
use super::policies::Wanted;
use super::space::{Inventory, POLL, clock, wall};
use super::tally::{Answers, Tally};
use super::trail::{HIDDEN, Trail};
use super::view::{Ledger, MINUTE, Pending, ROTATIONS, Row, Seconds, View};

/// A plan with more decisions than this counts as endless.
const MOST_LOOKS: u32 = 300;

/// A rest that ends sooner than this does not end the plan; the next slot is due much later.
const SHORT: Seconds = 120 * MINUTE;
const MOST_RESTS: u32 = 6;

/// The provider and the trail of one plan.
pub(super) struct World<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) answers: Answers,
    pub(super) rows: Vec<Row>,
    pub(super) history: ServerHistory,
    pub(super) ledger: Ledger,
    pub(super) now: Seconds,
    pub(super) requested: Seconds,
    pub(super) doubt: bool,
    pub(super) server: &'static str,
    /// Made, and not listed yet.
    pub(super) unseen: Vec<Row>,
    pub(super) vanishing: Option<u64>,
    pub(super) next_id: u64,
    /// True if another way to answer would have made a difference.
    pub(super) answered: bool,
    pub(super) prunes: u32,
    /// Number of rests that did not end the plan.
    pub(super) rests: u32,
    /// The steps, for a case that is reported.
    pub(super) log: Option<Vec<String>>,
}

/// Plays one case under one way to answer. Returns true if that way made a difference.
pub fn play(
    wanted: &Wanted,
    inventory: &Inventory,
    trail: &Trail,
    answers: Answers,
    tally: &mut Tally,
) -> Result<bool, String> {
    let mut world = World::new(wanted, inventory, trail, answers);
    tally.plans += 1;
    if world.run(tally).is_ok() {
        return Ok(world.answered);
    }
    // Played again to log its steps.
    let mut world = World::new(wanted, inventory, trail, answers);
    world.log = Some(Vec::new());
    let broken = world.run(&mut Tally::default());
    let rows = inventory.rows.iter().map(|row| {
        let (id, name) = (row.snapshot.id.clone(), &row.snapshot.name);
        let mark = if row.protected { " protected" } else { "" };
        format!(
            "  {id} {name} {:?} {:?}{mark}\n",
            row.snapshot.status, row.made
        )
    });
    Err(format!(
        "{broken:?}\nanswers: {answers:?}, trail: {}\n{:?}\n{}{}",
        trail.title,
        wanted.wants,
        rows.collect::<String>(),
        world.log.unwrap_or_default().join("\n")
    ))
}
impl<'a> World<'a> {
    fn new(wanted: &'a Wanted, inventory: &Inventory, trail: &Trail, answers: Answers) -> Self {
        let mut world = Self {
            wanted,
            answers,
            rows: inventory.rows.clone(),
            history: trail.history.clone(),
            ledger: trail.ledger.clone(),
            now: 0,
            requested: trail.requested,
            doubt: trail.doubt,
            server: trail.server,
            unseen: Vec::new(),
            vanishing: None,
            next_id: HIDDEN,
            answered: trail.hidden.is_some(),
            prunes: 0,
            rests: 0,
            log: None,
        };
        if let Some((rotation, made)) = trail.hidden
            && answers.complete()
        {
            let row = world.row(rotation, made);
            world.unseen.push(row);
        }
        // The id `HIDDEN` is taken, even if no row has it.
        world.next_id = HIDDEN + 1;
        world
    }

    fn run(&mut self, tally: &mut Tally) -> Result<(), Broken> {
        for looks in 1..=MOST_LOOKS {
            let step = self.ask();
            tally.decisions += 1;
            let now = self.now;
            if let Some(log) = &mut self.log {
                log.push(format!("{now:>6} {step:?}"));
            }
            judge(&self.view(), &step, &mut tally.checks)?;
            match step {
                Step::Record(fact) => self.record(&fact),
                Step::Create { rotation, name, .. } => {
                    tally.creates += 1;
                    self.create(rotation.to_string(), name.to_string());
                }
                Step::Delete {
                    id,
                    name,
                    prune_first,
                    paid_by,
                    ..
                } => {
                    tally.deletes += 1;
                    self.delete(id, name.to_string(), prune_first, paid_by);
                }
                Step::Wait { pause, .. } => self.wait(pause.as_secs().max(1)),
                Step::After { .. } | Step::AskState | Step::Stop { .. } | Step::Start { .. } => {}
                // It waits for `shrink_grace`, or until a failed snapshot was left alone long
                // enough.
                Step::Idle { until: Some(until) }
                    if !self.ledger.held
                        && self.rests < MOST_RESTS
                        && until <= wall(self.now + SHORT) =>
                {
                    self.rests += 1;
                    let rest = until.duration_since(wall(self.now)).as_secs();
                    self.wait(rest.max(POLL + 1));
                }
                end @ (Step::Blocked { .. } | Step::Idle { .. }) => {
                    tally.longest = tally.longest.max(looks);
                    tally.blocked += u64::from(matches!(end, Step::Blocked { .. }));
                    *tally.checks.entry(Rule::End).or_default() += 1;
                    return self.judge_end(&end).map_err(|what| Broken(Rule::End, what));
                }
            }
        }
        Err(Broken(Rule::End, "it goes on for ever".to_owned()))
    }

    fn ask(&mut self) -> Step {
        let snapshots: Vec<Snapshot> = self.rows.iter().map(|row| row.snapshot.clone()).collect();
        let (policy, now) = (&self.wanted.policy, clock(self.now));
        self.ledger.look(&self.rows, self.now);
        let inventory = decide::Inventory {
            hostname: None,
            other_id: None,
            server_name: Some(self.server.to_owned()),
            snapshots,
            state: None,
            requested: clock(self.requested).mono,
            doubt: self.doubt.then(|| "cut short".to_owned()),
            contested: None,
        };
        if !self.doubt {
            self.history.observe(policy, &inventory, now);
        }
        decide(policy, &inventory, &self.history, &self.wanted.rules, now)
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            wants: &self.wanted.wants,
            rows: &self.rows,
            ledger: &self.ledger,
            now: self.now,
            requested: self.requested,
        }
    }

    pub(super) fn apply(&mut self, fact: &ServerEvent) {
        let grace = self.wanted.rules.request_timeout;
        self.history.apply(fact, clock(self.now).into(), grace);
    }

    /// Applies a record, and enters it into the ledger once the judge has accepted it.
    fn record(&mut self, fact: &ServerEvent) {
        self.apply(fact);
        if let ServerEvent::RotationAdded { shrinks, .. }
        | ServerEvent::RotationChanged { shrinks, .. } = fact
        {
            let now = self.now;
            let announced = shrinks.iter().map(|id| (id.number().unwrap(), now));
            self.ledger.announced.extend(announced);
        }
        if let ServerEvent::CreateResult { id: Some(id), .. } = fact {
            self.ledger.ours.insert(id.number().unwrap());
        }
        if let ServerEvent::SnapshotCompleted { id, .. } = fact
            && (id.number().unwrap() >= HIDDEN || self.ledger.ours.contains(&id.number().unwrap()))
        {
            self.ledger.made.insert(id.number().unwrap());
            self.ledger.given = None;
        }
        let ledger = &mut self.ledger;
        match fact {
            ServerEvent::CreateResult { snapshot, id, .. } => {
                ledger.answered = Some(self.now);
                self.requested = self.now;
                ledger.open = None;
                if id.is_none() {
                    *ledger.attempts.entry(snapshot.clone().into()).or_default() += 1;
                }
            }
            ServerEvent::SnapshotFailed { snapshot, id, .. } => {
                let awaited = Some(id.number().unwrap());
                if matches!(&ledger.open, Some(Pending::Create { id, .. }) if *id == awaited) {
                    ledger.open = None;
                }
                *ledger.attempts.entry(snapshot.clone().into()).or_default() += 1;
            }
            ServerEvent::SnapshotCompleted { id, .. } | ServerEvent::SnapshotStuck { id, .. } => {
                let awaited = Some(id.number().unwrap());
                if matches!(&ledger.open, Some(Pending::Create { id, .. }) if *id == awaited) {
                    ledger.open = None;
                }
            }
            ServerEvent::DeleteConfirmed { .. } | ServerEvent::DeleteResult { .. } => {
                ledger.open = None;
            }
            ServerEvent::SlotSettled { snapshot, .. }
            | ServerEvent::SlotGivenUp { snapshot, .. }
            | ServerEvent::SlotSkipped { snapshot, .. } => {
                ledger.ended.insert(snapshot.clone().into());
            }
            _ => {}
        }
        if matches!(fact, ServerEvent::DeleteResult { .. }) {
            ledger.answered = Some(self.now);
            self.requested = self.now;
        }
    }

    /// Checks the state of a plan that is at rest or blocked.
    fn judge_end(&self, end: &Step) -> Result<(), String> {
        // I7: without a completed create at most one snapshot is given up.
        if !self.answers.complete() && self.prunes > 1 {
            return Err(format!("{} were given up", self.prunes));
        }
        let alerts = &self.history.alerts;
        if let Step::Blocked { .. } = end {
            let told = alerts.keys().any(|(kind, _)| *kind == AlertKind::Blocked);
            return if told {
                Ok(())
            } else {
                Err("blocked without an alert".to_owned())
            };
        }
        if self.ledger.held {
            return Ok(());
        }
        let view = self.view();
        for (rotation, keep) in self.wanted.wants.keep.iter().enumerate() {
            // I15: each due slot is settled, or an alert stands for it.
            let name = &self.wanted.wants.due[rotation];
            if view.unsettled(rotation) {
                return Err(format!("{name} is forgotten"));
            }
            let settled = self.history.slot(ROTATIONS[rotation], name);
            let ending = settled.and_then(|note| note.ending);
            let given_up = !matches!(
                ending,
                Some(snaprotate::core::server_event::SlotOutcome::Completed)
            );
            let about = (AlertKind::SlotFailed, ROTATIONS[rotation].to_owned());
            if given_up && !alerts.contains_key(&about) {
                return Err(format!("{name} was not made, and nobody is told"));
            }
            // Rule 5: nothing is beyond keep, and no slot has two snapshots.
            let mut slots: Vec<_> = view.counted(rotation).map(|row| row.owner).collect();
            let count = slots.len();
            slots.sort_unstable();
            slots.dedup();
            // A surplus that nothing pays for, or on which dates and names disagree, has an alert.
            let told = [AlertKind::Shrink, AlertKind::OddDate]
                .into_iter()
                .any(|kind| alerts.contains_key(&(kind, ROTATIONS[rotation].to_owned())));
            if told {
                continue;
            }
            if slots.len() > *keep || slots.len() < count {
                return Err(format!("{count} of {} are there", ROTATIONS[rotation]));
            }
            let outlived = self.rows.iter().find(|row| {
                let failed = row.snapshot.status == Status::Failed && !row.protected;
                let of = row.owner.is_some_and(|(index, _)| index == rotation);
                let newer = || view.counted(rotation).any(|other| row.older(other));
                failed && of && view.dated(row) && newer()
            });
            if let Some(row) = outlived {
                return Err(format!("it failed, and stays: {row:?}"));
            }
        }
        Ok(())
    }
}
