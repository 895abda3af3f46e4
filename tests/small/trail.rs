//! The possible trails: events applied to a history for the decision, and the matching ledger of
//! the judge.

use std::collections::BTreeSet;

use snaprotate::core::order_terms::OrderTerms;
use snaprotate::core::server_event::{Outcome, RecordedAt, ServerEvent};
use snaprotate::core::server_history::ServerHistory;
use snaprotate::core::snapshot::SnapshotId;

use super::space::{DAY, GRACE, clock, name, slot};
use super::trail_events::{create, created, delete, given_up, settled, skipped};
use super::view::{
    ATTEMPTS, Ledger, MINUTE, Pending, ROTATIONS, Row, SETTLE_WINDOW, Seconds, Wants,
};

/// An id that no inventory shows: of a snapshot that is gone or was never listed.
pub const ABSENT: u64 = 800;
/// The id of a snapshot whose create was answered and which isn't listed yet.
pub const HIDDEN: u64 = 900;

/// The instant at which an earlier process wrote the trail.
const AN_HOUR_AGO: Seconds = -60 * MINUTE;

/// One possible trail.
#[derive(Clone, Debug)]
pub struct Trail {
    pub title: &'static str,
    pub history: ServerHistory,
    pub ledger: Ledger,
    /// True if the listing is in doubt.
    pub doubt: bool,
    /// The name that the listing gives the server.
    pub server: &'static str,
    /// The instant at which the first listing was requested.
    pub requested: Seconds,
    /// The rotation and the time of creation of an open create's snapshot that isn't listed yet.
    pub hidden: Option<(usize, Seconds)>,
}

impl Trail {
    fn nothing(title: &'static str) -> Self {
        Self {
            title,
            history: ServerHistory::default(),
            ledger: Ledger::default(),
            doubt: false,
            server: "web",
            requested: 0,
            hidden: None,
        }
    }

    fn base(title: &'static str, wants: &Wants) -> Self {
        let mut trail = Self::nothing(title);
        for rotation in &ROTATIONS[..wants.keep.len()] {
            let rotation = (*rotation).to_owned();
            trail.old(
                -16 * 60 * MINUTE,
                &ServerEvent::RotationAdded {
                    rotation: rotation.into(),
                    terms: None,
                    shrinks: BTreeSet::new(),
                },
            );
        }
        trail
    }

    /// Applies an event that an earlier process recorded.
    fn old(&mut self, at: Seconds, fact: &ServerEvent) {
        let when = RecordedAt {
            wall: clock(at).wall,
            mono: None,
        };
        self.history
            .apply(fact, when, clock(GRACE).mono - clock(0).mono);
    }

    /// Applies an event that this process recorded.
    fn lived(&mut self, at: Seconds, fact: &ServerEvent) {
        let grace = clock(GRACE).mono - clock(0).mono;
        self.history.apply(fact, clock(at).into(), grace);
    }

    fn due(mut self, rotation: usize) -> Self {
        let fact = ServerEvent::SlotDue {
            rotation: ROTATIONS[rotation].into(),
            slot: slot(0),
            snapshot: name(ROTATIONS[rotation], 0).into(),
        };
        self.old(AN_HOUR_AGO, &fact);
        self
    }

    fn ended(
        mut self,
        rotation: usize,
        fact: fn(String, jiff::Timestamp, String) -> ServerEvent,
    ) -> Self {
        let snapshot = name(ROTATIONS[rotation], 0);
        self.ledger.ended.insert(snapshot.clone());
        self.old(
            -30 * MINUTE,
            &fact(ROTATIONS[rotation].to_owned(), slot(0), snapshot),
        );
        self
    }

    /// Adds creates that the provider refused, the last of them at `last`.
    fn tried(mut self, rotation: usize, times: u32, last: Seconds) -> Self {
        let snapshot = name(ROTATIONS[rotation], 0);
        // With every id known, nothing in the inventory can be such a create's snapshot.
        let known = (0..HIDDEN).collect::<BTreeSet<_>>();
        for _ in 0..times {
            self.old(last, &create(rotation, known.clone()));
            self.old(last, &created(rotation, Outcome::Failed, None));
        }
        self.ledger.attempts.insert(snapshot, times);
        self
    }

    /// Adds a create without an answer; it may run until its time-out ends.
    fn sent(mut self, rotation: usize, at: Seconds, known: BTreeSet<u64>) -> Self {
        self.old(at, &create(rotation, known.clone()));
        self.ledger.open = Some(Pending::Create {
            name: name(ROTATIONS[rotation], 0),
            known,
            id: None,
            since: at + GRACE,
        });
        self
    }

