//! Plays a case to its end on a model of the provider: each step is judged and performed, and then
//! the next one is decided.

use snaprotate::core::decide::{self, Step, decide};
use snaprotate::core::event::{AlertKind, Outcome, ServerEvent};
use snaprotate::core::server_history::ServerHistory;
use snaprotate::core::snapshot::{Snapshot, SnapshotId, Status};

use super::judge::{Broken, Rule, judge};
use super::policies::Wanted;
use super::space::{Inventory, POLL, clock, wall};
use super::tally::{Answers, Tally};
use super::trail::{HIDDEN, Trail};
use super::view::{Ledger, MINUTE, Pending, ROTATIONS, Row, Seconds, View};

/// A plan with more decisions than this counts as endless.
const MOST_LOOKS: u32 = 300;

/// The time that passes in a wait of one poll interval: only time ends what is under way.
const STRIDE: Seconds = 10 * MINUTE;

/// A rest that ends sooner than this does not end the plan; the next slot is due much later.
const SHORT: Seconds = 120 * MINUTE;
const MOST_RESTS: u32 = 6;

/// The provider and the trail of one plan.
struct World<'a> {
    wanted: &'a Wanted,
    answers: Answers,
    rows: Vec<Row>,
    history: ServerHistory,
    ledger: Ledger,
    now: Seconds,
    requested: Seconds,
    doubt: bool,
    server: &'static str,
    /// Made, and not listed yet.
    unseen: Vec<Row>,
    vanishing: Option<u64>,
    next_id: u64,
    /// True if another way to answer would have made a difference.
    answered: bool,
    prunes: u32,
    /// Number of rests that did not end the plan.
    rests: u32,
    /// The steps, for a case that is reported.
    log: Option<Vec<String>>,
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
                    self.create(rotation, name);
                }
                Step::Delete {
                    id,
                    name,
                    prune_first,
                    paid_by,
                    ..
                } => {
                    tally.deletes += 1;
                    self.delete(id, name, prune_first, paid_by);
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
        };
        if !self.doubt {
            self.history.observe(policy, &inventory, now);
        }
        decide(policy, &inventory, &self.history, &self.wanted.rules, now)
    }

    fn view(&self) -> View<'_> {
        View {
            wants: &self.wanted.wants,
            rows: &self.rows,
            ledger: &self.ledger,
            now: self.now,
            requested: self.requested,
        }
    }

    fn apply(&mut self, fact: &ServerEvent) {
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
                    *ledger.attempts.entry(snapshot.clone()).or_default() += 1;
                }
            }
            ServerEvent::SnapshotFailed { snapshot, id, .. } => {
                let awaited = Some(id.number().unwrap());
                if matches!(&ledger.open, Some(Pending::Create { id, .. }) if *id == awaited) {
                    ledger.open = None;
                }
                *ledger.attempts.entry(snapshot.clone()).or_default() += 1;
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
                ledger.ended.insert(snapshot.clone());
            }
            _ => {}
        }
        if matches!(fact, ServerEvent::DeleteResult { .. }) {
            ledger.answered = Some(self.now);
            self.requested = self.now;
        }
    }

    /// Returns a new snapshot of a rotation's due slot, in progress.
    fn row(&mut self, rotation: usize, made: Seconds) -> Row {
        let id = SnapshotId::from(self.next_id);
        self.next_id += 1;
        Row {
            snapshot: Snapshot {
                uuid: None,
                id,
                name: self.wanted.wants.due[rotation].clone(),
                status: Status::InProgress,
                created_at: Some(wall(made)),
            },
            owner: Some((rotation, 0)),
            protected: false,
            made: Some(made),
        }
    }

    fn create(&mut self, rotation: String, name: String) {
        self.answered = true;
        let index = ROTATIONS.iter().position(|known| *known == rotation);
        let index = index.unwrap_or_default();
        let known: Vec<_> = self
            .rows
            .iter()
            .map(|row| row.snapshot.id.clone())
            .collect();
        self.apply(&ServerEvent::CreateIntent {
            rotation,
            snapshot: name.clone(),
            known: known.iter().cloned().collect(),
            reason: String::new(),
            by: None,
            spare: None,
        });
        let made = matches!(
            self.answers,
            Answers::Done | Answers::Failed | Answers::Hanging
        );
        let mut id = None;
        if made || self.answers == Answers::Late {
            let row = self.row(index, self.now);
            id = made.then(|| row.snapshot.id.clone());
            if made {
                self.rows.push(row);
            } else {
                self.unseen.push(row);
            }
        }
        let outcome = match self.answers {
            Answers::Refused => Outcome::Failed,
            _ if made => Outcome::Done,
            _ => Outcome::Unknown,
        };
        self.ledger.answered = Some(self.now);
        self.requested = self.now;
        self.ledger.open = Some(Pending::Create {
            name: name.clone(),
            known: known.iter().map(|id| id.number().unwrap()).collect(),
            id: id.as_ref().map(|id| id.number().unwrap()),
            since: self.now,
        });
        if outcome == Outcome::Failed {
            self.ledger.open = None;
            *self.ledger.attempts.entry(name.clone()).or_default() += 1;
        }
        self.apply(&ServerEvent::CreateResult {
            snapshot: name,
            outcome,
            id,
            server_name: None,
            looked_for: false,
            hindrance: None,
            said: None,
        });
    }

    fn delete(
        &mut self,
        id: SnapshotId,
        snapshot: String,
        prune_first: bool,
        paid_by: Option<SnapshotId>,
    ) {
        self.answered = true;
        let ours =
            id.number().unwrap() >= HIDDEN || self.ledger.ours.contains(&id.number().unwrap());
        let row = self.rows.iter().find(|row| row.snapshot.id == id);
        let good = row.is_some_and(|row| match row.snapshot.status {
            Status::Completed => true,
            Status::Failed => !ours,
            _ => false,
        });
        if good && !self.view().is_announced(id.number().unwrap()) && !prune_first {
            self.ledger.spent.insert(id.number().unwrap());
        }
        let ids: Vec<_> = self
            .rows
            .iter()
            .map(|row| row.snapshot.id.clone())
            .collect();
        self.apply(&ServerEvent::DeleteIntent {
            rotation: String::new(),
            id: id.clone(),
            snapshot,
            prune_first: prune_first.then(|| ids.iter().cloned().collect()),
            paid_by,
            reason: String::new(),
            by: None,
        });
        if prune_first {
            self.ledger.given = Some(id.number().unwrap());
        }
        let outcome = match self.answers {
            Answers::Failed => Outcome::Failed,
            Answers::Lost => Outcome::Unknown,
            _ => Outcome::Done,
        };
        self.ledger.open = (outcome != Outcome::Failed).then_some(Pending::Delete {
            id: id.number().unwrap(),
            since: self.now,
        });
        if outcome == Outcome::Done {
            self.prunes += u32::from(prune_first);
            if self.answers == Answers::Late {
                self.vanishing = Some(id.number().unwrap());
            } else {
                self.rows.retain(|row| row.snapshot.id != id);
            }
        }
        self.ledger.answered = Some(self.now);
        self.requested = self.now;
        self.apply(&ServerEvent::DeleteResult { id, outcome });
    }

    /// Lets time pass, and ends what is under way.
    fn wait(&mut self, pause: Seconds) {
        self.now += if pause <= POLL { STRIDE } else { pause };
        self.requested = self.now;
        let (complete, failed) = (self.answers.complete(), self.answers == Answers::Failed);
        let next_id = self.next_id;
        let hidden = HIDDEN..next_id;
        for index in 0..self.rows.len() {
            let stuck = self.view().stuck(&self.rows[index]);
            let row = &mut self.rows[index];
            let unfinished = row.owner.is_some() && row.snapshot.status == Status::InProgress;
            if unfinished && !stuck {
                self.answered = true;
                if complete {
                    row.snapshot.status = Status::Completed;
                } else if failed && hidden.contains(&row.snapshot.id.number().unwrap()) {
                    row.snapshot.status = Status::Failed;
                }
            }
        }
        self.rows.append(&mut self.unseen);
        if let Some(id) = self.vanishing.take() {
            self.rows
                .retain(|row| row.snapshot.id.number().unwrap() != id);
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
                Some(snaprotate::core::event::SlotOutcome::Completed)
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
