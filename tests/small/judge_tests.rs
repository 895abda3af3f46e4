//! Tests of the judge: for each invariant, a correct step that it accepts and a wrong step that it
//! must reject. Without them a clean run of the small cases would mean nothing.

use std::collections::BTreeSet;

use snaprotate::core::decide::Step;
use snaprotate::core::server_event::{Outcome, ServerEvent};
use snaprotate::core::snapshot::{SnapshotId, Status};

use super::judge::{Broken, Checks, Rule, judge};
use super::policies::{Wanted, wanted};
use super::space::{Inventory, Letter, name, own};
use super::trail::HIDDEN;
use super::view::{
    ATTEMPTS, Ledger, MINUTE, Pending, Row, SETTLE_WINDOW, SHRINK_GRACE, STUCK_AFTER, Seconds, View,
};

/// The input of a judgement, for a test to change.
struct Bench {
    wanted: Wanted,
    rows: Vec<Row>,
    ledger: Ledger,
    now: Seconds,
    requested: Seconds,
}

impl Bench {
    /// Returns one rotation that keeps two, on a server that may hold five.
    fn holding(letters: &[Letter]) -> Self {
        let rows = Inventory::new(&letters.iter().collect::<Vec<_>>(), false).rows;
        let mut ledger = Ledger::default();
        ledger.look(&rows, 0);
        // A completed snapshot that pays for one delete.
        ledger.made.insert(HIDDEN);
        Self {
            wanted: wanted(&[2], true, false, 1, 5),
            rows,
            ledger,
            now: 0,
            requested: 0,
        }
    }

    fn judge(&self, step: &Step) -> Option<Rule> {
        let view = View {
            wants: &self.wanted.wants,
            rows: &self.rows,
            ledger: &self.ledger,
            now: self.now,
            requested: self.requested,
        };
        let verdict = judge(&view, step, &mut Checks::new());
        verdict.err().map(|Broken(rule, _)| rule)
    }
}

fn done(days: i64) -> Letter {
    own(0, days, Status::Completed)
}

/// Returns completed snapshots of the days 1, 2 and so on; the ids are the days.
fn days(count: i64) -> Bench {
    Bench::holding(&(1..=count).map(done).collect::<Vec<_>>())
}

fn delete(id: u64) -> Step {
    Step::Delete {
        id: SnapshotId::from(id),
        name: "".into(),
        rotation: "".into(),
        prune_first: false,
        paid_by: None,
        expired: false,
        reason: String::new(),
    }
}

fn prune(id: u64) -> Step {
    Step::Delete {
        id: SnapshotId::from(id),
        name: "".into(),
        rotation: "".into(),
        prune_first: true,
        paid_by: None,
        expired: false,
        reason: String::new(),
    }
}

fn create() -> Step {
    Step::Create {
        rotation: "a".into(),
        name: name("a", 0).into(),
        reason: String::new(),
    }
}

fn open_delete(id: u64) -> Pending {
    Pending::Delete { id, since: 0 }
}

fn open_create(id: Option<u64>) -> Pending {
    Pending::Create {
        name: name("a", 0),
        known: BTreeSet::new(),
        id,
        since: 0,
    }
}

#[test]
fn correct_steps_are_accepted() {
    assert_eq!(days(3).judge(&delete(3)), None);
    assert_eq!(days(5).judge(&prune(5)), None);
    assert_eq!(days(4).judge(&create()), None);
}

#[test]
fn i1_deleting_a_foreign_a_protected_or_an_absent_snapshot_is_rejected() {
    let mut bench = days(3);
    bench.rows[2].owner = None;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I1));
    let mut bench = days(3);
    bench.rows[2].protected = true;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I1));
    assert_eq!(days(3).judge(&delete(9)), Some(Rule::I1));
}

#[test]
fn i2_deleting_the_newest_completed_snapshot_is_rejected() {
    assert_eq!(days(3).judge(&delete(1)), Some(Rule::I2));
    assert_eq!(days(5).judge(&prune(1)), Some(Rule::I2));
}

#[test]
fn i3_a_delete_that_leaves_fewer_than_keep_or_min_completed_is_rejected() {
    assert_eq!(days(2).judge(&delete(2)), Some(Rule::I3));
    let mut bench = days(5);
    bench.wanted = wanted(&[2], true, false, 5, 5);
    assert_eq!(bench.judge(&prune(5)), Some(Rule::I3));
}

#[test]
fn i4_a_listing_from_before_the_last_answer_justifies_nothing() {
    for step in [delete(3), create()] {
        let mut bench = days(3);
        bench.ledger.answered = Some(0);
        assert_eq!(bench.judge(&step), None);
        bench.ledger.answered = Some(1);
        assert_eq!(bench.judge(&step), Some(Rule::I4));
    }
}