    /// Adds a create that was answered with an id.
    fn answered(mut self, rotation: usize, at: Seconds, id: u64) -> Self {
        self.ledger.ours.insert(id);
        self.lived(at, &create(rotation, BTreeSet::new()));
        self.lived(at, &created(rotation, Outcome::Done, Some(id)));
        self.ledger.answered = Some(at);
        self.ledger.watched.insert(id, (at, 0));
        self.ledger.open = Some(Pending::Create {
            name: name(ROTATIONS[rotation], 0),
            known: BTreeSet::new(),
            id: Some(id),
            since: at,
        });
        self
    }

    fn deleting(mut self, id: u64, at: Seconds, answer: Option<Outcome>) -> Self {
        self.lived(at, &delete(id, None));
        self.ledger.open = Some(Pending::Delete { id, since: at });
        if let Some(outcome) = answer {
            let id = SnapshotId::from(id);
            self.lived(at, &ServerEvent::DeleteResult { id, outcome });
            self.ledger.answered = Some(at);
            if outcome == Outcome::Failed {
                self.ledger.open = None;
            }
        }
        self
    }

    /// Adds a prune-first an hour ago, when these were listed; the victim is gone or still there.
    fn pruned(mut self, victim: u64, known: &BTreeSet<u64>, there: bool) -> Self {
        self.old(AN_HOUR_AGO, &delete(victim, Some(known)));
        let id = SnapshotId::from(victim);
        let outcome = if there {
            Outcome::Failed
        } else {
            Outcome::Done
        };
        self.old(
            AN_HOUR_AGO,
            &ServerEvent::DeleteResult {
                id: id.clone(),
                outcome,
            },
        );
        if !there {
            self.old(AN_HOUR_AGO, &ServerEvent::DeleteConfirmed { id });
        }
        self.ledger.given = Some(victim);
        self
    }
}

/// Returns every trail that is possible with these rows.
pub fn trails(rows: &[Row], wants: &Wants) -> Vec<Trail> {
    let base = |title| Trail::base(title, wants);
    let mut found = vec![Trail::nothing("nothing"), base("under care")];
    for rotation in 0..wants.keep.len() {
        of_slot(rows, wants, rotation, &mut found);
    }
    for row in rows.iter().filter(|row| row.owner.is_some()) {
        of_row(row, rows, wants, &mut found);
    }
    let ids: BTreeSet<_> = rows
        .iter()
        .map(|row| row.snapshot.id.number().unwrap())
        .collect();
    let gone = ids.iter().copied().chain([ABSENT]).collect();
    found.push(base("a delete that is seen").deleting(ABSENT, -MINUTE, None));
    found.push(base("a prune-first, not made good").pruned(ABSENT, &gone, false));
    let mut trail = base("deletes refused").deleting(ABSENT, -MINUTE, Some(Outcome::Failed));
    found.push(trail.clone());
    for _ in 1..ATTEMPTS {
        trail = trail.deleting(ABSENT, -MINUTE, Some(Outcome::Failed));
    }
    trail.title = "deletes refused for good";
    found.push(trail);
    let long = base("a delete refused long ago");
    found.push(long.deleting(ABSENT, -40 * MINUTE, Some(Outcome::Failed)));
    held_or_doubtful(wants, &mut found);
    found
}

fn of_slot(rows: &[Row], wants: &Wants, rotation: usize, found: &mut Vec<Trail>) {
    let due = |title| Trail::base(title, wants).due(rotation);
    found.push(due("due"));
    found.push(due("settled").ended(rotation, settled));
    found.push(due("given up").ended(rotation, given_up));
    found.push(due("skipped").ended(rotation, skipped));
    found.push(due("tried just now").tried(rotation, 1, -MINUTE));
    found.push(due("tried").tried(rotation, 2, -40 * MINUTE));
    found.push(due("tried in vain").tried(rotation, ATTEMPTS, -40 * MINUTE));
    let overtaken = |title, times| {
        let mut trail = Trail::base(title, wants);
        let prefix = ROTATIONS[rotation];
        let (slot, snapshot) = (slot(7), name(prefix, 7));
        let rotation = prefix.to_owned();
        trail.old(
            -7 * DAY,
            &ServerEvent::SlotDue {
                rotation: rotation.into(),
                slot,
                snapshot: snapshot.clone().into(),
            },
        );
        for _ in 0..times {
            let outcome = Outcome::Failed;
            let (id, server_name) = (None, None);
            let snapshot = snapshot.clone();
            trail.old(
                -7 * DAY,
                &ServerEvent::CreateResult {
                    snapshot: snapshot.into(),
                    outcome,
                    id,
                    server_name,
                    looked_for: false,
                    hindrance: None,
                    said: None,
                },
            );
        }
        trail
    };
    found.push(overtaken("overtaken", 0));
    found.push(overtaken("overtaken, tried", 1));
    let bearing = name(ROTATIONS[rotation], 0);
    let bearing = rows.iter().filter(|row| row.snapshot.name == bearing);
    let bearing: BTreeSet<_> = bearing
        .map(|row| row.snapshot.id.number().unwrap())
        .collect();
    let mut knowns = vec![BTreeSet::new()];
    if !bearing.is_empty() {
        knowns.push(bearing.clone());
    }
    for known in knowns {
        for at in [-MINUTE, 1 - SETTLE_WINDOW - GRACE, -SETTLE_WINDOW - GRACE] {
            found.push(due("a create without an answer").sent(rotation, at, known.clone()));
        }
    }
    for at in [-MINUTE, 1 - SETTLE_WINDOW, -SETTLE_WINDOW] {
        let mut trail = due("an answered create, not listed").answered(rotation, at, HIDDEN);
        trail.hidden = Some((rotation, at));
        found.push(trail);
    }
    for id in bearing {
        found.push(due("an answered create, listed").answered(rotation, -5 * MINUTE, id));
    }
}

