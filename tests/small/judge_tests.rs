//! Tests of the judge: for each invariant a right step that it accepts and a wrong one that it must
//! refuse. Without them a clean run of the small cases would mean nothing.

use std::collections::BTreeSet;

use snaprotate::core::decide::Step;
use snaprotate::core::event::{Outcome, ServerEvent};
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
        name: String::new(),
        rotation: String::new(),
        prune_first: false,
        paid_by: None,
        reason: String::new(),
    }
}

fn prune(id: u64) -> Step {
    Step::Delete {
        id: SnapshotId::from(id),
        name: String::new(),
        rotation: String::new(),
        prune_first: true,
        paid_by: None,
        reason: String::new(),
    }
}

fn create() -> Step {
    Step::Create {
        rotation: "a".to_owned(),
        name: name("a", 0),
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
fn right_steps_pass() {
    assert_eq!(days(3).judge(&delete(3)), None);
    assert_eq!(days(5).judge(&prune(5)), None);
    assert_eq!(days(4).judge(&create()), None);
}

#[test]
fn i1_a_foreign_a_protected_and_an_absent_one_are_not_to_be_deleted() {
    let mut bench = days(3);
    bench.rows[2].owner = None;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I1));
    let mut bench = days(3);
    bench.rows[2].protected = true;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I1));
    assert_eq!(days(3).judge(&delete(9)), Some(Rule::I1));
}

#[test]
fn i2_the_newest_completed_one_is_not_to_be_deleted() {
    assert_eq!(days(3).judge(&delete(1)), Some(Rule::I2));
    assert_eq!(days(5).judge(&prune(1)), Some(Rule::I2));
}

#[test]
fn i3_keep_and_min_completed_are_left() {
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
fn i5_beside_an_open_mutation_only_the_same_delete_is_sent() {
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
fn i5_a_delete_is_closed_as_what_can_be_seen() {
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
fn i7_no_second_prune_first_of_another_one_before_the_rotation_has_made_one() {
    let mut bench = days(5);
    for given in [9, 2] {
        bench.ledger.given = Some(given);
        assert_eq!(bench.judge(&prune(5)), Some(Rule::I7));
    }
    bench.ledger.given = Some(5);
    assert_eq!(bench.judge(&prune(5)), None, "the same one again");
}

#[test]
fn i19_what_goes_is_paid_for_or_was_announced() {
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
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I19), "it has paid");
    bench.ledger.spent.insert(3);
    assert_eq!(bench.judge(&delete(3)), None, "for this very one");
}

#[test]
fn i19_dates_and_slots_agree_on_the_oldest() {
    let mut bench = days(3);
    bench.rows[2].owner = Some((0, 2));
    bench.rows[1].owner = Some((0, 3));
    assert_eq!(bench.judge(&delete(3)), Some(Rule::Surplus));
}

#[test]
fn i8_nothing_is_changed_beside_one_under_way_until_it_is_stuck() {
    let fresh = own(0, 0, Status::InProgress);
    let mut bench = Bench::holding(&[done(1), done(2), done(3), fresh]);
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I8));
    bench.now = 5 * MINUTE - 1;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::I8));
    bench.now = 5 * MINUTE;
    assert_eq!(bench.judge(&delete(3)), None);
}

#[test]
fn i8_one_in_progress_neither_counts_nor_goes() {
    let stuck = own(0, 1, Status::InProgress);
    let mut bench = Bench::holding(&[stuck, done(2), done(3), done(4), done(5)]);
    assert_eq!(bench.judge(&delete(1)), Some(Rule::I8));
    assert_eq!(bench.judge(&delete(2)), Some(Rule::I2), "it is not newer");
    bench.wanted = wanted(&[2], true, true, 1, 5);
    bench.now = STUCK_AFTER - 1;
    assert_eq!(bench.judge(&delete(1)), Some(Rule::I8));
    bench.now = STUCK_AFTER;
    assert_eq!(bench.judge(&delete(1)), None, "delete_stuck allows it");
    let completed = Step::Record(ServerEvent::SnapshotCompleted {
        snapshot: name("a", 1),
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
fn i9_a_create_counts_as_not_done_only_after_the_settle_window() {
    let result = |outcome, id| {
        Step::Record(ServerEvent::CreateResult {
            snapshot: name("a", 0),
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
    assert_eq!(bench.judge(&adopted), Some(Rule::I9), "it was there before");
}

#[test]
fn i10_no_create_on_a_full_server() {
    assert_eq!(days(5).judge(&create()), Some(Rule::I10));
}

#[test]
fn i11_in_doubt_nothing_is_changed_and_an_odd_row_stays() {
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
fn held_means_that_nothing_is_sent() {
    let mut bench = days(3);
    bench.ledger.held = true;
    assert_eq!(bench.judge(&delete(3)), Some(Rule::Held));
    assert_eq!(bench.judge(&create()), Some(Rule::Held));
}

#[test]
fn only_a_slot_that_is_due_and_open_is_made() {
    let mut bench = days(3);
    bench.ledger.attempts.insert(name("a", 0), ATTEMPTS);
    assert_eq!(bench.judge(&create()), Some(Rule::Due));
    let mut bench = days(3);
    bench.ledger.ended.insert(name("a", 0));
    assert_eq!(bench.judge(&create()), Some(Rule::Due));
    let other = Step::Create {
        rotation: "a".to_owned(),
        name: name("a", 1),
        reason: String::new(),
    };
    assert_eq!(Bench::holding(&[]).judge(&other), Some(Rule::Due));
}

#[test]
fn a_prune_first_needs_a_full_server_a_due_slot_and_takes_the_oldest() {
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
fn only_what_is_surplus_goes_beside_a_free_slot() {
    assert_eq!(days(4).judge(&delete(3)), Some(Rule::Surplus));
    let failed = own(0, 1, Status::Failed);
    let bench = Bench::holding(&[failed, done(2)]);
    assert_eq!(bench.judge(&delete(1)), Some(Rule::Surplus));
}

#[test]
fn a_wait_or_a_block_says_why() {
    let reason = String::new();
    assert_eq!(days(1).judge(&Step::Blocked { reason }), Some(Rule::End));
}