#[test]
fn i5_while_a_mutation_is_open_only_the_same_delete_may_be_sent() {
    let mut bench = days(3);
    bench.ledger.open = Some(open_delete(3));
    assert_eq!(bench.judge(&delete(3)), None);
    assert_eq!(bench.judge(&create()), Some(Rule::I5));
    bench.ledger.open = Some(open_delete(2));
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I5));
    for id in [None, Some(9)] {
        bench.ledger.open = Some(open_create(id));
        assert_eq!(bench.judge(&delete(3)), Some(Rule::I5));
        assert_eq!(bench.judge(&create()), Some(Rule::I5));
    }
}

#[test]
fn i5_a_delete_is_closed_only_as_the_listing_and_the_settle_window_allow() {
    let id = SnapshotId::from(3);
    let mut bench = days(3);
    bench.ledger.open = Some(open_delete(3));
    let gone = Step::Record(ServerEvent::DeleteConfirmed { id: id.clone() });
    assert_eq!(bench.judge(&gone), Some(Rule::I5));
    let outcome = Outcome::Failed;
    let failed = Step::Record(ServerEvent::DeleteResult { id, outcome });
    bench.now = SETTLE_WINDOW - 1;
    assert_eq!(bench.judge(&failed), Some(Rule::I5));
    bench.now = SETTLE_WINDOW;
    assert_eq!(bench.judge(&failed), None);
}

#[test]
fn i7_a_prune_first_of_another_snapshot_before_the_rotation_has_made_one_is_rejected() {
    let mut bench = days(5);
    for given in [9, 2] {
        bench.ledger.given = Some(given);
        assert_eq!(bench.judge(&prune(5)), Some(Rule::I7));
    }
    bench.ledger.given = Some(5);
    assert_eq!(bench.judge(&prune(5)), None, "the same snapshot again");
}

#[test]
fn i19_a_delete_that_is_neither_paid_for_nor_announced_is_rejected() {
    let mut bench = days(3);
    bench.ledger.made.clear();
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I19));
    bench.ledger.announced.insert(3, 0);
    bench.now = SHRINK_GRACE - 1;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I19));
    bench.now = SHRINK_GRACE;
    assert_eq!(bench.judge(&delete(3)), None);
    let mut bench = days(3);
    bench.ledger.spent.insert(7);
    assert_eq!(
        bench.judge(&delete(3)),
        Some(Rule::I19),
        "the payment is spent"
    );
    bench.ledger.spent.insert(3);
    assert_eq!(bench.judge(&delete(3)), None, "spent on this snapshot");
}

#[test]
fn i19_a_delete_is_rejected_if_dates_and_slots_disagree_on_the_oldest_snapshot() {
    let mut bench = days(3);
    bench.rows[2].owner = Some((0, 2));
    bench.rows[1].owner = Some((0, 3));
    assert_eq!(bench.judge(&delete(3)), Some(Rule::Surplus));
}

#[test]
fn i8_a_mutation_beside_a_snapshot_in_progress_is_rejected_until_the_snapshot_is_stuck() {
    let fresh = own(0, 0, Status::InProgress);
    let mut bench = Bench::holding(&[done(1), done(2), done(3), fresh]);
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I8));
    bench.now = 5 * MINUTE - 1;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I8));
    bench.now = 5 * MINUTE;
    assert_eq!(bench.judge(&delete(3)), None);
}

#[test]
fn i8_a_snapshot_in_progress_does_not_count_as_newest_and_is_deleted_only_once_stuck() {
    let stuck = own(0, 1, Status::InProgress);
    let mut bench = Bench::holding(&[stuck, done(2), done(3), done(4), done(5)]);
    assert_eq!(bench.judge(&delete(1)), Some(Rule::I8));
    assert_eq!(
        bench.judge(&delete(2)),
        Some(Rule::I2),
        "one in progress does not count as newer"
    );
    bench.wanted = wanted(&[2], true, true, 1, 5);
    bench.now = STUCK_AFTER - 1;
    assert_eq!(bench.judge(&delete(1)), Some(Rule::I8));
    bench.now = STUCK_AFTER;
    assert_eq!(bench.judge(&delete(1)), None, "delete_stuck allows it");
    let completed = Step::Record(ServerEvent::SnapshotCompleted {
        snapshot: name("a", 1).into(),
        id: SnapshotId::from(1),
        pays: Some(false),
    });
    assert_eq!(bench.judge(&completed), Some(Rule::I8));
}