/// Adds the trails about one row: with due slots, which need room, and with settled ones, where
/// only surplus may go.
fn of_row(row: &Row, rows: &[Row], wants: &Wants, found: &mut Vec<Trail>) {
    let due = |title| (0..wants.keep.len()).fold(Trail::base(title, wants), Trail::due);
    let end = |trail: Trail| (0..wants.keep.len()).fold(trail, |t, r| t.ended(r, settled));
    let id = row.snapshot.id.number().unwrap();
    let ids = || rows.iter().map(|row| row.snapshot.id.number().unwrap());
    for at in [-MINUTE, 1 - SETTLE_WINDOW, -SETTLE_WINDOW] {
        let sent = |trail: Trail| trail.deleting(id, at, Some(Outcome::Unknown));
        found.push(sent(due("a delete without an answer, slots due")));
        found.push(sent(end(due("a delete without an answer, slots settled"))));
    }
    let answered = |trail: Trail| trail.deleting(id, -MINUTE, Some(Outcome::Done));
    found.push(answered(due("a delete that is still listed, slots due")));
    found.push(answered(end(due(
        "a delete that is still listed, slots settled",
    ))));
    found.push(due("a prune-first that was refused").pruned(id, &ids().collect(), true));
    let before = ids().filter(|other| *other != id).chain([ABSENT]).collect();
    found.push(due("a prune-first with one after it").pruned(ABSENT, &before, false));
}

fn held_or_doubtful(wants: &Wants, found: &mut Vec<Trail>) {
    let base = |title| Trail::base(title, wants);
    let restore = ServerEvent::RestoreIntent {
        snapshot: "".into(),
        id: SnapshotId::from(1),
        by: None,
    };
    let restored = ServerEvent::RestoreResult {
        id: SnapshotId::from(1),
        outcome: Outcome::Done,
    };
    let doubtful = |mut trail: Trail| {
        trail.ledger.doubtful = true;
        trail
    };
    let held = |mut trail: Trail| {
        trail.ledger.held = true;
        trail
    };
    let mut trail = doubtful(base("a listing in doubt"));
    trail.doubt = true;
    found.push(trail);
    let mut trail = doubtful(base("another server's name"));
    trail.server = "db";
    found.push(trail);
    let mut trail = doubtful(base("a clock that is odd"));
    trail.old(5 * MINUTE + 1, &create(0, BTreeSet::new()));
    trail.old(5 * MINUTE + 1, &created(0, Outcome::Later, None));
    found.push(trail);
    let mut trail = base("an old listing").deleting(ABSENT, 0, Some(Outcome::Done));
    trail.requested = -1;
    found.push(trail);
    let mut trail = base("an old listing after a refusal");
    trail = trail.deleting(ABSENT, 0, Some(Outcome::Failed));
    trail.requested = -1;
    found.push(trail);
    let mut trail = held(base("paused"));
    trail.old(-MINUTE, &ServerEvent::Paused(OrderTerms::default()));
    found.push(trail);
    for at in [-MINUTE, 1 - 30 * MINUTE] {
        let mut trail = held(base("a restore under way"));
        trail.lived(at, &restore);
        trail.lived(at, &restored);
        found.push(trail);
    }
    let mut trail = base("a restore half an hour ago");
    trail.lived(-30 * MINUTE, &restore);
    trail.lived(-30 * MINUTE, &restored);
    found.push(trail);
}
