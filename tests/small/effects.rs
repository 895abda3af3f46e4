//! The effects of a step on the model of the provider: a create, a delete, time that passes.

use snaprotate::core::server_event::{Outcome, ServerEvent};
use snaprotate::core::snapshot::{Snapshot, SnapshotId, Status};

use super::play::World;
use super::space::{POLL, wall};
use super::tally::Answers;
use super::trail::HIDDEN;
use super::view::{MINUTE, Pending, ROTATIONS, Row, Seconds};

/// The time that passes in a wait of one poll interval: only time ends what is under way.
const STRIDE: Seconds = 10 * MINUTE;

impl World<'_> {
    /// Returns a new snapshot of a rotation's due slot, in progress.
    pub(super) fn row(&mut self, rotation: usize, made: Seconds) -> Row {
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

    pub(super) fn create(&mut self, rotation: String, name: String) {
        self.answered = true;
        let index = ROTATIONS.iter().position(|known| *known == rotation);
        let index = index.unwrap_or_default();
        let known: Vec<_> = self
            .rows
            .iter()
            .map(|row| row.snapshot.id.clone())
            .collect();
        self.apply(&ServerEvent::CreateIntent {
            rotation: rotation.into(),
            snapshot: name.clone().into(),
            known: known.iter().cloned().collect(),
            reason: String::new(),
            by: None,
            spare: None,
            expires: None,
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
            snapshot: name.into(),
            outcome,
            id,
            server_name: None,
            looked_for: false,
            hindrance: None,
            said: None,
        });
    }

    pub(super) fn delete(
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
            rotation: "".into(),
            id: id.clone(),
            snapshot: snapshot.into(),
            prune_first: prune_first.then(|| ids.iter().cloned().collect()),
            paid_by,
            expired: false,
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
    pub(super) fn wait(&mut self, pause: Seconds) {
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
}