#[test]
fn i9_a_slot_that_has_a_snapshot_gets_no_second_one() {
    for status in [Status::Completed, Status::InProgress] {
        let mut bench = Bench::holding(&[own(0, 0, status)]);
        bench.now = STUCK_AFTER;
        assert_eq!(bench.judge(&create()), Some(Rule::I9));
    }
    let failed = Bench::holding(&[own(0, 0, Status::Failed)]);
    assert_eq!(failed.judge(&create()), None);
}

#[test]
fn i9_a_create_counts_as_failed_only_after_the_settle_window() {
    let result = |outcome, id| {
        Step::Record(ServerEvent::CreateResult {
            snapshot: name("a", 0).into(),
            outcome,
            id,
            server_name: None,
            looked_for: false,
            hindrance: None,
            said: None,
        })
    };
    let mut bench = Bench::holding(&[]);
    bench.ledger.open = Some(open_create(None));
    let failed = result(Outcome::Failed, None);
    bench.now = SETTLE_WINDOW - 1;
    assert_eq!(bench.judge(&failed), Some(Rule::I9));
    bench.now = SETTLE_WINDOW;
    assert_eq!(bench.judge(&failed), None);
    let adopted = result(Outcome::Done, Some(SnapshotId::from(1)));
    assert_eq!(bench.judge(&adopted), Some(Rule::I9), "nothing is listed");
    let mut bench = Bench::holding(&[done(0)]);
    bench.ledger.open = Some(open_create(None));
    assert_eq!(bench.judge(&adopted), None);
    let known = BTreeSet::from([1]);
    bench.ledger.open = Some(Pending::Create {
        name: name("a", 0),
        known,
        id: None,
        since: 0,
    });
    assert_eq!(
        bench.judge(&adopted),
        Some(Rule::I9),
        "it was listed before the create"
    );
}

#[test]
fn i10_a_create_on_a_full_server_is_rejected() {
    assert_eq!(days(5).judge(&create()), Some(Rule::I10));
}

#[test]
fn i11_a_doubtful_listing_justifies_no_mutation_and_an_odd_row_is_not_deleted() {
    let mut bench = days(3);
    bench.ledger.doubtful = true;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I11));
    assert_eq!(bench.judge(&create()), Some(Rule::I11));
    for made in [None, Some(5 * MINUTE + 1)] {
        let mut bench = days(3);
        bench.rows[2].made = made;
        assert_eq!(bench.judge(&delete(3)), Some(Rule::I11), "{made:?}");
    }
    let unknown = own(0, 3, Status::Unknown("archiving".to_owned()));
    let bench = Bench::holding(&[done(1), done(2), unknown]);
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I11));
}

#[test]
fn nothing_is_sent_while_the_server_is_held() {
    let mut bench = days(3);
    bench.ledger.held = true;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::Held));
    assert_eq!(bench.judge(&create()), Some(Rule::Held));
}

#[test]
fn a_create_is_rejected_unless_its_slot_is_due_and_unsettled() {
    let mut bench = days(3);
    bench.ledger.attempts.insert(name("a", 0), ATTEMPTS);
    assert_eq!(bench.judge(&create()), Some(Rule::Due));
    let mut bench = days(3);
    bench.ledger.ended.insert(name("a", 0));
    assert_eq!(bench.judge(&create()), Some(Rule::Due));
    let other = Step::Create {
        rotation: "a".into(),
        name: name("a", 1).into(),
        reason: String::new(),
    };
    assert_eq!(Bench::holding(&[]).judge(&other), Some(Rule::Due));
}

#[test]
fn a_prune_first_requires_a_full_server_and_a_due_slot_and_deletes_the_oldest() {
    assert_eq!(days(4).judge(&prune(4)), Some(Rule::Due));
    assert_eq!(days(5).judge(&prune(4)), Some(Rule::Due));
    let mut bench = days(5);
    bench.ledger.ended.insert(name("a", 0));
    assert_eq!(bench.judge(&prune(5)), Some(Rule::Due));
    let mut bench = days(5);
    bench.wanted = wanted(&[2], false, false, 1, 5);
    assert_eq!(bench.judge(&prune(5)), Some(Rule::Due), "when_full = skip");
}

#[test]
fn with_free_places_only_surplus_snapshots_may_be_deleted() {
    assert_eq!(days(4).judge(&delete(3)), Some(Rule::Surplus));
    let failed = own(0, 1, Status::Failed);
    let bench = Bench::holding(&[failed, done(2)]);
    assert_eq!(bench.judge(&delete(1)), Some(Rule::Surplus));
}

#[test]
fn a_block_without_a_reason_is_rejected() {
    let reason = String::new();
    assert_eq!(days(1).judge(&Step::Blocked { reason }), Some(Rule::End));
}
